"""What a homeserver answers, read so that nothing in it breaks what comes after."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.matrix.answers import DEEPEST, LARGEST, parsed

INTEGERS = st.integers(-LARGEST, LARGEST)
FLAT = st.none() | st.booleans() | INTEGERS | st.text() | st.floats(allow_nan=False, allow_infinity=False, width=32)
ANYTHING = st.recursive(FLAT, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)
BRACKETS = st.text(alphabet='[]{}"\\,:a1', max_size=300)


@given(thing=ANYTHING)
def test_what_is_ordinary_comes_as_it_was_said(thing: Any) -> None:
    assert parsed(json.dumps(thing).encode()) == thing
    assert parsed(json.dumps(thing, ensure_ascii=False).encode()) == thing


@given(raw=st.binary(max_size=300) | BRACKETS.map(str.encode))
def test_whatever_comes_is_an_answer_or_an_error(raw: bytes) -> None:
    try:
        found = parsed(raw)
    except ValueError:
        return
    json.dumps(found)


@pytest.mark.parametrize("depth", [DEEPEST + 1, 500, 950, 100_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}"), ('[{"x":', "}]")])
def test_what_lies_too_deep_is_left_out_and_nothing_else(depth: int, begin: str, end: str) -> None:
    deep = begin * depth + "1" + end * depth
    found = parsed(f'{{"before": 1, "deep": {deep}, "text": "]}}\\"[{{", "after": [2]}}'.encode())
    assert (found["before"], found["text"], found["after"]) == (1, ']}"[{', [2])
    assert "null" in json.dumps(found["deep"])
    assert json.dumps(found["deep"]).count("[") + json.dumps(found["deep"]).count("{") <= DEEPEST


def test_the_deepest_that_is_taken_is_taken_whole() -> None:
    raw = b"[" * DEEPEST + b"1" + b"]" * DEEPEST
    assert json.dumps(parsed(raw)).encode() == raw


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("9" * 5000, LARGEST),
        ("-" + "9" * 5000, -LARGEST),
        (str(LARGEST + 1), LARGEST),
        ("1e999", LARGEST),
        ("-1e999", -LARGEST),
        ("NaN", None),
        ("-Infinity", None),
    ],
)
def test_a_number_that_no_message_needs_is_bounded(said: str, heard: object) -> None:
    assert parsed(f'{{"n": {said}}}'.encode()) == {"n": heard}


def test_half_a_surrogate_pair_is_left_to_whoever_reads_it() -> None:
    assert parsed(b'"\\ud800"') == "\ud800"
