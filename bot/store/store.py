"""The database and its one writer thread. It never confirms a write before the disk has it."""

import asyncio
import contextlib
import dataclasses
import queue
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from bot.store.lock import Lock
from bot.store.schema import migrate
from bot.words.errors import StoreError

T = TypeVar("T")
Tx: TypeAlias = sqlite3.Connection
"""An open transaction. Only the store makes one; the functions of the tables beside this module take it."""

MOST_IN_ONE_COMMIT = 256


@dataclasses.dataclass(slots=True)
class _Job:
    work: Callable[[Tx], Any]
    answer: "asyncio.Future[Any]"
    result: Any = None
    error: Exception | None = None

    def settle(self) -> None:
        if self.answer.done():  # the one who asked was cancelled; the work is done all the same
            return
        if self.error is None:
            self.answer.set_result(self.result)
        else:
            self.answer.set_exception(self.error)


class Store:
    """What waits when the writer is free is committed together."""

    def __init__(self, path: Path, writing: Tx, reading: Tx) -> None:
        self.path = path
        self._writing = writing
        self._reading = reading
        self._one_reader = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._commit_all, name="store", daemon=True)
        self._thread.start()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, path: Path) -> AsyncGenerator["Store"]:
        """The database at a path, made or brought up to date, and ours alone until the block ends."""
        lock = Lock(path.with_name(f"{path.name}.lock"))
        lock.take()
        try:
            writing, reading = await asyncio.to_thread(_connect, path)
            store = cls(path, writing, reading)
            try:
                yield store
            finally:
                await store._close()
        finally:
            lock.free()

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run a function in a transaction and return its result once it is on disk.

        What it raises undoes what it did and nothing else. Once handed in it is done, even if the caller is cancelled.
        """
        if self._closed:
            raise StoreError("The database is closed.")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(work, answer))
        return await answer

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run a function that only reads. It sees all that is committed, and holds no writer up."""
        async with self._one_reader:
            return await asyncio.to_thread(_translated, work, self._reading)

    async def _close(self) -> None:
        self._closed = True
        self._jobs.put(None)
        ending = asyncio.ensure_future(asyncio.to_thread(self._thread.join))
        try:
            await asyncio.shield(ending)
        finally:
            self._thread.join()  # where we were cancelled: what was handed in is written before the lock is free
            self._reading.close()
            self._writing.close()

    def _commit_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            ended = False
            while len(batch) < MOST_IN_ONE_COMMIT and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    ended = True
                    break
                batch.append(following)
            self._commit(batch)
            self._loop.call_soon_threadsafe(_settle, batch)
            if ended:
                return

    def _commit(self, batch: list[_Job]) -> None:
        tx = self._writing
        try:
            tx.execute("BEGIN IMMEDIATE")
            for job in batch:
                tx.execute("SAVEPOINT job")
                try:
                    job.result = _translated(job.work, tx)
                except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the one who asked
                    job.error = error
                    tx.execute("ROLLBACK TO job")
                tx.execute("RELEASE job")
            tx.execute("COMMIT")
        except sqlite3.Error as error:
            if tx.in_transaction:
                tx.execute("ROLLBACK")
            for job in batch:
                job.error = job.error or _refusal(error)


def _settle(batch: list[_Job]) -> None:
    for job in batch:
        job.settle()


def _translated(work: Callable[[Tx], T], tx: Tx) -> T:
    try:
        return work(tx)
    except sqlite3.Error as error:
        raise _refusal(error) from error


def _refusal(error: sqlite3.Error) -> StoreError:
    return StoreError(f"The database did not take it: {error}.", hint="Look at the disk: is it full, or read-only?")


def _connect(path: Path) -> tuple[Tx, Tx]:
    """One connection for the writer and one for readers."""
    try:
        with contextlib.ExitStack() as on_failure:
            path.touch(mode=0o600)
            path.chmod(0o600)  # the files that SQLite puts beside it take its mode
            writing = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            on_failure.callback(writing.close)
            writing.execute("PRAGMA journal_mode = WAL")
            writing.execute("PRAGMA synchronous = FULL")
            writing.execute("PRAGMA foreign_keys = ON")
            migrate(writing)
            reading = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            reading.execute("PRAGMA query_only = ON")
            on_failure.pop_all()
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"The database {path} cannot be opened: {error}.") from error
    return writing, reading
