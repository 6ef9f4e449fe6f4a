"""Which message is a copy of which: what was said in one place and passed on to another. A link is never changed."""

import dataclasses
import time

from bot.store.store import Tx
from bot.words.message import Place


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """Something that was said somewhere: the place, and the network's own id of it."""

    place: Place
    event: str


def link(tx: Tx, copy: Said, origin: Said) -> None:
    """Know a message as a copy of another. The first word on it holds; the same again changes nothing."""
    tx.execute(
        "INSERT INTO said (network, place, event, origin_network, origin_place, origin_event, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (network, place, event) DO NOTHING",
        (*_columns(copy), *_columns(origin), time.time()),
    )


def origin_of(tx: Tx, said: Said) -> Said | None:
    """What this is a copy of, if it is one."""
    row = tx.execute(
        "SELECT origin_network, origin_place, origin_event FROM said WHERE network = ? AND place = ? AND event = ?",
        _columns(said),
    ).fetchone()
    return None if row is None else _said(*row)


def copies_of(tx: Tx, origin: Said) -> list[Said]:
    """Where it was passed on to, place by place."""
    rows = tx.execute(
        "SELECT network, place, event FROM said WHERE origin_network = ? AND origin_place = ? AND origin_event = ?"
        " ORDER BY network, place, event",
        _columns(origin),
    )
    return [_said(*row) for row in rows]


def _columns(said: Said) -> tuple[str, str, str]:
    return said.place.network, said.place.id, said.event


def _said(network: str, place: str, event: str) -> Said:
    return Said(Place(network, place), event)
