"""The bell: a stop goes out whatever else is broken, no lease comes before the incidents, and no news is no stop."""

import asyncio
import contextlib
import dataclasses
import inspect
import os
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import pytest
import structlog.testing

from bot.stop import bell as bell_module
from bot.stop.bell import Bell, Enrolled
from bot.stop.course import Origin
from bot.stop.report import Stand, notice
from bot.store import Store, Tx, audit, incidents, outbox
from bot.store.incidents import Told
from bot.words import packed
from bot.words.errors import StoreError, TocsinError
from bot.words.message import Lane, Place, Post
from bot.words.plain import to_plain
from wire.broker import QoS
from wire.clock import boot_clock
from wire.envelope import PrivateKey, seal, unseal
from wire.errors import BadMessage, BadSignature, NotSent
from wire.issuer import MOST_UNPROVEN, Incident
from wire.latch import Kept, Latch
from wire.messages import LARGEST_STOP, ROOT, Lease, Open, Shown, Stop, Target

PATIENCE = 10.0
HangDisk = Callable[[Store], AbstractAsyncContextManager[threading.Event]]
LONG = 3600.0
BOT_KEY = PrivateKey(b"bot".ljust(32, b"."))
ORIGIN = Origin(Place("chat", "room"), "$order")
A, B = "a" * 32, "b" * 32
ALL = Target()

EMPTY = Kept()


class Component:
    """The component's half of the contract, as every component has it."""

    def __init__(self, name: str, *groups: str, kept: Kept | None = EMPTY) -> None:
        self.name = name
        self.groups = frozenset(groups)
        self.key = PrivateKey(name.encode().ljust(32, b"."))
        self.latch = Latch(name, groups, kept, write=lambda _: True, random=os.urandom)

    def asks(self) -> bytes:
        return seal(self.key, ROOT, "state", self.latch.ask(0.0, BOT_KEY.public.id).to_bytes())

    def hears(self, topic: str, envelope: bytes) -> None:
        """Takes what was published, if it is for us."""
        if topic == f"{ROOT}/lease/{self.name}":
            self.latch.lease(Lease.parse(unseal(envelope, ROOT, "lease", BOT_KEY.public)), 0.0)
        elif topic.startswith(f"{ROOT}/stop/"):
            self.latch.stop(Stop.parse(unseal(envelope, ROOT, "stop", BOT_KEY.public)), envelope)
            self.latch.down = True


class Broker:
    """Keeps what is published, for a test to wait for. It can be away, or frozen."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.away = False
        self.frozen = False
        self.tries = 0
        self._news = asyncio.Event()

    async def publish(self, topic: str, payload: bytes, *, qos: QoS = 0, retain: bool = False) -> None:
        """As the link does it."""
        self.tries += 1
        self._news.set()
        if self.frozen:
            await asyncio.Event().wait()
        if self.away:
            raise NotSent("The broker is away.")
        if "/stop/" in topic:
            assert (qos, retain) == (1, True)
        else:
            assert not retain
        self.sent.append((topic, payload))
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._news.clear()
                await self._news.wait()

    def stops(self) -> list[str]:
        return [topic.removeprefix(f"{ROOT}/stop/") for topic, _ in self.sent if "/stop/" in topic]

    def leases(self, component: str) -> list[Lease]:
        return [
            Lease.parse(unseal(payload, ROOT, "lease", BOT_KEY.public))
            for topic, payload in self.sent
            if topic == f"{ROOT}/lease/{component}"
        ]


@dataclasses.dataclass
class Tower:
    """A bell with its broker, its database and a clock that a test sets."""

    bell: Bell
    broker: Broker
    store: Store
    time: list[float]
    queued: asyncio.Event

    async def told(self, count: int) -> list[Post]:
        """What the room was told, once there is so much of it."""
        async with asyncio.timeout(PATIENCE):
            while len(posts := await self.posts()) < count:
                self.queued.clear()
                if len(await self.posts()) < count:
                    await self.queued.wait()
        return posts

    async def posts(self) -> list[Post]:
        sql = "SELECT place, document, lane, reply_to FROM outbox WHERE state = 'waiting' ORDER BY lane, id"
        rows = await self.store.read(lambda tx: tx.execute(sql).fetchall())
        return [Post(Place("chat", place), packed.load(said), Lane(lane), to) for place, said, lane, to in rows]

    async def talk(self, *components: Component, rounds: int = 3) -> None:
        """Each component asks and hears all that was published, as often as it takes to be believed."""
        for _ in range(rounds):
            for component in components:
                await self.bell.heard(component.name, component.asks())
            for component in components:
                for topic, payload in list(self.broker.sent):
                    component.hears(topic, payload)


def enrolled(*components: Component) -> Mapping[str, Enrolled]:
    return {each.name: Enrolled(each.key.public, each.groups) for each in components}


@contextlib.asynccontextmanager
async def tower(store: Store, *components: Component) -> AsyncGenerator[Tower, None]:
    broker, time, queued = Broker(), [1000.0], asyncio.Event()
    bell = Bell(
        store,
        BOT_KEY,
        ROOT,
        enrolled(*components),
        publish=broker.publish,
        queued=queued.set,
        clock=lambda: time[0],
    )
    running = asyncio.create_task(bell.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await bell.ready.wait()
        yield Tower(bell, broker, store, time, queued)
        assert not running.done()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending again comes at once, so that a test need not wait for it."""
    monkeypatch.setattr(bell_module, "AGAIN_S", (0.001, 0.001))


