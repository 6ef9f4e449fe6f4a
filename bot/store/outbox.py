"""What is to be said. A row stays until its network has confirmed it; nothing that waits is dropped unseen.

At a place one post is on its way at a time, and a file beside it: the first of a lane, by row. So the words of a lane's
first waiting row are never touched, and a row that comes to wait again, or in another lane, gets a new number at the
end.
"""

import dataclasses
import secrets
import time
from collections.abc import Mapping, Sequence

import orjson

from bot.store import digest, documents, heard, said
from bot.store.store import Tx
from bot.words import packed
from bot.words.message import Lane, Place, Post

DIGEST_FROM = 10
"""More than these wait in one lane at a place, and they become a digest."""
KEPT_AS_THEY_ARE = 5
"""The newest ones, which no digest takes in."""
MOST_IN_ONE_DIGEST = 1000
"""How many rows are taken in at once. The next call takes the rest."""
MOST_LOOKED_AT = 10_000
"""Of what was sent, and of what was refused: who looks at places does not wait for a month of it."""
THREAD = "thread "
"""What a post is about with which a thread begins, and the thread's topic."""
MAY_BE_CONDENSED = frozenset({Lane.ANSWER, Lane.ALERT, Lane.PROGRESS})


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
    subject: str | None = None
    edits: str | None = None
    """The event of what was last said here on the same subject."""
    thread: str | None = None
    """The event that the thread of its topic begins with here."""

    @property
    def post(self) -> Post:
        """What is to be said. Raises ValueError where another version has stored what this one cannot read."""
        words = packed.load(self.stored)
        return Post(self.place, words, self.lane, self.reply_to, self.subject, edits=self.edits, thread=self.thread)


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in one lane at one place."""

    place: Place
    lane: Lane
    count: int
    oldest: float
    """When the one that waits longest was queued."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A post that its network refused for good."""

    row: int
    place: Place
    lane: Lane
    queued: float
    error: str
    words: str
    """How it begins."""


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """What a place refused last in one lane."""

    place: Place
    lane: Lane
    at: float
    error: str


def new_key() -> str:
    """A key that no network has seen."""
    return secrets.token_hex(16)


def queue(tx: Tx, post: Post, key: str | None = None, *, is_first: bool = False) -> str:
    """Say it as soon as its network takes it. Returns the post's key; raises ValueError for what is no document.

    A post on a subject takes the place of an unsent one on the same subject, if that cannot be on its way already. It
    is then as urgent as the more urgent of the two: who waits for an answer does not wait behind all progress.
    New words always have a new key: the network may have seen the old one. Who knows that nothing was ever said there
    on this subject may say so: then none is looked for.
    """
    post = _beside_what_it_answers(tx, post)
    key = key or new_key()
    stored = packed.dump(post.document)
    network, place, lane = post.place.network, post.place.id, int(post.lane)
    if post.subject is not None and not is_first:
        overtaken = tx.execute(
            "SELECT id FROM outbox AS mine WHERE network = ? AND place = ? AND subject = ? AND state = 'waiting'"
            " AND id > (SELECT min(id) FROM outbox WHERE network = mine.network AND place = mine.place"
            " AND lane = mine.lane AND state = 'waiting') ORDER BY id DESC LIMIT 1",
            (network, place, post.subject),
        ).fetchone()
        if overtaken is not None:
            tx.execute(
                "UPDATE outbox SET id = iif(lane <= ?1, id, (SELECT max(id) + 1 FROM outbox)), lane = min(lane, ?1),"
                " key = ?2, document = ?3, reply_to = coalesce(?4, reply_to), answers = coalesce(?5, answers)"
                " WHERE id = ?6",
                (lane, key, stored, post.reply_to, post.answers, *overtaken),
            )
            return key
    tx.execute(
        "INSERT INTO outbox (key, lane, network, place, document, reply_to, answers, topic, subject, queued)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (key, lane, network, place, stored, *_belonging(tx, post, is_first=is_first), post.subject, time.time()),
    )
    return key


