"""`python -m bench.wire.ours request|recorded|many|fleet PORT COUNT FOLDER`: the bot's side of one run.

It is the real bell, jobs, listener, link, and store with its sealed record, put together as the runtime does it. It
begins where a command has passed the desk, and never takes a shorter way than that one does.
"""

import asyncio
import contextlib
import functools
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from pathlib import Path

import orjson

from bench.fleet.components import BOT, key, name
from bench.wire.client import Client
from bench.wire.rounds import measure, report
from bench.wire.scene import ARGUMENTS, BOT_NAME, COMMAND, CUE, DONE, ENROLMENT, draw
from bot import logs
from bot.fleet.claims import Claims
from bot.fleet.jobs import Jobs
from bot.fleet.listener import Listener
from bot.fleet.orders import asked_of, write_down
from bot.fleet.registry import Listed, Registry
from bot.record.opening import opened
from bot.stop.bell import Bell, Enrolled
from bot.store import Store, Tx
from bot.store.jobs import Job
from bot.store.jobs import State as JobState
from bot.words.message import Place
from wire.birth import Birth
from wire.broker import Broker
from wire.enrolment import Enrolment
from wire.envelope import PublicKey
from wire.messages import ROOT, Shown, State
from wire.mqtt import Delivery, Link

ROOM = Place("matrix", "!operations:example.org")


class Awaited(Registry):
    """The registry, with somebody who waits until all are there: born, and heard to say how they are."""

    def __init__(self, keys: Mapping[str, PublicKey], shown: Shown) -> None:
        super().__init__({each: Listed() for each in keys})
        self.all_there = asyncio.Event()
        self._shown = shown
        self._said: set[str] = set()
        self._missing = set(keys)

    def born(self, birth: Birth) -> None:
        """As ever; and then it is looked at."""
        super().born(birth)
        self._look(birth.id)

    def heard(self, state: State, spare_s: float | None = None) -> None:
        """As ever; and then it is looked at."""
        super().heard(state, spare_s)
        if state.shown is self._shown:
            self._said.add(state.id)
            self._look(state.id)

    def _look(self, component: str) -> None:
        if component in self._said and self.birth(component) is not None:
            self._missing.discard(component)
            if not self._missing:
                self.all_there.set()


class Bot:
    """The bot, as far as it deals with components."""

    def __init__(self, port: int, keys: Mapping[str, PublicKey], shown: Shown, store: Store) -> None:
        self._store = store
        self._port = port
        self._keys = keys
        self._id = draw()
        self._asked: list[Job] = []
        self._prepared = asyncio.Event()
        self._control: Client
        self.registry = Awaited(keys, shown)
        self.link = Link(Broker("127.0.0.1", port), f"bot-{BOT_NAME}", receive=self._receive)
        enrolled = {component: Enrolled(each, frozenset[str]()) for component, each in keys.items()}
        self.bell = Bell(store, BOT, ROOT, enrolled, publish=self.link.publish, queued=_nobody)
        publish = functools.partial(self.link.publish, qos=1)
        self.jobs = Jobs(store, self.bell, self.registry, ROOT, BOT_NAME, publish=publish, queued=_nobody)
        claims = Claims(store, (), queued=_nobody)
        self.listener = Listener(ROOT, self.bell, self.registry, claimed=claims, talk=self.jobs.hear, name=BOT_NAME)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls, port: int, keys: Mapping[str, PublicKey], shown: Shown, folder: Path
    ) -> AsyncGenerator["Bot"]:
        """The bot runs, and is connected."""
        async with opened(folder, ROOT) as store, asyncio.TaskGroup() as parts:
            bot = cls(port, keys, shown, store)
            await bot.listener.subscribe(bot.link)
            running = [parts.create_task(bot.bell.run())]
            await bot.bell.ready.wait()
            works = (bot.link.run(), bot.listener.hearing.run(), bot.jobs.run())
            running += [parts.create_task(each) for each in works]
            await bot.link.ready()
            async with Client.connected(port, "bench", lambda _topic, _payload: bot._prepared.set()) as bot._control:
                await bot._control.subscribe_all([DONE])
                yield bot
            for each in reversed(running):
                each.cancel()

    async def settle(self) -> None:
        """What came of the command before is on disk, and there is an id for the next."""
        await self._store.write(_nothing)
        self._id = draw()

    async def prepare(self) -> None:
        """The same, and the crowd has its answers to that id ready."""
        await self.settle()
        self._prepared.clear()
        await self._control.send(CUE, self._id.encode())
        await self._prepared.wait()

    async def recorded(self) -> None:
        """The same as `settle`, and the next command is on disk."""
        await self.settle()
        self._asked = self._next()
        await self._store.write(functools.partial(write_down, self._asked))

    async def tell(self) -> None:
        """That command, until its answer is verified and counted."""
        _check(await self.jobs.tell(self._asked))

    async def order(self) -> None:
        """One command to all, from the disk on, until each answer is verified and counted."""
        _check(await self.jobs.order(self._next()))

    def _next(self) -> list[Job]:
        return asked_of(
            [(each, self.registry.session(each) or "0" * 32) for each in self._keys],
            id=self._id,
            command=COMMAND,
            args=orjson.dumps(ARGUMENTS).decode(),
            person="olga",
            place=ROOM,
            reply_to="$said",
            takes_long=False,
            now=time.time(),
        )

    async def discover(self) -> None:
        """Everybody appears, until everybody is known."""
        self._control.send(CUE, b"appear")
        await self.registry.all_there.wait()

    def _receive(self, delivery: Delivery) -> Awaitable[None] | None:
        return self.listener.receive(delivery)


def _check(told: Sequence[Job]) -> None:
    for each in told:
        if each.state is not JobState.DONE:
            raise SystemExit(f"{each.component}: {each.state} {each.message}")


def _nobody() -> None:
    """No room is told."""


def _nothing(_: Tx) -> None:
    """Whoever waits for this waits for what was to be written before it."""


async def main(what: str, port: int, count: int, folder: Path) -> None:
    """One run."""
    logs.set_up()
    if what in ("request", "recorded"):
        walker = Enrolment.load(folder / ENROLMENT)
        async with Bot.running(port, {walker.id: walker.key.public}, Shown.READY, folder) as bot:
            await bot.registry.all_there.wait()
            is_recorded = what == "recorded"
            took = await measure(what, *((bot.settle, bot.order) if is_recorded else (bot.recorded, bot.tell)))
    else:
        keys = {component: key(component).public for component in map(name, range(count))}
        async with Bot.running(port, keys, Shown.HELD, folder) as bot:
            is_many = what == "many"
            took = await measure(what, bot.prepare if is_many else bot.settle, bot.order if is_many else bot.discover)
    report(took)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
