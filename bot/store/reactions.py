"""What people show beside messages, and where: each by the original of the message."""

import dataclasses
import time

from bot.store.said import Said
from bot.store.store import Tx
from bot.words.message import Place, Reaction


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """Something that is shown beside a message, whoever does so."""

    origin: Said
    emoji: str

    @property
    def subject(self) -> str:
        """What the bot's own reaction is about, which stands for all of them in another place."""
        return f"reaction {self.emoji} {self.origin.subject}"


def note(tx: Tx, reaction: Reaction, origin: Said) -> None:
    """Somebody shows it. The same again changes nothing."""
    tx.execute(
        "INSERT INTO reaction (network, place, own, account, emoji, origin_network, origin_place, origin_event, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (network, own) DO NOTHING",
        (
            reaction.place.network,
            reaction.place.id,
            reaction.own,
            reaction.account.id,
            reaction.emoji,
            *_columns(origin),
            time.time(),
        ),
    )


def find_own(tx: Tx, network: str, own: str) -> tuple[Place, Shown] | None:
    """Where a reaction is, and what it shows beside what, by the network's id of it."""
    row = tx.execute(
        "SELECT place, emoji, origin_network, origin_place, origin_event FROM reaction WHERE network = ? AND own = ?",
        (network, own),
    ).fetchone()
    if row is None:
        return None
    place, emoji, origin_network, origin_place, event = row
    return Place(network, place), Shown(Said(Place(origin_network, origin_place), event), emoji)


def find(tx: Tx, place: Place, own: str) -> Shown | None:
    """What a reaction shows beside what, where it is in this place."""
    found = find_own(tx, place.network, own)
    return found[1] if found is not None and found[0] == place else None


def owns_on(tx: Tx, network: str) -> list[tuple[Place, str]]:
    """The network's ids of all that shows on it, and where."""
    rows = tx.execute("SELECT place, own FROM reaction WHERE network = ?", (network,))
    return [(Place(network, place), own) for place, own in rows]


def drop(tx: Tx, place: Place, own: str) -> None:
    """It is shown no more."""
    tx.execute("DELETE FROM reaction WHERE network = ? AND own = ? AND place = ?", (place.network, own, place.id))


def beside(tx: Tx, origin: Said) -> list[Shown]:
    """All that shows beside a message, whoever does so and wherever."""
    rows = tx.execute(
        "SELECT DISTINCT emoji FROM reaction WHERE origin_network = ? AND origin_event = ? ORDER BY emoji",
        (origin.place.network, origin.event),
    )
    return [Shown(origin, emoji) for (emoji,) in rows]


def places(tx: Tx, shown: Shown) -> frozenset[Place]:
    """Where anybody shows it."""
    rows = tx.execute(
        "SELECT DISTINCT network, place FROM reaction WHERE origin_network = ? AND origin_event = ? AND emoji = ?",
        (shown.origin.place.network, shown.origin.event, shown.emoji),
    )
    return frozenset(Place(network, id_) for network, id_ in rows)


def others(tx: Tx, shown: Shown) -> int:
    """How many other things are shown beside the same message."""
    (count,) = tx.execute(
        "SELECT count(DISTINCT emoji) FROM reaction WHERE origin_network = ? AND origin_event = ? AND emoji <> ?",
        (shown.origin.place.network, shown.origin.event, shown.emoji),
    ).fetchone()
    return count


def _columns(said: Said) -> tuple[str, str, str]:
    return said.place.network, said.place.id, said.event
