"""What the store promises: what it confirms is on disk, and one that fails takes nobody along."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from bot.store import Store, Tx
from bot.words.errors import StoreError

PATIENCE = 10.0
HangDisk = Callable[[Store], AbstractAsyncContextManager[threading.Event]]


@pytest.fixture
def path(store: Store) -> Path:
    return store.path


def add(name: str) -> str:
    return f"INSERT INTO cursor (network, token) VALUES ('{name}', 'x')"  # noqa: S608 - the tests' own names


def names_on_disk(path: Path) -> set[str]:
    """What another process would see."""
    with contextlib.closing(sqlite3.connect(path)) as other:
        return {name for (name,) in other.execute("SELECT network FROM cursor")}


async def test_what_is_confirmed_is_on_disk(store: Store, path: Path) -> None:
    async def write(name: str) -> None:
        await store.write(lambda tx: tx.execute(add(name)))
        assert name in names_on_disk(path)

    await asyncio.gather(*(write(f"n{number}") for number in range(30)))


async def test_what_waits_is_committed_together(store: Store, hang_disk: HangDisk) -> None:
    commits: list[str] = []
    await store.write(lambda tx: tx.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None))
    commits.clear()
    async with hang_disk(store) as go_on:
        writes = [
            asyncio.create_task(store.write(lambda tx, n=number: tx.execute(add(f"n{n}")).rowcount))
            for number in range(100)
        ]
        await asyncio.sleep(0)
        go_on.set()
        assert await asyncio.gather(*writes) == [1] * 100
    assert len(commits) == 2  # the one that hung, and all that waited for it


async def test_more_than_one_commit_takes_is_written_in_order(store: Store, path: Path) -> None:
    order: list[int] = []
    await asyncio.gather(
        *(store.write(lambda tx, n=n: (tx.execute(add(f"n{n}")), order.append(n))) for n in range(600))
    )
    assert order == list(range(600))
    assert len(names_on_disk(path)) == 600


async def test_one_that_fails_undoes_only_itself(store: Store, path: Path, hang_disk: HangDisk) -> None:
    class MyFault(Exception):
        pass

    def fail(tx: Tx) -> None:
        tx.execute(add("bad"))
        raise MyFault

    async with hang_disk(store) as go_on:
        before = asyncio.create_task(store.write(lambda tx: tx.execute(add("before"))))
        failing = asyncio.create_task(store.write(fail))
        wrong = asyncio.create_task(store.write(lambda tx: tx.execute("SELECT absent FROM nowhere")))
        after = asyncio.create_task(store.write(lambda tx: tx.execute(add("after"))))
        await asyncio.sleep(0)
        go_on.set()
        await before
        await after
        with pytest.raises(MyFault):
            await failing
        with pytest.raises(StoreError, match="no such table"):
            await wrong
    assert names_on_disk(path) == {"before", "after"}


async def test_a_full_disk_is_told_and_survived(store: Store, path: Path) -> None:
    def fill(tx: Tx) -> None:
        (pages,) = tx.execute("PRAGMA page_count").fetchone()
        tx.execute(f"PRAGMA max_page_count = {pages}")

    await store.write(fill)
    with pytest.raises(StoreError, match="full"):
        await store.write(lambda tx: tx.execute("INSERT INTO audit (entry) VALUES (zeroblob(1000000))"))
    await store.write(lambda tx: tx.execute("PRAGMA max_page_count = 1000000"))
    await store.write(lambda tx: tx.execute(add("later")))
    assert names_on_disk(path) == {"later"}


async def test_a_commit_that_fails_is_confirmed_to_nobody_and_survived(
    store: Store, path: Path, hang_disk: HangDisk
) -> None:
    orphan = "INSERT INTO affected (incident, component) VALUES ('nothing', 'walker')"

    def doom(tx: Tx) -> None:
        tx.execute("PRAGMA defer_foreign_keys = ON")  # what is wrong shows at the commit
        tx.execute(orphan)

    async with hang_disk(store) as go_on:
        good = asyncio.create_task(store.write(lambda tx: tx.execute(add("good"))))
        doomed = asyncio.create_task(store.write(doom))
        await asyncio.sleep(0)
        go_on.set()
        for each in (good, doomed):
            with pytest.raises(StoreError, match="did not take it"):
                await each
    assert names_on_disk(path) == set()
    await store.write(lambda tx: tx.execute(add("later")))
    assert names_on_disk(path) == {"later"}


async def test_what_a_cancelled_caller_handed_in_is_still_written(
    store: Store, path: Path, hang_disk: HangDisk
) -> None:
    async with hang_disk(store) as go_on:
        cancelled = asyncio.create_task(store.write(lambda tx: tx.execute(add("cancelled"))))
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        go_on.set()
        await store.write(lambda tx: tx.execute(add("next")))
    assert names_on_disk(path) == {"cancelled", "next"}


async def test_what_was_handed_in_before_the_end_is_written(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    async with Store.opened(path) as store:
        last = asyncio.create_task(store.write(lambda tx: tx.execute(add("last"))))
        await asyncio.sleep(0)
    await last
    assert names_on_disk(path) == {"last"}


async def test_a_closed_store_refuses(tmp_path: Path) -> None:
    async with Store.opened(tmp_path / "tocsin.db") as store:
        pass
    with pytest.raises(StoreError, match="closed"):
        await store.write(lambda tx: tx.execute(add("late")))
    with pytest.raises(StoreError):
        await store.read(lambda tx: tx.execute("SELECT 1"))


async def test_a_reader_cannot_write(store: Store, path: Path) -> None:
    with pytest.raises(StoreError, match="readonly"):
        await store.read(lambda tx: tx.execute(add("sly")))
    assert names_on_disk(path) == set()


async def test_a_reader_waits_for_no_writer(store: Store, hang_disk: HangDisk) -> None:
    async with hang_disk(store):
        async with asyncio.timeout(PATIENCE):
            assert await store.read(lambda tx: tx.execute("SELECT count(*) FROM cursor").fetchone()) == (0,)


async def test_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with Store.opened(tmp_path / "tocsin.db") as store:
            await store.write(lambda tx: tx.execute(add("x")))
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}  # noqa: ASYNC240 - four files
    finally:
        os.umask(before)
    assert len(modes) == 4  # the database, its log, its index, its lock
    assert set(modes.values()) == {0o600}


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    path.write_text("something else, and long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        async with Store.opened(path):
            pass
    path.unlink()
    async with Store.opened(path):  # the lock is free again
        pass


HOLDER = """
import asyncio, sys
from pathlib import Path
from bot.store import Store

async def main():
    async with Store.opened(Path(sys.argv[1])):
        print("open", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True) as holder:  # noqa: ASYNC220, S603 - our own code
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "open\n"
            with pytest.raises(StoreError, match=f"process {holder.pid} on "):
                async with Store.opened(path):
                    pass
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.wait(PATIENCE)
    async with Store.opened(path) as store:
        await store.write(lambda tx: tx.execute(add("heir")))
