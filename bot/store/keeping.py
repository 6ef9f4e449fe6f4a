"""How long what is kept is kept. The record, the incidents and the pinned keys are never touched here."""

import dataclasses
import os
from pathlib import Path

from bot.store.store import Tx
from bot.words.errors import StoreError

WARN_AT = 0.8
"""A disk that is fuller than this is told to people."""
MOST_AT_ONCE = 500

DAY_S = 86_400.0
ROWS_S = 30 * DAY_S
WORDS_S = DAY_S
LINKS_S = 90 * DAY_S
MOST_PICTURES = 500
"""With the bound of each, 128 MB."""


@dataclasses.dataclass(frozen=True, slots=True)
class Swept:
    """How many rows one bite took."""

    inbox: int = 0
    outbox: int = 0
    words: int = 0
    """Posts and requests of which only the words went."""
    requests: int = 0
    said: int = 0
    reactions: int = 0
    jobs: int = 0
    pictures: int = 0
    alerts: int = 0

    @property
    def total(self) -> int:
        """Nothing is left to do where it is 0."""
        return (
            self.inbox
            + self.outbox
            + self.words
            + self.requests
            + self.said
            + self.reactions
            + self.jobs
            + self.pictures
            + self.alerts
        )


def sweep(tx: Tx, now: float, most: int = MOST_AT_ONCE) -> Swept:
    """Let go of what is too old: of each kind at most so many rows, so that no stop waits for it. Call it again."""
    return Swept(
        # The newest row stays, whatever it is: its number would be given again, and the desk counts on rising ones.
        inbox=_change(
            tx,
            "DELETE FROM inbox WHERE state = 'done' AND received < ? AND id < (SELECT max(id) FROM inbox)"
            " AND id IN (SELECT id FROM inbox ORDER BY id LIMIT ?)",
            now - ROWS_S,
            most,
        ),
        outbox=_change(
            tx,
            "DELETE FROM outbox WHERE id IN"
            " (SELECT id FROM outbox WHERE state IN ('sent', 'merged', 'discarded', 'failed') AND ended < ? LIMIT ?)",
            now - ROWS_S,
            most,
        ),
        words=_change(
            tx,
            "UPDATE outbox SET document = x'', digest = NULL WHERE id IN"
            " (SELECT id FROM outbox WHERE state = 'failed' AND ended < ? AND document <> x'' LIMIT ?)",
            now - WORDS_S,
            most,
        )
        + _change(
            tx,
            "UPDATE request SET text = '', asked = '' WHERE code IN (SELECT code FROM request"
            " WHERE state NOT IN ('open', 'running') AND expires < ? AND (text <> '' OR asked <> '') LIMIT ?)",
            now - WORDS_S,
            most,
        ),
        requests=_change(
            tx,
            "DELETE FROM request WHERE code IN"
            " (SELECT code FROM request WHERE state NOT IN ('open', 'running') AND expires < ? LIMIT ?)",
            now - ROWS_S,
            most,
        ),
        said=_change(
            tx,
            "DELETE FROM said WHERE (network, event) IN (SELECT network, event FROM said WHERE at < ? LIMIT ?)",
            now - LINKS_S,
            most,
        ),
        reactions=_change(
            tx,
            "DELETE FROM reaction WHERE (network, own) IN (SELECT network, own FROM reaction WHERE at < ? LIMIT ?)",
            now - LINKS_S,
            most,
        ),
        jobs=_change(
            tx,
            "DELETE FROM job WHERE (id, component) IN (SELECT id, component FROM job WHERE ended < ? LIMIT ?)",
            now - ROWS_S,
            most,
        ),
        pictures=_change(
            tx,
            "DELETE FROM picture WHERE rowid IN (SELECT rowid FROM picture WHERE at < ? LIMIT ?)",
            max(now - ROWS_S, _oldest_to_keep(tx)),
            most,
        ),
        alerts=_change(
            tx,
            "DELETE FROM alert WHERE rowid IN (SELECT rowid FROM alert WHERE cleared < ? LIMIT ?)",
            now - ROWS_S,
            most,
        ),
    )


def _oldest_to_keep(tx: Tx) -> float:
    """From when the newest pictures are, as many as are kept."""
    found = tx.execute("SELECT at FROM picture ORDER BY at DESC LIMIT 1 OFFSET ?", (MOST_PICTURES - 1,)).fetchone()
    return found[0] if found else 0.0


def fullness(path: Path) -> float:
    """How full the disk is on which a file lies, for the user who we are: 0 is empty, 1 takes nothing more."""
    try:
        disk = os.statvfs(path)
    except OSError as error:
        raise StoreError(f"The disk of {path} cannot be looked at: {error.strerror}.") from error
    used = disk.f_blocks - disk.f_bfree
    return used / (used + disk.f_bavail) if used + disk.f_bavail else 0.0


def _change(tx: Tx, sql: str, before: float, most: int) -> int:
    return tx.execute(sql, (before, most)).rowcount
