"""Arguments that the judge makes from a command's schema."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.check.sample import Unmade, arguments, wrong_arguments

Schema = dict[str, Any]

NUMBERS = st.integers(-1000, 1000)
TEXTS = st.text(max_size=5)


def bounded(kind: str) -> st.SearchStrategy[Schema]:
    def made(least: int, more: int, keys: list[str]) -> Schema:
        bounds = {"minimum": least, "maximum": least + more}
        return {"type": kind} | {key: bounds[key] for key in keys}

    return st.builds(made, NUMBERS, st.integers(0, 50), st.lists(st.sampled_from(["minimum", "maximum"]), unique=True))


def text(least: int) -> Schema:
    return {"type": "string", "minLength": least}


def one_of(values: list[str]) -> Schema:
    return {"enum": values}


def always(value: str) -> Schema:
    return {"const": value}


def by_default(value: str) -> Schema:
    return {"type": "string", "default": value}


def listed(items: Schema, least: int) -> Schema:
    return {"type": "array", "items": items, "minItems": least}


def either(first: Schema, second: Schema) -> Schema:
    return {"anyOf": [first, second]}


def named(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def nested(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.one_of(
        st.builds(listed, inner, st.integers(0, 2)),
        st.builds(either, inner, inner),
        st.builds(named, st.dictionaries(st.sampled_from(["a", "b"]), inner)),
    )


PLAIN: list[Schema] = [{"type": "boolean"}, {"type": "null"}]
SCHEMAS: st.SearchStrategy[Schema] = st.recursive(
    st.one_of(
        bounded("integer"),
        bounded("number"),
        st.sampled_from(PLAIN),
        st.builds(text, st.integers(0, 5)),
        st.builds(one_of, st.lists(TEXTS, min_size=1, max_size=3)),
        st.builds(always, TEXTS),
        st.builds(by_default, TEXTS),
    ),
    nested,
    max_leaves=4,
)
OBJECT: Schema = {"type": "object"}


def fits(schema: Schema, value: object) -> bool:
    validator: Any = jsonschema.Draft202012Validator(schema)
    return bool(validator.is_valid(value))


@given(st.dictionaries(st.sampled_from(["steps", "name", "fast"]), SCHEMAS, max_size=3))
def test_what_is_made_fits_the_schema(properties: dict[str, Schema]) -> None:
    schema = named(properties)
    try:
        made = arguments(schema)
    except Unmade:
        return  # too deep: it says so
    assert fits(schema, made)


@given(st.dictionaries(st.sampled_from(["steps", "far"]), st.one_of(bounded("integer"), st.just(OBJECT))))
def test_what_is_made_wrong_does_not_fit(properties: dict[str, Schema]) -> None:
    schema = named(properties)
    assert not fits(schema, wrong_arguments(schema))


def test_a_number_is_as_large_as_it_may_be_so_that_a_job_lasts() -> None:
    assert arguments(
        {"properties": {"steps": {"type": "integer", "minimum": 1, "maximum": 500}}, "required": ["steps"]}
    ) == {"steps": 500}
    assert arguments({"properties": {"steps": {"type": "integer"}}, "required": ["steps"]}) == {"steps": 1000}


@pytest.mark.parametrize(
    "schema", [{"type": "string", "pattern": "^[A-Z]{7}$"}, {"type": "string", "format": "uri"}, {}, {"$ref": "#/x"}]
)
def test_what_only_its_author_can_make_is_not_guessed(schema: dict[str, Any]) -> None:
    with pytest.raises(Unmade):
        arguments({"properties": {"it": schema}, "required": ["it"]})
