"""The kinds of a command's arguments: what an annotation takes, how it is read, and how it is written again.

Whatever `read` gives, `write` turns into a text that `read` takes for the same value. Reading raises UsageError only;
an annotation that no word can fill is a TypeError, before the bot has started.
"""

import dataclasses
import datetime as dt
import enum
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Generic, Literal, NewType, Protocol, TypeVar, Union, cast, get_args, get_origin

from bot.desk import quantities
from bot.desk.grammar import nearest
from bot.words.errors import UsageError
from bot.words.glyphs import quoted

LONGEST_TEXT = 4_000
LONGEST_LIST = 1_000

ComponentName = NewType("ComponentName", str)
PersonName = NewType("PersonName", str)

T = TypeVar("T")
_CHOICE = re.compile(r"\w[\w.-]{0,63}")  # nothing that needs quotes, or parts the entries of a list
_QUOTATION = tuple("\"'“”„‘’")
_MOST_SHOWN = 12
_LONGEST_LABEL = 40
_MEASURED = frozenset({int, float, dt.timedelta})


class Names(Protocol):
    """The names there are just now."""

    def components(self) -> Iterable[str]:
        """All components."""
        ...

    def groups(self) -> Iterable[str]:
        """All groups of components."""
        ...

    def people(self) -> Iterable[str]:
        """All people who are listed."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Between:
    """A number or a duration is not less than the one and not more than the other: `Annotated[int, Between(1, 9)]`."""

    least: int | float | dt.timedelta
    most: int | float | dt.timedelta


@dataclasses.dataclass(frozen=True, slots=True)
class Longest:
    """A text has at most so many characters: `Annotated[str, Longest(200)]`."""

    characters: int


@dataclasses.dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of argument."""

    label: str
    """What a command's usage calls it."""
    read: Callable[[str, Names], T]
    write: Callable[[T], str]
    holds: tuple[type, ...]
    """The types of its values."""


def _simple(label: str, read: Callable[[str], T], write: Callable[[T], str], *holds: type) -> Kind[T]:
    """A kind that needs no names."""
    return Kind(label, lambda word, _: read(word), write, holds)


FREE = "text"
"""What the kind is called that takes whatever somebody writes."""


def _text(most: int) -> Kind[str]:
    def read(word: str) -> str:
        if len(word) > most:
            raise UsageError(f"{quoted(word)} is too long: at most {most} characters.")
        return word

    return _simple(FREE, read, str, str)


_SWITCH = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}


def _switch(word: str) -> bool:
    value = _SWITCH.get(word.lower())
    if value is None:
        raise UsageError(f"{quoted(word)} is neither yes nor no.")
    return value


def _named(what: str, listed: Callable[[Names], Iterable[str]]) -> Kind[str]:
    """A name that exists, in whatever case it is typed."""

    def read(word: str, names: Names) -> str:
        if word in listed(names):
            return word
        known, folded = tuple(listed(names)), word.casefold()
        same = [name for name in known if name.casefold() == folded]
        if len(same) == 1:
            return same[0]
        if same:
            raise UsageError(f"{quoted(word)} may be {_or(same)}: type it exactly.")
        near = nearest(word, known)
        raise UsageError(f"{quoted(word)} is no {what}." + (f" Did you mean {quoted(near)}?" if near else ""))

    return Kind(what, read, str, (str,))


YES_OR_NO = _simple("yes|no", _switch, lambda value: "yes" if value else "no", bool)

_KINDS: Mapping[object, Kind[Any]] = {
    str: _text(LONGEST_TEXT),
    int: _simple("number", quantities.whole, str, int),
    float: _simple("number", quantities.fraction, quantities.write_fraction, float, int),
    bool: YES_OR_NO,
    dt.timedelta: _simple("duration", quantities.duration, quantities.write_duration, dt.timedelta),
    dt.time: _simple("time", quantities.time, quantities.write_time, dt.time),
    dt.datetime: _simple("date-and-time", quantities.moment, quantities.write_moment, dt.datetime),
    ComponentName: _named("component", lambda names: names.components()),
    PersonName: _named("person", lambda names: names.people()),
}


