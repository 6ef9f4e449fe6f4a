"""A database as a first start of today's bot leaves it. To make each anew would take longer than most tests."""

import contextlib
import functools
import sqlite3
import tempfile
from pathlib import Path

from bot.store import schema


def lay_down(path: Path) -> Path:
    """Have one there, for a store to open."""
    path.write_bytes(_made())
    return path


@functools.cache
def _made() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tocsin.db"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            schema.migrate(database)
        return path.read_bytes()
