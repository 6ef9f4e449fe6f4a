"""How much is passed on, said to people where it is not all."""

import time
from collections.abc import Callable, Hashable

from bot.channels.allowance import Allowance, Verdict
from bot.channels.channel import Channel
from bot.channels.topics import Spot
from bot.store import Tx, outbox, talk
from bot.store.said import Said
from bot.words.document import Tone, document, strong, text
from bot.words.message import Lane, Place, Post

MOST_WAITING = 1_000
"""So much waits for a place that is away. What comes then is not brought there."""
COUNTED = ("passed_on", "kept_back", "stemmed", "passed_over", "old", "overfull", "moved")


class Bounds:
    """Of all channels."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowance = Allowance(clock)
        self._waiting: dict[Place, int] = {}
        """How many posts wait for a place, as far as it was asked for while a batch is taken in."""
        self.counts: dict[str, int] = dict.fromkeys(COUNTED, 0)

    def begin(self) -> None:
        """A batch is taken in."""
        self._waiting.clear()

    def forget(self, what: str) -> None:
        """It is over: the same again is something new."""
        self._allowance.forget(what)

    def lets(
        self, tx: Tx, channel: Channel, writer: Hashable, what: str, *, how: str = "", is_late: bool = False
    ) -> bool:
        """Whether there is room for it. The places hear once that there is not."""
        verdict = self._allowance.decide(channel.name, writer, what, how=how, is_late=is_late)
        if verdict is Verdict.PASSES:
            return True
        self.counts["stemmed"] += 1
        words = text(strong("Too much is said here", Tone.WARN), ": some of it is not passed on to the other places.")
        if verdict is Verdict.STEMMED_FIRST:
            for place in channel.spoken_at:
                outbox.queue(tx, Post(place, document(words), Lane.ALERT, subject=f"stemmed {what} {how}"))
        return False

    def has_room(self, tx: Tx, spot: Spot, origin: Said) -> bool:
        """Whether more may wait for a place. It hears once that it misses something."""
        place = spot.place
        count = self._waiting.get(place)
        self._waiting[place] = count = (talk.waiting(tx, place, MOST_WAITING) if count is None else count) + 1
        if count <= MOST_WAITING:
            return True
        self.counts["overfull"] += 1
        if self._allowance.stem(place, origin.subject) is Verdict.STEMMED_FIRST:
            what = ": too much waited. Some of what was said in the other places was not brought here."
            words = text(strong("Something is missing", Tone.WARN), what)
            outbox.queue(tx, Post(place, document(words), Lane.ALERT, subject=f"missing {origin.subject}"))
        return False
