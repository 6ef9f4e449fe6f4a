"""What was received and not yet dealt with. A row is there before any network is told that we have the message."""

import dataclasses
import hashlib
import time
from collections.abc import Sequence

from bot.store import moving
from bot.store.store import Tx
from bot.words.message import Change, Message, Moved, Place, Standing
from bot.words.people import Account

MOST_AT_ONCE = 1000
MOST_COUNTED = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """A message in the inbox."""

    row: int
    message: Message
    received: float
    running: bool
    """Its command was begun and not finished: a crash lies between."""
    edited: bool = False
    """It was edited by its writer, or taken back, before it was dealt with."""
    unwritten: str = ""
    """Why it is in no inbox, where it is not: what keeps the disk from taking it. Its row is then nothing."""

    id: str = dataclasses.field(init=False)
    """One id for all that this message leads to: the same after every restart, and never used again."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", id_of(self.message.place.network, self.message.event))

    def age_s(self, now: float) -> float:
        """How old the message is, on the server's clock as it was read at receipt."""
        return max(0.0, self.message.age_s) + max(0.0, now - self.received)


def id_of(network: str, event: str) -> str:
    """The id under which all stands that a message leads to."""
    return hashlib.sha256(f"{network}:{event}".encode()).hexdigest()[:32]


@dataclasses.dataclass(frozen=True, slots=True)
class Open:
    """What is not dealt with on one network."""

    network: str
    count: int
    oldest: float
    """When the one that waits longest came."""


def accept(  # what one batch of a network brings
    tx: Tx,
    network: str,
    messages: Sequence[Message],
    cursor: str,
    changes: Sequence[Change] = (),
    moves: Sequence[Moved] = (),
) -> list[Received]:
    """Put messages into the inbox, note which were moved and changed, and move the network's cursor on.

    Returns what is new.
    """
    now = time.time()
    (newest,) = tx.execute("SELECT coalesce(max(id), 0) FROM inbox").fetchone()
    taken = tx.executemany(
        _INSERT, [_values(network, row, message, now) for row, message in enumerate(messages, start=newest + 1)]
    )
    for moved in moves:
        moving.in_inbox(tx, moved)
    for said in ("network = ?1 AND event = ?2", "+network = ?1 AND planned_by = ?2"):  # the plus: look at what is open
        tx.executemany(
            f"UPDATE inbox SET edited = 1 WHERE {said} AND place = ?3 AND state <> 'done' AND (?4 OR account = ?5)",  # noqa: S608 - our own words
            [(network, change.event, change.place.id, change.removed, change.account.id) for change in changes],
        )
    tx.execute(
        "INSERT INTO cursor (network, token) VALUES (?, ?) ON CONFLICT (network) DO UPDATE SET token = excluded.token",
        (network, cursor),
    )
    if changes or taken.rowcount < len(messages):
        return open_rows(tx, newest, len(messages))
    return [Received(row, message, now, running=False) for row, message in enumerate(messages, start=newest + 1)]


def add(tx: Tx, message: Message) -> Received | None:
    """Put a message there that no network has brought. None where it is there already."""
    now = time.time()
    (newest,) = tx.execute("SELECT coalesce(max(id), 0) FROM inbox").fetchone()
    if not tx.execute(_INSERT, _values(message.place.network, newest + 1, message, now)).rowcount:
        return None
    return Received(newest + 1, message, now, running=False)


def take_in(tx: Tx, message: Message) -> int | None:
    """The row of a message that is dealt with beside its network's stream. None where it has been dealt with already.

    The cursor stays: what the stream brings later is then known.
    """
    place, account = message.place, message.account
    tx.execute(
        "INSERT INTO inbox (network, id, event, place, account, device, standing, addressed, text, sent_ms, age_s,"
        " received) VALUES (?, (SELECT coalesce(max(id), 0) + 1 FROM inbox), ?, ?, ?, ?, ?, ?, '', ?, ?, ?)"
        " ON CONFLICT (network, event) DO NOTHING",
        (
            place.network,
            message.event,
            place.id,
            account.id,
            message.device,
            str(message.standing),
            int(message.addressed),
            message.sent_ms,
            message.age_s,
            time.time(),
        ),
    )
    found = tx.execute(
        "SELECT id FROM inbox WHERE network = ? AND event = ? AND state <> 'done'", (place.network, message.event)
    ).fetchone()
    return None if found is None else found[0]


