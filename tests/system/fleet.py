"""Components on the real latch that say what a test tells them to, and stops by key among them. It replaces nothing."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from bot.enrol import enrol
from bot.stop.bykey import KeyStop, Listed, Sight
from demo.broker import LocalBroker
from wire.birth import Birth
from wire.clock import boot_clock
from wire.enrolment import Enrolment
from wire.envelope import PrivateKey, seal, unseal
from wire.errors import BadMessage
from wire.latch import Kept, Latch, Trusted
from wire.messages import ROOT, Stop, Target
from wire.mqtt import Delivery, Link
from wire.stopkey import StopKey

PATIENCE = 30.0
BOT = PrivateKey(b"bot".ljust(32, b".")).public
SEED = b"alice's stop key".ljust(32, b".")


class Walker:
    """A component on the real latch, which says what it is told to say."""

    def __init__(self, enrolment: Enrolment, *, key: PrivateKey | None = None, deaf: bool = False) -> None:
        self.enrolment = enrolment
        self.goes_down = True
        self.stops: asyncio.Queue[bytes] = asyncio.Queue()
        trusted = Trusted(enrolment.bot_key, tuple(map(str, enrolment.stop_keys)))
        self.latch = Latch(
            enrolment.id, enrolment.groups, Kept(), trusted=trusted, write=lambda _: True, random=os.urandom
        )
        self._key = key or enrolment.key
        self._deaf = deaf
        self.link = Link(enrolment.broker, f"component-{enrolment.id}", receive=self._receive, on_connect=self._greet)

    async def run(self) -> None:
        if not self._deaf:
            for target in ("all", f"id/{self.enrolment.id}", *(f"group/{each}" for each in self.enrolment.groups)):
                await self.link.subscribe(f"{ROOT}/stop/{target}", qos=1)
        await self.link.run()

    async def say(self) -> None:
        """What it says of itself now."""
        await self._publish("state", self.latch.ask(boot_clock()).to_bytes(), qos=0)

    async def _greet(self) -> None:
        birth = Birth(self.enrolment.id, self.latch.session, "A walker", "test", "1", self.enrolment.groups)
        await self._publish("birth", birth.to_bytes(), qos=1)
        await self.say()

    async def _publish(self, kind: str, payload: bytes, *, qos: int) -> None:
        topic, envelope = f"{ROOT}/{kind}/{self.enrolment.id}", seal(self._key, ROOT, kind, payload)
        await self.link.publish(topic, envelope, qos=1 if qos else 0, retain=bool(qos))

    async def _receive(self, delivery: Delivery) -> None:
        self.stops.put_nowait(delivery.payload)
        with contextlib.suppress(BadMessage):
            stop = Stop.parse(unseal(delivery.payload, ROOT, "stop", BOT, *self.enrolment.stop_keys))
            self.latch.stop(stop, delivery.payload)
            self.latch.down = self.goes_down
        await self.say()


class Watched:
    """A stop on its way, and what is awaited of it."""

    def __init__(self, stop: Callable[[Callable[[], None]], KeyStop]) -> None:
        self._changed = asyncio.Event()
        self.stop = stop(self._changed.set)

    async def until(self, so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not so():
                self._changed.clear()
                await self._changed.wait()

    def sight(self, name: str) -> Sight | None:
        return next((each for each in self.stop.sights if each.component == name), None)


class Fleet:
    """A broker, components that are enrolled there, and stops."""

    def __init__(self, broker: LocalBroker, folder: Path) -> None:
        self.broker = broker
        self.key = StopKey(ROOT, broker.address, "alice", SEED)
        self.listed: dict[str, Listed] = {}
        self._folder = folder

    def enrolled(self, name: str, *groups: str, listed: bool = True, knows_the_key: bool = True) -> Enrolment:
        keys = (str(self.key.key.public),) if knows_the_key else ()
        path = self._folder / f"{name}.json"
        enrolment = enrol(name, groups, ROOT, self.broker.address, BOT, path, stop_keys=keys)
        if listed:
            self.listed[name] = Listed(enrolment.key.public, frozenset(groups))
        return enrolment

    @contextlib.asynccontextmanager
    async def online(self, *walkers: Walker) -> AsyncGenerator[None]:
        running = [asyncio.create_task(each.run()) for each in walkers]
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(each.link.ready() for each in walkers))
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    @contextlib.asynccontextmanager
    async def stopping(self, target: str = "all", key: StopKey | None = None) -> AsyncGenerator[Watched]:
        watched = Watched(lambda changed: KeyStop(key or self.key, Target.parse(target), self.listed, changed=changed))
        running = asyncio.create_task(watched.stop.run())
        try:
            yield watched
        finally:
            running.cancel()
            await asyncio.wait([running])
