"""How many requests a server takes from the bot, and who has to wait when few are left. A stop never waits for others.

Two buckets, each of so many requests a minute: the web application counts those of the last minute, and the event
server lets its bucket leak. Both say in each answer what is left, which counts where others use the same key.
"""

import asyncio
import collections
import math
import time
from collections.abc import Callable, Mapping

from bot.words.message import Lane

WINDOW_S = 60.0
USUAL_LIMIT = 200
LEAST_LIMIT = 10
LAST_LANE = max(Lane) + 1
"""What nobody misses, such as a sign that the bot is typing."""
HELD_BACK = 8
"""An eighth of the bucket is kept free by each lane for those before it."""
FEW_POLLS = 10
MOST_KNOWN = 10_000


class WebBudget:
    """Requests of the last minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.limit = USUAL_LIMIT
        self._taken: collections.deque[float] = collections.deque()
        self._closed_until = -math.inf

    async def turn(self, lane: int) -> None:
        """Wait until a request of this lane may go."""
        while (wait_s := self.wait_s(lane)) > 0:  # noqa: ASYNC110 - what is left is known when the time has come
            await asyncio.sleep(wait_s)
        if len(self._taken) == MOST_KNOWN:
            self._taken.popleft()
        self._taken.append(self._clock())

    def wait_s(self, lane: int) -> float:
        """How long a request of this lane has to wait. A stop is tried even where the server takes nothing just now."""
        if lane == Lane.STOP:
            return 0.0
        now = self._clock()
        while self._taken and self._taken[0] <= now - WINDOW_S:
            self._taken.popleft()
        over = len(self._taken) - (self.limit - self.limit // HELD_BACK * lane)  # as many must be past, and one more
        room = self._taken[over] + WINDOW_S - now if over >= 0 else 0.0
        return max(0.0, room, self._closed_until - now)

    def told(self, headers: Mapping[str, str]) -> None:
        """What the server says is left: less than we think, where somebody else has the same key."""
        limit, left = _numbers(headers)
        if limit is None or left is None:
            return
        self.limit = limit
        now = self._clock()
        ours = sum(taken > now - WINDOW_S for taken in self._taken)
        self._taken.extend(now for _ in range(min(limit - left - ours, MOST_KNOWN)))

    def closed(self, wait_s: float) -> None:
        """The server takes nothing for so long."""
        self._closed_until = self._clock() + wait_s


class EventBudget:
    """A bucket that leaks. A poll that had to wait for its event counts twice."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limit = USUAL_LIMIT
        self._empty_at = -math.inf

    async def turn(self) -> None:
        """Wait until a poll may go."""
        if (wait_s := self.wait_s()) > 0:
            await asyncio.sleep(wait_s)
        self.took()

    def wait_s(self) -> float:
        """How long a poll has to wait, so that there is always something left."""
        full = WINDOW_S - FEW_POLLS * self._share
        return max(0.0, self._empty_at - self._clock() - full)

    def took(self) -> None:
        """A poll was counted."""
        self._empty_at = max(self._empty_at, self._clock()) + self._share

    def told(self, headers: Mapping[str, str]) -> None:
        """What the server says is left. A poll that has waited says nothing, and was counted once more."""
        limit, left = _numbers(headers)
        if limit is None or left is None:
            self.took()
            return
        self._limit = limit
        self._empty_at = max(self._empty_at, self._clock() + WINDOW_S - left * self._share)

    @property
    def _share(self) -> float:
        return WINDOW_S / self._limit


def _numbers(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    limit, left = _number(headers.get("X-RateLimit-Limit")), _number(headers.get("X-RateLimit-Remaining"))
    return (max(limit, LEAST_LIMIT) if limit is not None else None), left


def _number(said: str | None) -> int | None:
    return int(said) if said is not None and said.isascii() and said.isdigit() and len(said) < 7 else None  # noqa: PLR2004 - digits
