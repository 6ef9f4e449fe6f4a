"""Alerts of components are told once where they are asked for, edited when they are over, and never flood a room."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import itertools
from collections.abc import AsyncGenerator, Callable

import orjson
import pytest
import pytest_asyncio

from bot.fleet.alert_talk import MOST_OF_ONE, MOST_WAITING
from bot.fleet.alerted import OVER_AFTER_S, TOLD_EVERY_S, Sink
from bot.fleet.alerts import SETTLED_S, Alerts
from bot.fleet.claims import Claims
from bot.fleet.listener import Listener
from bot.store import Store, outbox
from bot.store.outbox import Queued
from bot.system import System
from bot.words.document import Style, Text
from bot.words.errors import StoreError
from bot.words.message import Lane, Place
from bot.words.plain import to_plain
from tests.unit.tower import PATIENCE, refuse, take_again
from wire.errors import BadMessage
from wire.messages import ROOT
from wire.mqtt import Delivery, Refused
from wire.work import Alert, Severity

ROOM, PHONES, NEW = (Place("chat", each) for each in ("room", "phones", "new"))
SINKS = (Sink((ROOM,), Severity.WARNING), Sink((PHONES,), Severity.CRITICAL))
INFO, WARNING, CRITICAL = Severity
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC).timestamp()
ids = map(str, itertools.count())


@dataclasses.dataclass(frozen=True)
class Said:
    """What the network was told, in its order."""

    place: Place
    words: str
    edits: str | None
    event: str


@dataclasses.dataclass
class Desk:
    """The bot's half, on a connection and a clock that a test rules."""

    store: Store
    alerts: Alerts = dataclasses.field(init=False)
    sinks: tuple[Sink, ...] = SINKS
    at: float = 0.0
    connected: bool = True
    connection: int = 0
    said: list[Said] = dataclasses.field(default_factory=list[Said])
    queued: int = 0
    """How often the ways out were told to look."""
    kept: dict[str, Alert] = dataclasses.field(default_factory=dict[str, Alert])
    """What the broker keeps of what lasts."""
    refusal: Refused | None = None
    """Why it does not say that again."""
    asked: int = 0
    """How often it was to say it again."""

    async def begin(self) -> None:
        """A new life of the bot on the same database."""
        self.alerts = Alerts(
            self.store,
            lambda: self.sinks,
            ROOT,
            knows=lambda component: component in ("oven", "crane"),
            connected=lambda: self.connected,
            connection=lambda: self.connection,
            say_again=self._say_again,
            queued=self._is_queued,
            now=lambda: NOW + self.at,
            clock=lambda: self.at,
        )
        await self.alerts.read()

    def _is_queued(self) -> None:
        self.queued += 1

    async def _say_again(self) -> None:
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        for each in self.kept.values():
            self.hear(each)

    def hear(self, alert: Alert) -> None:
        component = alert.source.rpartition("/")[2]
        kind, rest = ("alert-active", f"{component}/{alert.key}") if alert.key else ("alert", component)
        if alert.key:
            self.kept[rest] = alert
        self.alerts.hear(kind, rest, alert.to_bytes())

    def clears(self, key: str = "door", component: str = "oven") -> None:
        self.kept.pop(f"{component}/{key}", None)
        self.alerts.hear("alert-active", f"{component}/{key}", b"")

    async def looks(self, seconds: float = 0.0) -> list[Said]:
        """What the network was told by then that it was not told before."""
        self.at += seconds
        await self.alerts.look()
        before = len(self.said)
        while heads := await self.store.read(lambda tx: outbox.heads(tx, "chat", (), 10)):
            for each in heads:
                await self._say(each)
        return self.said[before:]

    async def _say(self, queued: Queued) -> None:
        post = queued.post
        assert post.lane is Lane.ALERT
        event = post.edits or f"${queued.row}"
        self.said.append(Said(post.place, to_plain(post.document), post.edits, event))
        await self.store.write(lambda tx: outbox.sent(tx, queued.row, event))

    async def told(self, seconds: float = 0.0) -> list[str]:
        """The same in words."""
        return [each.words for each in await self.looks(seconds)]


