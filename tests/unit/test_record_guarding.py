"""The whole record is looked at beside the bot. What was altered far back is found and told."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot import keys
from bot.desk import intent
from bot.record import guarding
from bot.record.guarding import Guard
from bot.record.opening import opened
from bot.store import Store, Tx, audit
from bot.words import packed
from bot.words.errors import Refused
from bot.words.message import Place
from bot.words.plain import to_plain
from wire.messages import ROOT

ALARMS = Place("chat", "alarms")
PATIENCE_S = 20.0


class Pause:
    """Between two looks."""

    def __init__(self) -> None:
        self.begins: asyncio.Queue[float] = asyncio.Queue()
        self.ends = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.begins.put_nowait(seconds)
        await self.ends.wait()
        self.ends.clear()


def many(tx: Tx) -> None:
    for number in range(700):
        audit.record(tx, "noted", number=number)


async def told(store: Store) -> list[str]:
    rows = await store.read(lambda tx: tx.execute("SELECT document FROM outbox ORDER BY id").fetchall())
    return [to_plain(packed.load(row[0])) for row in rows]


@contextlib.asynccontextmanager
async def guarded(store: Store, pause: Pause, woken: asyncio.Event) -> AsyncGenerator[None]:
    guard = Guard(store, [ALARMS], queued=woken.set, pause=pause)
    running = asyncio.create_task(guard.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert running.cancelled()


def change_what_is_far_back(folder: Path) -> None:
    with sqlite3.connect(folder / keys.DATABASE) as database:
        database.execute(
            "UPDATE audit SET entry = CAST(replace(entry, '\"number\":3', '\"number\":4') AS BLOB) WHERE seq = 5"
        )
    database.close()


async def test_what_was_altered_far_back_is_found_at_the_start(tmp_path: Path) -> None:
    async with opened(tmp_path, ROOT) as store:
        await store.write(many)
    change_what_is_far_back(tmp_path)
    async with opened(tmp_path, ROOT) as store:
        assert store.distrusted == ""  # opening looks at the end alone
        woken = asyncio.Event()
        async with guarded(store, Pause(), woken):
            await woken.wait()
        assert "5" in store.distrusted
        (words,) = await told(store)
        assert words.startswith("ALARM: the record cannot be trusted: ")
        assert "tocsin audit verify" in words
        assert (await store.read(lambda tx: audit.last(tx, 1)))[0].fields["why"] == "the record cannot be trusted"


async def test_it_looks_again_each_day(tmp_path: Path) -> None:
    pause, woken = Pause(), asyncio.Event()
    async with opened(tmp_path, ROOT) as store:
        await store.write(many)
        async with guarded(store, pause, woken):
            assert await pause.begins.get() == guarding.EVERY_S
            assert store.distrusted == ""
            await asyncio.to_thread(change_what_is_far_back, tmp_path)
            pause.ends.set()
            await woken.wait()
        assert store.distrusted


async def test_what_was_found_when_it_was_opened_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path, ROOT) as store:
        store.distrust("its end is cut off")
        woken = asyncio.Event()
        async with guarded(store, Pause(), woken):
            await woken.wait()
        assert "its end is cut off" in (await told(store))[0]


async def test_before_the_first_look_has_ended_nothing_privileged_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intent, "LOOK_MAY_TAKE_S", 0.01)
    async with opened(tmp_path, ROOT) as store:
        store.examined.clear()
        with pytest.raises(Refused, match="still being looked at"):
            await intent.before(store, lambda tx: audit.record(tx, "intent"))
        pause = Pause()
        async with guarded(store, pause, asyncio.Event()):
            await pause.begins.get()
        await intent.before(store, lambda tx: audit.record(tx, "intent"))
        assert (await store.read(lambda tx: audit.last(tx, 1)))[0].kind == "intent"
