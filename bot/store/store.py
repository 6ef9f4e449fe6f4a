"""The database and its one writer thread. It never confirms a write before the disk has it."""

import asyncio
import contextlib
import dataclasses
import inspect
import queue
import secrets
import sqlite3
import threading
import time
import traceback
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bot.store.lock import Lock
from bot.store.schema import migrate
from bot.words.errors import StoreError, StoreRefused, is_of_the_disk

T = TypeVar("T")

SESSION_LENGTH = 4
MOST_IN_ONE_COMMIT = 256
MOST_WAITING = 10_000
"""Pieces of work that are handed in and not on disk."""
STANDS_S = 2.0
"""A commit that takes longer means that the disk stands still."""
READ_ENDS_WITHIN_S = 1.0
"""How long the end waits for a read that is under way. One that hangs is left behind, with its connection."""


class Rows(Protocol):
    """What a statement gave: rows to go through once, or how many it changed."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        ...

    @property
    def lastrowid(self) -> int | None:
        """The number of the row that was added."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Tx(Protocol):
    """An open transaction. Only the store makes one; the functions of the tables beside this module take it."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Rows:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Rows:
        """Run one statement for each set of parameters."""
        ...


class Remembering(sqlite3.Connection):
    """The writer's connection. What it remembers of the database is forgotten whenever a transaction is undone."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.remembered: dict[str, tuple[str, bytes]] = {}
        self.session = secrets.token_hex(SESSION_LENGTH)
        """One life of whoever writes here. It stands in each entry of the record."""


@dataclasses.dataclass(slots=True)
class Counts:
    """What the writer did so far, for the metrics."""

    commits: int = 0
    jobs: int = 0
    """Pieces of work that were done and confirmed."""
    refused: int = 0
    """Pieces of work that were not taken, because too many waited."""


@dataclasses.dataclass(slots=True)
class _Job:
    work: Callable[[Tx], Any]
    answer: "asyncio.Future[Any]"
    result: Any = None
    error: Exception | None = None


class Store:
    """What waits when the writer is free is committed together."""

    def __init__(self, path: Path, writing: Remembering, reading: sqlite3.Connection) -> None:
        self.path = path
        self.counts = Counts()
        self._writing = writing
        self._reading = reading
        self._one_reader = asyncio.Lock()
        self._under_way: asyncio.Future[Any] | None = None
        """The read that has the lock: its thread uses the connection."""
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._failing = ""
        self._commit_began: float | None = None
        self._seal: Callable[[Tx], None] = _unsealed
        self._watchers: list[Callable[[], None]] = []
        self.examined = asyncio.Event()
        """Set unless somebody is looking for the first time whether what is recorded can be believed."""
        self.examined.set()
        self._owed: list[asyncio.Future[Any]] = []
        self.compared = asyncio.Event()
        """Set unless a witness of the record has not been asked yet what it has seen."""
        self.compared.set()
        self.superseded = False
        """A witness has seen more of the record, or another one: what was stopped since may not be known here."""
        self.distrusted = ""
        """Why what is recorded cannot be believed; empty where it can."""
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="store reader")  # name look-ups may fill the common one
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

    @property
    def trouble(self) -> str:
        """Why nothing is written just now, in a sentence. Empty where things are, as far as is known."""
        began = self._commit_began
        if began is not None and (stands := time.monotonic() - began) > STANDS_S:
            return f"The disk has not answered for {stands:.0f} s."
        return self._failing

    def distrust(self, why: str) -> None:
        """What is recorded cannot be believed any more. The first reason stays."""
        self.distrusted = self.distrusted or why

    def seal_with(self, seal: Callable[[Tx], None]) -> None:
        """Have this done at the end of each commit from now on, and in it."""
        self._seal = seal

    def watch(self, callback: Callable[[], None]) -> None:
        """Have this called on the loop when something was written and is on disk. It must neither wait nor raise."""
        self._watchers.append(callback)

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run a function in a transaction and return its result once it is on disk.

        What it raises undoes what it did and nothing else. Once handed in it is done, even if the caller is cancelled.
        It does nothing but read and write the database: where another in the same commit fails, it runs again.
        """
        if self._closed:
            raise StoreError("The database is closed.")
        if self._waiting >= MOST_WAITING:
            self.counts.refused += 1
            raise StoreError(
                f"The database did not take it: {self._waiting} pieces of work wait for it.",
                hint="Look at the disk: is it slow, or does it not answer?",
            )
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        self._jobs.put(_Job(work, answer))
        return await answer

    def owe(self, work: Callable[[Tx], object]) -> None:
        """Have this written as the last thing of somebody who ends. `settled` tells whether it was."""
        self._owed.append(asyncio.ensure_future(self.write(work)))

    async def settled(self) -> bool:
        """Whether all that was owed is on disk."""
        outcomes = await asyncio.gather(*self._owed, return_exceptions=True)
        return not any(isinstance(each, BaseException) for each in outcomes)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run a function that only reads. It sees all that is committed, and holds no writer up.

        Once begun it runs to its end, even if the caller is cancelled; until then no other read begins.
        """
        await self._one_reader.acquire()
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._one_reader.release)
            if self._closed:
                raise StoreError("The database is closed.")
            under_way = self._loop.run_in_executor(self._reader, _read, work, self._reading)
            on_failure.pop_all()
        self._under_way = under_way
        under_way.add_done_callback(self._has_read)
        return await asyncio.shield(under_way)

    def _has_read(self, read: "asyncio.Future[Any]") -> None:
        self._under_way = None
        self._one_reader.release()
        if not read.cancelled():
            read.exception()  # whoever still waits has it; nobody else needs to

    async def _close(self) -> None:
        self._closed = True
        self._jobs.put(None)
        ending = asyncio.ensure_future(asyncio.to_thread(self._thread.join))
        try:
            await asyncio.shield(ending)
            if self._under_way is not None:
                await asyncio.wait([self._under_way], timeout=READ_ENDS_WITHIN_S)
        finally:
            self._thread.join()  # where we were cancelled: what was handed in is written before the lock is free
            self._writing.close()
            self._reader.shutdown(wait=self._under_way is None)
            if self._under_way is None:
                self._reading.close()
            else:  # closed under its thread, it would take the process down
                self._under_way.add_done_callback(lambda _: self._reading.close())

    def _commit_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            ended = False
            with contextlib.suppress(queue.Empty):
                while len(batch) < MOST_IN_ONE_COMMIT and not ended:
                    if (job := self._jobs.get_nowait()) is None:
                        ended = True
                    else:
                        batch.append(job)
            self._commit_began = time.monotonic()
            self._commit(batch)
            self._commit_began = None
            self._loop.call_soon_threadsafe(self._settle, batch)
            if ended:
                return

    def _commit(self, batch: list[_Job]) -> None:
        """Write a batch in one commit. Where work fails, the batch is halved until what fails is alone.

        Failures are rare, so nothing is prepared for them. A full disk undoes all of a commit: so the rest still fits.
        """
        try:
            written = self._write(batch)
        except (sqlite3.Error, MemoryError) as error:  # the disk's, or the machine's: not the work's
            self._undo()
            for job in batch:
                job.error = _own(error)
            return
        if not written:
            middle = len(batch) // 2
            self._commit(batch[:middle])
            self._commit(batch[middle:])

    def _write(self, batch: list[_Job]) -> bool:
        tx = self._writing
        tx.execute("BEGIN IMMEDIATE")
        fault: BaseException | None = None
        try:
            for job in batch:
                job.result = job.work(tx)
            self._seal(tx)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the one who asked
            fault = error
        else:
            try:
                tx.execute("COMMIT")
            except sqlite3.IntegrityError as error:  # a rule that is looked at only now: that is the work's fault too
                fault = error
        if fault is None:
            self.counts.commits += 1
            return True
        self._undo()
        if len(batch) > 1:
            return False
        batch[0].error = _own(fault)
        return True

    def _undo(self) -> None:
        self._writing.remembered.clear()
        if self._writing.in_transaction:
            self._writing.execute("ROLLBACK")

    def _settle(self, batch: list[_Job]) -> None:
        self._waiting -= len(batch)
        written = sum(job.error is None for job in batch)
        self.counts.jobs += written
        faults = [job.error.what for job in batch if is_of_the_disk(job.error)]
        self._failing = faults[-1] if faults else ""
        for job in batch:
            if job.answer.done():  # the one who asked was cancelled; the work is done all the same
                continue
            if job.error is None:
                job.answer.set_result(job.result)
            else:
                job.answer.set_exception(job.error)
        for watcher in self._watchers if written else ():
            watcher()


