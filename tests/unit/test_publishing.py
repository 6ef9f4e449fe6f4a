"""Checkpoints reach their witnesses on time, whatever becomes of one of them, and what a witness has seen is believed.

The clock is the test's: it stands still until the test says otherwise.
"""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from structlog.typing import EventDict

from bot.audit.note import Checkpoint, Signer, open_note, sign_note
from bot.metrics import of_the_witnesses
from bot.record.publishing import QUICK_WITHIN_S, SLOW_WITHIN_S, TOGETHER_S, Publisher
from bot.record.witnesses import errand
from bot.record.witnesses.file import FileWitness
from bot.record.witnesses.notebook import notes_in
from bot.record.witnesses.witness import NotWitnessed, Witness
from bot.store import Store, Tx, audit, outbox, tree
from bot.words.message import Lane, Place
from wire.envelope import PrivateKey

T = TypeVar("T")

KEY = PrivateKey(bytes(range(32)))
SIGNER = Signer("example.org/log", KEY)
ALARMS = (Place("chat", "ops"), Place("console", "carol"))
PATIENCE = 10.0


class Time:
    """A clock that the test moves, and those who sleep by it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._asleep: dict[asyncio.Future[None], tuple[float, float]] = {}
        self._somebody_fell_asleep = asyncio.Event()

    def clock(self) -> float:
        """What time it is."""
        return self.now

    async def pause(self, seconds: float) -> None:
        """Sleep until the test has moved the clock so far."""
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asleep[waking] = seconds, self.now + seconds
        self._somebody_fell_asleep.set()
        try:
            await waking
        finally:
            del self._asleep[waking]

    async def pass_when_asleep(self, *sleeps: float, seconds: float | None = None) -> None:
        """When somebody has lain down for each of these spans, let the longest of them pass, or as many seconds."""
        async with asyncio.timeout(PATIENCE):
            while Counter(sleeps) - Counter(length for length, _ in self._sleeping().values()):
                self._somebody_fell_asleep.clear()
                await self._somebody_fell_asleep.wait()
        self._move(self.now + (max(sleeps) if seconds is None else seconds))

    async def until(self, wanted: Awaitable[T]) -> T:
        """Let time pass for everybody who sleeps, until this has come."""
        coming = asyncio.ensure_future(wanted)
        while not coming.done():
            self._somebody_fell_asleep.clear()
            if sleeping := self._sleeping():
                self._move(min(until for _, until in sleeping.values()))
                await asyncio.sleep(0)  # they wake up
                continue
            falling_asleep = asyncio.ensure_future(self._somebody_fell_asleep.wait())
            await asyncio.wait([coming, falling_asleep], return_when=asyncio.FIRST_COMPLETED)
            falling_asleep.cancel()
        return coming.result()

    def _move(self, now: float) -> None:
        self.now = now
        for waking, (_, until) in self._sleeping().items():
            if until <= now:
                waking.set_result(None)

    def _sleeping(self) -> dict[asyncio.Future[None], tuple[float, float]]:
        """Those whom nothing has woken: for how long each lay down, and until when."""
        return {waking: span for waking, span in self._asleep.items() if not waking.done()}


class Shelf:
    """A witness that does as the test says."""

    def __init__(self, name: str, time: Time, *, quick: bool = True) -> None:
        self.name = name
        self.quick = quick
        self.fault = ""
        self.holds: bytes | None = None
        self._time = time
        self._brought: asyncio.Queue[tuple[float, int]] = asyncio.Queue()

    async def publish(self, note: bytes, size: int) -> None:
        if self.fault:
            raise NotWitnessed(self.fault)
        assert Checkpoint.parse(open_note(note, SIGNER.verifier)[0]).size == size
        self._brought.put_nowait((self._time.now, size))

    async def latest(self) -> bytes | None:
        if self.fault and self.holds:
            raise NotWitnessed(self.fault)
        return self.holds

    async def next(self) -> tuple[float, int]:
        """When the next checkpoint came, and over how many entries."""
        async with asyncio.timeout(PATIENCE):
            return await self._brought.get()

    @property
    def has_more(self) -> bool:
        """Whether something has come that nobody looked at."""
        return not self._brought.empty()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest_asyncio.fixture
async def sealed(store: Store) -> Store:
    store.seal_with(tree.Seal(SIGNER))
    await record(store, "started")
    return store


@pytest.fixture
def broker(time: Time) -> Shelf:
    return Shelf("broker", time)


@pytest.fixture
def room(time: Time) -> Shelf:
    return Shelf("room", time, quick=False)


async def record(store: Store, *kinds: str, about: str = "1") -> None:
    def write(tx: Tx) -> None:
        for kind in kinds:
            audit.record(tx, kind, id=about)

    await store.write(write)


@contextlib.asynccontextmanager
async def publishing(
    store: Store, time: Time, *witnesses: Witness, queued: Callable[[], None] = lambda: None
) -> AsyncGenerator[Publisher]:
    publisher = Publisher(
        store, witnesses, [SIGNER.verifier], ALARMS, queued=queued, clock=time.clock, pause=time.pause
    )
    store.watch(publisher.changed)
    async with run(publisher):
        yield publisher


@contextlib.asynccontextmanager
async def run(publisher: Publisher) -> AsyncGenerator[None]:
    running = asyncio.create_task(publisher.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await publisher.ready.wait()
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


async def alarms(store: Store) -> list[tuple[Place, int]]:
    return [(each.place, each.count) for each in await store.read(outbox.waiting_at) if each.lane is Lane.ALERT]


async def test_at_the_start_quick_witnesses_have_it_at_once_and_rooms_in_time(
    sealed: Store, time: Time, broker: Shelf, room: Shelf
) -> None:
    async with publishing(sealed, time, broker, room):
        assert await broker.next() == (0, 1)
        await time.pass_when_asleep(TOGETHER_S, SLOW_WITHIN_S)
        assert await room.next() == (SLOW_WITHIN_S, 1)


@pytest.mark.parametrize("kind", ["started", "outcome", "alarm", "pin"])
async def test_what_changed_is_published_within_ten_seconds_all_of_it_together(
    sealed: Store, time: Time, broker: Shelf, kind: str
) -> None:
    async with publishing(sealed, time, broker):
        await broker.next()
        await time.pass_when_asleep(TOGETHER_S)
        await record(sealed, kind)
        await time.pass_when_asleep(QUICK_WITHIN_S, TOGETHER_S, seconds=TOGETHER_S)
        await record(sealed, kind, kind)
        await time.pass_when_asleep(QUICK_WITHIN_S, TOGETHER_S, seconds=QUICK_WITHIN_S - TOGETHER_S)
        assert await broker.next() == (1 + QUICK_WITHIN_S, 4)
        await record(sealed, kind)
        await time.pass_when_asleep(QUICK_WITHIN_S)
        assert await broker.next() == (1 + 2 * QUICK_WITHIN_S, 5)


@pytest.mark.parametrize("kind", ["intent", "approval", "incident opened", "incident confirmed", "key rotated"])
async def test_what_matters_most_is_published_at_once(
    sealed: Store, time: Time, broker: Shelf, room: Shelf, kind: str
) -> None:
    async with publishing(sealed, time, broker, room):
        await broker.next()
        await time.pass_when_asleep(TOGETHER_S)
        await record(sealed, "started", kind, "started")
        assert await broker.next() == (TOGETHER_S, 4)


@pytest.mark.parametrize("order", ["intent", "approval"])
async def test_the_outcome_of_an_order_is_published_at_once_too(
    sealed: Store, time: Time, broker: Shelf, order: str
) -> None:
    async with publishing(sealed, time, broker):
        await broker.next()
        await time.pass_when_asleep(TOGETHER_S)
        await record(sealed, order, about="7")
        assert await broker.next() == (1, 2)
        await time.pass_when_asleep(TOGETHER_S)
        await record(sealed, "outcome", about="7")
        assert await broker.next() == (2, 3)
        await time.pass_when_asleep(TOGETHER_S)
        await record(sealed, "outcome", about="7")
        await time.pass_when_asleep(QUICK_WITHIN_S)
        assert await broker.next() == (3 + QUICK_WITHIN_S, 4)


async def test_orders_of_the_same_second_are_published_together(sealed: Store, time: Time, broker: Shelf) -> None:
    async with publishing(sealed, time, broker):
        await broker.next()
        await time.pass_when_asleep(TOGETHER_S)
        await record(sealed, "intent")
        assert await broker.next() == (1, 2)
        for _ in range(20):
            await record(sealed, "intent")
        assert not broker.has_more
        await time.pass_when_asleep(TOGETHER_S)
        assert await broker.next() == (2, 22)


@pytest.mark.parametrize("kind", ["incident opened", "incident adopted", "incident reset"])
async def test_rooms_hear_at_once_of_a_stop_and_of_a_reset(sealed: Store, time: Time, room: Shelf, kind: str) -> None:
    async with publishing(sealed, time, room):
        await time.pass_when_asleep(TOGETHER_S)
        await record(sealed, kind)
        assert await room.next() == (1, 2)


async def test_rooms_hear_of_anything_else_every_five_minutes_and_of_nothing_where_nothing_is_new(
    sealed: Store, time: Time, room: Shelf
) -> None:
    async with publishing(sealed, time, room):
        await time.pass_when_asleep(TOGETHER_S, SLOW_WITHIN_S, seconds=TOGETHER_S)
        await record(sealed, "intent", "incident confirmed")
        await time.pass_when_asleep(TOGETHER_S, SLOW_WITHIN_S, seconds=SLOW_WITHIN_S - TOGETHER_S)
        assert await room.next() == (SLOW_WITHIN_S, 3)
        await sealed.write(lambda tx: tx.execute("DELETE FROM cursor"))
        await time.pass_when_asleep(TOGETHER_S)
        await record(sealed, "started")
        await time.pass_when_asleep(SLOW_WITHIN_S)
        assert await room.next() == (2 * SLOW_WITHIN_S + TOGETHER_S, 4)


async def test_an_outage_is_logged_once_tried_less_and_less_and_told_once_after_ten_minutes(
    sealed: Store, time: Time, broker: Shelf, logged: list[EventDict]
) -> None:
    broker.fault = "The broker is away."
    async with publishing(sealed, time, broker) as publisher:
        for seconds in (1, 2, 4, 8, 16, 32, *[60] * 9):
            assert await alarms(sealed) == []
            await time.pass_when_asleep(seconds)
        await time.pass_when_asleep(60, TOGETHER_S)
        await time.pass_when_asleep(60)
        (sight,) = publisher.sights()
        assert (sight.name, sight.lacks_s, sight.lacks) == ("broker", time.now, 2)  # the alarm is an entry, too
        broker.fault = ""
        assert (await time.until(broker.next()))[1] == 2
        assert await alarms(sealed) == [(place, 1) for place in ALARMS]
        last = (await sealed.read(lambda tx: audit.last(tx, 1)))[0]
        assert (last.kind, last.fields["witness"], last.fields["fault"]) == ("alarm", "broker", "The broker is away.")
        assert publisher.sights()[0].lacks == 0
    assert [(line["log_level"], line["witness"]) for line in logged] == [("warning", "broker"), ("info", "broker")]


async def test_the_others_go_on_beside_one_that_fails_and_it_is_given_the_newest_afterwards(
    sealed: Store, time: Time, broker: Shelf
) -> None:
    other = Shelf("other", time)
    broker.fault = "Full."
    async with publishing(sealed, time, broker, other):
        await other.next()
        for number in range(3):
            await time.pass_when_asleep(TOGETHER_S, seconds=4)
            await record(sealed, "intent")
            assert (await other.next())[1] == number + 2
        broker.fault = ""
        assert (await time.until(broker.next()))[1] == 4
        assert not broker.has_more


async def test_one_that_hangs_holds_up_no_other_and_no_command(
    sealed: Store, time: Time, broker: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    monkeypatch.setattr(errand, "MAY_TAKE_S", 0.05)
    pipe = tmp_path / "witness"
    os.mkfifo(pipe)  # whoever opens it hangs
    async with publishing(sealed, time, FileWitness(pipe), broker) as publisher:
        assert await broker.next() == (0, 1)
        await time.pass_when_asleep(TOGETHER_S, 1.0)
        await record(sealed, "intent")
        assert await broker.next() == (1, 2)
        assert [(each.name, each.lacks) for each in publisher.sights()] == [(str(pipe), 2), ("broker", 0)]
        await time.pass_when_asleep(2.0)
        await time.pass_when_asleep(4.0, seconds=0)
    pipe.open("wb").close()
    assert [line["witness"] for line in logged] == [str(pipe)]
    assert "did not answer within" in logged[0]["why"]


class Watched(FileWitness):
    """A file that says when it was written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.written = asyncio.Event()

    async def publish(self, note: bytes, size: int) -> None:
        await super().publish(note, size)
        self.written.set()


