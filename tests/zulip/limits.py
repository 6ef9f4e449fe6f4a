"""The two buckets of a real server: one of the web application, one of the event server. Both are per person."""

import math
from collections import defaultdict, deque
from dataclasses import dataclass

from tests.zulip.clock import Clock

WINDOW_S = 60.0


@dataclass(frozen=True)
class Verdict:
    limit: int
    remaining: int
    reset: float
    retry_after: float | None = None

    def headers(self) -> dict[str, str]:
        known = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.floor(self.reset)),
        }
        return known if self.retry_after is None else known | {"Retry-After": str(self.retry_after)}


class Limits:
    """`requests` in a minute; a request that is refused does not count, so hammering prolongs nothing."""

    def __init__(self, clock: Clock, requests: int = 200) -> None:
        self._clock = clock
        self.requests = requests
        self._web: defaultdict[int, deque[float]] = defaultdict(deque)
        self._events: defaultdict[int, float] = defaultdict(float)

    def take_web(self, user_id: int) -> Verdict:
        """A sliding window: the next request is free when the oldest of the last minute is past."""
        now = self._clock.now()
        taken = self._web[user_id]
        while taken and taken[0] <= now - WINDOW_S:
            taken.popleft()
        if len(taken) >= self.requests:
            return _refused(self.requests, now, taken[0] + WINDOW_S - now)
        taken.append(now)
        return Verdict(self.requests, self.requests - len(taken), now + WINDOW_S)

    def fill(self, user_id: int, free_in_s: float) -> None:
        """A minute's requests were taken, and the next one is taken in so many seconds."""
        self._web[user_id] = deque([self._clock.now() - WINDOW_S + free_in_s] * self.requests)

    def take_event(self, user_id: int) -> Verdict:
        """A leaking bucket: `_events` is when it will be empty, and each request fills in its share of the minute."""
        now = self._clock.now()
        share = WINDOW_S / self.requests
        empty_at = max(self._events[user_id], now)
        if empty_at + share > now + WINDOW_S:
            return _refused(self.requests, now, empty_at + share - now - WINDOW_S)
        self._events[user_id] = empty_at + share
        return Verdict(self.requests, int((now + WINDOW_S - empty_at - share) / share), empty_at + share)


def _refused(limit: int, now: float, wait: float) -> Verdict:
    """`reset` is here when the next request is free, and not when all are."""
    return Verdict(limit, 0, now + wait, wait)
