"""From a stranger's JSON Schema to the shape of a value. Whatever the schema is, nothing raises.

It is there to help people early: what it does not understand it lets through, because the component judges anyway. It
compiles no pattern and follows no reference, and a schema of any size becomes a bounded number of shapes.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import cast

from bot.desk.shapes import ANYTHING, JSON, LENGTHS, NOTHING, NUMBERS, NUMERIC, SIZES, TYPES, Shape, type_of

DEEPEST = 6
MOST_SHAPES = 256
MOST_CHOICES = 1024
MOST_OPTIONS = 8
_LARGEST = 10**300

_ABOUT = {
    NUMERIC: (*NUMBERS,),
    frozenset({"string"}): (*LENGTHS,),
    frozenset({"array"}): ("items", *SIZES),
    frozenset({"object"}): ("properties", "required"),
}
"""What a schema without a type seems to be about."""


def shape_of(schema: JSON) -> Shape:
    """What a schema asks for. Never raises."""
    return _shape(schema, itertools.count(), 0)


def _shape(schema: JSON, made: "itertools.count[int]", depth: int) -> Shape:
    if schema is False:
        return NOTHING
    if not isinstance(schema, dict) or "$ref" in schema or depth > DEEPEST or next(made) >= MOST_SHAPES:
        return ANYTHING
    asked = cast("dict[str, JSON]", schema)

    def inner(keyword: str) -> Shape | None:
        return _shape(asked[keyword], made, depth + 1) if keyword in asked else None

    properties = properties_of(asked)
    are_all = len(properties) <= MOST_SHAPES and not asked.get("patternProperties")
    needed = (each for each in _some(asked.get("required"), MOST_SHAPES) if isinstance(each, str))
    options = _some(asked.get("anyOf"), MOST_OPTIONS + 1)
    bounds = {word: _number(asked.get(word)) for word in (*NUMBERS, *LENGTHS, *SIZES)}
    about = {each for types, words in _ABOUT.items() if any(word in asked for word in words) for each in types}
    return Shape(
        types=_types(asked.get("type")),
        choices=_choices(asked),
        bounds={word: bound for word, bound in bounds.items() if bound is not None},
        items=inner("items") if "prefixItems" not in asked else None,
        properties={
            name: _shape(each, made, depth + 1) for name, each in itertools.islice(properties.items(), MOST_SHAPES)
        },
        needed=tuple(dict.fromkeys(needed)),
        others=inner("additionalProperties") if are_all else None,
        options=tuple(_shape(each, made, depth + 1) for each in options) if len(options) <= MOST_OPTIONS else (),
        about=frozenset(about),
    )


def properties_of(asked: Mapping[str, JSON]) -> dict[str, JSON]:
    """The schemas of the properties, by name."""
    found = asked.get("properties")
    return cast("dict[str, JSON]", found) if isinstance(found, dict) else {}


def _types(stated: JSON) -> frozenset[str] | None:
    types = cast("list[JSON]", stated) if isinstance(stated, list) else [stated]
    known = frozenset(each for each in TYPES if each in types)
    return known if types and all(isinstance(each, str) and each in known for each in types) else None


def _choices(asked: Mapping[str, JSON]) -> dict[tuple[str, JSON], JSON] | None:
    choices = [asked["const"]] if "const" in asked else _some(asked.get("enum"), MOST_CHOICES + 1)
    if not 0 < len(choices) <= MOST_CHOICES:
        return None
    plain = all(isinstance(each, str | bool | None) or _number(each) is not None for each in choices)
    return {(type_of(each), each): each for each in choices} if plain else None


def _some(value: JSON, most: int) -> Sequence[JSON]:
    return cast("list[JSON]", value)[:most] if isinstance(value, list) else []


def _number(value: JSON) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and -_LARGEST <= value <= _LARGEST else None
