"""A look into the database from outside, while a bot may run. It takes no lock and changes nothing."""

import contextlib
import dataclasses
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from bot.store import pins
from bot.store.pins import Pinned
from bot.store.schema import STEPS
from bot.words.errors import StoreError
from bot.words.people import Account

WAIT_S = 5.0
NEWEST = len(STEPS)
"""The version that this Tocsin writes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What was seen."""

    version: int
    pins: Mapping[Account, Pinned] | None
    """By which identities accounts are known. None where the database is of another version than ours."""


def look_into(path: Path) -> Look | None:
    """What is in a database now; nothing where there is none."""
    try:
        if not path.exists():
            return None
        # With nothing in its log the database is at rest: then it is read without leaving files of SQLite's beside it.
        at_rest = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro{at_rest}", uri=True, timeout=WAIT_S)
        with contextlib.closing(connection):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            return Look(version, pins.everything(connection) if version == NEWEST else None)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"The database {path} cannot be read: {error}.",
            hint="Ask as the user that the bot runs as. If it is damaged: put it back from a backup.",
        ) from error
