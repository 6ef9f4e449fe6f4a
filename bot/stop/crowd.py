"""Keeps the places of alarms readable where there is news of a great many incidents at once.

It never holds back what is told where a stop was ordered, nor that there is more than was told.
"""

import collections
from collections.abc import Callable

MOST_APART = 20
WITHIN_S = 600.0
"""So much news is told one by one in so long. A thousand components that stop themselves, or a stolen stop key, would
else fill the lane in which a stop is told for hours."""


class Crowd:
    """How much was told lately where the bot raises alarms."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: collections.deque[float] = collections.deque()
        self._said_at = float("-inf")

    def has_room(self) -> bool:
        """Take a place for one piece of news. False where there is none."""
        now = self._clock()
        while self._told and now - self._told[0] >= WITHIN_S:
            self._told.popleft()
        if len(self._told) >= MOST_APART:
            return False
        self._told.append(now)
        return True

    def is_to_be_said(self) -> bool:
        """Whether people are to hear that there is more. Once in a while."""
        now = self._clock()
        if now - self._said_at < WITHIN_S:
            return False
        self._said_at = now
        return True

    def take_back(self, *, apart: bool, said: bool) -> None:
        """The disk did not take it."""
        if apart and self._told:
            self._told.pop()
        if said:
            self._said_at = float("-inf")
