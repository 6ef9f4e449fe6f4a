"""What is old goes, in small bites, and people hear in time that the disk runs full; once each time that it does."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from structlog.typing import EventDict

from bot.housekeeping import Housekeeping, warning
from bot.store import Store, Tx, inbox, keeping, outbox
from bot.words.errors import StoreError
from bot.words.message import Lane, Message, Place, Standing
from bot.words.people import Account
from bot.words.plain import to_plain

ALARMS = (Place("chat", "ops"), Place("console", "carol"))


class House:
    """Housekeeping that goes on when the test says so."""

    def __init__(self, store: Store, alarms: tuple[Place, ...] = ALARMS) -> None:
        self.store = store
        self.full: float | StoreError = 0.5
        self.now = 0.0
        self.woken = 0
        self.rests = asyncio.Queue[float]()
        self._go_on = asyncio.Semaphore(0)
        self.part = Housekeeping(
            store,
            alarms,
            queued=self._queued,
            now=lambda: self.now,
            pause=self._pause,
            fullness=self._fullness,
        )

    async def round(self, full: float | StoreError = 0.5) -> float:
        """One round with a disk that is so full. Returns how long it rests afterwards."""
        self.full = full
        self._go_on.release()
        async with asyncio.timeout(10):
            return await self.rests.get()

    async def posts(self) -> list[tuple[Place, Lane, int]]:
        """What waits to be said, and how often."""
        return [(each.place, each.lane, each.count) for each in await self.store.read(outbox.waiting_at)]

    def _queued(self) -> None:
        self.woken += 1

    def _fullness(self, path: Path) -> float:
        assert path == self.store.path.parent
        if isinstance(self.full, StoreError):
            raise self.full
        return self.full

    async def _pause(self, seconds: float) -> None:
        await self.rests.put(seconds)
        await self._go_on.acquire()


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with Store.opened(tmp_path / "tocsin.db") as store:
        house = House(store)
        running = asyncio.create_task(house.part.run())
        await house.rests.get()
        yield house
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


def levels(logged: list[EventDict]) -> list[str]:
    return [line["log_level"] for line in logged]


async def received(store: Store, count: int) -> None:
    """Messages that were dealt with."""
    place, account = Place("chat", "ops"), Account("chat", "carol")
    messages = [
        Message(place, account, f"${number}", "!status", Standing.ATTESTED, "phone", 0, 0.0) for number in range(count)
    ]

    def write(tx: Tx) -> None:
        for row in inbox.accept(tx, "chat", messages, "cursor"):
            inbox.done(tx, row.row)

    await store.write(write)


async def kept(store: Store) -> int:
    return await store.read(lambda tx: tx.execute("SELECT count(*) FROM inbox").fetchone()[0])


async def test_what_is_old_goes_to_the_last_row_in_one_round(house: House, logged: list[EventDict]) -> None:
    await received(house.store, 3 * keeping.MOST_AT_ONCE)
    house.now = 0.0
    await house.round()
    assert await kept(house.store) == 3 * keeping.MOST_AT_ONCE
    house.now = 1e12
    assert await house.round() == 600.0
    assert await kept(house.store) == 1  # the newest stays, for its number
    assert [line["rows"] for line in logged] == [3 * keeping.MOST_AT_ONCE - 1]


async def test_a_disk_with_room_is_not_mentioned(house: House, logged: list[EventDict]) -> None:
    await house.round(keeping.WARN_AT)
    assert (await house.posts(), logged, house.woken) == ([], [], 0)


async def test_a_disk_that_runs_full_is_told_once_in_the_log_and_at_each_alarm(
    house: House, logged: list[EventDict]
) -> None:
    for full in (0.81, 0.82, 0.79, 0.76, 0.85):
        await house.round(full)
    assert await house.posts() == [(place, Lane.ALERT, 1) for place in ALARMS]
    assert levels(logged) == ["warning"]
    assert (logged[0]["full"], logged[0]["folder"], house.woken) == ("81%", str(house.store.path.parent), 1)


async def test_it_is_told_again_after_there_was_room(house: House, logged: list[EventDict]) -> None:
    for full in (0.81, 0.74, 0.81):
        await house.round(full)
    assert await house.posts() == [(place, Lane.ALERT, 2) for place in ALARMS]
    assert levels(logged) == ["warning", "warning"]


async def test_a_disk_that_is_almost_full_is_an_error_once(house: House, logged: list[EventDict]) -> None:
    for full in (0.9, 0.95, 0.97, 0.94, 0.96):
        await house.round(full)
    assert levels(logged) == ["warning", "error"]
    assert await house.posts() == [(place, Lane.ALERT, 1) for place in ALARMS]


async def test_a_disk_that_cannot_be_looked_at_is_logged_and_looked_at_again(
    house: House, logged: list[EventDict]
) -> None:
    await house.round(StoreError("The disk is gone."))
    await house.round(0.81)
    assert levels(logged) == ["error", "warning"]


async def test_an_alarm_that_the_disk_does_not_take_is_tried_again(house: House, logged: list[EventDict]) -> None:
    await house.store.write(
        lambda tx: tx.execute(
            "CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    )
    await house.round(0.81)
    assert await house.posts() == []
    await house.store.write(lambda tx: tx.execute("DROP TRIGGER full"))
    await house.round(0.81)
    await house.round(0.81)
    assert await house.posts() == [(place, Lane.ALERT, 1) for place in ALARMS]
    assert levels(logged) == ["error", "warning"]


async def test_without_alarms_the_log_is_all(tmp_path: Path, logged: list[EventDict]) -> None:
    async with Store.opened(tmp_path / "tocsin.db") as store:
        house = House(store, ())
        house.full = 0.9
        running = asyncio.create_task(house.part.run())
        await house.rests.get()
        running.cancel()
        await asyncio.wait([running])
        assert (await house.posts(), levels(logged), house.woken) == ([], ["warning"], 0)


def test_the_warning_says_what_to_do() -> None:
    words = to_plain(warning(0.834))
    assert words.startswith("My disk is 83% full.")
    assert "Make room" in words
