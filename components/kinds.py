"""The kinds of values that a command of a component takes: what an annotation says as JSON Schema, and how it is read.

Schema and reading come from one description, so that nothing is refused that the schema allows, and nothing taken that
it forbids. An annotation that JSON cannot fill is a TypeError, before the component has started.
"""

import dataclasses
import enum
import math
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import orjson

from wire.fields import LARGEST_NUMBER, LONGEST_TEXT

LONGEST_LIST = 256
LONGEST_SHOWN = 40
MOST_CHOICES = 256

JSON = Any
"""What orjson reads."""


@dataclass(frozen=True, slots=True)
class Between:
    """A number is not less than the one and not more than the other: `Annotated[int, Between(1, 9)]`."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Longest:
    """A text has at most so many characters, or a list so many entries: `Annotated[str, Longest(200)]`."""

    most: int


@dataclass(frozen=True, slots=True)
class Shortest:
    """A text has at least so many characters, or a list so many entries: `Annotated[str, Shortest(1)]`."""

    least: int


@dataclass(frozen=True, slots=True, init=False)
class OneOf:
    """Nothing but one of these, for what is known only when the component starts: `Annotated[str, OneOf(*rooms)]`."""

    choices: tuple[str | int, ...]

    def __init__(self, *choices: str | int) -> None:
        object.__setattr__(self, "choices", choices)


class Misfit(Exception):
    """A value is not what it must be."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value."""

    says: str
    """What it must be, in words."""
    schema: Mapping[str, JSON]
    read: Callable[[JSON], Any]
    """The value as the function gets it. Raises Misfit."""
    write: Callable[[Any], JSON] = lambda value: value
    """The value as JSON."""


