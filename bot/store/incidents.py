"""What was stopped, and whom it affects. An incident that is written is never forgotten."""

import dataclasses
import enum
import time

from bot.store.store import Tx
from bot.words.message import Place


class Told(enum.StrEnum):
    """What the room knows of an incident."""

    NOTHING = "nothing"
    NOT_CONFIRMED = "not confirmed"
    CONFIRMED = "confirmed"


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """An incident as it stands in the database."""

    id: str
    target: str
    stop: bytes | None
    place: Place | None
    """Where it was ordered, and where its course is told."""
    reply_to: str | None
    told: Told


def open_incident(
    tx: Tx, incident: str, target: str, stop: bytes | None, place: Place | None, reply_to: str | None
) -> None:
    """Write an incident down. One that is there stays as it is, unless it had no signed stop and this brings it."""
    tx.execute(
        "INSERT INTO incident (id, target, opened, stop, network, place, reply_to) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET target = excluded.target, stop = excluded.stop, told = 'nothing',"
        " network = coalesce(network, excluded.network), place = coalesce(place, excluded.place),"
        " reply_to = coalesce(reply_to, excluded.reply_to)"
        " WHERE stop IS NULL AND excluded.stop IS NOT NULL",
        (
            incident,
            target,
            time.time(),
            stop,
            place.network if place else None,
            place.id if place else None,
            reply_to,
        ),
    )


def affect(tx: Tx, pairs: tuple[tuple[str, str], ...]) -> None:
    """Write down whom incidents affect, as pairs of incident and component."""
    tx.executemany(
        "INSERT INTO affected (incident, component) VALUES (?, ?) ON CONFLICT (incident, component) DO NOTHING",
        pairs,
    )


def join(tx: Tx, incident: str, place: Place, reply_to: str) -> None:
    """Somebody else ordered the same: their place is told too, once."""
    tx.execute(
        "INSERT INTO told_to (incident, network, place, reply_to) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (incident, network, place) DO NOTHING",
        (incident, place.network, place.id, reply_to),
    )


def tell(tx: Tx, incident: str, told: Told) -> None:
    """The room was told."""
    tx.execute("UPDATE incident SET told = ? WHERE id = ?", (told, incident))


def all_incidents(tx: Tx) -> list[Row]:
    """All of them, oldest first."""
    rows = tx.execute("SELECT id, target, stop, network, place, reply_to, told FROM incident ORDER BY opened, id")
    return [
        Row(
            incident,
            target,
            stop,
            Place(network, place) if network is not None else None,
            reply_to,
            Told(told),
        )
        for incident, target, stop, network, place, reply_to, told in rows
    ]


def all_joined(tx: Tx) -> list[tuple[str, Place, str]]:
    """Incident, place and order of all who joined one."""
    rows = tx.execute("SELECT incident, network, place, reply_to FROM told_to")
    return [(incident, Place(network, place), reply_to) for incident, network, place, reply_to in rows]


def all_affected(tx: Tx) -> list[tuple[str, str]]:
    """All pairs of incident and component."""
    return tx.execute("SELECT incident, component FROM affected").fetchall()
