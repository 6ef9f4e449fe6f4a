"""What of a Matrix event is a message to the bot."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nio import Event, MatrixRoom, RoomMessageText

from bridges.matrix.reading import LONGEST_NAME, Changed, changed, spoken

BOT = "@tocsin:example.org"
ALICE = "@alice:example.org"


def room_of(*people: str) -> MatrixRoom:
    room = MatrixRoom("!room:example.org", BOT, encrypted=True)
    for person in people:
        room.add_member(person, "The Bell" if person == BOT else None, None)
    return room


def said(body: str, content: dict[str, Any] | None = None) -> RoomMessageText:
    whole = {"msgtype": "m.text", "body": body, **(content or {})}
    event = RoomMessageText.from_dict(
        {"event_id": "$1", "sender": ALICE, "origin_server_ts": 1, "type": "m.room.message", "content": whole}
    )
    assert isinstance(event, RoomMessageText)
    return event


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("@tocsin status", "status"),
        ("tocsin: status", "status"),
        ("Tocsin, status", "status"),
        ("@tocsin:example.org status", "status"),
        ("@tocsin:example.org: status", "status"),
        ("The Bell: status", "status"),
        ("  @tocsin  run  it ", "run  it"),
        ("@tocsin", ""),
    ],
)
def test_a_message_that_names_the_bot_is_addressed_to_it(body: str, text: str) -> None:
    words = spoken(said(body), room_of(BOT, ALICE, "@bob:example.org"), BOT)
    assert words is not None
    assert (words.text, words.addressed) == (text, True)


@pytest.mark.parametrize(
    "body", ["tocsin is slow today", "@tocsinade status", "ask tocsin: status", "!status", "tocsin:status", ""]
)
def test_a_message_that_does_not_name_the_bot_is_not(body: str) -> None:
    words = spoken(said(body), room_of(BOT, ALICE, "@bob:example.org"), BOT)
    assert words is not None
    assert (words.text, words.addressed) == (body, False)


def test_what_is_said_to_the_bot_alone_is_addressed_to_it() -> None:
    words = spoken(said(" status "), room_of(BOT, ALICE), BOT)
    assert words is not None
    assert (words.text, words.addressed) == ("status", True)


def test_somebody_who_is_only_invited_does_not_make_a_crowd() -> None:
    room = room_of(BOT, ALICE)
    room.add_member("@bob:example.org", None, None, invited=True)
    words = spoken(said("status"), room, BOT)
    assert words is not None
    assert words.addressed


def test_the_quote_of_a_reply_is_left_out_and_a_quote_of_ones_own_is_not() -> None:
    body = "> <@tocsin:example.org> approve?\n> !shutdown all\n\n!approve"
    room = room_of(BOT, ALICE, "@bob:example.org")
    reply = spoken(said(body, {"m.relates_to": {"m.in_reply_to": {"event_id": "$0"}}}), room, BOT)
    assert reply is not None
    assert reply.text == "!approve"
    quote = spoken(said(body), room, BOT)
    assert quote is not None
    assert quote.text == body


@pytest.mark.parametrize(
    "event",
    [
        said("* !status", {"m.relates_to": {"rel_type": "m.replace", "event_id": "$0"}}),
        said("* !status", {"m.new_content": {"msgtype": "m.text", "body": "!status"}}),
    ],
)
def test_an_edit_is_not_a_message(event: RoomMessageText) -> None:
    assert spoken(event, room_of(BOT, ALICE), BOT) is None


def test_the_bot_does_not_hear_itself() -> None:
    event = said("!status")
    event.sender = BOT
    assert spoken(event, room_of(BOT, ALICE), BOT) is None


def test_half_a_surrogate_pair_does_not_get_through() -> None:
    words = spoken(said("a\ud800b", {"m.relates_to": 5}), room_of(BOT, ALICE), BOT)
    assert words is not None
    assert words.text == "a?b"


def event_of(kind: object, content: object, **more: object) -> Event:
    """Parsed by nobody: as odd as it came."""
    event = said("")
    event.source = {"type": kind, "sender": ALICE, "content": content, **more}
    return event


REPLACES = {"m.relates_to": {"rel_type": "m.replace", "event_id": "$1"}}


@pytest.mark.parametrize(
    ("event", "removed"),
    [
        (event_of("m.room.message", REPLACES), False),
        (event_of("m.room.encrypted", REPLACES), False),
        (event_of("m.room.redaction", {}, redacts="$1"), True),
        (event_of("m.room.redaction", {"redacts": "$1"}), True),
        (event_of("m.room.redaction", {"redacts": "$2"}, redacts="$1"), True),
    ],
)
def test_an_edit_and_a_redaction_change_what_they_name(event: Event, removed: bool) -> None:
    assert changed(event) == Changed("$1", ALICE, removed=removed)


@pytest.mark.parametrize(
    "relation",
    [
        {"rel_type": "m.thread", "event_id": "$1"},
        {"rel_type": "m.annotation", "event_id": "$1", "key": "m.replace"},
        {"m.in_reply_to": {"event_id": "$1"}},
        {"event_id": "$1"},
        {"rel_type": "m.replace"},
    ],
)
def test_what_relates_in_another_way_changes_nothing(relation: dict[str, Any]) -> None:
    assert changed(event_of("m.room.message", {"m.relates_to": relation})) is None


def test_what_takes_back_from_within_an_envelope_takes_nothing_back() -> None:
    event = event_of("m.room.redaction", {"redacts": "$1"}, redacts="$1")
    event.decrypted = True
    assert changed(event) is None
    edit = event_of("m.room.message", REPLACES)
    edit.decrypted = True
    assert changed(edit) == Changed("$1", ALICE, removed=False)


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
RELATIONS = st.fixed_dictionaries({"rel_type": st.just("m.replace") | JSON, "event_id": JSON}) | JSON
CONTENTS = st.fixed_dictionaries({"m.relates_to": RELATIONS, "redacts": JSON}) | JSON


@given(kind=st.sampled_from(["m.room.message", "m.room.redaction"]) | JSON, content=CONTENTS, redacts=JSON, sender=JSON)
@example(kind="m.room.redaction", content={}, redacts="\udfff", sender=ALICE)
@example(kind="m.room.redaction", content={}, redacts="é" * 128, sender=ALICE)
def test_whatever_comes_a_change_names_an_event_and_a_user_that_a_database_takes(
    kind: object, content: object, redacts: object, sender: object
) -> None:
    change = changed(event_of(kind, content, redacts=redacts, sender=sender))
    if change is not None:
        assert all(0 < len(name.encode()) <= LONGEST_NAME for name in (change.event, change.by))
