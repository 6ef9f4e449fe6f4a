"""Which places of a network do not take posts now, whether it answers at all, and when either is tried again."""

import dataclasses
import random
import time
from collections.abc import Callable, Collection

import structlog

from bot.words.errors import Unreachable
from bot.words.message import Place

log = structlog.get_logger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
LONGEST_ASKED_S = 300.0
"""What a network may ask us to wait. One that asks for more is tried again all the same."""
PLACES_DOWN = 5
"""When so many places are away and none answers, the network itself counts as away."""


@dataclasses.dataclass(frozen=True, slots=True)
class Away:
    """A place that did not take its last post."""

    place: Place
    since: float
    """In seconds since 1970."""
    next_try_in_s: float
    error: str


@dataclasses.dataclass(frozen=True, slots=True)
class Rest:
    """A wait for the next try. The one after it is twice as long."""

    until: float
    wait: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Absence:
    rest: Rest
    since: float
    error: str


class Absences:
    """Those of one network."""

    def __init__(
        self,
        network: str,
        *,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], float] = time.time,
    ) -> None:
        self._network = network
        self._draw = draw
        self._clock = clock
        self._today = today
        self._of: dict[Place, _Absence] = {}
        self._unanswered: set[Place] = set()
        """Places that were tried without an answer since the network last gave one."""
        self.quiet: Rest | None = None
        """How long the network itself is left alone."""
        self.spare = False
        """Whether one place that is not known to be away may be tried meanwhile: the network may be there for it."""

    @property
    def places(self) -> Collection[Place]:
        """Those that did not take their last post."""
        return self._of.keys()

    def rested(self, now: float) -> set[Place]:
        """Those of them that may be tried again."""
        return {place for place, each in self._of.items() if each.rest.until <= now}

    def times(self) -> list[float]:
        """When anything may be tried again."""
        quiet = [] if self.quiet is None else [self.quiet.until]
        return [*quiet, *(absence.rest.until for absence in self._of.values())]

    def told(self) -> list[Away]:
        """All of them, the longest away first."""
        now = self._clock()
        network = self.quiet.until if self.quiet else now
        return [
            Away(place, absence.since, max(0.0, absence.rest.until - now, network - now), absence.error)
            for place, absence in sorted(self._of.items(), key=lambda item: item[1].since)
        ]

    def hear(self) -> None:
        """The network answered, whatever it said."""
        self.quiet = None
        self._unanswered.clear()

    def end(self, place: Place) -> bool:
        """A place takes posts. Whether it did not before."""
        return self._of.pop(place, None) is not None

    def miss(self, place: Place, error: Exception) -> None:
        """A place did not take a post, and perhaps the whole network does not answer."""
        self.leave_alone(place, str(error), error.retry_after if isinstance(error, Unreachable) else None)
        if not isinstance(error, Unreachable):
            return
        self._unanswered.add(place)
        if len(self._unanswered) >= PLACES_DOWN and (self.quiet is None or self.quiet.until <= self._clock()):
            self.quiet, self.spare = self.longer(self.quiet), True
            log.warning("the network does not answer", network=self._network, seconds=round(self.quiet.wait, 1))

    def leave_alone(self, place: Place, error: str, asked: float | None = None) -> None:
        """Nothing is tried there for a while."""
        last = self._of.get(place)
        rest = self.longer(last.rest if last else None, asked)
        self._of[place] = _Absence(rest, last.since if last else self._today(), error)

    def longer(self, last: Rest | None, asked: float | None = None) -> Rest:
        """The wait after the last one, or the one that was asked for."""
        wait = FIRST_WAIT_S if last is None else min(last.wait * 2, LONGEST_WAIT_S)
        spread = 0.5 + self._draw() / 2
        seconds = max(FIRST_WAIT_S * spread, min(asked, LONGEST_ASKED_S)) if asked else wait * spread
        return Rest(self._clock() + seconds, wait)
