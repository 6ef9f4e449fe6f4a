"""The pictures that jobs brought at their end, so that they can be looked at later."""

from collections.abc import Sequence

from bot.store.store import Tx
from bot.words.document import Picture


def keep(tx: Tx, job: str, component: str, some: Sequence[Picture], at: float) -> None:
    """Keep what one component brought, in its order."""
    tx.executemany(
        "INSERT OR REPLACE INTO picture (job, component, number, alt, media_type, data, width, height, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (job, component, number, each.alt, each.media_type, each.data, each.width, each.height, at)
            for number, each in enumerate(some)
        ],
    )


def of(tx: Tx, job: str, most: int) -> list[Picture]:
    """Those of a job, component by component."""
    rows = tx.execute(
        "SELECT alt, media_type, data, width, height FROM picture WHERE job = ? ORDER BY component, number LIMIT ?",
        (job, most),
    )
    return [Picture(*row) for row in rows]