def _beside_what_it_answers(tx: Tx, post: Post) -> Post:
    """An answer goes where its question is by now, if that was moved within what both are topics of.

    Somebody may have moved it elsewhere, among others: they are not told what it was asked for.
    """
    if post.reply_to is None or post.lane is Lane.TALK:
        return post
    place = heard.place_of(tx, post.place.network, post.reply_to)
    if place is None or place == post.place or not place.is_beside(post.place):
        return post
    return dataclasses.replace(post, place=place)


def _belonging(tx: Tx, post: Post, *, is_first: bool) -> tuple[str | None, str | None, str | None]:
    """What it answers, and its topic. What people said and edit stays where it was."""
    belonging = post.reply_to, post.answers, post.topic
    if is_first or post.lane is not Lane.TALK or post.subject is None or any(belonging):
        return belonging
    before = tx.execute(
        "SELECT reply_to, answers, topic FROM outbox WHERE network = ? AND place = ? AND subject = ?"
        " ORDER BY id DESC LIMIT 1",
        (post.place.network, post.place.id, post.subject),
    ).fetchone()
    return before or belonging


def heads(tx: Tx, network: str, busy: Sequence[str], most: int, *, held: Sequence[str] = ()) -> list[Queued]:
    """The most urgent post of each place that is not busy, the most urgent place first.

    Where talk is held up, that of another lane.
    """
    rows = tx.execute(
        "WITH RECURSIVE"
        " at (place) AS ("
        "  SELECT min(place) FROM outbox WHERE network = ?1 AND state = 'waiting' UNION ALL"
        "  SELECT (SELECT min(place) FROM outbox WHERE network = ?1 AND state = 'waiting' AND place > at.place)"
        "  FROM at WHERE at.place IS NOT NULL),"
        " head (id, lane) AS ("
        "  SELECT id, lane FROM at JOIN outbox ON id = ("
        "   SELECT id FROM outbox WHERE network = ?1 AND state = 'waiting' AND place = at.place"
        "   AND lane < iif(at.place IN (SELECT value FROM json_each(?4)), ?5, ?5 + 1) ORDER BY lane, id LIMIT 1)"
        "  WHERE at.place NOT IN (SELECT value FROM json_each(?2)) ORDER BY outbox.lane, id LIMIT ?3)"
        " SELECT mine.id, key, mine.place, mine.lane, document, iif(answers IS NULL, reply_to, ("
        "  SELECT event FROM outbox WHERE network = ?1 AND place = mine.place AND subject = mine.answers"
        "  AND state = 'sent' ORDER BY id DESC LIMIT 1)), subject, iif(subject IS NULL, NULL, ("
        "  SELECT event FROM outbox WHERE network = ?1 AND place = mine.place AND subject = mine.subject"
        "  AND state = 'sent' ORDER BY id DESC LIMIT 1)), iif(mine.topic IS NULL, NULL, ("
        "  SELECT nullif(event, '') FROM thread WHERE network = ?1 AND place = mine.place AND topic = mine.topic))"
        " FROM head JOIN outbox AS mine ON mine.id = head.id ORDER BY mine.lane, mine.id",
        (network, orjson.dumps(list(busy)).decode(), most, orjson.dumps(list(held)).decode(), int(Lane.TALK)),
    )
    return [_queued(network, *row) for row in rows]


def sent(tx: Tx, row: int, event: str) -> None:
    """The network confirmed it. The words go, and so does what still waits from before on the same subject."""
    now = time.time()
    for network, place, subject in tx.execute(
        "UPDATE outbox SET state = 'sent', ended = ?, event = ?, document = x'', digest = NULL WHERE id = ?"
        " RETURNING network, place, subject",
        (now, event, row),
    ).fetchall():
        if subject is not None:
            _know(tx, Place(network, place), subject, event)
            tx.execute(
                "UPDATE outbox SET state = 'merged', ended = ?, document = x''"
                " WHERE network = ? AND place = ? AND subject = ? AND state = 'waiting' AND id < ?",
                (now, network, place, subject, row),
            )


def recognise(tx: Tx, network: str, own: Mapping[str, str]) -> None:
    """Posts were seen on their network, by their keys, perhaps before it is known here that they were sent."""
    for key, event in own.items():
        row = tx.execute(
            "SELECT place, subject FROM outbox WHERE key = ? AND network = ? AND subject IS NOT NULL", (key, network)
        ).fetchone()
        if row is not None:
            _know(tx, Place(network, row[0]), row[1], event, is_echo=True)