def kind_of(annotation: Any) -> Kind[Any]:
    """The kind that an annotation means. TypeError where no word can fill it."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _narrowed(inner[0], inner[1:])
    if origin is Literal:
        return _literal(inner)
    if origin in (Union, types.UnionType):
        return _optional(annotation, inner)
    if origin is list or (origin is tuple and inner[1:] == (Ellipsis,)):
        return _listed(kind_of(inner[0]), origin)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _member(annotation)
    kind = _KINDS.get(cast("object", annotation)) if origin is None else None
    if kind is None:
        raise TypeError(f"no word can fill {annotation!r}")
    return kind


def _optional(annotation: Any, inner: tuple[Any, ...]) -> Kind[Any]:
    """`T | None`: nobody types a None, it is what is left out."""
    some = [each for each in inner if each is not types.NoneType]
    if len(some) != 1:
        raise TypeError(f"no word can fill {annotation!r}: it may be of more than one kind")
    return kind_of(some[0])


def _narrowed(annotation: Any, bounds: tuple[Any, ...]) -> Kind[Any]:
    kind = kind_of(annotation)
    for bound in bounds:
        match bound:
            case Between() if _fits(bound, kind):
                kind = _between(kind, bound)
            case Longest(most) if kind is _KINDS[str] and 0 < most <= LONGEST_TEXT:
                kind = _text(most)
            case _:
                raise TypeError(f"{bound!r} does not bound {annotation!r}")
    return kind


def _fits(bound: Between, kind: Kind[Any]) -> bool:
    """Whether these are bounds that such a value can be held against."""
    return (
        not _MEASURED.isdisjoint(kind.holds)
        and all(type(end) in kind.holds for end in (bound.least, bound.most))
        and _in_order(bound)
    )


def _in_order(bound: Between) -> bool:
    least, most = cast("tuple[float, float]", (bound.least, bound.most))  # or two durations
    return least <= most


def _between(kind: Kind[Any], bound: Between) -> Kind[Any]:
    least, most = kind.write(bound.least), kind.write(bound.most)

    def read(word: str, names: Names) -> Any:
        value = kind.read(word, names)
        if not bound.least <= value <= bound.most:
            raise UsageError(f"{quoted(word)} is out of range: from {least} to {most}.")
        return value

    return Kind(f"{least}–{most}", read, kind.write, kind.holds)


def _listed(kind: Kind[Any], collect: type[list[Any]] | type[tuple[Any, ...]]) -> Kind[Any]:
    """Entries with commas between them. The quotes, where some are needed, stand around the whole list."""
    if not {list, tuple}.isdisjoint(kind.holds):
        raise TypeError("no word can fill a list of lists")

    def read(word: str, names: Names) -> Any:
        entries = [entry.strip() for entry in word.split(",")]
        if not all(entries):
            raise UsageError(f"{quoted(word)} has an empty entry: put one comma between two entries, such as a,b,c.")
        if len(entries) > LONGEST_LIST:
            raise UsageError(f"{quoted(word)} has {len(entries)} entries: at most {LONGEST_LIST}.")
        for entry in entries:
            if entry.startswith(_QUOTATION):
                raise UsageError(
                    f'{quoted(entry)} opens a quotation: put the quotes around the whole list, as "a,b c".'
                )
        return collect(kind.read(entry, names) for entry in entries)

    return Kind(f"{kind.label},…", read, lambda values: ",".join(map(kind.write, values)), (collect,))


def _member(members: type[enum.Enum]) -> Kind[Any]:
    """One of an enumeration, by its name or its value, in whatever case."""
    spelled: dict[str, enum.Enum] = {}
    for name, member in members.__members__.items():
        for spelling in {_plainly(name), _plainly(str(member.value))}:
            if spelled.setdefault(spelling, member) is not member:
                raise TypeError(f"{spelling!r} may be more than one of {members!r}")
    shown = {member.name: _shown(member) for member in members}

    def read(word: str) -> enum.Enum:
        member = spelled.get(_plainly(word))
        if member is None:
            raise _no_choice(word, tuple(shown.values()))
        return member

    return _choice(tuple(shown.values()), read, lambda member: shown[member.name], members)


def _literal(values: tuple[Any, ...]) -> Kind[Any]:
    """One of some words. Capital letters matter only where two of the words differ by nothing else."""
    if not all(isinstance(value, str) and _CHOICE.fullmatch(value) for value in values):
        raise TypeError(f"a choice is a short word without white space, commas and quotes, unlike one of {values!r}")
    choices = cast("tuple[str, ...]", values)
    folded: dict[str, list[str]] = {}
    for value in choices:
        folded.setdefault(value.casefold(), []).append(value)

    def read(word: str) -> str:
        same = folded.get(word.casefold(), [])
        if word not in same and len(same) != 1:
            raise _no_choice(word, choices)
        return word if word in same else same[0]

    return _choice(choices, read, str, str)


def _choice(choices: tuple[str, ...], read: Callable[[str], T], write: Callable[[T], str], holds: type) -> Kind[T]:
    if not choices:
        raise TypeError(f"{holds!r} leaves nothing to choose from")
    label = "|".join(choices)
    return _simple(label if len(label) <= _LONGEST_LABEL else "choice", read, write, holds)


def _shown(member: enum.Enum) -> str:
    """A member's value where one can type that, else its name."""
    value = str(member.value)
    return value if isinstance(member.value, str) and _CHOICE.fullmatch(value) else _plainly(member.name)


def _plainly(spelling: str) -> str:
    return spelling.casefold().replace("_", "-")


def _no_choice(word: str, choices: tuple[str, ...]) -> UsageError:
    near = nearest(word, choices)
    meant = f" Did you mean {quoted(near)}?" if near else ""
    return UsageError(f"{quoted(word)} is not {_or(choices)}.{meant}")


def _or(choices: Iterable[str]) -> str:
    shown = [quoted(choice)[1:-1] for choice in choices]
    if len(shown) > _MOST_SHOWN:
        return ", ".join((*shown[:_MOST_SHOWN], "…"))
    return " or ".join((", ".join(shown[:-1]), shown[-1])) if len(shown) > 1 else "".join(shown)
