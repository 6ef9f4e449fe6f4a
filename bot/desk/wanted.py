"""What somebody means who tells a component to do something: understood before anybody is told."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bot.desk.offers import Form, nearest_command
from bot.desk.targets import find
from bot.fleet.registry import Registry
from bot.words.errors import Refused, UsageError
from bot.words.glyphs import cut, quoted
from wire.birth import Birth, Danger, Offer

LONGEST_NAMES = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Something that was asked for, understood: which components are to do what, with which arguments."""

    components: tuple[tuple[str, str], ...]
    """Each with the session in which it spoke last."""
    command: str
    offer: Offer
    args: Mapping[str, Any]
    danger: Danger

    @property
    def takes_two(self) -> bool:
        """Two persons must agree to it."""
        return self.danger is Danger.HIGH


def typed(words: Sequence[str], more: Mapping[str, str]) -> list[str]:
    """The arguments as they were typed."""
    return [*words, *(f"{name}={value}" for name, value in more.items())]


def understood(registry: Registry, target: str, command: str, words: Sequence[str]) -> Wanted:
    """What somebody means. Raises UsageError, and Refused where nobody is there to do it."""
    meant = find(registry, target)
    births = {
        name: birth
        for name in registry.components()
        if meant.meets(name, registry.groups_of(name)) and (birth := registry.birth(name)) is not None
    }
    if not births:
        raise Refused(
            f"Not run: nobody of {quoted(target)} has said what it can do.", hint="Is it switched on? See !status."
        )
    able = {name: birth.commands[command] for name, birth in births.items() if command in birth.commands}
    if not able:
        raise unknown(target, command, next(iter(births.values())))
    offer = next(iter(able.values()))
    different = [name for name, each in able.items() if dict(each.input) != dict(offer.input) or each.job != offer.job]
    if different:
        raise UsageError(
            f"Not run: {command} is not the same at all of them: {cut(', '.join(different), LONGEST_NAMES)}.",
            hint="Name one component.",
        )
    sessions = {name: registry.session(name) for name in able}
    silent = sorted(name for name, session in sessions.items() if session is None)
    if silent:
        raise Refused(
            f"Not run: nothing was heard of {cut(', '.join(silent), LONGEST_NAMES)} since I began.",
            hint="See !status.",
        )
    return Wanted(
        tuple((name, session) for name, session in sorted(sessions.items()) if session is not None),
        command,
        offer,
        Form.of(offer).read(words),
        max(registry.danger(name, command) for name in able),
    )


def unknown(target: str, command: str, birth: Birth) -> UsageError:
    """There is no such command."""
    near = nearest_command(birth, command)
    meant = f" Did you mean {near}?" if near else ""
    return UsageError(f"{target} has no command {quoted(command)}.{meant}", hint=f"!run {target} shows what there is.")
