"""`python -m bench.fleet.ours stop|orders|lease PORT COUNT FOLDER`: the bot's side of one run.

It is the real bell, listener, store on disk, link, desk and intake, put together as the runtime does it, without a
bridge. It never takes a shorter way than a message from a room does.
"""

import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from time import perf_counter

from bench.fleet.components import BEGIN, BOT, LEASED, READY, key, name
from bench.fleet.mqtt import Bare
from bench.fleet.run import measure
from bench.fleet.tally import Tally
from bot import logs
from bot.desk.approvals import Approvals
from bot.desk.authority import Authority
from bot.desk.catalogue import Catalogue
from bot.desk.desk import Desk
from bot.desk.plans import Plans
from bot.desk.rest import Rest
from bot.fleet.claims import Claims
from bot.fleet.helm import Helm
from bot.fleet.jobs import Jobs
from bot.fleet.listener import Listener
from bot.fleet.maintenance import Maintenance
from bot.fleet.registry import Listed, Registry
from bot.identities import Identities
from bot.intake import Intake
from bot.stop.bell import Bell, Enrolled
from bot.store import Store
from bot.system import System
from bot.words.message import Message, Place, Standing
from bot.words.people import Account, People, Person, Role
from commands.shutdown import shutdown
from wire.broker import Broker, QoS
from wire.messages import ROOT, State
from wire.mqtt import Link

NETWORK = "matrix"
ROOM = Place(NETWORK, "!operations:example.org")
OLGA = Account(NETWORK, "@olga:example.org")


class Watched(Registry):
    """The registry, with somebody who looks on at each statement that was counted."""

    def __init__(self, components: Sequence[str], seen: Callable[[str], None]) -> None:
        super().__init__({each: Listed() for each in components})
        self._seen_by = seen

    def heard(self, state: State, spare_s: float | None = None) -> None:
        """As ever; and then it is looked at."""
        super().heard(state, spare_s)
        self._seen_by(state.id)


class Side:
    """The bot, watched where it takes a stop in, sends it, and counts."""

    def __init__(self, port: int, components: Sequence[str], store: Store) -> None:
        self._events = itertools.count()
        self._broker = Broker("127.0.0.1", port)
        enrolled = {each: Enrolled(key(each).public, frozenset[str]()) for each in components}
        registry = Watched(components, self._heard)
        maintenance = Maintenance(store, registry.groups_of)
        self.link = Link(self._broker, "bot-bench", receive=lambda delivery: self.listener.receive(delivery))  # noqa: PLW0108 - the listener comes later
        self.bell = Bell(store, BOT, ROOT, enrolled, publish=self._publish, queued=_nobody, remark=maintenance.remark)
        jobs = Jobs(store, self.bell, registry, ROOT, "tocsin", publish=self._publish, queued=_nobody)
        claims = Claims(store, (), queued=_nobody)
        self.listener = Listener(ROOT, self.bell, registry, claimed=claims, talk=jobs.hear, name="tocsin")
        system = System(
            catalogue=Catalogue((shutdown,)),
            registry=registry,
            bell=self.bell,
            maintenance=maintenance,
            jobs=jobs,
            helm=Helm(store, People(), queued=_nobody),
            plans=Plans(store, People(), queued=_nobody),
            store=store,
            people=People((Person("olga", Role.OPERATOR, frozenset({OLGA})),)),
            identities=Identities(store, People()),
            authority=Authority(),
            approvals=Approvals(store, queued=_nobody),
            rest=Rest(),
            ways_out={},
            file_sets=lambda _: False,
        )
        self.desk = Desk(system, queued=_nobody)
        self._intake = Intake(NETWORK, store, self.desk, system.approvals, system.plans, queued=_nobody)
        self.answered = 0
        self.handed_over = 0.0
        """When the stop was handed to the link."""
        self._taken = asyncio.Event()
        self._tally = Tally()

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, port: int, components: Sequence[str], folder: Path) -> AsyncGenerator["Side"]:
        """The bot runs, and everybody has a lease from it."""
        async with Store.opened(folder / "tocsin.db") as store, asyncio.TaskGroup() as parts:
            side = cls(port, components, store)
            await side.listener.subscribe(side.link)
            running = [parts.create_task(side.bell.run())]
            await side.bell.ready.wait()
            running.append(parts.create_task(side.listener.hearing.run()))
            running += [parts.create_task(side.link.run()), parts.create_task(side.desk.run())]
            await side.link.ready()
            ready = asyncio.Event()
            async with Bare.connected(port, "bench", lambda _topic, _payload: ready.set()) as control:
                await control.subscribe(READY)
                control.publish(BEGIN, LEASED)
                await ready.wait()
            yield side
            for each in reversed(running):
                each.cancel()

    async def order(self, component: str | None) -> float:
        """Somebody says it in a room. The clock starts before the message is in the inbox."""
        self._taken.clear()
        event = f"$said-{next(self._events)}"
        words, now_ms = f"!shutdown {component or 'all'}", round(time.time() * 1000)
        said = Message(ROOM, OLGA, event, words, Standing.ATTESTED, "PHONE", now_ms, 0.1)
        began = perf_counter()
        await self._intake.accept([said], cursor=event)
        await self._taken.wait()
        return (perf_counter() - began) * 1000

    def count(self, components: Sequence[str]) -> None:
        """As the bell counts."""
        self._tally.fill(components)

    async def counted(self) -> int:
        """As the bell counts."""
        return await self._tally.emptied()

    def _heard(self, component: str) -> None:
        if component in self._tally and self.bell.has_stopped(component):
            self._tally.count(component)

    async def _publish(self, topic: str, payload: bytes, *, qos: QoS = 0, retain: bool = False) -> None:
        if qos and not self._taken.is_set():
            self.handed_over = perf_counter()
            await self.link.publish(topic, payload, qos=qos, retain=retain)
            self._taken.set()
        else:
            self.answered += not qos
            await self.link.publish(topic, payload, qos=qos, retain=retain)


def _nobody() -> None:
    """No room is told."""


async def main(what: str, port: int, count: int, folder: Path) -> None:
    """One run."""
    logs.set_up()
    components = [name(number) for number in range(count)]
    async with Side.running(port, components, folder) as side:
        took = await measure(what, side, components)
    took.report()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
