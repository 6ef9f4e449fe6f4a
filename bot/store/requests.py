"""What somebody asked for that a second person must agree to. A request that was decided is never decided again."""

import dataclasses
import enum

from bot.store.store import Tx
from bot.words.message import Change, Message, Place, Standing
from bot.words.people import Account


class State(enum.StrEnum):
    """What became of a request."""

    OPEN = "open"
    RUNNING = "running"
    """Approved, and begun."""
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Approved, begun, and cut off by a crash."""
    DENIED = "denied"
    EXPIRED = "expired"
    VOID = "void"
    """Edited, or what it would hit has changed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One request, with the message that asked for it."""

    code: str
    """What a person types to decide it. It is no secret."""
    id: str
    person: str
    message: Message
    asked: str
    """The command with its arguments as they were understood."""
    digest: str
    """Of all that an approval is for."""
    made: float
    expires: float
    state: State = State.OPEN
    decided: str | None = None
    """Who decided, or why it is void."""


_SELECT = (
    "SELECT code, id, person, network, place, account, device, standing, event, text, asked, digest, made, expires,"
    " state, decided FROM request WHERE "
)


def ask(tx: Tx, request: Request) -> None:
    """Write a request down."""
    message = request.message
    tx.execute(
        "INSERT INTO request (code, id, person, network, place, account, device, standing, event, text, asked, digest,"
        " made, expires, state, decided) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.code,
            request.id,
            request.person,
            message.place.network,
            message.place.id,
            message.account.id,
            message.device,
            message.standing,
            message.event,
            message.text,
            request.asked,
            request.digest,
            request.made,
            request.expires,
            request.state,
            request.decided,
        ),
    )


def find(tx: Tx, code: str) -> Request | None:
    """The request with this code."""
    row = tx.execute(_SELECT + "code = ?", (code,)).fetchone()
    return None if row is None else _request(*row)


def in_state(tx: Tx, state: State) -> list[Request]:
    """All requests that are so, the oldest first."""
    return [_request(*row) for row in tx.execute(_SELECT + "state = ? ORDER BY made, code", (state,))]


def decide(tx: Tx, code: str, state: State, decided: str, *, was: State = State.OPEN) -> bool:
    """Bring a request from one state to the next. False where it is not in the first one any more."""
    done = tx.execute(
        "UPDATE request SET state = ?, decided = ? WHERE code = ? AND state = ?", (state, decided, code, was)
    )
    return done.rowcount == 1


def open_ones(tx: Tx, person: str) -> tuple[int, int]:
    """How many requests wait, and how many of them are this person's."""
    found = tx.execute(
        "SELECT count(*), count(*) FILTER (WHERE person = ?) FROM request WHERE state = 'open'", (person,)
    )
    return found.fetchone()


def is_edited(tx: Tx, message: Message) -> bool:
    """Whether a message was edited or removed before what it asks for was written."""
    found = tx.execute(
        "SELECT edited FROM inbox WHERE network = ? AND event = ?", (message.place.network, message.event)
    ).fetchone()
    return found is not None and bool(found[0])


def touched(tx: Tx, network: str, change: Change) -> list[Request]:
    """Open requests whose message this change is about: edited by its writer, or taken back by anybody."""
    rows = tx.execute(
        _SELECT + "network = ? AND event = ? AND place = ? AND state = 'open' AND (? OR account = ?)",
        (network, change.event, change.place.id, change.removed, change.account.id),
    )
    return [_request(*row) for row in rows]


def _request(  # the columns, in their order
    code: str,
    id: str,  # noqa: A002 - the column's name
    person: str,
    network: str,
    place: str,
    account: str,
    device: str,
    standing: str,
    event: str,
    text: str,
    asked: str,
    digest: str,
    made: float,
    expires: float,
    state: str,
    decided: str | None,
) -> Request:
    message = Message(
        place=Place(network, place),
        account=Account(network, account),
        event=event,
        text=text,
        standing=Standing(standing),
        device=device,
        sent_ms=int(made * 1000),
        age_s=0.0,
        addressed=True,
    )
    return Request(code, id, person, message, asked, digest, made, expires, State(state), decided)
