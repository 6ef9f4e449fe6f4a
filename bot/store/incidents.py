"""What was stopped, and whom it affects. An incident that is written is never forgotten."""

import dataclasses
import enum
import time
from collections.abc import Iterable

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
    opened: float
    """In seconds since 1970."""
    over: float | None
    """When all that it had stopped was working again."""


class What(enum.StrEnum):
    """One thing that happened in the course of an incident."""

    ORDERED = "ordered"
    JOINED = "joined"
    ADOPTED = "adopted"
    """It was not ordered here: a component, or a stop on the wire, told of it."""
    WIDENED = "widened"
    """The signed stop of one that a component had named turned up."""
    STOPPED = "stopped"
    WORKING = "working"
    """It had said that it stands still, and then that it works."""
    CONFIRMED = "confirmed"
    NOT_CONFIRMED = "not confirmed"
    VERIFIED = "verified"
    """A person looked at a component that cannot say it."""
    TAKEN = "taken"
    """A person leads it now."""
    RESET = "reset"
    READY = "ready"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One line of an incident's course."""

    what: What
    component: str = ""
    person: str = ""
    words: str = ""
    at: float = dataclasses.field(default_factory=time.time)


def open_incident(
    tx: Tx,
    incident: str,
    target: str,
    stop: bytes | None,
    place: Place | None,
    reply_to: str | None,
    *,
    at: float | None = None,
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
            time.time() if at is None else at,
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
    rows = tx.execute(
        "SELECT id, target, stop, network, place, reply_to, told, opened, over FROM incident ORDER BY opened, id"
    )
    return [
        Row(
            incident,
            target,
            stop,
            Place(network, place) if network is not None else None,
            reply_to,
            Told(told),
            opened,
            over,
        )
        for incident, target, stop, network, place, reply_to, told, opened, over in rows
    ]


def note(tx: Tx, incident: str, steps: Iterable[Step]) -> None:
    """Add to an incident's course."""
    tx.executemany(
        "INSERT INTO course (incident, at, what, component, person, words) VALUES (?, ?, ?, ?, ?, ?)",
        [(incident, each.at, each.what, each.component, each.person, each.words) for each in steps],
    )


def course(tx: Tx, incident: str, most: int) -> list[Step]:
    """The last steps of an incident, oldest first."""
    rows = tx.execute(
        "SELECT what, component, person, words, at FROM course WHERE incident = ? ORDER BY id DESC LIMIT ?",
        (incident, most),
    ).fetchall()
    return [Step(What(what), component, person, words, at) for what, component, person, words, at in reversed(rows)]


def latest(tx: Tx, what: What) -> list[tuple[str, Step]]:
    """Of each incident that is not over, the newest step of a kind for each component."""
    rows = tx.execute(
        "SELECT incident, component, person, words, max(at) FROM course WHERE what = ?"
        " AND incident IN (SELECT id FROM incident WHERE over IS NULL) GROUP BY incident, component",
        (what,),
    )
    return [(incident, Step(what, component, person, words, at)) for incident, component, person, words, at in rows]


def clear(tx: Tx, pairs: Iterable[tuple[str, str]]) -> None:
    """Write down who is let off which incident, as pairs of incident and component."""
    tx.executemany(
        "INSERT INTO cleared (incident, component) VALUES (?, ?) ON CONFLICT (incident, component) DO NOTHING",
        list(pairs),
    )


def all_cleared(tx: Tx) -> list[tuple[str, str]]:
    """All pairs of incident and component that were let off."""
    return tx.execute("SELECT incident, component FROM cleared").fetchall()


def end(tx: Tx, incident: str) -> None:
    """All that it had stopped works again."""
    tx.execute("UPDATE incident SET over = ? WHERE id = ?", (time.time(), incident))


def reopen(tx: Tx, incidents: Iterable[str]) -> None:
    """They stop somebody whom nobody knew of: what was said to be confirmed or over is so no longer."""
    tx.executemany(
        "UPDATE incident SET over = NULL, told = 'nothing' WHERE id = ? AND (over IS NOT NULL OR told = 'confirmed')",
        [(incident,) for incident in incidents],
    )


def all_joined(tx: Tx) -> list[tuple[str, Place, str]]:
    """Incident, place and order of all who joined one."""
    rows = tx.execute("SELECT incident, network, place, reply_to FROM told_to")
    return [(incident, Place(network, place), reply_to) for incident, network, place, reply_to in rows]


def all_affected(tx: Tx) -> list[tuple[str, str]]:
    """All pairs of incident and component."""
    return tx.execute("SELECT incident, component FROM affected").fetchall()