def alert(
    severity: Severity = WARNING,
    message: str = "The door does not open.",
    key: str = "",
    *,
    id: str = "",  # noqa: A002 - it is the id
    component: str = "oven",
    time: str = "",
) -> Alert:
    return Alert(id or next(ids), f"{ROOT}/{component}", time, severity, message, key)


def door(severity: Severity = WARNING, message: str = "The door does not open.", **more: str) -> Alert:
    return alert(severity, message, "door", **more)


@pytest_asyncio.fixture
async def desk(store: Store) -> Desk:
    desk = Desk(store)
    await desk.begin()
    return desk


async def test_an_event_is_told_where_it_is_asked_for(desk: Desk) -> None:
    desk.hear(alert(CRITICAL, "It burns."))
    desk.hear(alert(WARNING, "It is hot."))
    desk.hear(alert(INFO, "It is on."))
    said = await desk.looks()
    assert [(each.place, each.words.splitlines()[0]) for each in said if each.place == PHONES] == [
        (PHONES, "CRITICAL oven says: It burns.")
    ]
    assert [each.words.splitlines()[0] for each in said if each.place == ROOM] == [
        "CRITICAL oven says: It burns.",
        "WARNING oven says: It is hot.",
    ]
    assert all("at 12:00 UTC" in each.words for each in said)


async def test_an_event_that_is_said_again_is_told_once_also_after_a_restart(desk: Desk) -> None:
    event = alert(CRITICAL)
    for _ in range(2):
        desk.hear(event)
        desk.hear(event)
        await desk.looks(1)
        await desk.begin()
    assert len(desk.said) == 2, "one at each place"
    desk.hear(alert(CRITICAL, id=event.id, component="crane"))
    assert len(await desk.looks()) == 2, "an id counts with its source"


async def test_who_is_asked_by_two_channels_in_one_place_hears_once(desk: Desk) -> None:
    desk.sinks = (*SINKS, Sink((ROOM,), INFO))
    await desk.begin()
    desk.hear(alert(CRITICAL))
    assert [each.place for each in await desk.looks()].count(ROOM) == 1


async def test_what_lasts_is_edited_when_it_is_over_and_told_anew_when_it_comes_again(desk: Desk) -> None:
    desk.hear(door())
    (raised,) = await desk.looks()
    assert raised.words.splitlines()[0] == "WARNING oven says: The door does not open."
    assert "door, since 12:00 UTC" in raised.words
    desk.clears()
    (cleared,) = await desk.looks(12 * 60)
    assert (cleared.edits, cleared.place) == (raised.event, ROOM)
    assert "CLEARED after 12 min: oven says: The door does not open." in cleared.words
    assert "WARNING since 12:00 UTC" in cleared.words
    desk.clears()
    assert await desk.looks(1) == []
    desk.hear(door())
    (again,) = await desk.looks(1)
    assert again.edits is None
    assert "WARNING oven" in again.words


async def test_what_comes_and_goes_between_two_looks_is_told_each_time(desk: Desk) -> None:
    desk.hear(door())
    desk.clears()
    (short,) = await desk.looks()
    assert "CLEARED after 0 s" in short.words
    desk.hear(door())
    (raised,) = await desk.looks(1)
    desk.clears()
    desk.hear(door())
    cleared, again = await desk.looks(60)
    assert (cleared.edits, again.edits) == (raised.event, None)
    assert ("CLEARED after 1 min" in cleared.words, "WARNING" in again.words) == (True, True)


async def test_what_is_said_again_at_each_connection_is_no_news(desk: Desk) -> None:
    first = door()
    desk.hear(first)
    await desk.looks()
    desk.hear(first)
    desk.hear(door())  # of a component that has begun anew
    assert await desk.looks(1) == []
    await desk.begin()
    desk.hear(door())
    assert await desk.looks(SETTLED_S * 2) == []


async def test_a_change_is_an_edit_and_what_is_graver_is_a_message_of_its_own(desk: Desk) -> None:
    desk.hear(door())
    (first,) = await desk.looks()
    desk.hear(door(message="It is stuck."))
    (changed,) = await desk.looks(60)
    assert (changed.edits, "It is stuck." in changed.words) == (first.event, True)
    desk.hear(door(CRITICAL, "It is stuck, and it burns."))
    old, *new = await desk.looks(60)
    assert (old.edits, "GRAVER NOW" in old.words) == (first.event, True)
    assert {(each.place, each.edits) for each in new} == {(ROOM, None), (PHONES, None)}
    desk.hear(door(INFO, "It opens a little."))
    assert {each.edits for each in await desk.looks(60)} == {each.event for each in new}
    desk.clears()
    cleared = await desk.looks(60)
    assert {(each.edits, "CLEARED" in each.words) for each in cleared} == {(each.event, True) for each in new}


