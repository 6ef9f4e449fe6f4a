"""Plays the recording of the limits with its numbers: on buckets of a real server's size, and at its moments.

Of its bursts not all was recorded. What lies between is taken out of the buckets here, and the clock stands.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.zulip.clock import Clock
from tests.zulip.lab import BOB
from tests.zulip.limits import Limits
from tests.zulip.recording import Exchange
from tests.zulip.replay import Answered, Replay
from tests.zulip.things import Json, is_object

RATE_LIMITS = "11-rate-limit"
BEGAN = 1_795_223_237.75
"""When its first request came, on the clock of the recorded server, as its whole seconds tell."""
MOMENTS = (
    ("register", 0.0),
    ("django-burst-1", 0.08),
    ("django-burst-2", 0.085),
    ("django-burst-101", 0.785),
    ("django-burst-198", 1.435),
    ("django-burst-199", 1.44),
    ("django-burst-200", 1.4445),
    ("django-limited-post", 1.4483),
    ("django-limited-register", 1.4531),
    ("django-limited-upload", 1.4581),
    ("tornado-while-django-limited", 1.47),
    ("other-user-while-limited", 1.48),
    ("anon-while-limited", 1.5),
    ("tornado-burst-1", 1.527),
    ("tornado-burst-101", 1.957),
    ("tornado-burst-201", 2.3233),
    ("tornado-burst-202", 2.3273),
    ("tornado-burst-203", 2.3312),
    ("tornado-burst-204", 2.3353),
    ("tornado-recovered-after-retry-after", 2.77),
    ("alice-posts-meanwhile", 2.8),
    ("django-still-limited", 10.9717),
    ("django-still-limited", 19.0246),
    ("django-still-limited", 27.0743),
    ("django-still-limited", 35.1044),
    ("django-still-limited", 43.1585),
    ("django-still-limited", 51.2133),
    ("django-still-limited", 59.2693),
    ("django-recovered", 67.4),
    ("tornado-events-kept", 67.5),
    ("anon-burst-1", 67.6),
    ("bad-key-burst-1", 72.8),
    ("bad-key-burst-30", 72.9),
)
"""How long after it each request came: told to the millisecond by how long the refused ones had to wait."""
NOT_RECORDED = {"django-burst-101": 98, "django-burst-198": 96, "tornado-burst-101": 99, "tornado-burst-201": 99}
"""So many requests of the same kind came before these steps."""
NUMBERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
NEAR_S = 0.001


class StandingClock(Clock):
    """Goes on when it is told to."""

    def now(self) -> float:
        return BEGAN + self.ahead


@dataclass
class Limited(Replay):
    """A replay whose buckets have the recorded server's size and clock while it lasts."""

    clock: StandingClock = field(default_factory=StandingClock)

    async def play(self, name: str) -> list[str]:
        usual, self.world.limits = self.world.limits, Limits(self.clock)
        self._moments: Iterator[tuple[str, float]] = iter(MOMENTS)
        try:
            return await super().play(name)
        finally:
            self.world.limits = usual

    async def _ask(self, exchange: Exchange) -> Answered:
        step, self.clock.ahead = next(self._moments)
        assert step == exchange.step
        take = self.world.limits.take_web if step.startswith("django") else self.world.limits.take_event
        for _ in range(NOT_RECORDED.get(step, 0)):
            assert take(BOB).retry_after is None
        return await super()._ask(exchange)

    def _differences(self, answered: Answered) -> list[str]:
        there, here = answered.exchange, answered
        found = [
            f"{there.step}: {name}: {there.headers.get(name)} in the recording, {here.headers.get(name)} here"
            for name in NUMBERS
            if there.headers.get(name) != here.headers.get(name)
        ]
        for where, recorded, own in (
            ("in the header", there.headers, here.headers),
            ("in the body", _body(there.body), _body(here.body)),
        ):
            wait, own_wait = recorded.get("retry-after"), own.get("retry-after")
            if wait is not None and (own_wait is None or abs(float(wait) - float(own_wait)) > NEAR_S):
                found.append(f"{there.step}: retry-after {where}: {wait} in the recording, {own_wait} here")
        return found + super()._differences(dataclasses.replace(answered, exchange=_in_part(there)))


def _body(body: object) -> Json:
    return body if is_object(body) else {}


def _in_part(exchange: Exchange) -> Exchange:
    """Of some answers nothing but the result was kept."""
    if is_object(exchange.body) and exchange.body.keys() <= {"result", "msg"}:
        return dataclasses.replace(exchange, body=exchange.body | {"@trimmed": True})
    return exchange
