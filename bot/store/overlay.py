"""What was changed from chat on top of the configuration file. The file wins: `bot/settings` says what counts."""

import contextlib
import dataclasses
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

import orjson

from bot.store.store import Tx
from bot.words.errors import StoreError

Value = str | int | float | bool
WAIT_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One key that was changed."""

    key: str
    value: Value
    by: str
    at: float


def put(tx: Tx, key: str, value: Value, by: str) -> None:
    """Change a key."""
    tx.execute(
        "INSERT INTO overlay (key, value, by, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value, by = excluded.by, at = excluded.at",
        (key, orjson.dumps(value).decode(), by, time.time()),
    )


def drop(tx: Tx, key: str) -> None:
    """Leave a key to the file again."""
    tx.execute("DELETE FROM overlay WHERE key = ?", (key,))


def entries(tx: Tx) -> list[Entry]:
    """All that was changed."""
    rows = tx.execute("SELECT key, value, by, at FROM overlay ORDER BY key")
    return [Entry(key, orjson.loads(value), by, at) for key, value, by, at in rows]


def entries_in(path: Path) -> list[Entry]:
    """All that was changed, read from outside while a bot may run. It takes no lock and changes nothing.

    Where the bot never ran, or only an older one, nothing was changed.
    """
    try:
        if not path.exists():
            return []
        # With nothing in its log the database is at rest: then it is read without leaving files of SQLite's beside it.
        at_rest = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro{at_rest}", uri=True, timeout=WAIT_S)
        with contextlib.closing(connection):
            there = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'overlay' AND type = 'table'"
            ).fetchone()
            return entries(connection) if there else []
    except (sqlite3.Error, OSError, ValueError) as error:
        raise StoreError(
            f"What was changed from chat cannot be read from {path}: {error}.",
            hint="Ask as the user that the bot runs as, or as root.",
        ) from error
