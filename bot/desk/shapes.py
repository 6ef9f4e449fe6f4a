"""What one value must be: as a judge, and in words. It refuses nothing that it does not understand.

It looks at so many values and no more: the one who types STOP does not wait for it.
"""

import dataclasses
import functools
import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, cast

import orjson

from bot.words.glyphs import cut, one_line, quoted

JSON = Any
"""What orjson reads."""

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
_NAMES = {type(None): "null", bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}
MOST_JUDGED = 20_000
LONGEST_SAID = 160
LONGEST_NAME = 40
_LONGEST_SHOWN = 40
_MOST_SHOWN = 12
_LARGEST_SAID = 2**53
"""A bound of this size says nothing but that numbers have an end."""


def _is_multiple(value: float, step: float) -> bool:
    """Of the decimal number as it is written, or of the binary one: 0.3 is three times 0.1."""
    return step <= 0 or 0 in (Fraction(str(value)) % Fraction(str(step)), Fraction(value) % Fraction(step))


NUMERIC = frozenset({"integer", "number"})
_Rules = Mapping[str, Callable[[float, float], bool]]
NUMBERS: _Rules = {
    "minimum": operator.ge,
    "exclusiveMinimum": operator.gt,
    "maximum": operator.le,
    "exclusiveMaximum": operator.lt,
    "multipleOf": _is_multiple,
}
LENGTHS: _Rules = {"minLength": operator.ge, "maxLength": operator.le}
SIZES: _Rules = {"minItems": operator.ge, "maxItems": operator.le}


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a value. Its sentence is made only when somebody reads it."""

    where: str
    shape: "Shape"
    given: JSON = None
    is_missing: bool = False

    @property
    def what(self) -> str:
        """In one sentence."""
        if self.is_missing:
            return f"{self.where} is missing: {self.shape.says}."
        return f"{self.where} must be {self.shape.says}, not {shown(self.given)}."


@dataclasses.dataclass(frozen=True)
class Shape:
    """What one value must be. What is None is not asked for."""

    types: frozenset[str] | None = None
    choices: Mapping[tuple[str, JSON], JSON] | None = None
    """Each by its type and itself: JSON takes 1 for 1.0, and not for true. None is a list or an object."""
    bounds: Mapping[str, float] = dataclasses.field(default_factory=dict[str, float])
    """By keyword."""
    items: "Shape | None" = None
    properties: Mapping[str, "Shape"] = dataclasses.field(default_factory=dict[str, "Shape"])
    needed: tuple[str, ...] = ()
    others: "Shape | None" = None
    """What properties must be that are not named."""
    options: tuple["Shape", ...] = ()
    """It must be one of these, too."""
    about: frozenset[str] = frozenset()
    """The types that its keywords are about."""

    @functools.cached_property
    def wanted(self) -> frozenset[str]:
        """The types that it speaks of, so that a word is read as one of them. None at all where it says nothing."""
        if self.types is not None:
            return self.types
        if self.choices is not None:
            return frozenset(kind for kind, _ in self.choices)
        return self.about.union(*(each.wanted for each in self.options))

    @property
    def is_closed(self) -> bool:
        """Whether it takes no property that it does not name."""
        return self.others is not None and self.others.types == frozenset()

    @functools.cached_property
    def leaves(self) -> tuple["Shape", ...]:
        """Itself, and all that it may be instead."""
        return (self, *(leaf for each in self.options for leaf in each.leaves))

    @functools.cached_property
    def spellings(self) -> Mapping[str, Sequence[str]]:
        """The texts that it may be one of, by how they are spelled in small letters."""
        spelled: dict[str, list[str]] = {}
        for leaf in self.leaves:
            for each in (leaf.choices or {}).values():
                if isinstance(each, str):
                    spelled.setdefault(each.casefold(), []).append(each)
        return spelled

    def fault(self, value: JSON, where: str, patience: Iterator[int]) -> Fault | None:
        """What is wrong with a value, if anything is. All is right once the patience has come to its end."""
        if next(patience, None) is None:
            return None
        if not self._fits(value):
            return Fault(where, self, value)
        for fault in self._inside(value, where, patience):
            return fault
        faults = [each.fault(value, where, patience) for each in self.options]
        if not faults or None in faults:
            return None
        return next((each for each in faults if each is not None and each.where != where), Fault(where, self, value))

    def _fits(self, value: JSON) -> bool:
        kind = type_of(value)
        if self.types is not None and kind not in self.types and (kind != "integer" or "number" not in self.types):
            return False
        if self.choices is not None and (kind in ("array", "object") or (kind, value) not in self.choices):
            return False
        if kind in NUMERIC:
            return self._keeps(value, NUMBERS)
        if kind == "string":
            return self._keeps(len(value), LENGTHS)
        return kind != "array" or self._keeps(len(value), SIZES)

    def _keeps(self, measure: float, rules: _Rules) -> bool:
        return all(holds(measure, self.bounds[word]) for word, holds in rules.items() if word in self.bounds)

    def _inside(self, value: JSON, where: str, patience: Iterator[int]) -> Iterator[Fault]:
        if isinstance(value, list) and self.items is not None:
            for place, each in enumerate(cast("list[JSON]", value), 1):
                if fault := self.items.fault(each, f"entry {place} of {where}", patience):
                    yield fault
        if isinstance(value, dict):
            inner = cast("dict[str, JSON]", value)
            for name in self.needed:
                if name not in inner:
                    yield Fault(f"{where}.{harmless(name)}", self.properties.get(name, ANYTHING), is_missing=True)
            for name, each in inner.items():
                shape = self.properties.get(name, self.others) or ANYTHING
                if fault := shape.fault(each, f"{where}.{harmless(name)}", patience):
                    yield fault

    @property
    def says(self) -> str:
        """What it must be, in words that stand behind `must be`."""
        if self.choices is not None:
            return one_of([*self.choices.values()])
        if self.types is None and self.options:
            return cut(", or ".join(dict.fromkeys(each.says for each in self.options)), LONGEST_SAID)
        if not self.wanted:
            return "any value" if self.types is None else "left out"
        told = self.wanted - ({"integer"} if "number" in self.wanted else set())
        return cut(", or ".join(self._noun(each) for each in reversed(TYPES) if each in told), LONGEST_SAID)

    def _noun(self, kind: str) -> str:
        match kind:
            case "integer" | "number":
                return f"a {'whole ' if kind == 'integer' else ''}number{self._limits()}"
            case "string":
                return f"a text{self._span('minLength', 'maxLength', 'characters')}"
            case "array":
                each = f", each {self.items.says}" if self.items is not None else ""
                return f"a list{self._span('minItems', 'maxItems', 'entries')}{each}"
            case "object":
                inner = ", ".join(harmless(each) for each in itertools.islice(self.properties, _MOST_SHOWN))
                return f"an object with {inner}" if inner else "an object"
            case _:
                return "true or false" if kind == "boolean" else "null"

    def _limits(self) -> str:
        words = {"minimum": " from ", "exclusiveMinimum": " above ", "maximum": " to ", "exclusiveMaximum": " below "}
        told = {word: self.bounds[key] for key, word in words.items() if key in self.bounds}
        said = "".join(word + write(bound) for word, bound in told.items() if abs(bound) < _LARGEST_SAID)
        said = f" up to {said[4:]}" if said.startswith(" to ") else said
        step = self.bounds.get("multipleOf", 1)
        return said if step == 1 else f"{said} in steps of {write(step)}"

    def _span(self, fewest: str, fullest: str, what: str) -> str:
        least, most = self.bounds.get(fewest), self.bounds.get(fullest)
        if most is None:
            return f" of at least {write(least)} {what}" if least else ""
        return f" of {write(least)} to {write(most)} {what}" if least else f" of up to {write(most)} {what}"


ANYTHING = Shape()
NOTHING = Shape(types=frozenset())


def patience() -> Iterator[int]:
    """For one line that somebody typed."""
    return iter(range(MOST_JUDGED))


def type_of(value: JSON) -> str:
    """The name of a value's type. A number without a fraction is an integer, however it is written."""
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return _NAMES[type(value)]


def write(number: float | None) -> str:
    """A number, short."""
    return repr(number).removesuffix(".0")


def one_of(choices: Sequence[JSON]) -> str:
    """Choices in a sentence, the first few of them."""
    told = [*map(shown, choices[:_MOST_SHOWN]), *(["…"] if len(choices) > _MOST_SHOWN else [])]
    return told[0] if len(told) == 1 else cut(f"one of {', '.join(told)}", LONGEST_SAID)


def shown(value: JSON) -> str:
    """A value in a sentence: short and harmless."""
    if isinstance(value, str):
        return quoted(value)
    try:
        return one_line(cut(orjson.dumps(value).decode(), _LONGEST_SHOWN))
    except TypeError:  # deeper or larger than orjson writes
        return "that"


def harmless(text: str, most: int = LONGEST_NAME) -> str:
    """A stranger's words on one line: short, and with nothing in them that commands, turns or hides."""
    return cut(" ".join(one_line(text[: 4 * most]).split()), most) or "''"
