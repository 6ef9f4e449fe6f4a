"""Who has the command of a component, alone, and until when. It keeps nobody from stopping it."""

import dataclasses

from bot.store.store import Tx
from bot.words.message import Place


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """One person commands one component for a while."""

    component: str
    person: str
    place: Place
    reply_to: str
    """Where they took it: there they hear of whoever takes it from them."""
    since: float
    until: float
    """Both in seconds since 1970."""


def put(tx: Tx, held: Held) -> None:
    """It is so now, in place of what was."""
    tx.execute(
        "INSERT OR REPLACE INTO helm (component, person, network, place, reply_to, since, until)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (held.component, held.person, held.place.network, held.place.id, held.reply_to, held.since, held.until),
    )


def drop(tx: Tx, component: str) -> bool:
    """It is over. False where it was."""
    return tx.execute("DELETE FROM helm WHERE component = ?", (component,)).rowcount > 0


def everything(tx: Tx) -> list[Held]:
    """All of it, what is over already as well."""
    rows = tx.execute("SELECT component, person, network, place, reply_to, since, until FROM helm ORDER BY component")
    return [
        Held(component, person, Place(network, place), reply_to, since, until)
        for component, person, network, place, reply_to, since, until in rows
    ]
