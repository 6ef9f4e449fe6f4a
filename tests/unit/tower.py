"""A bell on a real database with the components' own half around it: what the tests of the bell stand on.

The clock is the test's, and so is the wire: nothing reaches a component that the test does not bring to it.
"""

import asyncio
import contextlib
import dataclasses
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager

from bot.stop.bell import Bell, Enrolled
from bot.stop.course import Course, Origin
from bot.store import Store, incidents
from bot.store.incidents import Step
from bot.words import packed
from bot.words.message import Lane, Place, Post
from bot.words.plain import to_plain
from wire.broker import QoS
from wire.chain import read_hand_over
from wire.envelope import PrivateKey, PublicKey, seal, unseal
from wire.errors import BadSignature, NotSent
from wire.latch import Kept, Latch, Trusted
from wire.messages import ROOT, Drill, Lease, Roster, Stop, Target

PATIENCE = 10.0
HangDisk = Callable[[Store], AbstractAsyncContextManager[threading.Event]]
LONG = 3600.0
BOT_KEY = PrivateKey(b"bot".ljust(32, b"."))
ORIGIN = Origin(Place("chat", "room"), "$order")
ALARMS = Place("chat", "alarms")
A, B, C = "a" * 32, "b" * 32, "c" * 32
ALL = Target()
TWO = ("carol", "otto")
"""Who resets."""
EMPTY = Kept()


class Component:
    """The component's half of the contract, as every component has it."""

    def __init__(
        self,
        name: str,
        *groups: str,
        kept: Kept | None = EMPTY,
        stop_keys: Iterable[str] = (),
        bot: PublicKey = BOT_KEY.public,
    ) -> None:
        self.name = name
        self.groups = frozenset(groups)
        self.key = PrivateKey(name.encode().ljust(32, b"."))
        self.stopped_at_once = True
        """Its work is down as soon as it hears a stop."""
        self.heard = 0
        trusted = Trusted(bot, tuple(stop_keys))
        self.latch = Latch(name, groups, kept, trusted=trusted, write=lambda _: True, random=os.urandom)

    def asks(self) -> bytes:
        return self.says(self.latch.ask(0.0).to_bytes())

    def says(self, state: bytes) -> bytes:
        return seal(self.key, ROOT, "state", state)

    @property
    def works(self) -> bool:
        return self.latch.may_work(0.0)

    def hears(self, topic: str, envelope: bytes) -> None:
        """Takes what was published, if it is for us."""
        kind, _, whom = topic.removeprefix(f"{ROOT}/").partition("/")
        bot = self.latch.key
        with contextlib.suppress(BadSignature):  # of a key that we do not believe
            if kind == "stop" and envelope:
                self._hears_of_a_stop(envelope)
            elif whom == self.name and kind == "lease":
                self.latch.lease(Lease.parse(unseal(envelope, ROOT, "lease", bot)), 0.0)
                self.latch.down = self.latch.down or self.stopped_at_once
            elif whom == self.name and kind == "key":
                self.latch.hand_over(read_hand_over(envelope, ROOT, bot))
            elif whom == self.name and kind == "roster":
                self.latch.take_roster(Roster.parse(unseal(envelope, ROOT, "roster", bot)))

    def _hears_of_a_stop(self, envelope: bytes) -> None:
        who = (self.latch.key, *map(PublicKey.parse, self.latch.roster.stop_keys))
        try:
            self.latch.stop(Stop.parse(unseal(envelope, ROOT, "stop", *who)), envelope)
        except BadSignature:
            self.latch.drill(Drill.parse(unseal(envelope, ROOT, "drill", *who)))
        self.latch.down = self.latch.down or self.stopped_at_once


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
            is_drill = _is_drill(payload)
            assert (qos, retain) == (1, not is_drill)
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
        """The targets of all stops, in the order in which they were sent."""
        return [
            topic.removeprefix(f"{ROOT}/stop/")
            for topic, payload in self.sent
            if "/stop/" in topic and payload and not _is_drill(payload)
        ]

    def drills(self) -> list[str]:
        return [topic.removeprefix(f"{ROOT}/stop/") for topic, payload in self.sent if _is_drill(payload)]

    def withdrawn(self) -> list[str]:
        """The targets whose retained stop was taken away."""
        return [
            topic.removeprefix(f"{ROOT}/stop/") for topic, payload in self.sent if "/stop/" in topic and not payload
        ]

    def to(self, kind: str, component: str) -> list[bytes]:
        return [payload for topic, payload in self.sent if topic == f"{ROOT}/{kind}/{component}"]

    def leases(self, component: str, key: PublicKey = BOT_KEY.public) -> list[Lease]:
        return [Lease.parse(unseal(payload, ROOT, "lease", key)) for payload in self.to("lease", component)]