def _know(tx: Tx, place: Place, subject: str, event: str, *, is_echo: bool = False) -> None:
    """What its network calls a post: who answers a copy answers the original, and who writes in a thread its topic.

    Its echo may be what edits the beginning of a thread. In that nobody writes.
    """
    origin = said.origin_in(tx, subject)
    if origin is not None:
        said.link(tx, said.Said(place, event), origin)
    elif subject.startswith(THREAD):
        tx.execute(
            "UPDATE thread SET event = ? WHERE network = ? AND place = ? AND topic = ? AND (? OR event = '')",
            (event, place.network, place.id, subject.removeprefix(THREAD), not is_echo),
        )


def spoke_of(tx: Tx, place: Place, subject: str) -> str | None:
    """The event of what was said last on a subject in a place; empty where it only waits. None where nothing was."""
    found = tx.execute(
        "SELECT iif(state = 'sent', event, '') FROM outbox WHERE network = ? AND place = ? AND subject = ?"
        " AND state IN ('sent', 'waiting') ORDER BY state = 'sent' DESC, id DESC LIMIT 1",
        (place.network, place.id, subject),
    ).fetchone()
    return None if found is None else found[0] or ""


def failed(tx: Tx, row: int, error: str) -> None:
    """The network will never take it. The words stay for a while, so that a person can look."""
    tx.execute("UPDATE outbox SET state = 'failed', ended = ?, error = ? WHERE id = ?", (time.time(), error, row))


def condense(tx: Tx, place: Place, lane: Lane, now: float) -> int:
    """Make one digest of what waits too long in a lane. Returns how many posts went into it.

    The first row of the lane stays as it is, and so do the newest. Answers, alerts and progress only.
    """
    if lane not in MAY_BE_CONDENSED:
        return 0
    rows = tx.execute(
        "SELECT id, document, digest, queued FROM outbox"
        " WHERE network = ? AND place = ? AND lane = ? AND state = 'waiting' ORDER BY id LIMIT ?",
        (place.network, place.id, int(lane), 1 + MOST_IN_ONE_DIGEST + KEPT_AS_THEY_ARE),
    ).fetchall()
    if len(rows) <= DIGEST_FROM:
        return 0
    (first, *_), *others = taken = rows[1:-KEPT_AS_THEY_ARE]
    shown = len(taken) - digest.MOST_LINES  # each row gives one line at least, so of those before none is shown
    parts: list[digest.Part] = []
    for number, (_, stored, inner, queued) in enumerate(taken):
        if inner is not None:
            parts.append(_digest_of(inner, queued))
        else:
            parts.append(digest.Line(queued, documents.first_words(stored) if number >= shown else ""))
    one = digest.join(parts)
    tx.execute(
        "UPDATE outbox SET key = ?, document = ?, digest = ?, reply_to = NULL, subject = NULL WHERE id = ?",
        (new_key(), packed.dump(digest.show(one, now)), digest.dump(one), first),
    )
    tx.executemany(
        "UPDATE outbox SET state = 'merged', ended = ?, document = x'', digest = NULL WHERE id = ?",
        [(now, row) for row, *_ in others],
    )
    return sum(isinstance(part, digest.Line) for part in parts)


def _digest_of(inner: bytes, queued: float) -> digest.Part:
    try:
        return digest.load(inner)
    except ValueError:  # of another version: it still was something that waited
        return digest.Line(queued, "words that this version cannot read")


def waiting_at(tx: Tx) -> list[Waiting]:
    """How many posts wait, place by place and lane by lane."""
    rows = tx.execute(
        "SELECT network, place, lane, count(*), min(queued) FROM outbox WHERE state = 'waiting'"
        " GROUP BY network, place, lane ORDER BY network, place, lane"
    )
    return [Waiting(Place(network, place), Lane(lane), count, oldest) for network, place, lane, count, oldest in rows]


