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
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (network, place, own) DO NOTHING",
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


def find(tx: Tx, place: Place, own: str) -> Shown | None:
    """What a reaction shows beside what, by the network's id of it."""
    row = tx.execute(
        "SELECT emoji, origin_network, origin_place, origin_event FROM reaction"
        " WHERE network = ? AND place = ? AND own = ?",
        (place.network, place.id, own),
    ).fetchone()
    if row is None:
        return None
    emoji, network, id_, event = row
    return Shown(Said(Place(network, id_), event), emoji)


def owns(tx: Tx, place: Place) -> list[str]:
    """The network's ids of all that shows in a place."""
    rows = tx.execute("SELECT own FROM reaction WHERE network = ? AND place = ?", (place.network, place.id))
    return [own for (own,) in rows]


def drop(tx: Tx, place: Place, own: str) -> None:
    """It is shown no more."""
    tx.execute("DELETE FROM reaction WHERE network = ? AND place = ? AND own = ?", (place.network, place.id, own))


def places(tx: Tx, shown: Shown) -> frozenset[Place]:
    """Where anybody shows it."""
    rows = tx.execute(
        "SELECT DISTINCT network, place FROM reaction"
        " WHERE origin_network = ? AND origin_place = ? AND origin_event = ? AND emoji = ?",
        (*_columns(shown.origin), shown.emoji),
    )
    return frozenset(Place(network, id_) for network, id_ in rows)


def others(tx: Tx, shown: Shown) -> int:
    """How many other things are shown beside the same message."""
    (count,) = tx.execute(
        "SELECT count(DISTINCT emoji) FROM reaction"
        " WHERE origin_network = ? AND origin_place = ? AND origin_event = ? AND emoji <> ?",
        (*_columns(shown.origin), shown.emoji),
    ).fetchone()
    return count


def _columns(said: Said) -> tuple[str, str, str]:
    return said.place.network, said.place.id, said.event
