"""Which places of Zulip can be written in the configuration: those under which something is said."""

import pytest

from bot.words.message import Place
from bridges.zulip.places import mistake_in, place_in, place_of


@pytest.mark.parametrize("place", ["dm/12", "dm/12,15", "4/status", "4/" + "t" * 60, "4/a/b"])
def test_a_place_where_something_is_said_can_be_written(place: str) -> None:
    assert mistake_in(Place("zulip", place)) == ""


@pytest.mark.parametrize(
    "place",
    [
        "dm/15,12",
        "dm/12,12",
        "dm/012",
        "dm/",
        "4/" + "t" * 61,
        "4/Status",
        "4/✔ status",
        "04/status",
        "lab/status",
        "4",
    ],
)
def test_a_place_where_nothing_is_ever_said_is_a_mistake(place: str) -> None:
    assert mistake_in(Place("zulip", place)).startswith("must ")


def test_places_of_what_was_said_are_none() -> None:
    assert not mistake_in(place_in(4, "✔ Störung % 100\u200b"))
    assert not mistake_in(place_of([15, 8, 12], 8))
