"""Which ciphertexts were read already, kept over restarts. It never forgets one: an old order would count again."""

import sqlite3
from pathlib import Path

from bridges.matrix.disk import on_disk


class ReplayIndex:
    """Stands where the Matrix library keeps its own index, which lives in memory only.

    One row a message, some 150 bytes. Rows reach the disk with `keep`, before the batch that they came in is accepted.
    What a fault of the disk leaves is not used further: open the index anew, and read the batch again.
    """

    def __init__(self, path: Path) -> None:
        self._fresh: dict[tuple[str, str, int], tuple[str, int]] = {}
        """Seen, and not yet on disk: a disk that is full must not keep a stop from being read."""
        with on_disk():
            # Nobody else has the file; to wait for it would hold everything up.
            self._database = sqlite3.connect(path, timeout=0)
            try:
                path.chmod(0o600)
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = FULL")
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS seen (sender_key TEXT, session TEXT, number INTEGER, event TEXT,"
                    " sent_ms INTEGER, PRIMARY KEY (session, number, sender_key)) WITHOUT ROWID"
                )
            except sqlite3.Error:
                self._database.close()
                raise

    def __getitem__(self, key: tuple[str, str, int]) -> tuple[str, int]:
        if key in self._fresh:
            return self._fresh[key]
        row = self._database.execute(
            "SELECT event, sent_ms FROM seen WHERE sender_key = ? AND session = ? AND number = ?", key
        ).fetchone()
        if row is None:
            raise KeyError(key)
        return row[0], row[1]

    def __setitem__(self, key: tuple[str, str, int], value: tuple[str, int]) -> None:
        self._fresh[key] = value

    def keep(self) -> None:
        """Put on disk what was seen since the last time. Raises StoreError where it does not get there."""
        rows = [(*key, *value) for key, value in self._fresh.items()]
        with on_disk(), self._database:
            self._database.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?, ?)", rows)
        self._fresh.clear()

    def probe(self) -> None:
        """Write something of no meaning. Raises StoreError where the disk does not take it."""
        with on_disk(), self._database:
            self._database.execute("PRAGMA user_version = 0")

    def close(self) -> None:
        """Let go of the file. What was not kept belongs to a batch that was not accepted, and comes again with it."""
        self._database.close()