async def test_a_file_goes_on_from_where_it_was_and_gets_nothing_twice(
    sealed: Store, time: Time, broker: Shelf, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoints"
    async with publishing(sealed, time, first := Watched(path)):
        async with asyncio.timeout(PATIENCE):
            await first.written.wait()
    async with publishing(sealed, time, second := Watched(path), broker) as publisher:
        await broker.next()
        assert [each.lacks for each in publisher.sights()] == [0, 0]
        await time.pass_when_asleep(TOGETHER_S)
        await record(sealed, "intent")
        async with asyncio.timeout(PATIENCE):
            await second.written.wait()
    notes = notes_in(path.read_bytes())
    assert [Checkpoint.parse(open_note(each, SIGNER.verifier)[0]).size for each in notes] == [1, 2]


class Copied:
    """A record of three entries, as a copy had it; a file that has seen five."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "tocsin.db"
        self.file = folder / "checkpoints"
        self.witness = FileWitness(self.file)

    async def live(self, *kinds: str) -> None:
        """Record something, and show the witness what the record is then."""
        async with Store.opened(self.database) as store:
            store.seal_with(tree.Seal(SIGNER))
            await record(store, *kinds)
            note = await store.read(tree.newest_note)
            assert note is not None
            await self.witness.publish(note, 0)

    async def contradicted(self, time: Time, witness: Witness) -> str:
        """Start with this witness; return what is wrong. What follows from it in any case is looked at here."""
        before = self.file.read_bytes()
        unasked, agreeing = Shelf("unasked", time), Shelf("agreeing", time)
        async with Store.opened(self.database) as store:
            store.seal_with(tree.Seal(SIGNER))
            agreeing.holds = await store.read(tree.newest_note)
            told = asyncio.Event()
            async with publishing(store, time, witness, unasked, agreeing, queued=told.set) as publisher:
                async with asyncio.timeout(PATIENCE):
                    await told.wait()
                assert await alarms(store) == [(place, 1) for place in ALARMS]
                await record(store, "incident opened")
                await time.until(agreeing.next())
                assert not unasked.has_more
                assert self.file.read_bytes() == before
                return publisher.behind


@pytest_asyncio.fixture
async def copied(tmp_path: Path) -> Copied:
    both = Copied(tmp_path)
    await both.live("started", "x", "x")
    kept = both.database.read_bytes()
    await both.live("x", "stopped")
    both.database.write_bytes(kept)
    return both


async def test_a_restored_copy_is_found_and_the_evidence_stays(
    copied: Copied, time: Time, logged: list[EventDict]
) -> None:
    behind = await copied.contradicted(time, copied.witness)
    assert behind == f"The record is older than its witness {copied.file}: 2 entries are missing."
    assert [(line["log_level"], line["why"]) for line in logged] == [("error", behind)]


async def test_a_copy_that_has_grown_as_long_as_the_lost_record_is_found(copied: Copied, time: Time) -> None:
    async with Store.opened(copied.database) as store:
        store.seal_with(tree.Seal(SIGNER))
        await record(store, "other", "other", "other")
    behind = await copied.contradicted(time, copied.witness)
    assert behind == f"The record is not what its witness {copied.file} has seen: its first 5 entries are others."


@pytest.mark.parametrize(
    ("origin", "signer", "wrong"),
    [
        ("example.org/other", SIGNER, "The record is another one than its witness old has seen."),
        (
            "example.org/log",
            Signer("example.org/log", PrivateKey(bytes(32))),
            "What the witness old holds is not signed by a key of this",
        ),
    ],
)
async def test_a_witness_of_another_record_is_believed(
    copied: Copied, time: Time, origin: str, signer: Signer, wrong: str
) -> None:
    old = Shelf("old", time)
    old.holds = sign_note(str(Checkpoint(origin, 3, bytes(32))), signer)
    assert (await copied.contradicted(time, old)).startswith(wrong)


async def test_a_witness_that_answers_late_is_heard_all_the_same(
    copied: Copied, time: Time, broker: Shelf, logged: list[EventDict]
) -> None:
    late = Shelf("late", time)
    late.fault, late.holds = "away", notes_in(copied.file.read_bytes())[-1]
    async with Store.opened(copied.database) as store:
        told = asyncio.Event()
        async with publishing(store, time, late, broker, queued=told.set) as publisher:
            assert (await broker.next(), publisher.behind) == ((0, 3), "")
            late.fault = ""
            await time.pass_when_asleep(TOGETHER_S, 1.0)
            async with asyncio.timeout(PATIENCE):
                await told.wait()
            assert "2 entries are missing" in publisher.behind
    assert [line["log_level"] for line in logged] == ["warning", "error", "info"]


async def test_a_record_that_is_not_signed_is_published_nowhere_and_told_once(
    sealed: Store, time: Time, broker: Shelf, logged: list[EventDict]
) -> None:
    sealed.seal_with(tree.Seal(Signer("example.org/log", PrivateKey(bytes(32)))))
    await record(sealed, "x")
    async with publishing(sealed, time, broker):
        for _ in range(3):
            await time.pass_when_asleep(TOGETHER_S)
        assert not broker.has_more
        sealed.seal_with(tree.Seal(SIGNER))
        await record(sealed, "x")
        await time.pass_when_asleep(TOGETHER_S)
        assert (await broker.next())[1] == 3
    assert [line["log_level"] for line in logged] == ["error"]


async def test_where_nothing_is_sealed_nothing_is_published(store: Store, time: Time, broker: Shelf) -> None:
    await record(store, "intent")
    async with publishing(store, time, broker) as publisher:
        await time.pass_when_asleep(TOGETHER_S)
        assert (broker.has_more, publisher.behind) == (False, "")


async def test_what_a_broken_off_run_did_not_bring_the_next_one_brings(
    sealed: Store, time: Time, broker: Shelf
) -> None:
    broker.fault = "Full."
    publisher = Publisher(
        sealed, [broker], [SIGNER.verifier], ALARMS, queued=lambda: None, clock=time.clock, pause=time.pause
    )
    async with run(publisher):
        await time.pass_when_asleep(TOGETHER_S, 1.0, seconds=0)
    broker.fault = ""
    async with run(publisher):
        assert await broker.next() == (0, 1)


async def test_metrics_say_what_each_witness_lacks(sealed: Store, time: Time, broker: Shelf) -> None:
    broker.fault = "Full."
    async with publishing(sealed, time, broker) as publisher:
        await time.pass_when_asleep(TOGETHER_S, 1.0)
        samples = {
            each.name: (each.labels, each.value) for family in of_the_witnesses(publisher) for each in family.samples
        }
        assert samples == {
            "tocsin_record_contradicted": ({}, 0),
            "tocsin_witness_lacks_seconds": ({"witness": "broker"}, 1.0),
            "tocsin_witness_lacks_entries": ({"witness": "broker"}, 1),
        }
