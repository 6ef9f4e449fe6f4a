"""The alarm about what nobody can read: who hears it, what it says, and how often. It is never lost or invented."""

import dataclasses

import pytest

from bot.bridge import Cause, Unreadable
from bot.desk.desk import Desk
from bot.intake import Intake
from bot.store import audit, inbox
from bot.system import System
from bot.unreadable import AGAIN_S, MOST_REMEMBERED, Alarms
from bot.words import packed
from bot.words.message import Lane, Place
from bot.words.people import Account, People, Person, Role
from bot.words.plain import to_plain

OPS, ALARMS = Place("chat", "ops"), Place("chat", "alarms")
SENT_S = 14 * 3600 + 3 * 60
"""14:03 on the first of January 1970, which is today here."""


def unreadable(number: int = 1, who: str = "olga", place: Place = OPS, **more: str) -> Unreadable:
    return Unreadable(place, Account("chat", who), more.get("device", "PHONE"), f"${number}", (SENT_S + number) * 1000)


class Room:
    """A bot that is told of what cannot be read."""

    def __init__(self, system: System, networks: frozenset[str] = frozenset({"chat"})) -> None:
        self.system = system
        self.ticks = 0.0
        self.woken = 0
        self.alarms = Alarms(
            system.people, networks, system.alarms, ticks=lambda: self.ticks, now=lambda: float(SENT_S + 60)
        )
        desk = Desk(system, queued=lambda: None)
        self.intake = Intake(
            "chat", system.store, desk, system.approvals, system.plans, queued=self._queued, alarms=self.alarms
        )

    async def hears(self, *several: Unreadable, cursor: str = "c") -> None:
        await self.intake.accept([], cursor=cursor, unreadable=several)

    async def said(self) -> list[tuple[Place, str, str | None]]:
        """What waits to be said, where, and in answer to what."""
        rows = await self.system.store.read(
            lambda tx: tx.execute("SELECT network, place, document, reply_to, lane FROM outbox ORDER BY id").fetchall()
        )
        assert all(row[4] == Lane.STOP for row in rows)
        return [(Place(row[0], row[1]), to_plain(packed.load(row[2])), row[3]) for row in rows]

    async def recorded(self) -> list[dict[str, audit.Value]]:
        entries = await self.system.store.read(lambda tx: audit.last(tx, 100))
        return [entry.all for entry in entries if entry.kind == "alarm"]

    def _queued(self) -> None:
        self.woken += 1


@pytest.fixture
def room(system: System) -> Room:
    return Room(system)


async def test_the_place_and_the_places_of_alarms_hear_it_and_it_is_recorded(room: Room) -> None:
    await room.hears(unreadable())
    (here, words, answers), (there, others, nothing) = await room.said()
    assert (here, answers) == (OPS, "$1")
    assert (there, nothing) == (ALARMS, None)
    assert "I cannot read what olga (olga) wrote at 14:03 UTC on the device PHONE." in words
    assert "If it was a stop, it was NOT carried out." in words
    assert "on the device PHONE in chat:ops." in others
    (entry,) = await room.recorded()
    assert {name: entry[name] for name in ("person", "account", "device", "place", "event", "count")} == {
        "person": "olga",
        "account": "chat:olga",
        "device": "PHONE",
        "place": "chat:ops",
        "event": "$1",
        "count": 1,
    }
    assert room.woken == 1


async def test_in_a_place_of_alarms_it_is_said_once(room: Room) -> None:
    await room.hears(unreadable(place=ALARMS))
    assert [place for place, _, _ in await room.said()] == [ALARMS]


async def test_people_who_are_not_listed_or_suspended_raise_none(room: Room) -> None:
    room.system.people.suspend("olga")
    await room.hears(unreadable(1, "olga"), unreadable(2, "mallory"))
    assert (await room.said(), await room.recorded(), room.woken) == ([], [], 0)
    assert await room.system.store.read(lambda tx: inbox.cursor(tx, "chat")) == "c"


async def test_a_device_that_is_not_known_is_not_named(room: Room) -> None:
    await room.hears(unreadable(device=""))
    assert "wrote at 14:03 UTC. If it was" in (await room.said())[0][1]


async def test_a_burst_is_one_alarm_that_counts_it(room: Room) -> None:
    await room.hears(unreadable(1), unreadable(90), unreadable(3, "otto"))
    words = [words for place, words, _ in await room.said() if place == OPS]
    assert len(words) == 2
    assert (
        "I cannot read 2 messages of olga (olga) from 14:03 UTC to 14:04 UTC, the last on the device PHONE." in words[0]
    )
    assert "If one of them was a stop, it was NOT carried out." in words[0]
    assert "what otto (otto) wrote" in words[1]


