"""What is to be said. A row stays until its network has confirmed it."""

import dataclasses
import secrets
import time
from collections.abc import Sequence

import orjson
from pydantic import TypeAdapter

from bot.store.store import Tx
from bot.words.document import Document
from bot.words.message import Lane, Place, Post

_documents = TypeAdapter(Document)


@dataclasses.dataclass(frozen=True, slots=True)
class Queued:
    """A post that waits for its network."""

    row: int
    key: str
    """Random, and the same at every try: a network that has seen it does not say the post twice."""
    place: Place
    lane: Lane
    stored: bytes
    reply_to: str | None

    @property
    def post(self) -> Post:
        """What is to be said. Raises ValueError where another version has stored what this one cannot read."""
        return Post(self.place, _documents.validate_json(self.stored), self.lane, self.reply_to)


def queue(tx: Tx, post: Post) -> str:
    """Say it as soon as its network takes it. Returns the post's key; raises ValueError for what is no document."""
    key = secrets.token_hex(16)
    tx.execute(
        "INSERT INTO outbox (key, lane, network, place, document, reply_to, queued) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            key,
            post.lane,
            post.place.network,
            post.place.id,
            _documents.dump_json(_documents.validate_python(post.document), warnings="error"),
            post.reply_to,
            time.time(),
        ),
    )
    return key


def waiting(tx: Tx, network: str, most: int = 50, *, away: Sequence[Place] = ()) -> list[Queued]:
    """What a network should be told next: lane by lane, and in each lane in order. Not for places that are away."""
    rows = tx.execute(
        "SELECT id, key, place, lane, document, reply_to FROM outbox WHERE network = ? AND state = 'waiting'"
        " AND place NOT IN (SELECT value FROM json_each(?)) ORDER BY lane, id LIMIT ?",
        (network, orjson.dumps([place.id for place in away]).decode(), most),
    )
    return [
        Queued(row, key, Place(network, place), Lane(lane), document, reply_to)
        for row, key, place, lane, document, reply_to in rows
    ]


def sent(tx: Tx, row: int, event: str) -> None:
    """The network confirmed it. The words go."""
    tx.execute("UPDATE outbox SET state = 'sent', event = ?, document = x'' WHERE id = ?", (event, row))


def failed(tx: Tx, row: int, error: str) -> None:
    """The network will never take it. The words stay, so that a person can look."""
    tx.execute("UPDATE outbox SET state = 'failed', error = ? WHERE id = ?", (error, row))
