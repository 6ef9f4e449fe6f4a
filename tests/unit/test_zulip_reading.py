"""Whatever a Zulip server says, it is read, or it is one error that tells so."""

import collections
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.words.message import Place
from bridges.zulip import answers
from bridges.zulip.answers import decoded, read
from bridges.zulip.batch import Taken
from bridges.zulip.client import Answer
from bridges.zulip.cursor import Cursor
from bridges.zulip.ear import last_of
from bridges.zulip.errors import OddAnswer
from bridges.zulip.places import Places, fitting, place_in, place_of, same
from bridges.zulip.reading import Reader
from bridges.zulip.realm import Realm
from bridges.zulip.receiving import Heard, Receiver

ME = 8
TYPES = ("message", "update_message", "delete_message", "subscription", "stream", "realm", "realm_user", "reaction")
PARTS = [each for each in vars(answers).values() if isinstance(each, type) and issubclass(each, answers.Part)]
NAMES = sorted({name for part in PARTS for name in part.model_fields})
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=6),
    max_leaves=20,
)
objects = st.dictionaries(st.sampled_from(NAMES) | st.text(), anything, max_size=12)
messages = st.fixed_dictionaries(
    {
        "id": st.integers(0, 10**6) | anything,
        "sender_id": st.integers(0, 20) | anything,
        "type": st.sampled_from(["stream", "private"]) | anything,
        "content": st.text(st.characters()) | anything,
        "timestamp": st.integers(0, 2**31) | anything,
    },
    optional={
        "stream_id": st.integers(0, 9) | anything,
        "subject": st.text() | anything,
        "display_recipient": st.lists(st.fixed_dictionaries({"id": st.integers(0, 20)})) | st.text() | anything,
        "last_edit_timestamp": st.integers() | anything,
    },
)


def receiver() -> Receiver:
    """One that has nobody to ask, and needs nobody for looking at an event."""
    nobody: Any = None
    places = Places(nobody, Path(), "https://here")
    places.set_channels([answers.Channel(stream_id=4, name="incidents")])
    heard = Heard(collections.Counter())
    return Receiver(
        nobody, nobody, nobody, Reader(ME, "tocsin", places), places, Realm(), heard, "https://here", nobody
    )


@given(st.sampled_from(TYPES) | st.text(), objects | st.fixed_dictionaries({"message": messages | anything}))
def test_an_event_is_read_or_is_odd(kind: str, body: dict[str, Any]) -> None:
    taken = Taken(Answer({}, {}, 0.0))
    try:
        receiver()._hear({**body, "type": kind}, taken)  # pyright: ignore[reportPrivateUsage] - one event alone
    except OddAnswer:
        return
    for message in taken.messages():
        assert message.account.id != str(ME)
        assert message.place.id.isprintable()
        assert message.event.isprintable()
        assert message.age_s >= 0
        message.text.encode()


@settings(max_examples=300)
@given(st.sampled_from(PARTS), anything | objects | messages)
def test_an_answer_is_read_or_is_odd(part: type[answers.Part], body: object) -> None:
    try:
        read(part, body)
    except OddAnswer as odd:
        told = odd.what
    else:
        told = ""
    assert len(told) < 300
    assert told.isprintable()


@given(st.binary() | anything.map(lambda each: json.dumps(each).encode()))
def test_what_comes_over_the_wire_is_an_object_or_is_odd(raw: bytes) -> None:
    try:
        assert isinstance(decoded(raw), dict)
    except OddAnswer:
        return


def test_what_is_nested_without_end_is_odd() -> None:
    with pytest.raises(OddAnswer):
        decoded(b'{"a":' * 100_000)


@given(st.lists(objects, max_size=5), st.integers(-1, 100))
def test_a_batch_moves_on_or_is_odd(events: list[dict[str, Any]], last: int) -> None:
    try:
        newest = last_of(events, last)
    except OddAnswer:
        return
    assert newest > last if events else newest == last


@given(st.none() | st.text() | anything.map(json.dumps))
def test_a_cursor_is_read_or_there_is_none(kept: str | None) -> None:
    assert Cursor.parse(kept, "https://here") is None or kept is not None


def test_a_cursor_is_read_as_it_was_written_and_only_for_its_server() -> None:
    cursor = Cursor("https://here", "queue", 7, 90, 12)
    assert Cursor.parse(str(cursor), "https://here") == cursor
    assert Cursor.parse(str(cursor), "https://elsewhere") is None


@given(st.text(max_size=80))
def test_the_place_of_a_topic_can_be_shown_and_is_one_for_all_spellings(topic: str) -> None:
    place = place_in(4, topic)
    assert place.id.isprintable()
    assert place == place_in(4, f" ✔ {topic}") or same(topic).startswith("✔")
    assert place == place_in(4, topic.lower()) or topic.lower().lower() != topic.lower()
    assert Place.parse(str(place)) == place


def test_direct_messages_are_a_place_by_the_others_in_order() -> None:
    assert place_of([12, 8, 7], ME) == place_of([7, 12], ME) == Place("zulip", "dm/7,12")
    assert place_of([ME], ME) == Place("zulip", "dm/8")


@given(st.text(max_size=200))
def test_a_topic_fits_and_is_cut_visibly(topic: str) -> None:
    fits = fitting(topic)
    assert 0 < len(fits) <= 60
    assert fits.endswith("…") or len(fits) < 60 or len(topic.strip()) <= 60 or fits in topic