def _is_drill(payload: bytes) -> bool:
    return b"tocsin.drill+json" in payload


@dataclasses.dataclass
class Tower:
    """A bell with its broker, its database and a clock that a test sets."""

    bell: Bell
    broker: Broker
    store: Store
    time: list[float]
    queued: asyncio.Event

    async def told(self, count: int) -> list[Post]:
        """The news that the room was told, once there is so much of it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self.queued.clear()
                if len(posts := await self.posts(Lane.STOP)) >= count:
                    return posts
                await self.queued.wait()

    async def posts(self, lane: Lane | None = None) -> list[Post]:
        sql = "SELECT place, document, lane, reply_to, subject FROM outbox WHERE state = 'waiting' ORDER BY lane, id"
        rows = await self.store.read(lambda tx: tx.execute(sql).fetchall())
        posts = [
            Post(Place("chat", place), packed.load(said), Lane(at), to, subject)
            for place, said, at, to, subject in rows
        ]
        return [each for each in posts if lane in (None, each.lane)]

    async def news(self) -> list[str]:
        """What was told in the lane of stops, in words, at whatever place."""
        return [to_plain(each.document) for each in await self.posts(Lane.STOP)]

    async def reset(self, incident: str, components: frozenset[str] | None, people: tuple[str, str]) -> None:
        """Two persons have agreed to what they see now."""
        course = self.bell.course(incident)
        assert course is not None
        await self.bell.reset(course.incident, components, people)

    async def talk(self, *components: Component, rounds: int = 3) -> None:
        """Each component asks and hears all that was published, as often as it takes to be believed."""
        for _ in range(rounds):
            for component in components:
                await self.bell.heard(component.name, component.asks())
            self.deliver(*components)

    def deliver(self, *components: Component) -> None:
        """All that was published since reaches these. What is for others is left out here: among many it costs."""
        for component in components:
            own = f"/{component.name}"
            for topic, payload in self.broker.sent[component.heard :]:
                if topic.endswith(own) or topic.startswith(f"{ROOT}/stop/"):
                    component.hears(topic, payload)
            component.heard = len(self.broker.sent)

    async def stopped(self, incident: str, target: Target, *components: Component) -> Course:
        """Order it, and have these say that they stand still."""
        await self.bell.order(incident, target, ORIGIN)
        await self.broker.until(lambda: str(target) in self.broker.stops())
        await self.talk(*components)
        course = self.bell.course(incident)
        assert course is not None
        return course

    async def later(self, seconds: float) -> None:
        """So much time passes, and what is followed is looked at."""
        self.time[0] += seconds
        await self.looked_at()

    async def looked_at(self) -> None:
        """Each incident is looked at, and what follows from it is on disk."""
        for _ in range(5):
            for course in self.bell.followed():
                course.to_tell.set()
            for _ in range(3):
                await self.store.write(lambda _: None)

    async def course(self, incident: str) -> list[Step]:
        """The course of an incident, as the database has it."""
        return await self.store.read(lambda tx: incidents.course(tx, incident, 1000))


def enrolled(*components: Component) -> Mapping[str, Enrolled]:
    return {each.name: Enrolled(each.key.public, each.groups) for each in components}


@contextlib.asynccontextmanager
async def tower(
    store: Store,
    *components: Component,
    key: PrivateKey = BOT_KEY,
    alarms: tuple[Place, ...] = (),
    stop_keys: Mapping[str, str] | None = None,
    remark: Callable[[str], str] = lambda _: "",
    time: list[float] | None = None,
) -> AsyncGenerator[Tower, None]:
    """A bell that has read its incidents. Components of an earlier tower hear this broker from its beginning."""
    broker, time, queued = Broker(), time or [1000.0], asyncio.Event()
    for component in components:
        component.heard = 0
    bell = Bell(
        store,
        key,
        ROOT,
        enrolled(*components),
        publish=broker.publish,
        queued=queued.set,
        stop_keys=stop_keys,
        alarms=alarms,
        remark=remark,
        clock=lambda: time[0],
    )
    running = asyncio.create_task(bell.run())
    ready = asyncio.create_task(bell.ready.wait())
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running  # it could not begin, and says why
        yield Tower(bell, broker, store, time, queued)
        assert not running.done()
    finally:
        for task in (running, ready):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def refuse(store: Store, what: str) -> None:
    """From now on the disk refuses this kind of rows."""
    trigger = f"CREATE TRIGGER full_{what} BEFORE INSERT ON {what} BEGIN SELECT RAISE(ABORT, 'full'); END"
    await store.write(lambda tx: tx.execute(trigger))


async def take_again(store: Store, what: str) -> None:
    """The disk takes them again."""
    await store.write(lambda tx: tx.execute(f"DROP TRIGGER full_{what}"))
