"""What people are working on: targets, and until when. It stops nothing and lets nothing go."""

import dataclasses
import time

from bot.store.store import Tx


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """Somebody works on a target for a while."""

    target: str
    until: float
    """In seconds since 1970."""
    person: str


def put(tx: Tx, work: Work) -> None:
    """Note it, in place of what was noted of the same target."""
    tx.execute(
        "INSERT OR REPLACE INTO maintenance (target, until, person, at) VALUES (?, ?, ?, ?)",
        (work.target, work.until, work.person, time.time()),
    )


def drop(tx: Tx, target: str) -> bool:
    """It is over. False where there was none."""
    return tx.execute("DELETE FROM maintenance WHERE target = ?", (target,)).rowcount > 0


def all_work(tx: Tx) -> list[Work]:
    """All of it, what is over already as well."""
    return [Work(*row) for row in tx.execute("SELECT target, until, person FROM maintenance ORDER BY until, target")]
