"""What is kept of the record and its tree, read as evidence: from a file that may be damaged, or made to deceive.

It changes nothing and works beside a running bot. Whatever is wrong with the file becomes one of two errors.
"""

import contextlib
import sqlite3
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from bot.audit.note import Checkpoint
from bot.audit.tiles import WIDTH
from bot.store.schema import STEPS
from bot.store.store import Tx
from bot.words.errors import StoreError

NEWEST = len(STEPS)
"""The version of the database that this Tocsin writes."""
TABLES = frozenset({"audit", "tree", "tile", "checkpoint"})
LONGEST_VALUE = 2**20
"""Nothing that belongs here is longer. What is, is not loaded."""
PAGES_KEPT = 64
"""Of the database, in memory. Each is read once, and more of them would only crowd what the processor has at hand."""
WAIT_S = 5.0

_NOT_ITS_FAULT = frozenset({
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_AUTH,
})  # fmt: skip
"""Where one of these ends a reading, nothing is known of what was to be read."""


class Unreadable(StoreError):
    """The file could not be read. This says nothing of what is in it."""


class Disturbed(Unreadable):
    """Somebody began to write while the file was read as one at rest. Read again."""


class Damaged(StoreError):
    """What is in the file is not what a Tocsin writes."""


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint as it stands there, which may be anything."""

    size: int
    root: bytes
    signature: str

    def note(self, origin: str) -> bytes:
        """The signed note that it is. Raises BadNote where it is none."""
        return f"{Checkpoint(origin, self.size, self.root)}\n{self.signature}".encode()


@dataclass(frozen=True, slots=True)
class KeptTree:
    """The row that says what the tree is."""

    origin: str
    size: int
    edge: bytes


@contextlib.contextmanager
def opened(path: Path) -> Generator[Tx]:
    """The database as it is at this moment, until the block ends."""
    with _as_ours():
        if not path.is_file():
            raise Unreadable(f"There is no database {path}.")
        log = path.with_name(f"{path.name}-wal")
        # At rest it is read without leaving files of SQLite's beside it, and where one may not write.
        at_rest = None if log.exists() else _stamp(path)
        mode = "mode=ro" if at_rest is None else "mode=ro&immutable=1"
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?{mode}", uri=True, timeout=WAIT_S, isolation_level=None, check_same_thread=False
        )
        with contextlib.closing(connection):
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
            connection.text_factory = _text
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute(f"PRAGMA cache_size = {PAGES_KEPT}")
            connection.execute("BEGIN")
            yield connection
        if at_rest is not None and (log.exists() or _stamp(path) != at_rest):
            raise Disturbed(f"The database {path} was written to while it was read.", hint="Try again.")


def version(tx: Tx) -> int:
    """Which version of the database it says it is."""
    with _as_ours():
        return tx.execute("PRAGMA user_version").fetchone()[0]


def lacking(tx: Tx) -> frozenset[str]:
    """Which tables of the record there are not. What only looks like a table is none."""
    with _as_ours():
        return TABLES - {name for (name,) in tx.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def highest_number(tx: Tx) -> int:
    """The number of the last entry, before any is looked at: to tell how far one has come, and for nothing else."""
    with _as_ours():
        (number,) = tx.execute("SELECT max(seq) FROM audit").fetchone()
    return number if isinstance(number, int) else 0


def blocks(tx: Tx) -> Iterator[list[tuple[object, object]]]:
    """Numbers and entries in order, 256 at a time. What could be read before an error comes before it."""
    with _as_ours():
        rows = iter(tx.execute("SELECT seq, entry FROM audit ORDER BY seq"))
        while True:
            block: list[tuple[object, object]] = []
            try:
                block.extend(islice(rows, WIDTH))
            except sqlite3.Error:
                if block:
                    yield block
                raise
            if not block:
                return
            yield block


def entries_between(tx: Tx, before: int, last: int) -> list[bytes]:
    """The entries behind one number, up to another."""
    with _as_ours():
        rows = tx.execute("SELECT entry FROM audit WHERE seq > ? AND seq <= ? ORDER BY seq", (before, last))
        return [entry for (entry,) in rows if isinstance(entry, bytes)]


def lowest_tiles(tx: Tx) -> Iterator[tuple[object, object]]:
    """Numbers and hashes of the tiles of the lowest level, in order."""
    with _as_ours():
        yield from tx.execute("SELECT number, hashes FROM tile WHERE level = 0 ORDER BY number")


def higher_tiles(tx: Tx) -> Iterator[tuple[object, object, object]]:
    """Level, number and hashes of all the other tiles."""
    with _as_ours():
        yield from tx.execute("SELECT level, number, hashes FROM tile WHERE level <> 0 ORDER BY level, number")


def checkpoints(tx: Tx, *, below: int | None = None) -> Iterator[KeptCheckpoint]:
    """All checkpoints, the smallest first; or those below a size, the largest first."""
    chosen = "ORDER BY size" if below is None else "WHERE size < ? ORDER BY size DESC"
    with _as_ours():
        rows = tx.execute(f"SELECT size, root, signature FROM checkpoint {chosen}", () if below is None else (below,))  # noqa: S608 - our own words
        for size, root, signature in rows:
            yield KeptCheckpoint(
                size if isinstance(size, int) else 0,
                root if isinstance(root, bytes) else b"",
                signature if isinstance(signature, str) else "",
            )


def tree_row(tx: Tx) -> KeptTree | None:
    """What the tree is said to be. Nothing where nothing was ever sealed."""
    with _as_ours():
        row = tx.execute("SELECT origin, size, edge FROM tree").fetchone()
    if row is None:
        return None
    origin, size, edge = row
    if not (isinstance(origin, str) and isinstance(size, int) and isinstance(edge, bytes)):
        raise Damaged("The row of the tree is not of the kind that is written there.")
    return KeptTree(origin, size, edge)


def _text(raw: bytes) -> str:
    """A text that is not UTF-8 is none that was signed, and no reason to stop reading."""
    return raw.decode(errors="replace")


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@contextlib.contextmanager
def _as_ours() -> Generator[None]:
    """Errors of SQLite and of the disk as one of ours."""
    try:
        yield
    except UnicodeDecodeError as error:  # a damaged table is quoted in the words of an error, which are no words then
        raise Damaged("The database is damaged, in its list of tables.", hint="Put it back from a backup.") from error
    except (sqlite3.Error, OSError, MemoryError) as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if not isinstance(error, sqlite3.Error) or code in _NOT_ITS_FAULT:
            raise Unreadable(
                f"The database cannot be read: {error}.", hint="Ask as the user that the bot runs as."
            ) from error
        raise Damaged(f"The database is damaged: {error}.", hint="Put it back from a backup.") from error
