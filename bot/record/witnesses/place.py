"""A room or topic that holds checkpoints: everybody in it has them, on a server that the bot does not rule."""

from collections.abc import Callable

from bot.store import Store, Tx, outbox
from bot.words.document import Document, code, document
from bot.words.message import Lane, Place, Post

FIRST_AND_NEXT = 2
"""The first post that waits may be on its way, so it stays as it is. The next one can still be overtaken."""


class PlaceWitness:
    """A post for each checkpoint. What was said is never edited; what was not said yet is overtaken."""

    quick = False

    def __init__(self, store: Store, place: Place, *, queued: Callable[[], None]) -> None:
        self.name = str(place)
        self._store = store
        self._place = place
        self._queued = queued
        self._subject = ""

    async def publish(self, note: bytes, size: int) -> None:
        """Have it said there. It counts as held once it waits on disk for its network."""
        post = show(note, size)
        fresh = f"checkpoint {size}"

        def write(tx: Tx) -> str:
            waiting = {(each.place, each.lane): each.count for each in outbox.waiting_at(tx)}
            overtakes = self._subject and waiting.get((self._place, Lane.WITNESS), 0) >= FIRST_AND_NEXT
            subject = self._subject if overtakes else fresh
            outbox.queue(tx, Post(self._place, post, Lane.WITNESS, subject=subject))
            return subject

        self._subject = await self._store.write(write)
        self._queued()

    async def latest(self) -> bytes | None:
        """It is not asked: people can look themselves."""
        return None


def show(note: bytes, size: int) -> Document:
    """A checkpoint as it is said in a room."""
    entries = "1 entry" if size == 1 else f"{size:,} entries"
    return document(f"Checkpoint of the record: {entries}.", code(note.decode()))
