"""What the store promises: what it confirms is on disk, and one that fails takes nobody along."""

import asyncio
import contextlib
import functools
import gc
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
from bot.store import store as store_module
from bot.store.store import Counts
from bot.words.errors import StoreError, StoreRefused

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
    commits = store.counts.commits
    async with hang_disk(store) as go_on:
        writes = [
            asyncio.create_task(store.write(lambda tx, n=number: tx.execute(add(f"n{n}")).rowcount))
            for number in range(100)
        ]
        await asyncio.sleep(0)
        go_on.set()
        assert await asyncio.gather(*writes) == [1] * 100
    assert store.counts.commits - commits == 2  # the one that hung, and all that waited for it


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


@pytest.mark.parametrize("bad", [{0}, {6}, {3, 4}, {0, 1, 2, 3, 4, 5, 6}, {1, 6}])
async def test_wherever_the_failures_are_the_others_are_written_in_order(
    store: Store, hang_disk: HangDisk, bad: set[int]
) -> None:
    def work(number: int, tx: Tx) -> int | None:
        row = tx.execute("INSERT INTO audit (entry) VALUES (?)", (bytes([number]),)).lastrowid
        if number in bad:
            raise ValueError
        return row

    async with hang_disk(store) as go_on:
        writes = [asyncio.create_task(store.write(functools.partial(work, number))) for number in range(7)]
        await asyncio.sleep(0)
        go_on.set()
        results = await asyncio.gather(*writes, return_exceptions=True)
    good = [number for number in range(7) if number not in bad]
    assert {number for number, result in enumerate(results) if isinstance(result, ValueError)} == bad
    assert [results[number] for number in good] == list(range(1, len(good) + 1))
    rows = await store.read(lambda tx: tx.execute("SELECT entry FROM audit ORDER BY seq").fetchall())
    assert rows == [(bytes([number]),) for number in good]


async def test_where_one_fails_the_others_of_its_commit_count_once(
    store: Store, path: Path, hang_disk: HangDisk
) -> None:
    def fail(tx: Tx) -> None:
        tx.execute(add("bad"))
        raise ValueError

    def insert(tx: Tx) -> int | None:
        return tx.execute("INSERT INTO audit (entry) VALUES (x'00')").lastrowid

    async with hang_disk(store) as go_on:
        writes = [asyncio.create_task(store.write(work)) for work in (insert, fail, insert, fail, insert)]
        await asyncio.sleep(0)
        go_on.set()
        results = await asyncio.gather(*writes, return_exceptions=True)
    assert [result for result in results if isinstance(result, int)] == [1, 2, 3]
    assert [type(result) for result in results if not isinstance(result, int)] == [ValueError, ValueError]
    assert names_on_disk(path) == set()
    assert await store.read(lambda tx: tx.execute("SELECT count(*) FROM audit").fetchone()) == (3,)


async def test_one_that_fails_alone_undoes_itself_and_is_not_run_again(store: Store, path: Path) -> None:
    tries: list[int] = []

    def fail(tx: Tx) -> None:
        tx.execute(add("bad"))
        tries.append(1)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - our own
        await store.write(fail)
    assert len(tries) == 1
    assert names_on_disk(path) == set()


