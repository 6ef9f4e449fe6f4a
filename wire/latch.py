"""The component's half of the stop machine, as pure code: no clock, no network, no disk of its own.

It is an echo lease. A component asks with a nonce; the bot's signed answer is the permission to work for a while.
A stop is latched by the component and survives everything but a reset. Whoever changes a line here can let a machine
run that somebody has stopped. The bot's half is `wire/issuer.py`; they are tested as one machine.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping

from wire.messages import LARGEST_STOP, Lease, Open, Shown, State, Stop

TTL_S = 10.0
MOST_NONCES = 4
MOST_RESET = 256
MOST_SIGNED = 16 * 1024
"""Bytes of signed stops in one statement; with more the bot would not take it, and could not reset it."""

Random = Callable[[int], bytes]


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What a component's latch keeps on its disk."""

    open: tuple[Open, ...] = ()
    reset: tuple[str, ...] = ()


class Latch:
    """The component's half: whether it may work."""

    def __init__(
        self,
        component: str,
        groups: Iterable[str],
        kept: Kept | None,
        *,
        write: Callable[[Kept], bool],
        random: Random,
        ttl_s: float = TTL_S,
    ) -> None:
        self.component = component
        self.groups = tuple(groups)
        self.busy = False
        self.down = False
        """The work is down. The owner sets it when an incident is open and nothing moves any more."""
        self.re: str | None = None
        self.ttl_s = ttl_s
        self._write = write
        self._random = random
        self.session = self._draw()
        self._nonces: dict[str, float] = {}
        self._until = float("-inf")
        self._behind = False
        """The disk does not hold all that is open."""
        self._open = {each.incident: each.stop for each in kept.open} if kept else {}
        self._reset = list(kept.reset) if kept else []
        if kept is None:  # the disk is damaged: what it held may have been a stop
            self._latch(f"own-{self._draw()}", None)

    @property
    def open(self) -> tuple[Open, ...]:
        """The incidents that keep it stopped."""
        return tuple(Open(incident, stop) for incident, stop in self._open.items())

    def may_work(self, now: float) -> bool:
        """To be asked before every step of work."""
        return not self._open and now < self._until

    def shown(self, now: float) -> Shown:
        """What it says of itself."""
        if self._open:
            return Shown.STOPPED if self.down else Shown.STOPPING
        if now >= self._until:
            return Shown.HELD
        return Shown.BUSY if self.busy else Shown.READY

    def ask(self, now: float, key: str) -> State:
        """The question for the next lease. A stop that the disk refused is written as soon as the disk takes it."""
        if self._behind:
            self._keep()
        nonce = self._draw()
        self._nonces[nonce] = now
        self._nonces = {
            each: drawn for each, drawn in list(self._nonces.items())[-MOST_NONCES:] if now - drawn <= self.ttl_s
        }
        return State(self.component, self.session, nonce, self.re, self.shown(now), self._told(), self.groups, key)

    def last_words(self, key: str) -> State:
        """What the broker says for it when the connection breaks."""
        return State(self.component, self.session, self._draw(), self.re, Shown.LOST, self._told(), self.groups, key)

    def _told(self) -> tuple[Open, ...]:
        """All that is open, with the signed stops that there is room for, the oldest first."""
        sizes = itertools.accumulate(len(stop or b"") for stop in self._open.values())
        pairs = zip(self.open, sizes, strict=True)
        return tuple(each if size <= MOST_SIGNED else Open(each.incident) for each, size in pairs)

    def stop(self, stop: Stop, signed: bytes) -> bool:
        """Take a verified stop. True where it is news: then ask at once."""
        if not stop.target.meets(self.component, frozenset(self.groups)):
            return False
        if stop.incident in self._open or stop.incident in self._reset:
            return False
        # Anybody can pad a signed envelope. Nobody would read our statements, nor we our disk, with that in it.
        self._latch(stop.incident, signed if len(signed) <= LARGEST_STOP else None)
        return True

    def lease(self, lease: Lease, now: float) -> bool:
        """Take a verified lease. True where it changed what is open: then ask at once."""
        drawn = self._nonces.get(lease.nonce)
        if drawn is None or now - drawn > self.ttl_s:
            return False
        self.re = lease.n
        news = [incident for incident in lease.stops if incident not in self._open]
        for incident in news:
            self._latch(incident, None)
        cleared = self._clear([each for each in lease.cleared if each in self._open and each not in lease.stops])
        if not lease.stops:
            self._until = max(self._until, drawn + min(lease.ttl_ms / 1000, self.ttl_s))
        if news or cleared:
            self._nonces.clear()
        if cleared:
            self.session = self._draw()
            self.re = None
        return bool(news) or cleared

    def _latch(self, incident: str, signed: bytes | None) -> None:
        """Stop in memory first; a disk that fails must not keep it running."""
        if not self._open:
            self.down = False
        self._open[incident] = signed
        self._keep()

    def _keep(self) -> None:
        self._behind = not self._write(self._kept(self._open, self._reset))

    def _clear(self, incidents: list[str]) -> bool:
        """A reset counts once it is written, and only when the work is down."""
        if not incidents or not self.down:
            return False
        remaining = {incident: stop for incident, stop in self._open.items() if incident not in incidents}
        reset = [*self._reset, *incidents][-MOST_RESET:]
        if not self._write(self._kept(remaining, reset)):
            return False
        self._open, self._reset = remaining, reset
        self._behind = False
        return True

    def _kept(self, held: Mapping[str, bytes | None], reset: list[str]) -> Kept:
        return Kept(tuple(Open(incident, stop) for incident, stop in held.items()), tuple(reset))

    def _draw(self) -> str:
        return self._random(16).hex()
