"""How much is passed on: of one writer, and in one channel. What was decided last stays decided.

A commit may be tried again, and a batch may come again: what is as it was then is not counted again.
"""

import collections
import enum
import time
from collections.abc import Callable, Hashable

from bot.desk.limits import Limit

AT_ONCE, PER_SECOND = 60, 5.0
"""What one channel passes on. More of it is a loop, or a flood."""
OF_ONE_AT_ONCE, OF_ONE_PER_SECOND = 30, 2.0
LATE_AT_ONCE, LATE_OF_ONE_AT_ONCE = 1_000, 200
"""What waited while the bot was away has been said over a long time. How long ago, its writer's own server tells."""
CALM_S = 60.0
"""After so long without one a flood is over."""
REMEMBERED = 10_000


class Verdict(enum.Enum):
    """Whether it is passed on."""

    PASSES = enum.auto()
    STEMMED = enum.auto()
    STEMMED_FIRST = enum.auto()
    """It is the first of a flood: people are told."""


class Allowance:
    """What may still be passed on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._channel = Limit(AT_ONCE, PER_SECOND, clock=clock)
        self._writer = Limit(OF_ONE_AT_ONCE, OF_ONE_PER_SECOND, clock=clock)
        self._late = Limit(LATE_AT_ONCE, PER_SECOND, clock=clock)
        self._late_writer = Limit(LATE_OF_ONE_AT_ONCE, OF_ONE_PER_SECOND, clock=clock)
        self._stemmed: dict[Hashable, float] = {}
        """When something was not passed on last, by channel or by place."""
        self._decided: collections.OrderedDict[Hashable, tuple[str, Verdict]] = collections.OrderedDict()

    def decide(
        self, channel: str, writer: Hashable, what: Hashable, *, how: str = "", is_late: bool = False
    ) -> Verdict:
        """Whether this is passed on, as it is now. What has become something else is decided anew."""
        known = self._decided.get(what)
        if known is not None and known[0] == how:
            return known[1]
        return self._remember(what, how, self._judge(channel, writer, is_late=is_late))

    def stem(self, flood: Hashable, what: Hashable) -> Verdict:
        """It is not passed on, whatever is allowed."""
        known = self._decided.get((flood, what))
        return known[1] if known is not None else self._remember((flood, what), "", self._stem(flood))

    def forget(self, what: Hashable) -> None:
        """It is over: the same again is something new."""
        self._decided.pop(what, None)

    def _remember(self, what: Hashable, how: str, verdict: Verdict) -> Verdict:
        self._decided[what] = how, verdict
        self._decided.move_to_end(what)
        if len(self._decided) > REMEMBERED:
            self._decided.popitem(last=False)
        return verdict

    def _judge(self, channel: str, writer: Hashable, *, is_late: bool) -> Verdict:
        if is_late:
            passes = self._late_writer.take((channel, writer)) and self._late.take(channel)
        else:
            passes = self._writer.take((channel, writer)) and self._channel.take(channel)
        return Verdict.PASSES if passes else self._stem(channel)

    def _stem(self, flood: Hashable) -> Verdict:
        now = self._clock()
        before, self._stemmed[flood] = self._stemmed.get(flood), now
        return Verdict.STEMMED_FIRST if before is None or now - before > CALM_S else Verdict.STEMMED
