"""What was changed from chat on top of the configuration file. The file wins: `bot/settings` says what counts."""

import dataclasses
import time

import orjson

from bot.store.store import Tx

Value = str | int | float | bool


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
