"""The stop machine, both halves, as pure code: no clock, no network, no disk of its own.

It is an echo lease. A component asks with a nonce; the bot's signed answer is the permission to work for a while.
A stop is latched by the component and survives everything but a reset. Whoever changes a line here can let a machine
run that somebody has stopped.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping

from wire.messages import LARGEST_STOP, Lease, Open, Shown, State, Stop, Target

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


@dataclasses.dataclass(frozen=True, slots=True)
class Incident:
    """Something that was stopped and is not over."""

    id: str
    target: Target
    stop: bytes | None = None
    """The signed order, where we gave it or saw it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Growth:
    """What a statement or an order added. It must be durable before any lease is given."""

    incidents: tuple[Incident, ...] = ()
    affected: tuple[tuple[str, str], ...] = ()
    """Pairs of incident and component."""

    def __bool__(self) -> bool:
        return bool(self.incidents or self.affected)


@dataclasses.dataclass(frozen=True, slots=True)
class _Heard:
    state: State
    re_issued: float | None


class Issuer:
    """The bot's half: who must stand still, who has said so, and the answer to each question."""

    def __init__(
        self,
        enrolled: Mapping[str, frozenset[str]],
        incidents: Iterable[Incident],
        affected: Iterable[tuple[str, str]],
        *,
        random: Random,
        ttl_s: float = TTL_S,
    ) -> None:
        self.ttl_s = ttl_s
        self._random = random
        self._groups = dict(enrolled)
        self._incidents = {incident.id: incident for incident in incidents}
        self._affected: dict[str, set[str]] = {incident: set() for incident in self._incidents}
        for incident, component in affected:
            self._affected[incident].add(component)
        self._issued: dict[str, dict[str, float]] = {}
        self._heard: dict[str, _Heard] = {}

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """All that is open, oldest first."""
        return tuple(self._incidents.values())

    def affected(self, incident: str) -> frozenset[str]:
        """The enrolled components that this incident stops."""
        return frozenset(self._affected[incident] & self._groups.keys())

    def open(self, incident: Incident) -> Growth:
        """Somebody ordered a stop. The same incident again adds nothing."""
        if incident.id in self._incidents:
            return Growth()
        self._incidents[incident.id] = incident
        self._affected[incident.id] = set()
        return Growth((incident,), self._spread([incident], self._groups))

    def hear(self, state: State, verify: Callable[[bytes], Stop | None]) -> Growth:
        """Take a verified statement of an enrolled component, and adopt what it has latched and we did not know."""
        self._groups[state.id] |= frozenset(state.groups)
        adopted: list[Incident] = []
        named: list[tuple[str, str]] = []
        for each in state.incidents:
            if each.incident not in self._incidents:
                adopted.append(self._adopt(each, state.id, verify))
                self._incidents[each.incident] = adopted[-1]
                self._affected[each.incident] = set()
            if state.id not in self._affected[each.incident]:
                named.append((each.incident, state.id))
                self._affected[each.incident].add(state.id)
        # It may be new here, or in a new group, since an incident was opened.
        spread = self._spread(adopted, self._groups) + self._spread(self.incidents, [state.id])
        re_issued = self._issued.get(state.id, {}).get(state.re) if state.re else None
        self._heard[state.id] = _Heard(state, re_issued)
        return Growth(tuple(adopted), (*named, *spread))

    def lease(self, state: State, now: float, t_ms: int) -> Lease:
        """The answer to a statement that was heard."""
        n = self._random(16).hex()
        issued = self._issued.setdefault(state.id, {})
        self._issued[state.id] = {each: at for each, at in issued.items() if now - at <= self.ttl_s} | {n: now}
        stops = tuple(incident for incident, affected in self._affected.items() if state.id in affected)
        return Lease(state.nonce, n, t_ms, round(self.ttl_s * 1000), stops)

    def has_stopped(self, component: str, incident: str, now: float) -> bool:
        """It said so, signed, in answer to what we told it a moment ago. Nothing less counts."""
        heard = self._heard.get(component)
        return (
            heard is not None
            and heard.state.shown is Shown.STOPPED
            and self._names(heard, incident)
            and heard.re_issued is not None
            and now - heard.re_issued <= self.ttl_s
        )

    def has_latched(self, component: str, incident: str) -> bool:
        """It has said that it knows of the incident."""
        heard = self._heard.get(component)
        return heard is not None and self._names(heard, incident)

    def has_spoken(self, component: str) -> bool:
        """It has said anything at all."""
        return component in self._heard

    def confirmed(self, incident: str, now: float) -> bool:
        """All that it affects have stopped, and there is one at least."""
        affected = self.affected(incident)
        return bool(affected) and all(self.has_stopped(component, incident, now) for component in affected)

    @staticmethod
    def _names(heard: _Heard, incident: str) -> bool:
        return any(each.incident == incident for each in heard.state.incidents)

    def _adopt(self, latched: Open, component: str, verify: Callable[[bytes], Stop | None]) -> Incident:
        stop = None if latched.stop is None else verify(latched.stop)
        if stop is None or stop.incident != latched.incident:
            return Incident(latched.incident, Target(id=component))
        return Incident(latched.incident, stop.target, latched.stop)

    def _spread(self, incidents: Iterable[Incident], components: Iterable[str]) -> tuple[tuple[str, str], ...]:
        grown = tuple(
            (incident.id, component)
            for incident in incidents
            for component in components
            if incident.target.meets(component, self._groups[component])
            and component not in self._affected[incident.id]
        )
        for incident, component in grown:
            self._affected[incident].add(component)
        return grown