async def test_what_was_cleared_while_the_bot_was_away_is_edited_at_its_start(desk: Desk) -> None:
    desk.hear(door())
    desk.hear(alert(key="light"))
    door_said, _ = await desk.looks()
    desk.connected = False
    await desk.begin()
    assert await desk.looks(SETTLED_S * 9) == [], "nobody is heard yet"
    desk.connected = True
    desk.hear(alert(key="light"))
    assert await desk.looks() == []
    assert await desk.looks(SETTLED_S - 1) == [], "it may still be said again"
    (cleared,) = await desk.looks(1)
    assert cleared.edits == door_said.event
    assert "CLEARED while I was away" in cleared.words
    assert await desk.looks(SETTLED_S * 9) == []


async def test_what_was_cleared_while_the_connection_was_broken_is_edited_then(desk: Desk) -> None:
    desk.hear(door())
    await desk.looks(SETTLED_S * 9)
    desk.connection += 1
    assert await desk.looks() == []
    (cleared,) = await desk.looks(SETTLED_S)
    assert "CLEARED while I was away" in cleared.words


async def test_what_was_taken_as_over_and_is_said_again_stands_again_in_its_message(desk: Desk) -> None:
    late = door()
    desk.hear(late)
    (raised,) = await desk.looks()
    desk.connection += 1
    await desk.looks()
    await desk.looks(SETTLED_S)
    desk.hear(late)
    (again,) = await desk.looks(60)
    assert (again.edits, "WARNING" in again.words) == (raised.event, True)
    desk.clears()
    (cleared,) = await desk.looks(60)
    assert (cleared.edits, "CLEARED after" in cleared.words) == (raised.event, True)


async def test_a_channel_that_asks_since_a_restart_is_told_of_what_lasts(desk: Desk) -> None:
    desk.hear(door())
    await desk.looks()
    desk.sinks = (*SINKS, Sink((NEW,), WARNING))
    await desk.begin()
    desk.hear(door())
    said = await desk.looks(60)
    assert [each.edits is None for each in said if each.place == NEW] == [True]
    desk.sinks = SINKS
    await desk.begin()
    desk.clears()
    desk.hear(door())
    assert [each.place for each in await desk.looks(60)] == [ROOM] * 2, "who does not ask any more is told nothing"


@pytest.mark.parametrize("severity", [INFO, WARNING])
async def test_who_asks_anew_while_the_bot_runs_is_told_of_what_lasts(desk: Desk, severity: Severity) -> None:
    desk.hear(door(severity))
    before = await desk.looks()
    assert [each.place for each in before] == [ROOM] * (severity is WARNING), "nobody had asked for what is less"
    desk.sinks = (*SINKS, Sink((NEW,), INFO))
    said = await desk.looks(60)
    assert [each.edits for each in said if each.place == NEW] == [None]
    assert len({each.event for each in desk.said}) == len(before) + 1, "nobody else sees it as new"
    assert await desk.looks(SETTLED_S * 9) == []
    assert desk.asked == 1


async def test_where_the_broker_does_not_say_it_again_nothing_is_taken_as_over(desk: Desk) -> None:
    desk.hear(door())
    await desk.looks()
    desk.sinks = (*SINKS, Sink((NEW,), INFO))
    desk.refusal = Refused("not for you")
    assert await desk.looks() == []
    desk.connection += 1
    await desk.looks()
    assert await desk.looks(SETTLED_S * 9) == []


async def test_while_there_is_no_connection_nothing_is_taken_as_over(desk: Desk) -> None:
    desk.hear(door())
    await desk.looks(SETTLED_S)
    desk.connected = False
    await desk.looks()
    assert await desk.looks(SETTLED_S * 9) == []


