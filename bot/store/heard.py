"""Which messages of a network the inbox was ever given, for a bridge that must tell of their edits later."""

import dataclasses

from bot.store.store import Tx
from bot.words.message import Place
from bot.words.people import Account

MOST_AT_ONCE = 1000
_HEARD = "SELECT event, place, account, sent_ms, age_s FROM inbox WHERE network = ?"


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """A message that was put there, dealt with or not."""

    event: str
    place: Place
    account: Account
    heard_s: float
    """When it came, on the clock of its network."""


def place_of(tx: Tx, network: str, event: str) -> Place | None:
    """Where a message stands now."""
    row = tx.execute("SELECT place FROM inbox WHERE network = ? AND event = ?", (network, event)).fetchone()
    return None if row is None else Place(network, row[0])


def heard_as(tx: Tx, network: str, begin: str) -> list[Heard]:
    """The messages whose events begin so."""
    # Nothing that begins so stands behind the last character that there is.
    rows = tx.execute(f"{_HEARD} AND event >= ? AND event < ? || char(1114111)", (network, begin, begin))
    return [_heard(network, *row) for row in rows]


def heard_since(tx: Tx, network: str, sent_ms: int, most: int = MOST_AT_ONCE) -> list[Heard]:
    """The messages that were sent since then: the last so many."""
    rows = tx.execute(f"{_HEARD} AND sent_ms >= ? ORDER BY id DESC LIMIT ?", (network, sent_ms, most))
    return [_heard(network, *row) for row in rows]


def _heard(network: str, event: str, place: str, account: str, sent_ms: int, age_s: float) -> Heard:
    return Heard(event, Place(network, place), Account(network, account), sent_ms / 1000 + age_s)
