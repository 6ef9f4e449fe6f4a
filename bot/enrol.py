"""Makes a component known: the file that it starts with, and what the configuration says of it."""

import os
from pathlib import Path

from bot.words.errors import SettingsError
from wire.broker import Broker
from wire.enrolment import Enrolment
from wire.envelope import PublicKey


def enrol(
    component: str, groups: tuple[str, ...], root: str, broker: Broker, bot_key: PublicKey, path: Path
) -> Enrolment:
    """Write the file for a new component. A file that is there is never written over: it holds a key that is in use."""
    if path.exists():
        raise SettingsError(
            f"{path} is there already.", hint="Remove it to enrol anew; the component's old key is void then."
        )
    enrolment = Enrolment(root, component, groups, broker, bot_key, stop_keys=(), seed=os.urandom(32))
    try:
        enrolment.save(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error
    return enrolment


def stanza(enrolment: Enrolment) -> str:
    """What the configuration must say, so that the bot knows the component."""
    groups = ", ".join(f'"{group}"' for group in enrolment.groups)
    return f'[components.{enrolment.id}]\nkey = "{enrolment.key.public}"\ngroups = [{groups}]\n'
