"""Makes a component or a stop key known: the file that it starts with, and what the configuration says of it.

A file that is there is never written over: it holds a key that is in use.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from bot.words.errors import SettingsError
from wire.broker import Broker
from wire.enrolment import DiskKind, Enrolment
from wire.envelope import PublicKey
from wire.stopkey import StopKey


def enrol(
    component: str,
    groups: tuple[str, ...],
    root: str,
    broker: Broker,
    bot_key: PublicKey,
    path: Path,
    *,
    stop_keys: Iterable[str] = (),
    disk: DiskKind = DiskKind.NEW,
) -> Enrolment:
    """Write the file for a new component. Whose stops count beside the bot's is told by `stop_keys`, in base64."""
    if path.exists():
        raise SettingsError(
            f"{path} is there already.", hint="Remove it to enrol anew; the component's old key is void then."
        )
    trusted = tuple(PublicKey.parse(key) for key in sorted(stop_keys))
    enrolment = Enrolment(root, component, groups, broker, bot_key, stop_keys=trusted, seed=os.urandom(32), disk=disk)
    try:
        enrolment.save(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error
    return enrolment


def stanza(enrolment: Enrolment) -> str:
    """What the configuration must say, so that the bot knows the component."""
    groups = ", ".join(f'"{group}"' for group in enrolment.groups)
    return f'[components.{enrolment.id}]\nkey = "{enrolment.key.public}"\ngroups = [{groups}]\n'


def issue_stop_key(person: str, root: str, broker: Broker, path: Path) -> StopKey:
    """Write the file of a new stop key for a person."""
    issued = StopKey(root, broker, person, os.urandom(32))
    try:
        issued.save(path)
    except FileExistsError as error:
        raise SettingsError(
            f"{path} is there already, and a key is never written over.", hint="Name another file with --file PATH."
        ) from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error
    return issued


def stop_key_line(person: str, keys: Iterable[str]) -> str:
    """What the configuration must say of all the stop keys of a person."""
    listed = ", ".join(f'"{key}"' for key in keys)
    return f"[people.{person}]\nstop_keys = [{listed}]\n"