async def test_what_waits_to_be_told_is_not_taken_as_over_before_it_is_told(desk: Desk) -> None:
    desk.hear(door())
    await desk.looks()
    desk.clears()
    desk.hear(door(message="Stuck again."))
    await refuse(desk.store, "outbox")
    desk.connection += 1
    for _ in range(2):
        with pytest.raises(StoreError):
            await desk.looks(SETTLED_S)
    await take_again(desk.store, "outbox")
    await desk.looks()
    words = [each.words for each in desk.said if "Stuck again." in each.words]
    assert words[0].startswith("WARNING"), "nobody has seen that it is over"
    (cleared,) = await desk.told(60)
    assert "CLEARED while I was away" in cleared


async def test_what_is_said_of_an_alert_goes_only_to_who_asks_by_then(desk: Desk) -> None:
    first = door(CRITICAL)
    desk.hear(first)
    await desk.looks()
    desk.sinks = SINKS[:1]
    desk.hear(door(CRITICAL, "It is stuck."))
    assert [each.place for each in await desk.looks(60)] == [ROOM]
    desk.sinks = (*SINKS, Sink((NEW,), INFO))
    desk.clears()
    assert {each.place for each in await desk.looks(60)} == {ROOM, PHONES}, "what is over is no news to who asks anew"


async def test_the_same_alert_that_is_graver_now_stays_one_message(desk: Desk) -> None:
    first = door()
    desk.hear(first)
    (raised,) = await desk.looks()
    desk.hear(dataclasses.replace(first, severity=CRITICAL))
    said = await desk.looks(60)
    assert [(each.place, each.edits, each.words.split()[0]) for each in said] == [
        (ROOM, raised.event, "CRITICAL"),
        (PHONES, None, "CRITICAL"),
    ]


@pytest.mark.parametrize("key", ["door", ""])
async def test_what_was_grave_is_told_though_nobody_asks_for_what_it_is_by_then(desk: Desk, key: str) -> None:
    desk.hear(alert(CRITICAL, "It burns.", key, id="fire"))
    desk.hear(alert(INFO, "It smokes a little.", key, id="fire"))
    said = await desk.looks()
    assert {each.place for each in said} == {ROOM, PHONES}
    assert all("It burns." in each.words for each in said)
    assert {each.words.split()[0] for each in said} == {"CLEARED" if key else "CRITICAL"}
    assert await desk.looks(60) == []


async def test_what_comes_again_as_less_than_anybody_asks_for_is_over(desk: Desk) -> None:
    desk.hear(door())
    (raised,) = await desk.looks()
    desk.clears()
    desk.hear(door(INFO, "It squeaks."))
    (said,) = await desk.looks(60)
    assert (said.edits, said.words.split()[0], "squeaks" in said.words) == (raised.event, "CLEARED", False)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("alert/ghost", alert(component="ghost").to_bytes()),
        ("alert/oven", alert(component="crane").to_bytes()),
        ("alert/oven", b"{}"),
        ("alert/oven", b"\xff"),
        ("alert/oven", b"[" * 100_000),
        ("alert/oven", dataclasses.replace(alert(), id="").to_bytes()),
        ("alert/oven", alert(message="x" * 1025).to_bytes()),
        ("alert/oven", alert().to_bytes().replace(b"warning", b"fatal")),
        ("alert/oven", alert().to_bytes().replace(b"tocsin.alert", b"tocsin.other")),
        ("alert/oven/door", door().to_bytes()),
        ("alert-active/oven", door().to_bytes()),
        ("alert-active/oven/light", door().to_bytes()),
        ("alert-active/oven/door", alert().to_bytes()),
        ("alert-active/oven/Door", alert(key="Door").to_bytes()),
        ("alert-active/ghost/door", door(component="ghost").to_bytes()),
        ("alert-active/ghost/door", b""),
    ],
)
async def test_what_breaks_the_contract_is_refused_counted_and_not_told(
    desk: Desk, system: System, topic: str, payload: bytes
) -> None:
    kind, _, rest = topic.partition("/")
    with pytest.raises(BadMessage):
        desk.alerts.hear(kind, rest, payload)
    listener = listening(system, desk.alerts)
    before = system.registry.sights(), dict(system.registry.strangers())
    assert listener.receive(Delivery(f"{ROOT}/{topic}", payload, 1, retain=False)) is None
    assert listener.refused == 1
    assert (system.registry.sights(), system.registry.strangers()) == before
    assert await desk.looks() == []


