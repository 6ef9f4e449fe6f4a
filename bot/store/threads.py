"""Which thread of a place stands for which topic. It is never forgotten: people go on in old ones."""

from bot.store import outbox, talk
from bot.store.outbox import THREAD
from bot.store.store import Tx
from bot.words.document import Document
from bot.words.message import Lane, Place, Post


def begin(tx: Tx, place: Place, topic: str, words: Document) -> None:
    """Have a thread for a topic there, which begins with these words. Nothing is done where there is one."""
    subject = f"{THREAD}{topic}"
    found = tx.execute(
        "SELECT event, now FROM thread WHERE network = ? AND place = ? AND topic = ?", (place.network, place.id, topic)
    ).fetchone()
    if found is not None and found[1] != topic:  # there is a topic of that name again
        for each in places(tx, topic):
            _head_anew(tx, each, subject, words)
        tx.execute("UPDATE thread SET now = topic WHERE topic = ?", (topic,))
    if found is not None and (found[0] or outbox.spoke_of(tx, place, subject) is not None):
        return
    tx.execute(
        "INSERT OR IGNORE INTO thread (network, place, topic, now) VALUES (?, ?, ?, ?)",
        (place.network, place.id, topic, topic),
    )
    outbox.queue(tx, Post(place, words, Lane.TALK, subject=subject))


def topic_of(tx: Tx, place: Place, event: str) -> str | None:
    """The topic for which the thread stands now that begins with this event."""
    found = tx.execute(
        "SELECT now FROM thread WHERE network = ? AND event = ? AND place = ?", (place.network, event, place.id)
    ).fetchone()
    return None if found is None else found[0]


def places(tx: Tx, topic: str) -> list[Place]:
    """Where a topic has a thread."""
    rows = tx.execute("SELECT network, place FROM thread WHERE topic = ? ORDER BY network, place", (topic,))
    return [Place(network, place) for network, place in rows]


def call(tx: Tx, topic: str, now: str, words: Document) -> None:
    """A topic is called otherwise: so are its threads. The new one has none yet."""
    for place in places(tx, topic):
        for state in ("state = 'waiting'", "state = 'failed' AND ended IS NOT NULL"):
            tx.execute(
                f"UPDATE outbox SET topic = ? WHERE network = ? AND place = ? AND topic = ? AND {state}",  # noqa: S608 - our own words
                (now, place.network, place.id, topic),
            )
        talk.let_go(tx, place, f"{THREAD}{topic}", f"{THREAD}{now}")
        _head_anew(tx, place, f"{THREAD}{now}", words)
    tx.execute("UPDATE thread SET now = ? WHERE now = ?", (now, topic))
    tx.execute("UPDATE thread SET topic = ?, now = ? WHERE topic = ?", (now, now, topic))


def join(tx: Tx, topic: str, now: str, words: Document) -> None:
    """A topic is part of another one that has threads: what is said in its own is said there from now on."""
    for place in places(tx, topic):
        _head_anew(tx, place, f"{THREAD}{topic}", words)
    tx.execute("UPDATE thread SET now = ? WHERE now = ?", (now, topic))


def _head_anew(tx: Tx, place: Place, subject: str, words: Document) -> None:
    """Have a thread begin with other words. Where its beginning is not kept any more it stays: nothing can edit it."""
    if outbox.spoke_of(tx, place, subject) is not None:
        outbox.queue(tx, Post(place, words, Lane.TALK, subject=subject))
