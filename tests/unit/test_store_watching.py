"""Who watches the store hears of what is on disk, and of nothing else; and what the newest entries are about."""

import asyncio

import pytest

from bot.store import Store, Tx, audit, recent
from bot.store.recent import About


class Watcher:
    """Counts how often something was written."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def fails(_: Tx) -> None:
    raise ValueError("no")


async def test_it_is_told_once_it_is_on_disk_and_of_every_commit(store: Store) -> None:
    first, second = Watcher(), Watcher()
    store.watch(first)
    store.watch(second)
    for count in (1, 2):
        await store.write(lambda tx: audit.record(tx, "x"))
        assert (first.count, second.count) == (count, count)


async def test_what_failed_tells_nobody_and_what_was_written_beside_it_does(store: Store) -> None:
    watcher = Watcher()
    store.watch(watcher)
    with pytest.raises(ValueError, match="no"):
        await store.write(fails)
    assert watcher.count == 0
    await asyncio.gather(store.write(fails), store.write(lambda tx: audit.record(tx, "x")), return_exceptions=True)
    assert watcher.count == 1


async def test_a_write_whose_caller_is_gone_is_told_too(store: Store) -> None:
    told = asyncio.Event()
    store.watch(told.set)
    writing = asyncio.ensure_future(store.write(lambda tx: audit.record(tx, "x")))
    await asyncio.sleep(0)
    writing.cancel()
    async with asyncio.timeout(10):
        await told.wait()


async def test_new_entries_say_what_they_are_about_and_a_damaged_one_hides_no_other(store: Store) -> None:
    def write(tx: Tx) -> None:
        audit.record(tx, "old")
        audit.record(tx, "intent", audit.about("olga", by="olga"), id="7")
        tx.execute("INSERT INTO audit (entry) VALUES (x'7b00ff')")
        audit.record(tx, "started", version="1")

    await store.write(write)
    assert await store.read(lambda tx: recent.since(tx, 1)) == [About("intent", "7"), About("started", "")]
    assert await store.read(lambda tx: recent.since(tx, 4)) == []
