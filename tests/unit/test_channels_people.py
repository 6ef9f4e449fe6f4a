"""Whom somebody names in one place of a channel is named in the others as the list of people has them."""

from typing import Any

import pytest
from nio import Event, MatrixRoom, RoomMessageText

from bot.channels import Channels
from bot.desk.desk import Desk
from bot.intake import Intake
from bot.store import Store
from bot.system import System
from bot.words.message import Change, Message, Place, Standing
from bot.words.people import Account, People, Person, Role
from bridges.matrix.reading import new_words, spoken
from tests.unit.talk import MATRIX, MQTT, OTHER, ZULIP, Talk, change, is_encrypted

BOT, OLGA, OTTO = "@tocsin:example.org", "@olga:example.org", "@otto:example.org"
SITE = "https://matrix.to/#/"
PILL = f'<a href="{SITE}{OLGA}">Olga S</a>'


@pytest.fixture
def people() -> People:
    """As she is listed; Otto is not."""
    accounts = frozenset({Account("zulip", "12"), Account("matrix", OLGA)})
    return People((Person("olga", Role.OPERATOR, accounts),))


@pytest.fixture
def talk(store: Store, people: People) -> Talk:
    talk = Talk(store)
    talk.channels = Channels([talk.lab], people, is_encrypted=is_encrypted)
    return talk


@pytest.fixture
def intakes(store: Store, system: System, talk: Talk) -> dict[str, Intake]:
    """What the bridges put into the inbox, by network."""
    desk = Desk(system, queued=lambda: None)
    return {
        network: Intake(
            network, store, desk, system.approvals, system.plans, queued=lambda: None, channels=talk.channels
        )
        for network in ("zulip", "matrix")
    }


def event_of(body: str, formatted: str | None, *, edits: str = "") -> Event:
    words: dict[str, Any] = {"msgtype": "m.text", "body": body}
    if formatted is not None:
        words |= {"format": "org.matrix.custom.html", "formatted_body": formatted}
    relation = {"m.relates_to": {"rel_type": "m.replace", "event_id": edits}, "m.new_content": words}
    content = {**words, "body": f"* {body}", **relation} if edits else words
    source = {"event_id": "$1", "sender": OTTO, "origin_server_ts": 1, "type": "m.room.message", "content": content}
    event = Event.parse_event(source)
    assert isinstance(event, RoomMessageText)
    return event


def from_matrix(body: str, formatted: str | None) -> Message:
    """What somebody writes in a room, as the bridge reads it."""
    room = MatrixRoom(MATRIX.id, BOT, encrypted=True)
    for user in (BOT, OLGA, OTTO):
        room.add_member(user, None, None)
    words = spoken(event_of(body, formatted), room, BOT)
    assert words is not None
    account = Account("matrix", OTTO)
    return Message(
        MATRIX, account, "$1", words.text, Standing.CLEAR, "", 1, 0.0, words.addressed, caption=words.caption
    )


def said_by(place: Place, words: str) -> str:
    return f"{'@otto:example.org (matrix' if place == MATRIX else 'otto (zulip'}, unproven): {words}"


async def test_whom_zulip_names_others_read_as_listed(talk: Talk, intakes: dict[str, Intake]) -> None:
    message = talk.message("@**Olga S|12**, ask @**Otto|7** or @**all**", standing=Standing.UNPROVEN, who="otto")
    await intakes["zulip"].accept([message], cursor="c")
    for place in (MATRIX, OTHER):
        assert await talk.heard(place) == [said_by(ZULIP, "@olga, ask @Otto or @all")]
    await intakes["zulip"].accept([], cursor="d", changes=[change(message.event, who="otto", words="@**Olga S|12**!")])
    assert await talk.heard(OTHER) == [said_by(ZULIP, "@olga!")]


async def test_an_account_counts_on_its_own_network_alone(talk: Talk, intakes: dict[str, Intake]) -> None:
    message = talk.message(f"@**Olga S|{OLGA}**", standing=Standing.UNPROVEN, who="otto")
    await intakes["zulip"].accept([message], cursor="c")
    assert await talk.heard(OTHER) == [said_by(ZULIP, "@Olga S")]


@pytest.mark.parametrize(
    ("body", "formatted", "read"),
    [
        ("Olga S: hello", f"{PILL}: hello", "@olga: hello"),
        (f"{OLGA}: hello", f"{PILL}: hello", "@olga: hello"),
        (f"[Olga S]({SITE}{OLGA}): hello", f"{PILL}: hello", "@olga: hello"),
        (f"[Olga S]({SITE}{OLGA}): hello", None, "@olga: hello"),
        ("**Olga S** now", f"<b>{PILL}</b> now", "@olga now"),
        ("Otto: hello", f'<a href="{SITE}{OTTO}">Otto</a>: hello', "@Otto: hello"),
        ("all: hello", f'<a href="{SITE}@all:example.org">all</a>: hello', "@all: hello"),
        ("Olga S dies", f"{PILL} <span data-mx-spoiler>dies</span>", "@olga ▒▒▒"),
        (f"tocsin: tell {OLGA}", f'<a href="{SITE}{BOT}">tocsin</a>: tell {PILL}', "tell @olga"),
        ("Olga S: hello", "Olga S: hello", "Olga S: hello"),
    ],
)
async def test_whom_matrix_names_others_read_as_listed(
    talk: Talk, intakes: dict[str, Intake], body: str, formatted: str | None, read: str
) -> None:
    message = from_matrix(body, formatted)
    assert message.text == body.removeprefix("tocsin: "), "what was typed is what may command"
    await intakes["matrix"].accept([message], cursor="c")
    for place in (OTHER, ZULIP, MQTT):
        assert await talk.heard(place) == [said_by(MATRIX, read)]


async def test_whom_an_edit_in_matrix_names_others_read_as_listed(talk: Talk, intakes: dict[str, Intake]) -> None:
    message = from_matrix("hello", None)
    now = new_words(event_of("Olga S: hello", f"{PILL}: hello", edits="$1"))
    edit = Change(MATRIX, "$1", message.account, text=now, standing=Standing.CLEAR)
    await intakes["matrix"].accept([message], cursor="c")
    await intakes["matrix"].accept([], cursor="d", changes=[edit])
    assert await talk.heard(ZULIP) == [said_by(MATRIX, "@olga: hello")]


async def test_who_is_suspended_is_named_as_they_were_typed(
    talk: Talk, intakes: dict[str, Intake], people: People
) -> None:
    people.suspend("olga")
    await intakes["matrix"].accept([from_matrix("Olga S: hello", f"{PILL}: hello")], cursor="c")
    assert await talk.heard(ZULIP) == [said_by(MATRIX, "@Olga S: hello")]