def kind(annotation: Any) -> Kind:
    """The kind of an annotation. Raises TypeError where JSON cannot fill it."""
    return _unwrapped(annotation, _Bounds())


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What stands beside an annotation. One that says nothing about it would be a mistake."""

    choices: tuple[str | int, ...] = ()
    numbers: tuple[Between, ...] = ()
    sizes: tuple[Longest | Shortest, ...] = ()

    def and_those_of(self, beside: Sequence[object]) -> "_Bounds":
        return _Bounds(
            next((each.choices for each in beside if isinstance(each, OneOf)), self.choices),
            (*self.numbers, *(each for each in beside if isinstance(each, Between))),
            (*self.sizes, *(each for each in beside if isinstance(each, Longest | Shortest))),
        )

    def only(self, *used: str) -> bool:
        """Whether nothing else is said than these."""
        return not any(getattr(self, each.name) for each in dataclasses.fields(self) if each.name not in used)


def _unwrapped(annotation: Any, bounds: _Bounds) -> Kind:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _unwrapped(inner[0], bounds.and_those_of(inner[1:]))
    if origin in (Union, types.UnionType) and type(None) in inner and len(inner) == 2:  # noqa: PLR2004 - X | None
        (other,) = (each for each in inner if each is not type(None))
        return _or_nothing(_unwrapped(other, bounds))
    made = _sized(annotation, bounds) or _chosen(annotation, bounds)
    if made is None:
        raise TypeError(
            f"cannot be {annotation!r} with these bounds: use int, float, bool, str, Literal, an Enum, "
            "a list of those, or one of those | None"
        )
    return made


def _sized(annotation: Any, bounds: _Bounds) -> Kind | None:
    """What has a size."""
    if annotation in (int, float) and bounds.only("numbers"):
        return _number(annotation, bounds.numbers)
    if annotation is str and bounds.only("sizes"):
        return _text(*_sizes(bounds.sizes, LONGEST_TEXT))
    if get_origin(annotation) is list and bounds.only("sizes"):
        return _list(kind(get_args(annotation)[0]), *_sizes(bounds.sizes, LONGEST_LIST))
    return None


def _chosen(annotation: Any, bounds: _Bounds) -> Kind | None:
    """What is one of a few."""
    if annotation in (str, int) and bounds.choices and bounds.only("choices"):
        if not all(type(each) is annotation for each in bounds.choices):
            raise TypeError(f"has choices that are not all {annotation.__name__}")
        return _choice([(each, each) for each in bounds.choices])
    if not bounds.only():
        return None
    if annotation is bool:
        return Kind("true or false", {"type": "boolean"}, _flag)
    if get_origin(annotation) is Literal:
        return _choice([(each, each) for each in get_args(annotation)])
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _choice([(each.value, each) for each in annotation])
    return None


def _number(of: type, bounds: tuple[Between, ...]) -> Kind:
    largest = LARGEST_NUMBER if of is int else None
    least: float | None = max((each.least for each in bounds), default=None if largest is None else -largest)
    most: float | None = min((each.most for each in bounds), default=largest)
    if least is not None and most is not None and least > most:
        raise TypeError(f"has bounds that nothing fits: {least} to {most}")
    noun = "a whole number" if of is int else "a number"

    def read(value: JSON) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Misfit
        if (least is not None and value < least) or (most is not None and value > most):
            raise Misfit
        if of is float:
            return float(value)
        if value != int(value):
            raise Misfit
        return int(value)

    limits = {"minimum": least, "maximum": most}
    schema = {"type": "integer" if of is int else "number"} | {
        name: limit for name, limit in limits.items() if limit is not None
    }
    return Kind(f"{noun} from {least} to {most}" if bounds else noun, schema, read)


def _sizes(bounds: tuple[Longest | Shortest, ...], longest: int) -> tuple[int, int]:
    least = max((each.least for each in bounds if isinstance(each, Shortest)), default=0)
    most = min((each.most for each in bounds if isinstance(each, Longest)), default=longest)
    if not 0 <= least <= most:
        raise TypeError(f"has bounds that nothing fits: {least} to {most}")
    return least, most


def _text(least: int, most: int) -> Kind:
    def read(value: JSON) -> str:
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise Misfit
        return value

    schema = {"type": "string", "maxLength": most} | ({"minLength": least} if least else {})
    return Kind(f"a text of {_span(least, most)} characters", schema, read)


def _list(of: Kind, least: int, most: int) -> Kind:
    def read(value: JSON) -> list[Any]:
        if not isinstance(value, list) or not least <= len(cast("list[JSON]", value)) <= most:
            raise Misfit
        return [of.read(each) for each in cast("list[JSON]", value)]

    def write(values: Iterable[Any]) -> JSON:
        return [of.write(each) for each in values]

    schema = {"type": "array", "items": dict(of.schema), "maxItems": most} | ({"minItems": least} if least else {})
    return Kind(f"a list of {_span(least, most)} entries, each {of.says}", schema, read, write)


def _choice(choices: Sequence[tuple[Any, Any]]) -> Kind:
    """One of these values, each with what it means. JSON Schema takes 1.0 for 1, and Python takes true for it, too."""
    values = [value for value, _ in choices]
    if not 0 < len(values) <= MOST_CHOICES or not all(isinstance(each, str | int) for each in values):
        raise TypeError(f"must have 1 to {MOST_CHOICES} choices, each a text, a whole number, true or false")

    def read(given: JSON) -> Any:
        for value, meant in choices:
            if given == value and isinstance(given, bool) == isinstance(value, bool):
                return meant
        raise Misfit

    def write(given: Any) -> JSON:
        return next((value for value, meant in choices if type(meant) is type(given) and meant == given), None)

    return Kind(f"one of {', '.join(shown(each) for each in values)}", {"enum": values}, read, write)


def _or_nothing(of: Kind) -> Kind:
    def read(value: JSON) -> Any:
        return None if value is None else of.read(value)

    def write(value: Any) -> JSON:
        return None if value is None else of.write(value)

    return Kind(f"{of.says}, or null", {"anyOf": [dict(of.schema), {"type": "null"}]}, read, write)


def _flag(value: JSON) -> bool:
    if not isinstance(value, bool):
        raise Misfit
    return value


def _span(least: int, most: int) -> str:
    return f"{least} to {most}" if least else f"up to {most}"


def shown(value: JSON) -> str:
    """A value in a sentence: short, and with nothing in it that commands a terminal."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # deeper than orjson writes
        return "that"
    short = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    return "".join(each if each.isprintable() else "�" for each in short)
