"""Places, as they are written."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words.message import Place


def test_a_place_is_read_as_it_is_written() -> None:
    place = Place("matrix", "!room:example.org")
    assert Place.parse(str(place)) == place


@pytest.mark.parametrize("word", ["", ":", "matrix", "matrix:", "matrix: ", ":room", "matrix:a\nb"])
def test_what_is_no_place_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="must be a network and a place on it"):
        Place.parse(word)


@given(st.text())
def test_any_text_is_a_place_or_refused(word: str) -> None:
    with contextlib.suppress(ValueError):
        assert str(Place.parse(word)) == word
