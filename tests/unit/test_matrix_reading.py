"""What of a Matrix event is a message to the bot."""

from typing import Any

import pytest
from nio import MatrixRoom, RoomMessageText

from bridges.matrix.reading import spoken

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
