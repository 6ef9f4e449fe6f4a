"""Which places of Zulip can be written in the configuration: those under which something is said."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.bridge import Topics
from bot.words.errors import NetworkError
from bot.words.message import Lane, Place
from bridges.zulip import plugin
from bridges.zulip.places import Places, is_among, mistake_in, place_in, place_of, spelling_of

ALL = Place("zulip", "4/*")
TOPICS = st.text(max_size=60) | st.text("*/%2A✔ a", max_size=8)


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


@given(TOPICS)
@example("*")
@example("✔ *")
@example("a/*")
@example("%2A")
def test_no_topic_is_taken_for_all_of_a_channel_nor_for_another(topic: str) -> None:
    place = place_in(4, topic)
    assert not place.is_whole
    assert ALL.topic_of(place) is not None
    assert is_among(place, [ALL])
    assert (place == place_in(4, "*")) == (place_in(4, topic).id == "4/%2A")
    assert not is_among(place, [Place("zulip", "5/*"), place_in(4, f"{topic}x")])
    assert place.is_beside(place_in(4, f"{topic}x"))
    assert not any(place.is_beside(each) for each in (place_in(40, topic), place_of([4], 8), Place("chat", place.id)))


def test_the_topic_that_is_called_like_all_of_them_has_a_place_of_its_own() -> None:
    assert place_in(4, "*") == Place("zulip", "4/%2A")
    assert place_in(4, "a/*") == Place("zulip", "4/a/%2A")
    assert place_in(4, "%2a") != place_in(4, "*")
    assert not mistake_in(place_in(4, "*"))
    assert mistake_in(ALL)


def test_only_topics_are_among_all_of_a_channel() -> None:
    directly = Place("zulip", "dm/12")
    assert is_among(directly, [directly])
    assert not is_among(directly, [Place("zulip", "dm/*"), ALL])
    assert not is_among(Place("zulip", "4/a"), [Place("zulip", "4/b"), Place("matrix", "4/*")])


async def test_nothing_is_said_to_all_topics_of_a_channel() -> None:
    nobody: Any = None
    with pytest.raises(NetworkError, match="all topics"):
        await Places(nobody, Path(), "https://here").find(ALL, Lane.ANSWER)


def test_people_see_how_a_topic_is_spelled() -> None:
    assert [spelling_of(each) for each in (" ✔ Die Störung ", "Die\nStörung", "✔ ✔ x")] == [
        "Die Störung",
        "Die Störung",
        "x",
    ]


def test_a_topic_is_a_place() -> None:
    assert plugin.topics is Topics.PLACES
