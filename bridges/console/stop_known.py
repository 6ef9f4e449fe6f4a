"""What `tocsin stop` knows before it asks anybody: the configuration as far as it can be read, and what is meant.

A configuration that is missing or wrong never keeps a stop from going out: what cannot be read is told and left out.
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from bot.desk.grammar import nearest
from bot.stop.bykey import Listed
from bot.words.errors import UsageError
from bot.words.glyphs import quoted
from wire.envelope import PublicKey
from wire.errors import BadMessage
from wire.fields import ID
from wire.messages import ROOT, Target

LARGEST = 1024 * 1024
EVERYTHING = ("all", "everything")
PUNCTUATION = ".,;:!?'\"`"
"""What stands beside a name where somebody copies it out of a sentence."""


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What a configuration says that a stop can use. Without one nothing is known, and nobody's word is verified."""

    config: Path | None = None
    socket: Path | None = None
    """Where its bot listens on this machine."""
    root: str = ROOT
    listed: Mapping[str, Listed] = dataclasses.field(default_factory=dict[str, Listed])
    stop_keys: frozenset[str] = frozenset()
    """The ids of those that it lists."""
    notes: tuple[str, ...] = ()
    """What could not be read, a sentence each."""

    @property
    def groups(self) -> frozenset[str]:
        """All groups that the configuration names."""
        return frozenset(group for each in self.listed.values() for group in each.groups)


def read(config: Path) -> Known:
    """What this file says, leniently."""
    try:
        with config.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        return Known(notes=(f"{config} cannot be read ({error.strerror}), so nobody's word can be verified.",))
    try:
        content = tomllib.loads(raw.decode() if len(raw) <= LARGEST else "too large")
    except (ValueError, RecursionError):  # that it is no TOML, and no UTF-8, are of these
        return Known(notes=(f"{config} is no TOML that can be read, so nobody's word can be verified.",))
    listed, wrong = _listed(_section(content, "components"))
    notes = [f"{config} has no key that can be read for {name}: what it says is not verified." for name in wrong]
    root = _section(content, "mqtt").get("root")
    socket = _section(content, "console").get("socket")
    return Known(
        config=config,
        socket=config.parent.absolute() / socket if isinstance(socket, str) and _is_path(socket) else None,
        root=root if isinstance(root, str) else ROOT,
        listed=listed,
        stop_keys=_stop_keys(_section(content, "people")),
        notes=tuple(notes),
    )


def resolve(word: str, known: Known) -> Target:
    """What is meant. `id/NAME` and `group/NAME` are taken as they are, a bare name is looked up where there is a list.

    Raises UsageError, with the exact line to send, for what nobody is called.
    """
    name = word.strip().lower().strip(PUNCTUATION)
    if name in EVERYTHING:
        return Target()
    if "/" in name:
        try:
            return Target.parse(name)
        except BadMessage as error:
            raise _nothing(f"{quoted(word)} is no target", ("all",)) from error
    if name in known.listed:
        return Target(id=name)
    if name in known.groups:
        return Target(group=name)
    if known.listed:
        there = ("all", *known.listed, *known.groups)
        what = f"{known.config} has no component and no group called {quoted(word)}"
        raise _nothing(what, (nearest(name, there) or "all", "all"), f" One that it does not list: {_forms(name)}")
    if ID.fullmatch(name):
        return Target(id=name)
    raise _nothing(f"{quoted(word)} is no name of a component", ("all",))


def _nothing(why: str, lines: tuple[str, ...], more: str = "") -> UsageError:
    choices = " or ".join(f"tocsin stop {each}" for each in dict.fromkeys(lines))
    return UsageError(f"Nothing was stopped: {why}.", hint=f"To stop, run: {choices}.{more}")


def _forms(name: str) -> str:
    shown = name if ID.fullmatch(name) else "NAME"
    return f"tocsin stop id/{shown} or group/{shown}"


def _listed(components: Mapping[str, Any]) -> tuple[dict[str, Listed], list[str]]:
    """Those that can be verified, and the names of those that cannot."""
    listed: dict[str, Listed] = {}
    wrong: list[str] = []
    for name, section in components.items():
        if ID.fullmatch(name) is None:
            continue
        match section:
            case {"key": str(key), **more}:
                try:
                    listed[name] = Listed(PublicKey.parse(key), _texts(more.get("groups")))
                except BadMessage:
                    wrong.append(name)
            case _:
                wrong.append(name)
    return listed, wrong


def _stop_keys(people: Mapping[str, Any]) -> frozenset[str]:
    ids: set[str] = set()
    for person in people.values():
        for key in _texts(cast("Mapping[str, Any]", person).get("stop_keys")) if isinstance(person, dict) else ():
            try:
                ids.add(PublicKey.parse(key).id)
            except BadMessage:
                continue
    return frozenset(ids)


def _section(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = content.get(name)
    return cast("Mapping[str, Any]", section) if isinstance(section, dict) else {}


def _texts(value: object) -> frozenset[str]:
    entries = cast("list[object]", value) if isinstance(value, list) else []
    return frozenset(each for each in entries if isinstance(each, str))


def _is_path(text: str) -> bool:
    return bool(text) and "\0" not in text
