"""What was received and not yet dealt with. A row is there before any network is told that we have the message."""

import dataclasses
import hashlib
import time
from collections.abc import Sequence

from bot.store.store import Tx
from bot.words.message import Message, Place, Standing
from bot.words.people import Account


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """A message in the inbox."""

    row: int
    message: Message
    received: float
    running: bool
    """Its command was begun and not finished: a crash lies between."""

    @property
    def id(self) -> str:
        """One id for all that this message leads to: the same after every restart, and never used again."""
        return hashlib.sha256(f"{self.message.place.network}:{self.message.event}".encode()).hexdigest()[:32]

    def age_s(self, now: float) -> float:
        """How old the message is, on the server's clock as it was read at receipt."""
        return max(0.0, self.message.age_s) + max(0.0, now - self.received)


def accept(tx: Tx, network: str, messages: Sequence[Message], cursor: str) -> int:
    """Put messages into the inbox and move the network's cursor on. Returns how many were new."""
    new = 0
    for message in messages:
        done = tx.execute(
            "INSERT INTO inbox (network, event, place, account, device, standing, addressed, text, sent_ms, age_s,"
            " received) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (network, event) DO NOTHING",
            (
                network,
                message.event,
                message.place.id,
                message.account.id,
                message.device,
                message.standing,
                message.addressed,
                message.text,
                message.sent_ms,
                message.age_s,
                time.time(),
            ),
        )
        new += done.rowcount
    tx.execute(
        "INSERT INTO cursor (network, token) VALUES (?, ?) ON CONFLICT (network) DO UPDATE SET token = excluded.token",
        (network, cursor),
    )
    return new


def cursor(tx: Tx, network: str) -> str | None:
    """Where a network's next batch begins."""
    row = tx.execute("SELECT token FROM cursor WHERE network = ?", (network,)).fetchone()
    return None if row is None else row[0]


def open_rows(tx: Tx, after: int = 0) -> list[Received]:
    """All that is not dealt with, in the order in which it came."""
    rows = tx.execute(
        "SELECT network, id, event, place, account, device, standing, addressed, text, sent_ms, age_s, received, state"
        " FROM inbox WHERE state <> 'done' AND id > ? ORDER BY id",
        (after,),
    )
    return [_received(*row) for row in rows]


def begin(tx: Tx, row: int) -> None:
    """A command that changes something starts: a crash from here on leaves its outcome unknown."""
    tx.execute("UPDATE inbox SET state = 'running' WHERE id = ?", (row,))


def done(tx: Tx, row: int) -> None:
    """Dealt with. The text goes; the row stays, so that the same event is never taken twice."""
    tx.execute("UPDATE inbox SET state = 'done', text = '' WHERE id = ?", (row,))


def _received(  # the columns, in their order
    network: str,
    row: int,
    event: str,
    place: str,
    account: str,
    device: str,
    standing: str,
    addressed: int,
    text: str,
    sent_ms: int,
    age_s: float,
    received: float,
    state: str,
) -> Received:
    message = Message(
        place=Place(network, place),
        account=Account(network, account),
        event=event,
        text=text,
        standing=Standing(standing),
        device=device,
        sent_ms=sent_ms,
        age_s=age_s,
        addressed=bool(addressed),
    )
    return Received(row, message, received, running=state == "running")
