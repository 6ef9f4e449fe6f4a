"""Sealed records for the tests of verifying and proving: made by a real store, and opened by hand to be spoilt."""

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path

from bot.audit.note import Signer
from bot.record.verdict import Verdict
from bot.record.verifying import verify
from bot.store import Store, Tx, audit, evidence, tree
from wire.envelope import PrivateKey

SIGNER = Signer("example.org/record/1", PrivateKey(b"record".ljust(32, b".")))
OTHER = Signer("example.org/record/2", PrivateKey(b"other".ljust(32, b".")))
COMMITS = (1, 40, 230, 1, 60, 8)
"""So many entries in each commit: together 340, with one full tile, and sizes that end on neither side of it."""
SIZES = (1, 41, 271, 272, 332, 340)


async def recorded(path: Path, *counts: int, signer: Signer = SIGNER, words: str = "it happened") -> None:
    """A record with so many entries in each commit, or so many more."""
    async with Store.opened(path) as store:
        store.seal_with(tree.Seal(signer))
        for count in counts:
            await store.write(lambda tx, count=count: _some(tx, count, words))


def _some(tx: Tx, count: int, words: str) -> None:
    for number in range(count):
        audit.record(tx, words, audit.about("olga", person="olga"), number=number)


@contextlib.contextmanager
def by_hand(path: Path) -> Generator[sqlite3.Connection]:
    """The database, as who has the file can change it. Afterwards it is at rest, with nothing in a log."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def seal_anew(connection: sqlite3.Connection, signer: Signer = SIGNER) -> None:
    """What a thief of the key can do: a whole new tree over the entries as they are now, with the old origin."""
    (origin,) = connection.execute("SELECT origin FROM tree").fetchone()
    for table in ("tree", "tile", "checkpoint"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
    assert signer.verifier.name == origin
    tree.Seal(signer)(connection)


def newest_note(path: Path) -> bytes:
    """What a witness is given."""
    with evidence.opened(path) as tx:
        note = tree.newest_note(tx)
    assert note is not None
    return note


def notes(path: Path) -> list[bytes]:
    """All that a witness was ever given."""
    with evidence.opened(path) as tx:
        return [*tree.notes(tx)]


def seen(path: Path, *witnessed: bytes, signer: Signer = SIGNER) -> Verdict:
    """The verdict of somebody who has the right key."""
    return verify(path, [signer.verifier], witnessed)


def told(verdict: Verdict) -> str:
    """All sentences."""
    return "\n".join(str(finding) for finding in verdict.findings)