async def test_it_is_said_again_after_a_while_with_all_that_came_meanwhile(room: Room) -> None:
    await room.hears(unreadable(1))
    for number in range(2, 7):
        await room.hears(unreadable(number))
    room.ticks += AGAIN_S - 1
    await room.hears(unreadable(7))
    assert len(await room.said()) == 2
    room.ticks += 1
    await room.hears(unreadable(8))
    *_, (_, words, _), _ = await room.said()
    assert "I cannot read 7 messages of olga" in words
    assert [entry["count"] for entry in await room.recorded()] == [1, 7]
    room.ticks += AGAIN_S
    await room.hears(unreadable(9))
    *_, (_, words, _), _ = await room.said()
    assert "I cannot read what olga" in words


async def test_another_place_and_another_person_have_an_alarm_of_their_own(room: Room) -> None:
    await room.hears(unreadable(1))
    await room.hears(unreadable(2, place=Place("chat", "lab")))
    await room.hears(unreadable(3, "otto"))
    assert [entry["event"] for entry in await room.recorded()] == ["$1", "$2", "$3"]


async def test_two_accounts_of_one_person_are_one(room: Room) -> None:
    await room.hears(unreadable(1, "carol"))
    await room.hears(unreadable(2, "carol-at-home"))
    assert len(await room.recorded()) == 1


async def test_only_so_much_is_remembered(room: Room) -> None:
    await room.hears(*(unreadable(number, place=Place("chat", f"room{number}")) for number in range(MOST_REMEMBERED)))
    await room.hears(unreadable(1, place=Place("chat", "one more")))
    await room.hears(unreadable(2, place=Place("chat", "room1")))  # still known
    assert len(await room.recorded()) == 100  # the newest
    assert (await room.recorded())[-1]["place"] == "chat:one more"
    await room.hears(unreadable(2, place=Place("chat", "room0")))
    assert (await room.recorded())[-1]["place"] == "chat:room0"


async def test_an_alarm_and_the_cursor_behind_it_are_there_together_or_not_at_all(room: Room) -> None:
    with pytest.raises(ValueError, match="not for the record"):  # the whole transaction is undone
        await room.hears(unreadable(1, device="\ud800"))
    assert await room.said() == []
    assert await room.system.store.read(lambda tx: inbox.cursor(tx, "chat")) is None
    await room.hears(unreadable(2))  # that one was never told
    assert len(await room.recorded()) == 1
    assert await room.system.store.read(lambda tx: inbox.cursor(tx, "chat")) == "c"


@pytest.mark.parametrize("sent_ms", [-(10**30), -1, 10**18, 10**30])
async def test_a_time_that_is_none_does_not_keep_the_alarm_from_being_raised(room: Room, sent_ms: int) -> None:
    await room.hears(Unreadable(OPS, Account("chat", "olga"), "PHONE", "$1", sent_ms))
    assert len(await room.said()) == 2


async def test_it_says_why_where_that_is_known_and_what_the_writer_can_do(room: Room) -> None:
    cause = Cause("it keeps the key back", "tell it not to. Then write it again.")
    await room.hears(dataclasses.replace(unreadable(), cause=cause))
    for _, words, _ in await room.said():
        assert "Why, as the app of olga says: it keeps the key back.\n" in words
        assert "olga: tell it not to. Then write it again." in words
        assert "as a new message" not in words


def ways(person: Person, networks: frozenset[str], place: Place, *, has_stop_keys: bool = False) -> list[str]:
    """What the alarm says can be done."""
    people = People((person,))
    alarms = Alarms(people, networks, (), has_stop_keys=lambda: has_stop_keys, now=lambda: float(SENT_S))
    account = next(each for each in person.accounts if each.network == place.network)
    (burst,) = alarms.about([Unreadable(place, account, "", "$1", SENT_S * 1000)])
    return to_plain(alarms.words(burst)).splitlines()


def test_it_names_the_ways_that_there_are_and_no_others() -> None:
    accounts = frozenset({Account(network, "olga") for network in ("chat", "zulip", "console", "gone")})
    olga = Person("olga", Role.OPERATOR, accounts)
    small = "\n".join(ways(olga, frozenset({"chat"}), OPS))
    assert "olga: write it again, as a new message." in small
    assert "Write !shutdown all in another place where I listen. Any operator may." in small
    assert "Cut the power" in small
    assert "tocsin chat" not in small
    assert "tocsin stop" not in small
    with_keys = "\n".join(ways(olga, frozenset({"chat"}), OPS, has_stop_keys=True))
    assert "With a stop key, where the broker can be reached: tocsin stop all --reason" in with_keys
    large = "\n".join(ways(olga, frozenset({"chat", "zulip", "console", "other"}), OPS))
    assert "in another place where I listen or on zulip." in large
    assert "Type tocsin chat on the machine that I run on" in large
    assert "other." not in large.replace("another", "")
    at_the_console = "\n".join(ways(olga, frozenset({"chat", "console"}), Place("console", "olga")))
    assert "or on chat." in at_the_console
    assert "tocsin chat" not in at_the_console
