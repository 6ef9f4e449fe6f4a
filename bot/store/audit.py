"""What happened, entry by entry, in the exact bytes of RFC 8785. Entries are only ever added."""

import datetime as dt
import hashlib

import rfc8785

from bot.store.store import Tx

Value = str | int | bool | None | list[str]


def record(tx: Tx, kind: str, **fields: Value) -> int:
    """Add an entry in this transaction and return its number."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    entry = rfc8785.dumps({"kind": kind, "at": now, **fields})
    cursor = tx.execute("INSERT INTO audit (entry) VALUES (?)", (entry,))
    assert cursor.lastrowid is not None  # noqa: S101 - sqlite gives one for every insert
    return cursor.lastrowid


def last(tx: Tx, count: int) -> list[tuple[int, bytes]]:
    """The newest entries with their numbers, oldest first."""
    rows = tx.execute("SELECT seq, entry FROM audit ORDER BY seq DESC LIMIT ?", (count,)).fetchall()
    return rows[::-1]


def digest(text: str) -> str:
    """What stands in an entry for a text that must not stand there."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
