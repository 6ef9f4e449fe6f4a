"""What of a Matrix event is a message to the bot."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nio import BadEvent, Event, MatrixRoom, MegolmEvent, RoomMessageText

from bot.bridge import Unreadable
from bot.words.hiding import HIDDEN
from bot.words.message import Place
from bot.words.people import Account
from bridges.matrix.reading import (
    LATEST_MS,
    LONGEST_NAME,
    Arrived,
    Changed,
    changed,
    new_words,
    sealed,
    since_joining,
    spoken,
)

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
    assert (reply.text, reply.replies_to) == ("!approve", "$0")
    quote = spoken(said(body), room, BOT)
    assert quote is not None
    assert quote.text == body


HIDES = {"format": "org.matrix.custom.html", "formatted_body": "it is <span data-mx-spoiler>in the cellar</span>"}


@pytest.mark.parametrize("body", ["it is in the cellar", "!stop all", "STOP ALL", "@tocsin stop all"])
def test_what_a_message_hides_others_do_not_read_and_what_it_commands_stands(body: str) -> None:
    words, plain = (spoken(said(body, more), room_of(BOT, ALICE, "@bob:example.org"), BOT) for more in (HIDES, {}))
    assert words is not None
    assert plain is not None
    assert (words.text, words.addressed) == (plain.text, plain.addressed)
    assert words.caption == f"it is {HIDDEN}"
    assert plain.caption == ""


def test_what_an_edit_hides_others_do_not_read() -> None:
    new = {"msgtype": "m.text", "body": "it is in the cellar", **HIDES}
    assert new_words(event_of("m.room.message", {**REPLACES, "m.new_content": new})) == f"it is {HIDDEN}"


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
    ("new", "text"),
    [
        ({"msgtype": "m.text", "body": " hello\ud800 "}, "hello?"),
        ({"body": 5}, ""),
        (["hello"], ""),
        (None, ""),
    ],
)
def test_an_edit_that_can_be_read_says_what_stands_there_now(new: object, text: str) -> None:
    event = event_of("m.room.message", {**REPLACES, "m.new_content": new})
    assert changed(event) == Changed("$1", ALICE, removed=False)
    assert new_words(event) == text


@pytest.mark.parametrize("answered", [5, {}, {"event_id": 5}, {"event_id": "a\nb"}])
def test_who_answers_nothing_that_has_a_name_answers_nothing(answered: object) -> None:
    words = spoken(said("yes", {"m.relates_to": {"m.in_reply_to": answered}}), room_of(BOT, ALICE), BOT)
    assert words is not None
    assert words.replies_to == ""


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


CIPHER = {"algorithm": "m.megolm.v1.aes-sha2", "sender_key": "k", "device_id": "PHONE", "session_id": "s"}


def encrypted(content: object = CIPHER, **more: object) -> Event:
    """Nobody here could open it."""
    event = event_of("m.room.encrypted", content)
    event.source |= {"event_id": "$1", "origin_server_ts": 1_000, **more}
    return event


def test_of_what_is_sealed_it_is_known_who_wrote_it_when_and_where() -> None:
    known = Unreadable(Place("matrix", "!room:example.org"), Account("matrix", ALICE), "PHONE", "$1", 1_000)
    assert sealed(encrypted(), room_of()) == known


def test_what_the_library_finds_odd_may_be_a_message_all_the_same() -> None:
    whole = encrypted({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "c"}, room_id="!room:example.org").source
    event = MegolmEvent.from_dict(whole)
    assert isinstance(event, BadEvent)
    known = sealed(event, room_of())
    assert known is not None
    assert (known.event, known.device) == ("$1", "")


@pytest.mark.parametrize(
    "event",
    [
        event_of("m.room.message", {"msgtype": "m.text", "body": "read"}),
        event_of("m.room.member", {"membership": "join"}),
        encrypted(CIPHER | REPLACES),
        encrypted({}, unsigned={"redacted_because": {}}),
        encrypted(event_id=5),
        encrypted(event_id=""),
        encrypted(sender="@\ud800:example.org"),
        encrypted(sender=None),
    ],
)
def test_what_can_be_read_was_taken_back_or_edits_is_not_told(event: Event) -> None:
    assert sealed(event, room_of()) is None


def test_what_was_decrypted_is_not_sealed() -> None:
    event = encrypted()
    event.decrypted = True
    assert sealed(event, room_of()) is None


@pytest.mark.parametrize(
    ("sent", "kept"), [(-5, 0), (LATEST_MS + 1, LATEST_MS), (10**400, LATEST_MS), (None, 0), ("1", 0), (0.5, 0)]
)
def test_a_time_of_sending_that_is_none_is_bounded(sent: object, kept: int) -> None:
    known = sealed(encrypted(origin_server_ts=sent), room_of())
    assert known is not None
    assert known.sent_ms == kept


@given(JSON, JSON, JSON, JSON)
def test_however_odd_what_is_told_can_be_stored(
    content: object, unsigned: object, name: object, device: object
) -> None:
    for inner in (content, {"device_id": device, "m.relates_to": content}):
        known = sealed(encrypted(inner, unsigned=unsigned, event_id=name), room_of())
        if known is not None:
            f"{known.event}{known.device}".encode()
            assert known.event == name


def member(user: str, membership: str, before: str | None = None) -> Event:
    event = event_of("m.room.member", {"membership": membership}, state_key=user)
    if before is not None:
        event.source["unsigned"] = {"prev_content": {"membership": before}}
    return event


def after_joining(*events: Event) -> list[Event | object]:
    room = room_of()
    arrived: list[Arrived] = [(event, room) for event in events]
    return [event for event, _ in since_joining(arrived, BOT)]


def test_what_was_said_before_the_bot_came_is_left_out() -> None:
    old, join, new = encrypted(), member(BOT, "join", "invite"), encrypted()
    assert after_joining(old, join, new) == [join, new]
    assert after_joining(old, member(BOT, "join"), new)[1:] == [new]
    again = member(BOT, "join", "leave")
    assert after_joining(join, old, again, new) == [again, new]


@pytest.mark.parametrize(
    "event",
    [
        member(ALICE, "join", "invite"),
        member(BOT, "join", "join"),
        member(BOT, "invite"),
        event_of("m.room.member", None, state_key=BOT),
        event_of("m.room.member", {"membership": "join"}),
    ],
)
def test_nothing_is_left_out_where_it_was_there_already(event: Event) -> None:
    old, new = encrypted(), encrypted()
    assert after_joining(old, event, new) == [old, event, new]