def has(tx: Tx, place: Place, event: str) -> bool:
    """Whether a message of a place's network is there, dealt with or not."""
    said = (place.network, event)
    return tx.execute("SELECT 1 FROM inbox WHERE network = ? AND event = ?", said).fetchone() is not None


def cursor(tx: Tx, network: str) -> str | None:
    """Where a network's next batch begins."""
    row = tx.execute("SELECT token FROM cursor WHERE network = ?", (network,)).fetchone()
    return None if row is None else row[0]


def open_rows(tx: Tx, after: int = 0, most: int = MOST_AT_ONCE) -> list[Received]:
    """What is not dealt with, in the order in which it came: a page. The next one begins after its last row."""
    rows = tx.execute(
        "SELECT network, id, event, place, account, device, standing, addressed, text, sent_ms, age_s, received,"
        " planned_by, state, edited FROM inbox WHERE state <> 'done' AND id > ? ORDER BY id LIMIT ?",
        (after, most),
    )
    return [_received(*row) for row in rows]


def count_open(tx: Tx, most: int = MOST_COUNTED) -> list[Open]:
    """How much is not dealt with, network by network: among the oldest so many."""
    rows = tx.execute(
        "SELECT network, count(*), min(received) FROM"
        " (SELECT network, received FROM inbox WHERE state <> 'done' ORDER BY id LIMIT ?)"
        " GROUP BY network ORDER BY network",
        (most,),
    )
    return [Open(*row) for row in rows]


def writer_of(tx: Tx, place: Place, event: str) -> Message | None:
    """Who wrote something, when, and how sure that is. Its words are gone once it is dealt with."""
    row = tx.execute(
        "SELECT account, device, standing, sent_ms, age_s, called FROM inbox"
        " WHERE network = ? AND event = ? AND place = ?",
        (place.network, event, place.id),
    ).fetchone()
    if row is None:
        return None
    account, device, standing, sent_ms, age_s, called = row
    who = Account(place.network, account)
    return Message(place, who, event, "", Standing(standing), device, sent_ms, age_s, called=called)


def was_edited(tx: Tx, row: int) -> bool:
    """Whether a message was edited or removed since it came in, as far as is known in this very transaction."""
    found = tx.execute("SELECT edited FROM inbox WHERE id = ?", (row,)).fetchone()
    return found is not None and bool(found[0])


def begin(tx: Tx, row: int) -> None:
    """A command that changes something starts: a crash from here on leaves its outcome unknown."""
    tx.execute("UPDATE inbox SET state = 'running' WHERE id = ?", (row,))


def done(tx: Tx, row: int) -> None:
    """Dealt with. The text goes; the row stays, so that the same event is never taken twice."""
    tx.execute("UPDATE inbox SET state = 'done', text = '' WHERE id = ?", (row,))


_INSERT = (
    "INSERT INTO inbox (network, id, event, place, account, device, standing, addressed, text, sent_ms, age_s,"
    " received, planned_by, called) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (network, event) DO NOTHING"
)


def _values(network: str, row: int, message: Message, now: float) -> tuple[str | int | float, ...]:
    return (
        network,
        row,
        message.event,
        message.place.id,
        message.account.id,
        message.device,
        str(message.standing),
        int(message.addressed),
        message.text,
        message.sent_ms,
        message.age_s,
        now,
        message.planned_by,
        message.called,
    )


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
    planned_by: str,
    state: str,
    edited: int,
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
        planned_by=planned_by,
    )
    return Received(row, message, received, running=state == "running", edited=bool(edited))
