"""Which message is a copy of which: what was said in one place and passed on to another.

A message is known by its network and the network's own id of it. Its place may become another one: it is moved.
"""

import dataclasses
import time

from bot.store import heard
from bot.store.store import Tx
from bot.words.message import Place

COPIES, FILE = "said ", "file "
MOST_FILES = 10
"""So many of a message are passed on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """Something that was said somewhere: the place, and the network's own id of it."""

    place: Place
    event: str

    @property
    def subject(self) -> str:
        """What its copies are about: a newer copy of the same is an edit."""
        return f"{COPIES}{self.place.network}:{self.event}"

    def file(self, number: int) -> str:
        """What the copies of a file of it are about. They are taken back with those of the words."""
        return f"{FILE}{number} {self.subject}"

    @property
    def files(self) -> list[str]:
        """The same, of all that it may have."""
        return [self.file(number) for number in range(MOST_FILES)]


def is_of_message(subject: str) -> bool:
    """Whether this is said of a message: its words, or a file of it."""
    before, _, rest = subject.partition(COPIES)
    return bool(rest) and (not before or before.startswith(FILE))


def origin_in(tx: Tx, subject: str) -> Said | None:
    """The message that this is said of, its words or a file of it, where it stands now. None where nobody knows."""
    if not is_of_message(subject):
        return None
    network, _, event = subject.partition(COPIES)[2].partition(":")
    place = heard.place_of(tx, network, event)
    return None if place is None else Said(place, event)


def link(tx: Tx, copy: Said, origin: Said) -> None:
    """Know a message as a copy of another. The first word on it holds; the same again changes nothing."""
    tx.execute(
        "INSERT INTO said (network, place, event, origin_network, origin_place, origin_event, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (network, event) DO NOTHING",
        (*_columns(copy), *_columns(origin), time.time()),
    )


def copy(tx: Tx, network: str, event: str) -> tuple[Said, Said] | None:
    """A copy as it stands now, and what it is one of."""
    row = tx.execute(
        "SELECT place, origin_network, origin_place, origin_event FROM said WHERE network = ? AND event = ?",
        (network, event),
    ).fetchone()
    if row is None:
        return None
    place, *origin = row
    return Said(Place(network, place), event), _said(*origin)


def origin_of(tx: Tx, said: Said) -> Said | None:
    """What this is a copy of, if it is one, and stands in this place."""
    found = copy(tx, said.place.network, said.event)
    return found[1] if found is not None and found[0] == said else None


def _columns(said: Said) -> tuple[str, str, str]:
    return said.place.network, said.place.id, said.event


def _said(network: str, place: str, event: str) -> Said:
    return Said(Place(network, place), event)
