"""Places that people have linked from chat."""

import dataclasses
import time

from bot.store.store import Tx
from bot.words.message import Place


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """One place of a channel."""

    channel: str
    place: Place
    person: str


def put(tx: Tx, link: Link) -> None:
    """It is in this channel from now on."""
    tx.execute(
        "INSERT INTO link (network, place, channel, person, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (network, place) DO UPDATE SET channel = excluded.channel, person = excluded.person,"
        " at = excluded.at",
        (link.place.network, link.place.id, link.channel, link.person, time.time()),
    )


def drop(tx: Tx, place: Place) -> None:
    """It is in no channel any more, as far as chat goes."""
    tx.execute("DELETE FROM link WHERE network = ? AND place = ?", (place.network, place.id))


def everything(tx: Tx) -> list[Link]:
    """All of them, the oldest first."""
    rows = tx.execute("SELECT channel, network, place, person FROM link ORDER BY at, network, place")
    return [Link(channel, Place(network, place), person) for channel, network, place, person in rows]
