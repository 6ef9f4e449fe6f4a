"""What did not fit into an answer, kept for a while for the one who asked. It never grows beyond its bound."""

import collections
import time
from collections.abc import Callable

from bot.words.document import Document
from bot.words.message import Place
from bot.words.pages import Bound

LONGEST_ANSWER = Bound(rows=60, characters=12_000)
"""What one message of any network can show."""
MOST_KEPT = 64
KEPT_S = 900.0


class Rest:
    """The rest of the last long answer of each person in each place."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: collections.OrderedDict[tuple[str, Place], tuple[Document, float]] = collections.OrderedDict()

    def keep(self, person: str, place: Place, document: Document) -> None:
        """Keep it, instead of what was kept for the same person in the same place."""
        key = (person, place)
        self._kept[key] = (document, self._clock() + KEPT_S)
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def take(self, person: str, place: Place) -> Document | None:
        """What was kept, once."""
        document, until = self._kept.pop((person, place), (None, 0.0))
        return document if self._clock() < until else None
