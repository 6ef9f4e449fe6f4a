"""Spans of time and moments, as they are told."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words.times import clock, span

UNITS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
NOON = 1_700_000_000 - 1_700_000_000 % 86_400 + 43_200


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (89, "1 min 29 s"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (86_399, "23 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_span_is_told_as_exactly_as_it_matters(seconds: float, words: str) -> None:
    assert span(seconds) == words


@given(st.floats(0, 1e12))
def test_a_span_is_rounded_down_and_by_less_than_a_tenth(seconds: float) -> None:
    told = sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+) (\w+)", span(seconds)))
    assert told <= seconds
    assert seconds < max(told * 1.1, told + 1)


def test_a_moment_is_in_utc_and_says_its_day_where_that_is_not_today() -> None:
    assert clock(NOON, NOON + 3_600) == "12:00 UTC"
    assert clock(NOON, NOON + 86_400) == clock(NOON, NOON - 86_400) == "2023-11-14 12:00 UTC"
