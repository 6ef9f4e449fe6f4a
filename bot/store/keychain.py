"""Which keys count: hand-overs of the bot's own, the roster of stop keys, and every key that was ever known.

Nothing here is secret: all of it is public halves.
"""

import dataclasses
import time
from collections.abc import Mapping

import orjson

from bot.store.store import Tx


@dataclasses.dataclass(frozen=True, slots=True)
class KeptRoster:
    """The stop keys that components were last told of, each with its person."""

    serial: int
    people: Mapping[str, str]
    """By key, in base64."""


def hand_over(tx: Tx, envelope: bytes) -> None:
    """Keep the link from the bot's key to its next one."""
    tx.execute("INSERT INTO hand_over (envelope, at) VALUES (?, ?)", (envelope, time.time()))


def hand_overs(tx: Tx) -> list[bytes]:
    """All links, oldest first."""
    return [envelope for (envelope,) in tx.execute("SELECT envelope FROM hand_over ORDER BY id")]


def put_roster(tx: Tx, serial: int, people: Mapping[str, str]) -> None:
    """Keep a roster under its number, which is higher than all before it."""
    tx.execute(
        "INSERT INTO roster (serial, keys, at) VALUES (?, ?, ?)",
        (serial, orjson.dumps(dict(people)).decode(), time.time()),
    )


def last_roster(tx: Tx) -> KeptRoster:
    """The newest roster; number 0, and nobody, where there was none."""
    row = tx.execute("SELECT serial, keys FROM roster ORDER BY serial DESC LIMIT 1").fetchone()
    return KeptRoster(0, {}) if row is None else KeptRoster(row[0], orjson.loads(row[1]))


def known_key(tx: Tx, role: str, owner: str) -> str | None:
    """The key of an owner at the last start."""
    row = tx.execute("SELECT key FROM known_key WHERE role = ? AND owner = ?", (role, owner)).fetchone()
    return None if row is None else row[0]


def known_since(tx: Tx, role: str, owner: str) -> float | None:
    """Since when the key of an owner is the one that it is."""
    row = tx.execute("SELECT since FROM known_key WHERE role = ? AND owner = ?", (role, owner)).fetchone()
    return None if row is None else row[0]


def note_keys(tx: Tx, role: str, keys: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Keep the keys of a role as they are now, by owner. Returns those that are new and those that are gone."""
    known = dict(tx.execute("SELECT owner, key FROM known_key WHERE role = ?", (role,)).fetchall())
    new = {owner: key for owner, key in keys.items() if known.get(owner) != key}
    gone = {owner: key for owner, key in known.items() if keys.get(owner) != key}
    tx.executemany(
        "DELETE FROM known_key WHERE role = ? AND owner = ? AND key = ?",
        [(role, owner, key) for owner, key in gone.items()],
    )
    tx.executemany(
        "INSERT INTO known_key (role, owner, key, since) VALUES (?, ?, ?, ?)",
        [(role, owner, key, time.time()) for owner, key in new.items()],
    )
    return new, gone
