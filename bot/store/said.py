"""Which message is a copy of which: what was said in one place and passed on to another. A link is never changed."""

import dataclasses
import time

import orjson

from bot.store.store import Tx
from bot.words.message import Place

COPIES = "said "


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """Something that was said somewhere: the place, and the network's own id of it."""

    place: Place
    event: str

    @property
    def subject(self) -> str:
        """What its copies are about: a newer copy of the same is an edit."""
        return f"{COPIES}{orjson.dumps([self.place.network, self.place.id, self.event]).decode()}"

    @classmethod
    def of(cls, subject: str) -> "Said | None":
        """The original, where something on this subject is a copy."""
        if not subject.startswith(COPIES):
            return None
        network, place, event = orjson.loads(subject.removeprefix(COPIES))
        return cls(Place(network, place), event)


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