def listening(system: System, alerts: Alerts) -> Listener:
    return Listener(
        ROOT,
        system.bell,
        system.registry,
        claimed=Claims(system.store, (), queued=lambda: None),
        talk=system.jobs.hear,
        name="tocsin",
        alerted=alerts.hear,
    )


async def test_what_the_listener_hears_is_told_and_what_the_broker_forgets_is_no_offence(
    desk: Desk, system: System
) -> None:
    listener = listening(system, desk.alerts)
    for topic, payload in (
        ("alert/oven", alert().to_bytes()),
        ("alert/oven", b""),
        ("alert-active/oven/door", door().to_bytes()),
        ("alert-active/oven/light", b""),
    ):
        assert listener.receive(Delivery(f"{ROOT}/{topic}", payload, 1, retain=True)) is None
    assert listener.refused == 0
    assert len(await desk.looks()) == 2


async def test_words_of_a_component_are_shown_as_words(desk: Desk) -> None:
    desk.hear(alert(message="a\u202eb\x1b[2J\nSTOPPED everything **now** " + "x" * 900))
    await desk.alerts.look()
    (queued,) = await desk.store.read(lambda tx: outbox.heads(tx, "chat", (), 10))
    first = queued.post.document.blocks[0]
    assert isinstance(first, Text)
    line = to_plain(queued.post.document).splitlines()[0]
    assert "STOPPED everything **now** x" in line
    assert not {"\u202e", "\x1b"} & set(line)
    assert len(line) < 400
    strong = [span.text for span in first.spans if span.style is Style.STRONG]
    assert strong == ["WARNING"]


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-11-22T11:30:00Z", "since 11:30 UTC"),
        ("2026-11-22T12:30:00+01:00", "since 11:30 UTC"),
        ("2026-11-22T11:30:00", "since 12:00 UTC"),
        ("2026-11-23T11:30:00Z", "since 12:00 UTC"),
        ("1990-11-22T11:30:00Z", "since 12:00 UTC"),
        ("0001-01-01T00:00:00+14:00", "since 12:00 UTC"),
        ("tomorrow", "since 12:00 UTC"),
    ],
)
async def test_when_it_was_raised_is_believed_where_that_can_be(desk: Desk, time: str, shown: str) -> None:
    desk.hear(door(time=time))
    assert shown in (await desk.told())[0]


async def test_a_flood_is_one_message_that_counts_and_no_grave_one_is_lost_in_it(desk: Desk) -> None:
    desk.sinks = (Sink((ROOM,), INFO), Sink((PHONES,), CRITICAL))
    await desk.begin()
    for number in range(1000):
        desk.hear(alert(INFO, f"hum {number}"))
    for number in range(3):
        desk.hear(alert(CRITICAL, f"It burns {number}."))
    said = await desk.looks()
    assert len([each for each in said if each.place == PHONES]) == 3
    assert len([each for each in said if "CRITICAL oven says: It burns" in each.words]) == 6
    said += await desk.looks(1)
    said += await desk.looks(TOLD_EVERY_S)
    one_by_one = [each for each in said if "INFO oven says" in each.words.splitlines()[0]]
    counting = [each for each in said if "MORE ALERT" in each.words]
    assert 0 < len(one_by_one) < 12
    assert {each.place for each in counting} == {ROOM}
    assert len({each.event for each in counting}) == 1, "it is one message"
    assert f"{1000 - len(one_by_one)} MORE ALERTS since 12:00 UTC" in counting[-1].words
    assert f"{1000 - len(one_by_one)} info." in counting[-1].words


async def test_a_flood_of_the_grave_takes_the_room_of_the_rest_and_is_counted_first(desk: Desk) -> None:
    for number in range(200):
        desk.hear(alert(WARNING, f"hot {number}"))
        desk.hear(alert(CRITICAL, f"burns {number}"))
    said = await desk.looks()
    assert sum(each.place == PHONES and each.words.startswith("CRITICAL") for each in said) == 30
    assert not [each for each in said if each.words.startswith("WARNING")]
    (counted, _) = await desk.told(TOLD_EVERY_S)
    assert "critical, 200 warning" in counted
    assert "WARNING oven" not in counted, "the gravest are shown"


