"""Components with jobs, as the bot hears them: what the tests of jobs stand on. The clock is the test's."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Callable

from bot.fleet.claims import Claims
from bot.fleet.going_on import GoingOn
from bot.fleet.jobs import Jobs
from bot.fleet.listener import Listener
from bot.fleet.orders import asked_of
from bot.fleet.registry import Listed, Registry
from bot.store import Store, Tx, audit, outbox
from bot.store.jobs import Job, State
from bot.words.document import Document
from bot.words.message import Lane, Post
from bot.words.plain import to_plain
from tests.unit.tower import ORIGIN, Component, Tower, tower
from wire import messages, work
from wire.envelope import PrivateKey, seal
from wire.messages import ROOT, Shown
from wire.mqtt import Delivery
from wire.picture import PictureNamed
from wire.work import JobState, Reply, Status

PATIENCE = 20.0
JOB = "5ea1" * 8
SESSION, ANOTHER = "5e", "5f"
RUNNING, HELD, DONE = JobState.RUNNING, JobState.HELD, JobState.DONE


def key_of(name: str) -> PrivateKey:
    return PrivateKey(name.encode().ljust(32, b"."))


def reply(name: str, status: Status, *, key: PrivateKey | None = None, id: str = JOB, error: str = "") -> Delivery:  # noqa: A002 - it is the id
    said = Reply(id, name, status, {"distance": 7}, error).to_bytes()
    return Delivery(f"{ROOT}/reply/tocsin", seal(key or key_of(name), ROOT, "reply", said), 1, retain=False)


def said(name: str, seq: int, state: JobState, *pictures: PictureNamed, **more: str) -> Delivery:
    """How a job is, as its component says it."""
    id_, session, result = more.get("job", JOB), more.get("session", SESSION), {"note": more.get("note", "")}
    job = work.Job(name, id_, session, seq, state, result=result, pictures=pictures)
    sealed = seal(key_of(more.get("key", name)), ROOT, more.get("kind", "job"), job.to_bytes())
    return Delivery(f"{ROOT}/job/{name}/{JOB}", sealed, 1, retain=True)


class Ticks:
    """The pause between two looks, which ends when the test says so."""

    def __init__(self) -> None:
        self._begun, self._go_on = asyncio.Event(), asyncio.Event()

    async def pause(self, _: float) -> None:
        self._begun.set()
        await self._go_on.wait()
        self._go_on.clear()

    async def tick(self) -> None:
        """One look from its beginning to its end."""
        await self._begun.wait()
        self._begun.clear()
        self._go_on.set()
        await self._begun.wait()


@dataclasses.dataclass
class Yard:
    """Components that are told to do something, with the bot's half around them."""

    tower: Tower
    registry: Registry
    time: list[float]
    jobs: Jobs = dataclasses.field(init=False)
    listener: Listener = dataclasses.field(init=False)
    ticks: Ticks = dataclasses.field(init=False)
    goes_on: GoingOn | None = None
    may_go_on: int = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """A new life of the bot on the same database."""
        self.ticks, store, bell = Ticks(), self.tower.store, self.tower.bell
        now = self.time
        self.jobs = Jobs(
            store,
            bell,
            self.registry,
            ROOT,
            "tocsin",
            publish=self.tower.broker.publish,
            goes_on=self.goes_on,
            queued=lambda: None,
            now=lambda: now[0],
            clock=lambda: now[0],
            pause=self.ticks.pause,
        )
        claims = Claims(store, (), queued=lambda: None)
        self.listener = Listener(ROOT, bell, self.registry, claimed=claims, talk=self.jobs.hear, name="tocsin")
        await self.jobs.read()
        running = asyncio.create_task(self.jobs.run())
        try:
            yield
            assert not running.done()
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    def hear(self, *some: Delivery) -> None:
        for each in some:
            assert self.listener.receive(each) is None

    async def hears(self, *some: Delivery) -> None:
        """And it is looked at."""
        self.hear(*some)
        await self.later(0)

    async def later(self, seconds: float) -> None:
        self.time[0] += seconds
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):
                await self.ticks.tick()
                await self.tower.store.write(lambda _: None)

    async def judged(self) -> None:
        """What was heard is looked at, although the disk stands still."""
        async with asyncio.timeout(PATIENCE):
            while not all(each.state.is_over for each in self.jobs.of(JOB)):
                await self.tower.store.read(lambda _: None)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await self.tower.store.write(lambda _: None)

    def asked(self, *names: str, long: bool = True, made: float | None = None) -> list[Job]:
        return asked_of(
            [(name, SESSION) for name in names],
            id=JOB,
            command="walk",
            args="{}",
            person="olga",
            place=ORIGIN.place,
            reply_to="$order",
            takes_long=long,
            now=self.time[0] if made is None else made,
            may_go_on=self.may_go_on,
        )

    async def order(self, *names: str, answers: Status | None = Status.ACCEPTED) -> None:
        """Somebody has them walk, they say this to it, and it is answered."""
        ordering = asyncio.create_task(self.jobs.order(self.asked(*names)))
        topics = {f"{ROOT}/cmd/{name}" for name in names}
        await self.until(lambda: topics <= {topic for topic, _ in self.tower.broker.sent})
        if answers is not None:
            self.hear(*(reply(name, answers) for name in names))
        await ordering
        await self.answer()

    async def answer(self) -> Document:
        """As the desk does it."""
        words, follow = self.jobs.answer(JOB)

        def write(tx: Tx) -> None:
            outbox.queue(tx, Post(ORIGIN.place, words, Lane.ANSWER, "$order", f"job {JOB}"))
            follow(tx)

        await self.tower.store.write(write)
        return words

    def state(self, name: str = "walker") -> State:
        (job,) = [each for each in self.jobs.of(JOB) if each.component == name]
        return job.state

    async def ends(self) -> list[Post]:
        """The messages of ends, which are no edits of others."""
        return [post for post in await self.tower.posts(Lane.ANSWER) if post.subject is None]

    async def told(self) -> list[str]:
        return [to_plain(post.document).split(" ")[0] for post in await self.ends()]

    async def recorded(self) -> list[audit.Value]:
        entries = await self.tower.store.read(lambda tx: audit.last(tx, 5_000))
        return [each.all["result"] for each in entries if each.all["kind"] == "ended"]

    async def pages(self, most: int | None) -> None:
        """The disk takes no more than it has, or takes all again."""

        def limit(tx: Tx) -> None:
            (now,) = tx.execute("PRAGMA page_count").fetchone()
            tx.execute(f"PRAGMA max_page_count = {now if most is None else most}")

        await self.tower.store.write(limit)


@contextlib.asynccontextmanager
async def yard_of(store: Store, *names: str) -> AsyncGenerator[Yard]:
    async with tower(store, *map(Component, names)) as t:
        yard = Yard(t, Registry({name: Listed() for name in names}), [1_000_000.0])
        async with yard.open():
            yield yard


def speaks(yard: Yard, session: str) -> None:
    yard.registry.heard(messages.State("walker", session, "0a", None, Shown.BUSY))
