"""How much one person and one place may ask for. A stop that is carried out is never counted, and never held up."""

import collections
import dataclasses
import time
from collections.abc import Callable, Hashable

from bot.words.errors import Refused
from bot.words.message import Place
from bot.words.people import Person

MOST_KEYS = 4096


@dataclasses.dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class Limit:
    """A bucket for each key: so many at once, then so many a second. Keys that were not used for long are forgotten."""

    def __init__(
        self, at_once: int, per_second: float, *, clock: Callable[[], float] = time.monotonic, most: int = MOST_KEYS
    ) -> None:
        self._at_once = at_once
        self._per_second = per_second
        self._clock = clock
        self._most = most
        self._buckets: collections.OrderedDict[Hashable, _Bucket] = collections.OrderedDict()

    def take(self, key: Hashable) -> bool:
        """One more, if there is room for it."""
        bucket = self._filled(key)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def give_back(self, key: Hashable) -> None:
        """It was not used after all."""
        self._filled(key).tokens += 1

    def wait_s(self, key: Hashable) -> float:
        """How long until there is room for one more."""
        return max(0.0, (1 - self._filled(key).tokens) / self._per_second)

    def _filled(self, key: Hashable) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._at_once, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
            bucket.tokens = min(self._at_once, bucket.tokens + (now - bucket.filled) * self._per_second)
            bucket.filled = now
        return bucket


class TooMany(Refused):
    """One person, or one place, asks for more than is answered."""

    def __init__(self, whose: str, wait_s: float, *, first: bool) -> None:
        super().__init__(
            f"Not run: too many commands {whose}.",
            hint=f"There is room again in {max(1, round(wait_s))} s. A stop is always taken.",
        )
        self.first = first
        """They have not been told a moment ago. What else comes is not answered."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """All limits of the desk."""

    person: Limit = dataclasses.field(default_factory=lambda: Limit(20, 0.5))
    place: Limit = dataclasses.field(default_factory=lambda: Limit(60, 2.0))
    stops: Limit = dataclasses.field(default_factory=lambda: Limit(10, 0.1))
    """How many stops of one person are answered. All are carried out."""
    told: Limit = dataclasses.field(default_factory=lambda: Limit(1, 0.1))
    """How often somebody is told that it was too much."""
    records: Limit = dataclasses.field(default_factory=lambda: Limit(20, 0.1))
    """What is recorded of strangers, and of those who ask too much: they must not fill the disk."""

    def charge(self, person: Person, place: Place) -> None:
        """One more command, or TooMany."""
        if not self.person.take(person.name):
            raise self._too_many("from you", self.person.wait_s(person.name), person, place)
        if not self.place.take(place):
            self.person.give_back(person.name)
            raise self._too_many("from here", self.place.wait_s(place), person, place)

    def _too_many(self, whose: str, wait_s: float, person: Person, place: Place) -> TooMany:
        return TooMany(whose, wait_s, first=self.told.take((person.name, place)))