async def test_one_flood_leaves_room_for_the_others_and_the_next_one_is_another_message(desk: Desk) -> None:
    for _ in range(500):
        desk.hear(alert())
    await desk.looks()
    desk.hear(alert(component="crane"))
    assert any("WARNING crane" in each for each in await desk.told())
    first = {each.event for each in desk.said if "MORE ALERT" in each.words}
    await desk.looks(TOLD_EVERY_S)
    await desk.looks(OVER_AFTER_S)
    for _ in range(500):
        desk.hear(alert())
    second = {each.event for each in await desk.looks() if "MORE ALERT" in each.words}
    assert (len(first), len(second), first & second) == (1, 1, set())


async def test_what_lasts_waits_for_room_and_is_told_then_the_grave_first(desk: Desk) -> None:
    for number in range(60):
        desk.hear(alert(key=f"fan-{number}"))
    desk.hear(alert(CRITICAL, key="fire"))
    first = await desk.looks()
    assert any("CRITICAL" in each.words for each in first)
    for _ in range(80):
        await desk.looks(20)
    raised = {each.event for each in desk.said}
    assert len(raised) == 62, "61, of which one stands at two places"
    desk.clears("fan-59")
    (cleared,) = await desk.looks(1)
    assert "fan-59" in cleared.words


async def test_what_is_over_is_edited_even_where_there_is_no_room_for_what_comes_after_it(desk: Desk) -> None:
    desk.hear(door())
    (first,) = await desk.looks()
    for _ in range(60):
        desk.hear(alert())
    await desk.looks()
    desk.clears()
    desk.hear(door(message="Stuck again."))
    said = await desk.looks(1)
    assert [each.words.split()[0] for each in said if each.edits == first.event] == ["CLEARED"]
    assert not [each for each in said if "Stuck again." in each.words]
    (again,) = [each for each in await desk.looks(20) if "Stuck again." in each.words]
    assert again.edits is None


async def test_what_is_graver_is_an_edit_where_there_is_no_room_for_a_message(desk: Desk) -> None:
    desk.hear(door())
    (first,) = await desk.looks()
    for _ in range(60):
        desk.hear(alert(CRITICAL))
    await desk.looks()
    desk.hear(door(CRITICAL, "It burns now."))
    said = [each for each in await desk.looks(1) if "CRITICAL oven says: It burns now." in each.words]
    assert {(each.place, each.edits) for each in said} == {(ROOM, first.event), (PHONES, None)}


async def test_what_is_said_again_for_months_is_not_forgotten_and_told_anew(desk: Desk) -> None:
    kept = alert()
    for _ in range(60):
        desk.hear(kept)
        await desk.looks(86_401)
        commits = desk.store.counts.commits
        desk.hear(kept)
        await desk.looks()
        assert desk.store.counts.commits == commits, "it is young enough"
        await desk.store.write(lambda tx: tx.execute("DELETE FROM alert WHERE cleared < ?", (NOW + desk.at - 2e6,)))
    assert len(desk.said) == 1


async def test_more_keys_than_anybody_has_are_counted_and_hide_nothing_grave(desk: Desk) -> None:
    for number in range(1000):
        desk.hear(alert(key=f"fan-{number}"))
    desk.hear(alert(CRITICAL, key="fire"))
    said = await desk.looks()
    assert any("CRITICAL" in each.words for each in said)
    for _ in range(200):
        said += await desk.looks(20)
    counting = [each.words for each in said if "MORE ALERT" in each.words]
    assert f"{1001 - MOST_OF_ONE} MORE ALERTS" in counting[-1]
    desk.hear(alert(key="fan-999"))
    await desk.looks(60)
    assert any(each.startswith("1 MORE ALERT ") for each in await desk.told(TOLD_EVERY_S))
    desk.hear(alert(CRITICAL, key="flame"))
    assert any("CRITICAL" in each for each in await desk.told(60)), "those that are graver than what lasts have room"
    desk.clears("fan-0")
    desk.hear(alert(message="It stands again.", key="fan-0"))
    assert any("It stands again." in each for each in await desk.told(60)), "it has the place that it had"