async def test_a_queue_that_is_full_refuses_at_once_and_takes_again_when_the_disk_is_back(
    store: Store, path: Path, hang_disk: HangDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MOST_WAITING", 3)
    async with hang_disk(store) as go_on:  # it is one of the three
        waiting = [asyncio.create_task(store.write(lambda tx, n=n: tx.execute(add(f"n{n}")))) for n in range(2)]
        await asyncio.sleep(0)
        for number in range(2):
            with pytest.raises(StoreError, match=r"3 pieces of work wait.* Look at the disk"):
                await store.write(lambda tx: tx.execute(add("refused")))
            assert store.counts.refused == number + 1
        go_on.set()
        await asyncio.gather(*waiting)
    await store.write(lambda tx: tx.execute(add("later")))
    assert names_on_disk(path) == {"n0", "n1", "later"}


async def test_room_in_the_queue_comes_back_where_callers_are_cancelled_and_work_fails(
    store: Store, hang_disk: HangDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MOST_WAITING", 3)
    for _ in range(3):
        async with hang_disk(store) as go_on:
            cancelled = asyncio.create_task(store.write(lambda tx: tx.execute("SELECT 1")))
            failing = asyncio.create_task(store.write(lambda tx: tx.execute("SELECT absent FROM nowhere")))
            await asyncio.sleep(0)
            cancelled.cancel()
            go_on.set()
            with pytest.raises(StoreError, match="no such table"):
                await failing


async def test_what_the_writer_did_is_counted(store: Store) -> None:
    for number in range(3):
        await store.write(lambda tx, number=number: tx.execute(add(f"n{number}")))
    with pytest.raises(StoreError):
        await store.write(lambda tx: tx.execute("SELECT absent FROM nowhere"))
    assert store.counts == Counts(commits=3, jobs=3, refused=0)


def test_statements_stand_in_the_store_and_nowhere_else() -> None:
    root = Path(__file__).parents[2]
    own = {"bridges/matrix/replay.py"}  # a database of its own
    found = {
        str(path.relative_to(root))
        for package in ("bot", "bridges", "commands", "components", "wire", "tocsin", "demo")
        for path in (root / package).rglob("*.py")
        if any(call in path.read_text(encoding="utf-8") for call in (".execute(", ".executemany(", ".executescript("))
    }
    assert {path for path in found if not path.startswith("bot/store/")} == own


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


async def test_what_is_too_much_for_the_disk_fails_and_what_fits_is_taken(
    store: Store, path: Path, hang_disk: HangDisk
) -> None:
    def fill(tx: Tx) -> None:
        (pages,) = tx.execute("PRAGMA page_count").fetchone()
        tx.execute(f"PRAGMA max_page_count = {pages + 2}")

    await store.write(fill)
    async with hang_disk(store) as go_on:
        works = (add("before"), "INSERT INTO audit (entry) VALUES (zeroblob(1000000))", add("after"))
        writes = [asyncio.create_task(store.write(lambda tx, sql=sql: tx.execute(sql).rowcount)) for sql in works]
        await asyncio.sleep(0)
        go_on.set()
        results = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(results[1], StoreError)
    confirmed = {name for name, result in zip(("before", "", "after"), results, strict=True) if result == 1}
    assert names_on_disk(path) == confirmed == {"before", "after"}


async def test_what_is_found_wrong_only_at_the_commit_fails_alone(
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
        with pytest.raises(StoreError, match="FOREIGN KEY"):
            await doomed
        await good
    assert names_on_disk(path) == {"good"}
    await store.write(lambda tx: tx.execute(add("later")))
    assert names_on_disk(path) == {"good", "later"}


async def test_a_commit_that_the_disk_refuses_is_confirmed_to_nobody_and_survived(
    store: Store, path: Path, hang_disk: HangDisk
) -> None:
    def end(tx: Tx) -> None:  # the commit finds no transaction: an error that is not the work's
        tx.execute(add("undone"))
        tx.execute("ROLLBACK")

    async with hang_disk(store) as go_on:
        good = asyncio.create_task(store.write(lambda tx: tx.execute(add("good"))))
        ending = asyncio.create_task(store.write(end))
        await asyncio.sleep(0)
        go_on.set()
        results = await asyncio.gather(good, ending, return_exceptions=True)
    assert [type(result) for result in results] == [StoreError, StoreError]
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


class Reads:
    """Reads that begin, wait until they may go on, and then read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self.go_on = threading.Event()
        self.ends: list[object] = []

    def _work(self, tx: Tx) -> None:
        self._loop.call_soon_threadsafe(self.begun.set)
        self.go_on.wait(PATIENCE)
        try:
            self.ends.append(tx.execute("SELECT 1").fetchone())
        except sqlite3.Error as error:
            self.ends.append(error)

    async def cancelled(self) -> None:
        """One more, whose caller is cancelled in the middle of it."""
        read = asyncio.create_task(self._store.read(self._work))
        async with asyncio.timeout(PATIENCE):
            await self.begun.wait()
        read.cancel()
        await asyncio.wait([read])
        assert read.cancelled()


async def test_a_read_whose_caller_is_cancelled_keeps_the_others_out_until_it_ends(store: Store) -> None:
    reads = Reads(store)
    await reads.cancelled()
    order: list[str] = []
    next_one = asyncio.create_task(store.read(lambda _: order.append("next")))
    await store.write(lambda _: order.append("written"))  # time for a read to begin, if it might
    reads.go_on.set()
    async with asyncio.timeout(PATIENCE):
        await next_one
    assert order == ["written", "next"]
    assert reads.ends == [(1,)]


async def test_the_end_waits_for_a_read_whose_caller_was_cancelled(tmp_path: Path) -> None:
    async with Store.opened(tmp_path / "tocsin.db") as store:
        reads = Reads(store)
        await reads.cancelled()
        refused = asyncio.create_task(store.read(lambda tx: tx.execute("SELECT 1")))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.01, reads.go_on.set)
    assert reads.ends == [(1,)]
    with pytest.raises(StoreError, match="closed"):
        await refused


async def test_a_read_that_hangs_does_not_keep_the_end_and_loses_no_connection_under_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "READ_ENDS_WITHIN_S", 0.0)
    async with Store.opened(tmp_path / "tocsin.db") as store:
        reads = Reads(store)
        await reads.cancelled()
    assert reads.ends == []
    reads.go_on.set()
    async with asyncio.timeout(10):
        while not reads.ends:
            await asyncio.to_thread(lambda: None)
    assert reads.ends == [(1,)]


async def test_an_end_that_is_cancelled_takes_no_connection_from_a_read(tmp_path: Path) -> None:
    ending = asyncio.Event()

    async def live() -> None:
        async with Store.opened(tmp_path / "tocsin.db") as store:
            reads.append(Reads(store))
            await reads[0].cancelled()
            ending.set()

    reads: list[Reads] = []
    living = asyncio.create_task(live())
    await ending.wait()
    living.cancel()
    await asyncio.wait([living])
    assert living.cancelled()
    reads[0].go_on.set()
    async with asyncio.timeout(10):
        while not reads[0].ends:
            await asyncio.to_thread(lambda: None)
    assert reads[0].ends == [(1,)]


async def test_many_cancelled_reads_and_then_the_end(tmp_path: Path) -> None:
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT sum(i) FROM n"

    def work(tx: Tx) -> None:
        loop.call_soon_threadsafe(begun.set)
        for _ in range(10):
            tx.execute(rows).fetchone()

    loop = asyncio.get_running_loop()
    for number in range(5):
        begun = asyncio.Event()
        async with Store.opened(tmp_path / f"{number}.db") as store:
            reads = [asyncio.create_task(store.read(work)) for _ in range(20)]
            await begun.wait()
            for read in reads[:3]:
                read.cancel()
                await asyncio.sleep(0)
            for read in reads[3:]:
                read.cancel()
        ends = await asyncio.gather(*reads, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends)


async def test_a_read_that_fails_after_its_caller_was_cancelled_is_nobodys_trouble(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def fail(tx: Tx) -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(PATIENCE)
        tx.execute("SELECT absent FROM nowhere")

    read = asyncio.create_task(store.read(fail))
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    read.cancel()
    await asyncio.wait([read])
    go_on.set()
    assert await store.read(lambda tx: tx.execute("SELECT 1").fetchone()) == (1,)
    del read
    gc.collect()  # now a result that nobody has asked for would be told
    assert caplog.records == []


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


@pytest.mark.parametrize("fault", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, MemoryError])
async def test_nothing_that_work_raises_ends_the_writer(store: Store, fault: type[BaseException]) -> None:
    def leave(_: Tx) -> None:
        raise fault

    with pytest.raises((StoreRefused, MemoryError)):
        await store.write(leave)
    async with asyncio.timeout(10):
        assert await store.write(lambda tx: tx.execute("SELECT 7").fetchone()) == (7,)


async def test_reads_do_not_wait_for_those_who_look_up_names(store: Store) -> None:
    go_on = threading.Event()
    busy = [asyncio.create_task(asyncio.to_thread(go_on.wait, 10)) for _ in range(64)]
    async with asyncio.timeout(10):
        assert await store.read(lambda tx: tx.execute("SELECT 7").fetchone()) == (7,)
    go_on.set()
    await asyncio.gather(*busy)
