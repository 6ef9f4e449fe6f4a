"""A look into the database from outside, while a bot may run. It takes no lock and changes nothing."""

import contextlib
import dataclasses
import sqlite3
from collections.abc import Generator, Mapping
from pathlib import Path
from urllib.parse import quote

from bot.store import overlay, pins
from bot.store.overlay import Entry
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
    with _opened(path) as database:
        if database is None:
            return None
        (version,) = database.execute("PRAGMA user_version").fetchone()
        return Look(version, pins.everything(database) if version == NEWEST else None)


def changed_from_chat(path: Path) -> list[Entry]:
    """All that was changed on top of the file. Where the bot never ran, or only an older one, nothing was."""
    with _opened(path) as database:
        if database is None:
            return []
        there = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'overlay' AND type = 'table'").fetchone()
        return overlay.entries(database) if there else []


@contextlib.contextmanager
def _opened(path: Path) -> Generator[sqlite3.Connection | None]:
    """The database, until the block ends; nothing where there is none. What cannot be read in it is a StoreError."""
    try:
        if not path.exists():
            yield None
            return
        # With nothing in its log the database is at rest: then it is read without leaving files of SQLite's beside it.
        at_rest = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro{at_rest}", uri=True, timeout=WAIT_S)
        with contextlib.closing(connection):
            yield connection
    except (sqlite3.Error, OSError, ValueError) as error:
        raise StoreError(
            f"The database {path} cannot be read: {error}.",
            hint="Ask as the user that the bot runs as. If it is damaged: put it back from a backup.",
        ) from error