def _unsealed(_: Tx) -> None:
    pass


def _read(work: Callable[[Tx], T], tx: Tx) -> T:
    try:
        return work(tx)
    except Exception as error:
        _let_go_of_cursors(error)
        if isinstance(error, sqlite3.Error):
            raise _own(error) from error
        raise


def _let_go_of_cursors(error: Exception) -> None:
    """What a read has left half done would hold all later reads at its moment, as long as anybody has its error.

    An error that is raised anew may have passed through coroutines before: those are at work, and stay.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if not frame.f_code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
            with contextlib.suppress(RuntimeError):  # it runs: it is ours
                frame.clear()


def _own(error: BaseException) -> Exception:
    """What the caller gets: never an error of the library's, nor one that would end more than the work."""
    if isinstance(error, Exception) and not isinstance(error, sqlite3.Error):
        return error
    refusals = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.InterfaceError)
    if not isinstance(error, sqlite3.Error):
        refused = StoreRefused(f"What was to be written ended with {type(error).__name__}.")
    elif isinstance(error, refusals):
        refused = StoreRefused(f"The database refuses it: {error}.", hint="It is a mistake in what wrote it.")
    else:
        refused = StoreError(
            f"The database did not take it: {error}.", hint="Look at the disk: is it full, or read-only?"
        )
    refused.__cause__ = error
    return refused


def _connect(path: Path) -> tuple[Remembering, sqlite3.Connection]:
    """One connection for the writer and one for readers."""
    try:
        with contextlib.ExitStack() as on_failure:
            path.touch(mode=0o600)
            path.chmod(0o600)  # the files that SQLite puts beside it take its mode
            writing = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Remembering)
            on_failure.callback(writing.close)
            writing.execute("PRAGMA journal_mode = WAL")
            writing.execute("PRAGMA synchronous = FULL")
            writing.execute("PRAGMA foreign_keys = ON")
            writing.execute("PRAGMA secure_delete = ON")  # what was deleted must not stand in free pages
            migrate(writing)
            reading = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            reading.execute("PRAGMA query_only = ON")
            on_failure.pop_all()
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"The database {path} cannot be opened: {error}.") from error
    return writing, reading
