"""What outlives a killed stand-in: every thing as one row of an SQLite file. Event queues are never kept here."""

import sqlite3
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

Thing = TypeVar("Thing", bound=BaseModel)


class Keeping:
    """Without a path everything is forgotten at the end."""

    def __init__(self, path: Path | None) -> None:
        self._file = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=OFF")
        self._file.execute("CREATE TABLE IF NOT EXISTS kept (kind TEXT, id INTEGER, body TEXT, PRIMARY KEY (kind, id))")
        self._file.execute("CREATE TABLE IF NOT EXISTS counts (kind TEXT PRIMARY KEY, last INTEGER)")

    def save(self, thing_id: int, thing: BaseModel) -> None:
        row = (type(thing).__name__, thing_id, thing.model_dump_json())
        self._file.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", row)

    def drop(self, thing_id: int, kind: type[BaseModel]) -> None:
        self._file.execute("DELETE FROM kept WHERE kind = ? AND id = ?", (kind.__name__, thing_id))

    def load(self, kind: type[Thing]) -> dict[int, Thing]:
        rows = self._file.execute("SELECT id, body FROM kept WHERE kind = ? ORDER BY id", (kind.__name__,))
        return {int(row[0]): kind.model_validate_json(str(row[1])) for row in rows}

    def next_id(self, kind: type[BaseModel]) -> int:
        """An id that was never given before, not even to what is deleted since."""
        found = self._file.execute(
            "INSERT INTO counts VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET last = last + 1 RETURNING last",
            (kind.__name__,),
        ).fetchone()
        return int(found[0])

    def start_after(self, kind: type[BaseModel], last: int) -> None:
        self._file.execute("INSERT OR REPLACE INTO counts VALUES (?, ?)", (kind.__name__, last))

    def close(self) -> None:
        self._file.close()