def failures(tx: Tx, most: int) -> list[Failure]:
    """What no network took, the newest first."""
    rows = tx.execute(
        "SELECT id, network, place, lane, queued, coalesce(error, ''), document FROM outbox WHERE state = 'failed'"
        " AND ended IS NOT NULL ORDER BY ended DESC, id DESC LIMIT ?",
        (most,),
    )
    return [
        Failure(row, Place(network, place), Lane(lane), queued, error, documents.first_words(stored))
        for row, network, place, lane, queued, error, stored in rows
    ]


def refusals(tx: Tx) -> list[Refusal]:
    """What each place refused last in each lane, the newest first, as far as the newest rows show."""
    rows = tx.execute(
        "SELECT network, place, lane, max(ended) AS at, coalesce(error, '') FROM"
        " (SELECT network, place, lane, ended, error FROM outbox WHERE state = 'failed' AND ended IS NOT NULL"
        " ORDER BY ended DESC LIMIT ?) GROUP BY network, place, lane ORDER BY at DESC",
        (MOST_LOOKED_AT,),
    )
    return [Refusal(Place(network, place), Lane(lane), at, error) for network, place, lane, at, error in rows]


def last_taken(tx: Tx) -> dict[Place, float]:
    """When each place last took something, as far as the newest rows show."""
    rows = tx.execute(
        "SELECT network, place, max(ended) FROM (SELECT network, place, ended FROM outbox WHERE state = 'sent'"
        " AND ended IS NOT NULL ORDER BY ended DESC LIMIT ?) GROUP BY network, place",
        (MOST_LOOKED_AT,),
    )
    return {Place(network, place): at for network, place, at in rows}


def retry(tx: Tx, row: int | None) -> int:
    """Have one failed post, or all of them, said after all, under the same keys. Returns how many wait again.

    Not where the words are gone, nor what is overtaken: later words on the same subject were said, or will be.
    """
    tx.execute(
        "UPDATE outbox AS mine SET state = 'merged', ended = ?1, document = x'' WHERE state = 'failed'"
        " AND (?2 IS NULL OR id = ?2) AND EXISTS (SELECT 1 FROM outbox WHERE network = mine.network"
        " AND place = mine.place AND subject = mine.subject AND id > mine.id AND state IN ('waiting', 'sent'))",
        (time.time(), row),
    )
    failed_rows = tx.execute(
        "SELECT id FROM outbox WHERE state = 'failed' AND document <> x'' AND (?1 IS NULL OR id = ?1) ORDER BY id",
        (row,),
    ).fetchall()
    (newest,) = tx.execute("SELECT coalesce(max(id), 0) FROM outbox").fetchone()
    tx.executemany(
        "UPDATE outbox SET id = ?, state = 'waiting', ended = NULL, error = NULL WHERE id = ?",
        [(number, old) for number, (old,) in enumerate(failed_rows, start=newest + 1)],
    )
    return len(failed_rows)


def discard(tx: Tx, which: Sequence[int] | Place) -> int:
    """Give up rows, or all of a place, whether failed or waiting. Returns how many.

    Never what belongs to a stop, nor the first that waits in a lane: it may be on its way.
    """
    place, rows = (which, ()) if isinstance(which, Place) else (None, which)
    return tx.execute(
        "UPDATE outbox AS mine SET state = 'discarded', ended = ?, document = x'', digest = NULL"
        " WHERE (network = ? AND place = ? OR id IN (SELECT value FROM json_each(?))) AND lane <> ?"
        " AND (state = 'failed' OR state = 'waiting' AND id > (SELECT min(id) FROM outbox WHERE"
        " network = mine.network AND place = mine.place AND lane = mine.lane AND state = 'waiting'))",
        (
            time.time(),
            place and place.network,
            place and place.id,
            orjson.dumps(list(rows)).decode(),
            int(Lane.STOP),
        ),
    ).rowcount


def _queued(  # the columns, in their order
    network: str,
    row: int,
    key: str,
    place: str,
    lane: int,
    stored: bytes,
    reply_to: str | None,
    subject: str | None,
    edits: str | None = None,
    thread: str | None = None,
) -> Queued:
    return Queued(row, key, Place(network, place), Lane(lane), stored, reply_to, subject, edits, thread)
