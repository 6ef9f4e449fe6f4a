"""Arguments for a component's command, made from its JSON Schema. What it cannot make it says; it never guesses."""

from collections.abc import Callable, Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

PLENTY = 1000
"""A number where the schema sets no bound: large, so that a job lasts."""
DEEPEST = 8


class Unmade(Exception):
    """The schema asks for something that only its author can make."""


def arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest object that fits: what is required, and the largest numbers."""
    made = _sample({"type": "object", **schema}, DEEPEST)
    return cast("dict[str, Any]", made)


def wrong_arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An object that cannot fit: each argument is of a type that it is not."""
    properties = cast("Mapping[str, Any]", schema.get("properties", {}))
    if not properties:
        return {"no-such-argument": True}
    name, first = next(iter(properties.items()))
    is_object = isinstance(first, Mapping) and cast("Mapping[str, Any]", first).get("type") == "object"
    return {name: 1 if is_object else {"not": "this"}}


def _sample(schema: Schema, depth: int) -> object:
    if depth == 0:
        raise Unmade("it is nested too deep")
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if values := _list(schema, key):
            return values[0]
    for key in ("anyOf", "oneOf"):
        if choices := _list(schema, key):
            return _sample(cast("Schema", choices[0]), depth - 1)
    kinds = _list(schema, "type")
    kind = str(kinds[0] if kinds else schema.get("type"))
    make = _MAKERS.get(kind)
    if make is None:
        raise Unmade("the schema does not say of which type it is")
    return make(schema, depth)


def _list(schema: Schema, key: str) -> list[object]:
    value = schema.get(key)
    return cast("list[object]", value) if isinstance(value, list) else []


def _object(schema: Schema, depth: int) -> object:
    properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
    return {str(name): _sample(properties.get(str(name), {}), depth - 1) for name in _list(schema, "required")}


def _array(schema: Schema, depth: int) -> object:
    items = cast("Schema", schema.get("items", {}))
    return [_sample(items, depth - 1) for _ in range(cast("int", schema.get("minItems", 0)))]


def _text(schema: Schema, _: int) -> object:
    if "pattern" in schema or "format" in schema:
        raise Unmade("a text must have a form of its own")
    return "x" * max(1, cast("int", schema.get("minLength", 1)))


def _number(schema: Schema, _: int) -> object:
    whole = schema.get("type") != "number"
    least, most = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    if most is None and (below := schema.get("exclusiveMaximum")) is not None:
        most = below - 1 if whole else (below + (below - 1 if least is None else least)) / 2
    if most is None:
        most = max(PLENTY, (least or 0) + 1)
    if whole and (step := schema.get("multipleOf")):
        most -= most % step
    return int(most) if whole else float(most)


_MAKERS: Mapping[str, Callable[[Schema, int], object]] = {
    "object": _object,
    "array": _array,
    "integer": _number,
    "number": _number,
    "string": _text,
    "boolean": lambda _, __: False,
    "null": lambda _, __: None,
}
