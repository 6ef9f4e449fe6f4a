"""What is passed on and waits for its place, or was refused there."""

import time
from collections.abc import Callable, Collection

from bot.store.store import Tx
from bot.words import packed
from bot.words.document import TakenBack, document
from bot.words.message import Lane, Place

GONE = packed.dump(document(TakenBack(taken_back=True)))
"""What takes something back, as it is stored."""


def waiting(tx: Tx, place: Place, most: int) -> int:
    """How many posts wait for a place. They are counted up to so many."""
    (count,) = tx.execute(
        "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE network = ? AND place = ? AND lane = ? AND state = 'waiting'"
        " LIMIT ?)",
        (place.network, place.id, int(Lane.TALK), most),
    ).fetchone()
    return count


def places_of(tx: Tx, subject: str) -> list[Place]:
    """Where anything was ever to be said on a subject, as far as is kept."""
    rows = tx.execute(
        "SELECT DISTINCT network, place FROM outbox WHERE subject = ? ORDER BY network, place", (subject,)
    )
    return [Place(network, place) for network, place in rows]


def let_go(tx: Tx, place: Place, subject: str, instead: str, *, answers: str | None = None) -> None:
    """What was said on a subject there is of another one: what is said of it next is said anew.

    What it answers may have been let go before.
    """
    tx.execute(
        "UPDATE outbox SET subject = ?, answers = iif(answers IS NULL, NULL, coalesce(?, answers))"
        " WHERE subject = ? AND network = ? AND place = ?",
        (instead, answers, subject, place.network, place.id),
    )


def drop_failed(tx: Tx, place: Place, subject: str) -> bool:
    """What was refused there is not said again: something else stands there now. False where nothing was refused."""
    dropped = tx.execute(
        "UPDATE outbox SET state = 'merged', ended = ?, document = x'' WHERE network = ? AND place = ? AND subject = ?"
        " AND lane = ? AND state = 'failed'",
        (time.time(), place.network, place.id, subject, int(Lane.TALK)),
    )
    return dropped.rowcount > 0


def keep_back(tx: Tx, place: Place, subject: str) -> None:
    """No new words go there for what was said already, be they first in line. What takes it back does."""
    tx.execute(
        "UPDATE outbox SET state = 'merged', ended = ?, document = x'' WHERE subject = ? AND network = ? AND place = ?"
        " AND lane = ? AND state IN ('waiting', 'failed') AND document <> ?",
        (time.time(), subject, place.network, place.id, int(Lane.TALK), GONE),
    )


def drop_unsaid(tx: Tx, place: Place, subject: str) -> None:
    """Nothing on a subject is said there that is not said yet, or was refused. The first in line may be on its way."""
    tx.execute(
        "UPDATE outbox AS mine SET state = 'merged', ended = ?, document = x'' WHERE network = ? AND place = ?"
        " AND subject = ? AND lane = ? AND (state = 'failed' OR state = 'waiting' AND id > (SELECT min(id) FROM outbox"
        " WHERE network = mine.network AND place = mine.place AND lane = mine.lane AND state = 'waiting'))",
        (time.time(), place.network, place.id, subject, int(Lane.TALK)),
    )


def drop_where_not(tx: Tx, may_go: Callable[[str, Place], bool], subjects: Collection[str] | None = None) -> int:
    """Have nothing said that may not be said there any more, by its subject: of all, or of some. Returns how much.

    Never what is first in line at its place: it may be on its way. Nor what takes something back: it has no words.
    """
    # The plus has it look among what waits or was refused alone, not among all that was ever said.
    which = "+subject IS NOT NULL" if subjects is None else "subject = ?3"
    waiting = (
        f"SELECT id, network, place, subject FROM outbox AS mine WHERE {which} AND state = 'waiting' AND lane = ?1"  # noqa: S608 - our own words
        " AND document <> ?2 AND id > (SELECT min(id) FROM outbox WHERE"
        " network = mine.network AND place = mine.place AND lane = ?1 AND state = 'waiting')"
        f" UNION ALL SELECT id, network, place, subject FROM outbox WHERE {which} AND state = 'failed'"
        " AND ended IS NOT NULL AND lane = ?1 AND document NOT IN (?2, x'')"
    )
    each = [(int(Lane.TALK), GONE, *some) for some in ([()] if subjects is None else [(one,) for one in subjects])]
    rows = [row for values in each for row in tx.execute(waiting, values).fetchall()]
    gone = [row for row, network, place, subject in rows if not may_go(subject, Place(network, place))]
    tx.executemany(
        "UPDATE outbox SET state = 'discarded', ended = ?, document = x'' WHERE id = ?",
        [(time.time(), row) for row in gone],
    )
    return len(gone)