@pytest.fixture
def walker() -> Component:
    return Component("walker", "legs")


@pytest.fixture
def crane() -> Component:
    return Component("crane", "arms")


async def test_nothing_is_answered_before_the_incidents_are_read(store: Store, walker: Component) -> None:
    broker = Broker()
    bell = Bell(store, BOT_KEY, ROOT, enrolled(walker), publish=broker.publish, queued=lambda: None)
    with pytest.raises(TocsinError, match="not been read yet"):
        await bell.heard("walker", walker.asks())
    with pytest.raises(TocsinError, match="not been read yet"):
        await bell.order(A, ALL, ORIGIN)
    assert not bell.ready.is_set()
    assert broker.sent == []


async def test_a_lease_lets_a_component_work(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.talk(walker, rounds=1)
        assert walker.latch.may_work(0.0)
        assert not t.bell.has_stopped("walker")


async def test_a_stop_is_published_on_disk_and_listed_when_the_order_returns(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        incident = await t.bell.order(A, ALL, ORIGIN)
        (row,) = await store.read(incidents.all_incidents)
        assert (row.id, row.target, row.stop) == (A, "all", incident.stop)
        assert (row.place, row.reply_to) == (ORIGIN.place, ORIGIN.event)
        assert await store.read(incidents.all_affected) == [(A, "walker")]
        assert t.bell.incidents() == (incident,)
        await t.broker.until(lambda: t.broker.stops()[:1] == ["all"])
        topic, payload = t.broker.sent[0]
        assert Stop.parse(unseal(payload, ROOT, "stop", BOT_KEY.public)).target == ALL
        assert topic == f"{ROOT}/stop/all"


async def test_a_stop_goes_out_although_the_disk_hangs(store: Store, walker: Component, hang_disk: HangDisk) -> None:
    async with tower(store, walker) as t, hang_disk(store) as go_on:
        ordering = asyncio.create_task(t.bell.order(A, ALL, ORIGIN))
        await t.broker.until(lambda: len(t.broker.stops()) >= 2)
        assert not ordering.done()
        assert [each.id for each in t.bell.incidents()] == [A]
        go_on.set()
        await ordering
        assert [row.id for row in await store.read(incidents.all_incidents)] == [A]


async def test_a_stop_is_sent_again_past_the_deadline_although_the_disk_hangs(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch, hang_disk: HangDisk
) -> None:
    monkeypatch.setattr(bell_module, "DEADLINE_S", 0.0)
    async with tower(store, walker) as t, hang_disk(store) as go_on:
        ordering = asyncio.create_task(t.bell.order(A, ALL, ORIGIN))
        await t.broker.until(lambda: len(t.broker.stops()) >= 10)
        go_on.set()
        await ordering


async def test_who_joins_a_stop_that_is_not_written_yet_finds_it(
    store: Store, walker: Component, hang_disk: HangDisk
) -> None:
    async with tower(store, walker) as t, hang_disk(store) as go_on:
        first = asyncio.create_task(t.bell.order(A, ALL, ORIGIN))
        await asyncio.sleep(0)
        joined = await t.bell.order(B, ALL, ORIGIN)
        assert joined.id == A
        assert [stand.component for stand in t.bell.stands(A)] == ["walker"]
        go_on.set()
        await first


async def test_a_stop_is_sent_again_until_everybody_has_latched_it(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: len(t.broker.stops()) >= 3)
        await t.talk(walker)
        seen = len(t.broker.stops())
        await t.broker.until(lambda: len(t.broker.stops()) >= seen + 2)  # crane has not said anything
        await t.talk(crane)
        settled = len(t.broker.stops())
        for _ in range(50):
            await store.write(lambda _: None)
        assert len(t.broker.stops()) <= settled + 1  # the one that was on its way


async def test_a_stop_that_meets_nobody_is_published_all_the_same(store: Store) -> None:
    async with tower(store) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: t.broker.stops() == ["all"])


async def test_a_stop_comes_through_when_the_broker_is_back(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        t.broker.away = True
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: t.broker.tries >= 3)
        t.broker.away = False
        await t.broker.until(lambda: bool(t.broker.stops()))


async def test_a_frozen_broker_does_not_keep_the_room_from_the_news(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "DEADLINE_S", 0.02)
    monkeypatch.setattr(bell_module, "BROKER_MAY_TAKE_S", LONG)
    async with tower(store, walker) as t:
        t.broker.frozen = True
        await t.bell.order(A, ALL, ORIGIN)
        t.time[0] += 1
        (post,) = await t.told(1)
        assert to_plain(post.document).startswith("NOT CONFIRMED")


async def test_a_confirmed_stop_is_told_once_where_it_was_ordered(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.talk(walker)
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        t.time[0] += 1.5
        await t.talk(walker)
        assert t.bell.has_stopped("walker")
        (post,) = await t.told(1)
        assert (post.place, post.reply_to, post.lane) == (ORIGIN.place, ORIGIN.event, Lane.STOP)
        words = to_plain(post.document)
        assert words.startswith("STOPPED")
        assert "1 of 1 confirmed it" in words
        assert "walker     stopped  1.5 s" in words
        await t.talk(walker, rounds=5)
        t.time[0] += LONG
        await t.talk(walker, rounds=5)
        assert len(await t.posts()) == 1
        (row,) = await store.read(incidents.all_incidents)
        assert row.told is Told.CONFIRMED
        kinds = [
            entry for _, entry in await store.read(lambda tx: audit.last(tx, 100)) if b"incident confirmed" in entry
        ]
        assert len(kinds) == 1


async def test_not_confirmed_by_the_deadline_is_told_and_confirmed_later(
    store: Store, walker: Component, crane: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "DEADLINE_S", 0.02)
    async with tower(store, walker, crane) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        assert await t.posts() == []
        t.time[0] += 1
        (late,) = await t.told(1)
        words = to_plain(late.document)
        assert words.startswith("NOT CONFIRMED")
        assert "1 of 2 have stopped" in words
        assert "Go and look at crane" in words
        for _ in range(3):
            await t.talk(walker)
        assert len(await t.posts()) == 1
        await t.talk(crane)
        _, confirmed = await t.told(2)
        assert "2 of 2 confirmed it" in to_plain(confirmed.document)
        await t.talk(walker, crane)
        assert len(await t.posts()) == 2


async def test_a_stop_of_nobody_is_never_confirmed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell_module, "DEADLINE_S", 0.02)
    async with tower(store) as t:
        await t.bell.order(A, ALL, ORIGIN)
        t.time[0] += 1
        (post,) = await t.told(1)
        assert "nothing can confirm it" in to_plain(post.document)


async def test_no_answer_is_not_stopped(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.talk(walker)
        await t.bell.order(A, ALL, ORIGIN)
        (stand,) = t.bell.stands(A)
        assert (stand.stopped, stand.latched, stand.heard) == (False, False, True)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        assert t.bell.stands(A)[0].stopped
        t.time[0] += 11  # what it said is too old to be shown as so now
        (stand,) = t.bell.stands(A)
        assert not stand.stopped
        assert stand.latched
        assert not t.bell.has_stopped("walker")


async def test_an_old_statement_said_again_proves_nothing(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        recorded = walker.asks()
        await t.bell.heard("walker", recorded)
        assert t.bell.has_stopped("walker")
        t.time[0] += 11
        leases = len(t.broker.leases("walker"))
        with pytest.raises(BadMessage, match="said this before"):
            await t.bell.heard("walker", recorded)
        assert not t.bell.has_stopped("walker")
        assert len(t.broker.leases("walker")) == leases


@pytest.mark.parametrize("kind", ["stop", "lease", "birth"])
async def test_what_is_not_signed_as_a_statement_is_refused(store: Store, walker: Component, kind: str) -> None:
    async with tower(store, walker) as t:
        state = walker.latch.ask(0.0, "").to_bytes()
        for envelope in (
            seal(walker.key, ROOT, kind, state),
            seal(walker.key, "other/root", "state", state),
            seal(PrivateKey(b"thief".ljust(32, b".")), ROOT, "state", state),
            seal(BOT_KEY, ROOT, "state", state),
        ):
            with pytest.raises(BadSignature):
                await t.bell.heard("walker", envelope)
        for envelope in (state, b"", b"{}", b"x" * 100_000, seal(walker.key, ROOT, "state", b"{}")):
            with pytest.raises(BadMessage):
                await t.bell.heard("walker", envelope)
        assert t.broker.sent == []


async def test_a_component_speaks_for_itself_only(store: Store, walker: Component, crane: Component) -> None:
    async with tower(store, walker, crane) as t:
        with pytest.raises(BadSignature):
            await t.bell.heard("crane", walker.asks())
        foreign = seal(walker.key, ROOT, "state", crane.latch.ask(0.0, "").to_bytes())
        with pytest.raises(BadMessage, match="spoke on the topic of"):
            await t.bell.heard("walker", foreign)
        assert t.broker.sent == []
        assert t.bell.knows("crane")
        assert not t.bell.knows("stranger")


async def test_a_last_will_is_answered_with_nothing(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        will = seal(walker.key, ROOT, "state", walker.latch.last_words("").to_bytes())
        assert (await t.bell.heard("walker", will)).shown is Shown.LOST
        assert t.broker.sent == []


async def test_an_unknown_incident_is_on_disk_before_it_is_answered(
    store: Store, walker: Component, hang_disk: HangDisk
) -> None:
    damaged = Component("walker", "legs", kept=None)
    async with tower(store, walker) as t:
        async with hang_disk(store) as go_on:
            hearing = asyncio.create_task(t.bell.heard("walker", damaged.asks()))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not hearing.done()
            assert t.broker.sent == []
            go_on.set()
            await hearing
        (row,) = await store.read(incidents.all_incidents)
        assert row.id.startswith("own-")
        assert row.target == "id/walker"
        assert t.broker.leases("walker")[0].stops == (row.id,)


async def test_no_lease_is_given_while_the_disk_refuses_what_was_adopted(store: Store, walker: Component) -> None:
    damaged = Component("walker", "legs", kept=None)
    async with tower(store, walker) as t:
        await store.write(
            lambda tx: tx.execute(
                "CREATE TRIGGER full BEFORE INSERT ON incident BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        )
        await t.bell.heard("walker", damaged.asks())
        assert t.broker.leases("walker") == []
        await store.write(lambda tx: tx.execute("DROP TRIGGER full"))
        await t.bell.heard("walker", damaged.asks())
        assert len(t.broker.leases("walker")) == 1


async def test_a_stop_of_ours_that_we_forgot_is_adopted_with_its_whole_target(
    store: Store, walker: Component, crane: Component
) -> None:
    stop = Stop(A, ALL, 1)
    walker.latch.stop(stop, seal(BOT_KEY, ROOT, "stop", stop.to_bytes()))
    async with tower(store, walker, crane) as t:
        await t.talk(walker, rounds=1)
        assert t.bell.incidents()[0].target == ALL
        assert {stand.component for stand in t.bell.stands(A)} == {"walker", "crane"}
        await t.broker.until(lambda: "all" in t.broker.stops())


async def test_a_stop_that_somebody_forged_stops_nobody_else(store: Store, walker: Component, crane: Component) -> None:
    stop = Stop(A, ALL, 1)
    walker.latch.stop(stop, seal(walker.key, ROOT, "stop", stop.to_bytes()))
    async with tower(store, walker, crane) as t:
        await t.talk(walker, crane, rounds=1)
        assert t.bell.incidents()[0].target == Target(id="walker")
        assert crane.latch.may_work(0.0)
        assert t.broker.stops() == []


async def test_a_restart_stops_again_what_was_stopped(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.bell.order(A, Target(group="legs"), ORIGIN)
    async with tower(store, walker) as t:
        await t.broker.until(lambda: t.broker.stops()[:1] == ["group/legs"])
        await t.talk(walker, rounds=1)
        assert t.broker.leases("walker")[0].stops == (A,)
        assert not walker.latch.may_work(0.0)


async def test_a_restart_tells_nothing_twice(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        await t.told(1)
    async with tower(store, walker) as t:
        t.time[0] += LONG
        await t.talk(walker)
        await store.write(lambda _: None)
        assert len(await t.posts()) == 1


async def test_a_restart_tells_what_is_still_owed_to_the_room(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "DEADLINE_S", 0.02)
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
    async with tower(store, walker) as t:
        t.time[0] += 1
        (post,) = await t.told(1)
        assert (post.place, post.reply_to) == (ORIGIN.place, ORIGIN.event)
        assert "NOT CONFIRMED" in to_plain(post.document)


async def test_a_component_that_is_new_in_the_configuration_is_stopped_by_what_is_open(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
    async with tower(store, walker, crane) as t:
        assert [stand.component for stand in t.bell.stands(A)] == ["crane", "walker"]
        await t.talk(crane, rounds=1)
        assert t.broker.leases("crane")[0].stops == (A,)
        assert not crane.latch.may_work(0.0)
        assert set(await store.read(incidents.all_affected)) == {(A, "walker"), (A, "crane")}


async def test_a_component_that_left_the_configuration_is_waited_for_no_longer(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.bell.order(A, ALL, ORIGIN)
    async with tower(store, walker) as t:
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        (post,) = await t.told(1)
        assert "1 of 1 confirmed it" in to_plain(post.document)


async def test_a_component_that_joins_a_group_is_stopped_with_it(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.bell.order(A, Target(group="legs"), ORIGIN)
        await t.talk(crane, rounds=1)
        assert crane.latch.may_work(0.0)
        crane.latch.groups = ("arms", "legs")
        await t.talk(crane, rounds=1)
        assert not crane.latch.may_work(0.0)
        assert (A, "crane") in await store.read(incidents.all_affected)


@pytest.mark.parametrize("again", [A, B])
async def test_a_stop_of_what_is_stopped_joins_its_incident(store: Store, walker: Component, again: str) -> None:
    async with tower(store, walker) as t:
        first = await t.bell.order(A, ALL, ORIGIN)
        assert await t.bell.order(again, ALL, Origin(Place("chat", "elsewhere"), "$other")) is first
        other = await t.bell.order("c" * 32, Target(id="walker"), ORIGIN)
        assert t.bell.incidents() == (first, other)
        assert [row.place for row in await store.read(incidents.all_incidents)] == [ORIGIN.place] * 2


async def test_an_order_under_the_id_of_another_target_is_not_lost(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        first = await t.bell.order(A, ALL, ORIGIN)
        other = await t.bell.order(A, Target(id="walker"), ORIGIN)
        assert (other.target, other.id != first.id) == (Target(id="walker"), True)
        assert await t.bell.order(A, Target(id="walker"), ORIGIN) is other
        await t.broker.until(lambda: {"all", "id/walker"} <= set(t.broker.stops()))
        assert {row.id for row in await store.read(incidents.all_incidents)} == {first.id, other.id}


async def test_a_stop_for_all_cannot_be_shrunk_by_who_named_it_first(
    store: Store, walker: Component, crane: Component
) -> None:
    walker.latch.stop(Stop(A, ALL, 1), bytes(LARGEST_STOP + 1))  # somebody padded it: it is named without its proof
    walker.latch.down = True
    async with tower(store, walker, crane) as t:
        await t.talk(walker, crane)
        assert t.bell.incidents()[0].target == Target(id="walker")
        assert crane.latch.may_work(0.0)
        incident = await t.bell.order(A, ALL, ORIGIN)
        assert (incident.id, incident.target) == (A, ALL)
        assert t.bell.incidents() == (incident,)
        assert [stand.component for stand in t.bell.stands(A)] == ["crane", "walker"]
        await t.broker.until(lambda: "all" in t.broker.stops())
        await t.talk(walker, crane)
        assert not crane.latch.may_work(0.0)
        (post,) = await t.told(1)
        assert (post.place, to_plain(post.document).startswith("STOPPED everything: 2 of 2")) == (ORIGIN.place, True)
    async with tower(store, walker, crane) as t:
        assert t.bell.incidents() == (incident,)
        assert [stand.component for stand in t.bell.stands(A)] == ["crane", "walker"]


async def test_the_signed_stop_widens_what_was_named_without_it(
    store: Store, walker: Component, crane: Component
) -> None:
    hook = Component("hook")
    stop = Stop(A, ALL, 1)
    walker.latch.stop(stop, bytes(LARGEST_STOP + 1))
    crane.latch.stop(stop, seal(BOT_KEY, ROOT, "stop", stop.to_bytes()))
    async with tower(store, walker, crane, hook) as t:
        await t.talk(walker, hook)
        assert hook.latch.may_work(0.0)
        await t.bell.heard("crane", crane.asks())
        assert [(each.id, each.target) for each in t.bell.incidents()] == [(A, ALL)]
        await t.broker.until(lambda: "all" in t.broker.stops())
        await t.bell.heard("hook", hook.asks())
        assert t.broker.leases("hook")[-1].stops == (A,)
        (row,) = await store.read(incidents.all_incidents)
        assert (row.target, row.stop is not None) == ("all", True)
        assert set(await store.read(incidents.all_affected)) == {(A, each) for each in ("walker", "crane", "hook")}


async def test_what_was_confirmed_is_not_noted_of_what_it_was_widened_to(
    store: Store, walker: Component, crane: Component, hang_disk: HangDisk
) -> None:
    walker.latch.stop(Stop(A, ALL, 1), bytes(LARGEST_STOP + 1))
    walker.latch.down = True
    async with tower(store, walker, crane) as t:
        await t.talk(walker, rounds=1)
        async with hang_disk(store) as go_on:
            waiting: list[asyncio.Task[object]] = [asyncio.create_task(t.bell.order(B, Target(id="crane"), ORIGIN))]
            await t.broker.until(lambda: bool(t.broker.stops()))
            waiting.append(asyncio.create_task(t.bell.heard("walker", walker.asks())))  # it confirms what it named
            await t.broker.until(lambda: t.broker.stops().count("id/crane") >= 2)
            waiting.append(asyncio.create_task(t.bell.order(A, ALL, ORIGIN)))
            await t.broker.until(lambda: "all" in t.broker.stops())
            go_on.set()
            await asyncio.gather(*waiting)
        for _ in range(10):
            await store.write(lambda _: None)
        assert {row.id: row.told for row in await store.read(incidents.all_incidents)} == {
            A: Told.NOTHING,
            B: Told.NOTHING,
        }


async def test_an_order_of_what_nobody_signed_is_an_order_of_its_own(store: Store, walker: Component) -> None:
    damaged = Component("walker", "legs", kept=None)
    async with tower(store, walker) as t:
        await t.talk(damaged)
        incident = await t.bell.order(A, Target(id="walker"), ORIGIN)
        assert incident.id == A
        await t.broker.until(lambda: t.broker.stops() == ["id/walker"])


async def test_who_joins_from_another_room_is_told_there_too(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "DEADLINE_S", 0.02)
    elsewhere = Origin(Place("chat", "elsewhere"), "$other")
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
        for origin in (elsewhere, ORIGIN, Origin(elsewhere.place, "$once more")):
            assert (await t.bell.order(B, ALL, origin)).id == A
        t.time[0] += 1
        assert [(post.place, post.reply_to) for post in await t.told(2)] == [
            (ORIGIN.place, ORIGIN.event),
            (elsewhere.place, elsewhere.event),
        ]
    async with tower(store, walker) as t:
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        posts = await t.told(4)
        assert [post.place for post in posts[2:]] == [ORIGIN.place, elsewhere.place]


async def test_who_brings_up_too_many_incidents_is_held_and_told_of_once(
    store: Store, walker: Component, crane: Component
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with tower(store, walker, crane) as t:
            tasks = len(asyncio.all_tasks())
            for start in (0, 500):
                walker.latch = Latch(
                    "walker",
                    (),
                    Kept(tuple(Open(f"{start + each:032x}") for each in range(500))),
                    write=lambda _: True,
                    random=os.urandom,
                )
                await t.bell.heard("walker", walker.asks())
            assert len(t.bell.incidents()) == MOST_UNPROVEN
            assert len(asyncio.all_tasks()) - tasks <= MOST_UNPROVEN
            assert t.broker.leases("walker") == []
            assert t.bell.withheld == 2
            await t.talk(crane)
            assert crane.latch.may_work(0.0)
    assert [each["component"] for each in logs if each["event"] == "a component gets no lease"] == ["walker"]


async def test_after_a_restart_nobody_knows_how_long_it_took(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
    async with tower(store, walker) as t:
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        (stand,) = t.bell.stands(A)
        assert (stand.stopped, stand.after_s) == (True, None)


async def test_that_the_broker_does_not_take_the_stop_is_told(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "DEADLINE_S", 0.02)
    async with tower(store, walker) as t:
        t.broker.away = True
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: t.broker.tries >= 2)
        t.time[0] += 1
        (post,) = await t.told(1)
        assert "The broker does not take the stop; it is sent again." in to_plain(post.document)
        t.broker.away = False
        await t.broker.until(lambda: bool(t.broker.stops()))


def stand(number: int, *, stopped: bool = False, latched: bool = False) -> Stand:
    return Stand(f"component-{number:04d}", stopped=stopped, latched=latched, heard=True, after_s=None)


def test_a_stop_is_said_to_be_sent_again_only_where_it_is() -> None:
    incident = Incident(A, ALL, b"signed")
    for latched in (True, False):
        words = to_plain(notice(incident, Told.NOT_CONFIRMED, (stand(1, latched=latched),), sent=True))
        assert ("sent again" in words) is not latched
        assert "broker" not in words


def test_a_notice_on_a_thousand_components_is_short_and_shows_first_what_runs() -> None:
    stands = tuple(stand(number, stopped=number < 985) for number in range(1000))
    words = to_plain(notice(Incident(A, ALL, b"signed"), Told.NOT_CONFIRMED, stands, sent=True))
    assert len(words) < 4000
    assert "and 960 more" in words
    assert "component-0994 and 5 more, or cut the power" in words
    assert [name in words for name in ("component-0999", "component-0024", "component-0025")] == [True, True, False]


def test_the_clock_counts_while_the_machine_sleeps() -> None:
    assert inspect.signature(Bell).parameters["clock"].default is boot_clock


async def test_a_disk_that_refuses_the_news_is_tried_again_and_not_in_a_frenzy(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "DEADLINE_S", 0.0)
    monkeypatch.setattr(bell_module, "AGAIN_S", (LONG,))
    refusals: list[None] = []
    original = outbox.queue

    def refuse(_: Tx, __: Post) -> str:
        refusals.append(None)
        raise StoreError("The disk is full.")

    async with tower(store, walker) as t:
        monkeypatch.setattr(bell_module.outbox, "queue", refuse)
        await t.bell.order(A, ALL, ORIGIN)
        for _ in range(50):
            await store.write(lambda _: None)
        assert 1 <= len(refusals) <= 2  # once; the store may try it apart from what was in its commit
        monkeypatch.setattr(bell_module.outbox, "queue", original)
        await t.bell.heard("walker", walker.asks())
        (post,) = await t.told(1)
        assert "NOT CONFIRMED" in to_plain(post.document)


async def test_an_incident_that_the_disk_refused_is_written_before_the_room_is_told(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "DEADLINE_S", 0.01)
    async with tower(store, walker) as t:
        await store.write(
            lambda tx: tx.execute(
                "CREATE TRIGGER full BEFORE INSERT ON incident BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        )
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        assert await store.read(incidents.all_incidents) == []
        await store.write(lambda tx: tx.execute("DROP TRIGGER full"))
        t.time[0] += 1
        await t.told(1)
        assert [row.id for row in await store.read(incidents.all_incidents)] == [A]
