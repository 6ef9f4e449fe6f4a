"""What is passed on and waits for its place, or was refused there."""

import time
from collections.abc import Callable

from bot.store.store import Tx
from bot.words import packed
from bot.words.document import TakenBack, document
from bot.words.message import Lane, Place


def waiting(tx: Tx, place: Place, most: int) -> int:
    """How many posts wait for a place. They are counted up to so many."""
    (count,) = tx.execute(
        "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE network = ? AND place = ? AND lane = ? AND state = 'waiting'"
        " LIMIT ?)",
        (place.network, place.id, int(Lane.TALK), most),
    ).fetchone()
    return count


def has(tx: Tx, place: Place, subject: str) -> bool:
    """Whether anything was ever to be said on a subject there, as far as is kept."""
    found = tx.execute(
        "SELECT 1 FROM outbox WHERE network = ? AND place = ? AND subject = ? LIMIT 1",
        (place.network, place.id, subject),
    )
    return found.fetchone() is not None


def drop_failed(tx: Tx, place: Place, subject: str) -> bool:
    """What was refused there is not said again: something else stands there now. False where nothing was refused."""
    dropped = tx.execute(
        "UPDATE outbox SET state = 'merged', ended = ?, document = x'' WHERE network = ? AND place = ? AND subject = ?"
        " AND lane = ? AND state = 'failed'",
        (time.time(), place.network, place.id, subject, int(Lane.TALK)),
    )
    return dropped.rowcount > 0


def drop_unsaid(tx: Tx, place: Place, subject: str) -> None:
    """Nothing on a subject is said there that is not said yet, or was refused. The first in line may be on its way."""
    tx.execute(
        "UPDATE outbox AS mine SET state = 'merged', ended = ?, document = x'' WHERE network = ? AND place = ?"
        " AND subject = ? AND lane = ? AND (state = 'failed' OR state = 'waiting' AND id > (SELECT min(id) FROM outbox"
        " WHERE network = mine.network AND place = mine.place AND lane = mine.lane AND state = 'waiting'))",
        (time.time(), place.network, place.id, subject, int(Lane.TALK)),
    )


def drop_where_not(tx: Tx, may_go: Callable[[str, Place], bool]) -> int:
    """Have nothing said that may not be said there any more, by its subject. Returns how much.

    Never what is first in line at its place: it may be on its way. Nor what takes something back: it has no words.
    """
    rows = tx.execute(
        "SELECT id, network, place, subject FROM outbox AS mine WHERE lane = ?1 AND state IN ('waiting', 'failed')"
        " AND subject IS NOT NULL AND document <> ?2 AND (state = 'failed' OR id > (SELECT min(id) FROM outbox WHERE"
        " network = mine.network AND place = mine.place AND lane = ?1 AND state = 'waiting'))",
        (int(Lane.TALK), packed.dump(document(TakenBack(taken_back=True)))),
    ).fetchall()
    gone = [row for row, network, place, subject in rows if not may_go(subject, Place(network, place))]
    tx.executemany(
        "UPDATE outbox SET state = 'discarded', ended = ?, document = x'' WHERE id = ?",
        [(time.time(), row) for row in gone],
    )
    return len(gone)