async def test_who_raises_and_clears_for_ever_fills_no_room_and_its_last_word_is_told(desk: Desk) -> None:
    for _ in range(300):
        desk.hear(door())
        await desk.looks()
        desk.clears()
        await desk.looks()
    desk.hear(door(message="At last."))
    for _ in range(10):
        await desk.looks(20)
    messages = {each.event for each in desk.said}
    assert len(messages) < 30
    newest = {each.event: each.words for each in desk.said if "MORE ALERT" not in each.words}
    assert sum("CLEARED" not in words for words in newest.values()) == 1
    assert any("At last." in words for words in newest.values())
    counted = [each.words for each in desk.said if "MORE ALERT" in each.words]
    assert int(counted[-1].split()[0]) + len(newest) == 301, "each is told or counted"


async def test_who_changes_for_ever_is_edited_at_a_pace_and_its_last_word_is_told(desk: Desk) -> None:
    for number in range(300):
        desk.hear(door(message=f"{number} degrees"))
        await desk.looks(0.1)
    assert len(desk.said) < 10
    (last,) = await desk.looks(60)
    assert "299 degrees" in last.words
    desk.clears()
    assert "CLEARED" in (await desk.told())[0], "the end of it does not wait"


async def test_what_the_disk_refuses_is_told_once_when_it_takes_it(desk: Desk) -> None:
    await refuse(desk.store, "outbox")
    for _ in range(10):
        desk.hear(alert(CRITICAL))
    desk.hear(door())
    for _ in range(50):
        with pytest.raises(StoreError):
            await desk.looks()
    await take_again(desk.store, "outbox")
    assert len(await desk.looks()) == 21, "no room was used up by what was not told"
    assert await desk.looks(60) == []


async def test_a_disk_that_refuses_gives_no_room_to_anybody(desk: Desk) -> None:
    for _ in range(30):
        desk.hear(alert(CRITICAL))
    assert len(await desk.looks()) == 60
    await refuse(desk.store, "outbox")
    desk.hear(alert(CRITICAL, "beyond"))
    desk.hear(alert(component="crane"))
    with pytest.raises(StoreError):
        await desk.looks()
    await take_again(desk.store, "outbox")
    desk.hear(alert(CRITICAL, "beyond"))
    assert not [each for each in await desk.looks() if each.words.startswith("CRITICAL oven")]


@pytest.mark.parametrize("key", ["fan-{}", ""])
async def test_however_much_is_heard_while_the_disk_takes_nothing_little_is_kept(desk: Desk, key: str) -> None:
    desk.hear(door())
    await desk.looks()
    await refuse(desk.store, "outbox")
    for number in range(10 * MOST_WAITING):
        desk.hear(alert(CRITICAL, key=key.format(number)))
    with pytest.raises(StoreError):
        await desk.looks()
    kept = desk.alerts._heard_on  # pyright: ignore[reportPrivateUsage] - nobody else sees how much it is
    assert len(kept) < 3 * MOST_WAITING
    assert ("oven", "door", "") in kept
    assert key or len(kept) == 1, "what does not last is not missed either"


async def test_rows_tell_what_lasts_and_where(desk: Desk) -> None:
    desk.hear(door(CRITICAL, id="d"))
    desk.hear(alert(id="e"))
    await desk.looks()
    sql = "SELECT component, key, id, severity, cleared, told FROM alert ORDER BY id"
    lasting, event = await desk.store.read(lambda tx: tx.execute(sql).fetchall())
    assert lasting == (
        "oven",
        "door",
        "d",
        "critical",
        None,
        orjson.dumps([["chat", "room"], ["chat", "phones"]]).decode(),
    )
    assert event[:5] == ("oven", "", "e", "warning", NOW)


@contextlib.asynccontextmanager
async def running(alerts: Alerts) -> AsyncGenerator[None]:
    task = asyncio.create_task(alerts.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_what_is_heard_is_told_while_it_runs_also_after_the_disk_has_refused(desk: Desk) -> None:
    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await desk.store.write(lambda _: None)

    async with running(desk.alerts):
        desk.hear(alert())
        await until(lambda: desk.queued == 1)
        await refuse(desk.store, "outbox")
        desk.hear(alert())
        failing = desk.store.counts.jobs
        await until(lambda: desk.store.counts.jobs > failing)
        await take_again(desk.store, "outbox")
        await until(lambda: desk.queued == 2)
