"""The bot's half of the stop machine, as pure code: no clock, no network, no disk of its own.

It knows who must stand still and who has said so, and answers each question once. It never takes back a stop, and
never believes that something has stopped because it was told so some time ago.
"""

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping

from wire.errors import BadMessage, WireError
from wire.latch import MOST_NONCES, TTL_S, Random
from wire.messages import Lease, Open, Shown, State, Stop, Target

MOST_UNPROVEN = 64
"""Incidents that one component may name without a signed stop."""
MOST_CLAIMED = 64
"""Groups that one component may add to those it was enrolled with."""
MOST_STOPS = 1000
"""Incidents in one lease. One is enough to keep a component from working; with too many it could not read it."""
MOST_HEARD = 256
"""Statements of one component that are recognised when they come again."""
ALL = ""
"""In place of a component: everybody, also who turns up later."""


class Replayed(BadMessage):
    """A statement that was heard before. It proves nothing and gets no answer."""


class Overdrawn(WireError):
    """A component brings up more than we keep. It gets no lease, so it holds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Incident:
    """Something that was stopped and is not over."""

    id: str
    target: Target
    stop: bytes | None = None
    """The signed order, where we gave it or saw it. Without it the target is only who told us."""


@dataclasses.dataclass(frozen=True, slots=True)
class Growth:
    """What a statement or an order added. It must be durable before any lease is given."""

    incidents: tuple[Incident, ...] = ()
    affected: tuple[tuple[str, str], ...] = ()
    """Pairs of incident and component."""
    widened: tuple[Incident, ...] = ()
    """Incidents that were known without a signed stop, as they are with it."""

    def __bool__(self) -> bool:
        return bool(self.incidents or self.affected or self.widened)

    def __add__(self, more: "Growth") -> "Growth":
        return Growth(self.incidents + more.incidents, self.affected + more.affected, self.widened + more.widened)


@dataclasses.dataclass(frozen=True, slots=True)
class _Heard:
    shown: Shown
    names: frozenset[str]
    re_issued: float


class Issuer:
    """The bot's half: who must stand still, who has said so, and the answer to each question."""

    def __init__(
        self,
        enrolled: Mapping[str, frozenset[str]],
        incidents: Iterable[Incident],
        affected: Iterable[tuple[str, str]],
        cleared: Iterable[tuple[str, str]] = (),
        *,
        random: Random,
        ttl_s: float = TTL_S,
    ) -> None:
        self.ttl_s = ttl_s
        self._random = random
        self._enrolled = dict(enrolled)
        self._groups = dict(enrolled)
        self._incidents = {incident.id: incident for incident in incidents}
        self._affected: dict[str, set[str]] = {incident: set() for incident in self._incidents}
        self._cleared: dict[str, set[str]] = {}
        """By incident, whom it stops no more: components, or ALL."""
        for incident, component in cleared:
            self._cleared.setdefault(incident, set()).add(component)
        self._lasting = {each: known for each, known in self._incidents.items() if not self.is_over(each)}
        """Those that may stop somebody still: years of incidents must cost nothing."""
        self._count = dict.fromkeys(self._incidents, 0)
        """How many enrolled components each incident affects."""
        self._stopping: dict[str, dict[str, None]] = {component: {} for component in enrolled}
        self._met: set[str] = set()
        """Who was compared with the targets of all incidents."""
        for incident, component in affected:
            if self.is_over(incident):
                self._affected[incident].add(component)  # it stops nobody, and who it was knows when all are back
            else:
                self._affect(incident, component)
        self._issued: dict[str, dict[str, float]] = {component: {} for component in enrolled}
        self._nonces: dict[str, dict[str, None]] = {component: {} for component in enrolled}
        self._heard: dict[str, _Heard] = {}
        self._asked: dict[str, dict[str, float]] = {}
        """When each of the last questions was answered that was no recording."""
        self._overheard: dict[str, dict[str, float]] = {}
        """When somebody else was heard to answer each of the last questions."""
        self._overdrawn: set[str] = set()

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """All that is open, oldest first."""
        return tuple(each for each in self._lasting.values() if not self.is_closed(each.id))

    def known(self, incident: str) -> Incident | None:
        """An incident that there is or was."""
        return self._incidents.get(incident)

    def is_closed(self, incident: str) -> bool:
        """It stops nobody any more."""
        cleared = self._cleared.get(incident)
        return cleared is not None and (ALL in cleared or self._affected[incident] <= cleared)

    def is_over(self, incident: str) -> bool:
        """Nobody is stopped by it any more, whoever turns up."""
        return ALL in self._cleared.get(incident, ())

    def is_cleared(self, incident: str, component: str) -> bool:
        """It stops this component no more. The component may not know that yet."""
        cleared = self._cleared.get(incident)
        return cleared is not None and (ALL in cleared or component in cleared)

    def affected(self, incident: str) -> frozenset[str]:
        """The enrolled components that this incident stops."""
        return frozenset(self._affected[incident] & self._groups.keys())

    def count(self, incident: str) -> int:
        """How many enrolled components it stops now."""
        return self._count[incident] if incident not in self._cleared else len(self._still_stopped(incident))

    def spare_s(self, state: State, now: float) -> float | None:
        """How long the lease that a statement names still had, where this process gave it."""
        issued = self._issued[state.id].get(state.re or "")
        return None if issued is None else self.ttl_s - (now - issued)

    def met_by(self, target: Target) -> tuple[str, ...]:
        """The enrolled components that a target means now."""
        return tuple(each for each, groups in self._groups.items() if target.meets(each, groups))

    def stopping(self, component: str) -> tuple[str, ...]:
        """The incidents that stop this component."""
        return tuple(self._stopping[component])

    def place(self, incident: str, target: Target) -> Incident | str:
        """What an order of this target under this id belongs to: an incident that it joins, or a free id.

        An order that came before joins what it made, also where that is closed. Else what stops the same target
        already is joined, if it was ordered, and nobody is let off it.
        """
        while (known := self._incidents.get(incident)) is not None:
            if known.stop is not None and known.target == target:
                return known
            if known.stop is None and incident not in self._cleared:
                break  # a component named it before it was ordered: the order widens it
            incident = hashlib.sha256(f"{incident} {target}".encode()).hexdigest()[:32]
        same = (each for each in self._lasting.values() if each.target == target and each.stop is not None)
        return next((each for each in same if each.id not in self._cleared), incident)

    def clearing(self, incident: str, components: Iterable[str] | None) -> frozenset[tuple[str, str]]:
        """What a reset of these components, or of all, would note. It must be durable before `clear` is called.

        What is known without a signed stop is reset for those whom it is known to affect, because who else it is
        meant for nobody could tell those who agreed.
        """
        known = self._incidents[incident]
        if components is None and known.stop is not None:
            return frozenset({(incident, ALL)})
        named = self._affected[incident] if components is None else components
        return frozenset((incident, each) for each in named)

    def clear(self, cleared: Iterable[tuple[str, str]]) -> None:
        """Two persons have agreed, and it is on disk: these incidents stop these components no more."""
        for incident, component in cleared:
            self._cleared.setdefault(incident, set()).add(component)
            if component == ALL:
                self._lasting.pop(incident, None)
            for each in self._stopping if component == ALL else (component,):
                self._stopping.get(each, {}).pop(incident, None)

    def open(self, incident: Incident) -> Growth:
        """Somebody ordered a stop. One that was known without its signed stop is widened to the order's target."""
        known = self._incidents.get(incident.id)
        is_news = known is None or (known.stop is None and incident.stop is not None)
        return self._put(incident) if is_news else Growth()

    def hear(self, state: State, verify: Callable[[bytes], Stop | None]) -> Growth:
        """Take a verified statement of an enrolled component, and adopt what it has latched and we did not know.

        Raises Replayed, and has changed nothing, for one that was heard before.
        """
        self._note_nonce(state)
        growth = Growth()
        for each in state.incidents:
            if (stop := self._proof(each, verify)) is not None:
                growth += self._put(Incident(each.incident, stop.target, each.stop))
        names = dict.fromkeys(each.incident for each in state.incidents)
        named, all_named = self._name(state.id, names)
        growth += named
        all_claimed = self._claim(state)
        if state.id not in self._met:  # it may be new here, or in a new group, since an incident was opened
            self._met.add(state.id)
            growth += Growth((), self._spread(self._lasting.values(), [state.id]))
        if all_named and all_claimed:
            self._overdrawn.discard(state.id)
        else:
            self._overdrawn.add(state.id)
        re_issued = self._issued[state.id].get(state.re or "", float("-inf"))
        self._heard[state.id] = _Heard(state.shown, frozenset(names), re_issued)
        return growth

    def lease(self, state: State, now: float, t_ms: int) -> Lease:
        """The answer to a statement that was heard. Raises Overdrawn where it gets none."""
        if state.id in self._overdrawn:
            raise Overdrawn(
                f"{state.id} names more than {MOST_UNPROVEN} incidents without a signed stop, or adds more than "
                f"{MOST_CLAIMED} groups. It gets no lease; look at what runs there."
            )
        n = self._random(16).hex()
        issued = self._issued[state.id]
        for old in list(itertools.takewhile(lambda each: now - issued[each] > self.ttl_s, issued)):
            del issued[old]
        if state.re in issued:
            _remember(self._asked.setdefault(state.id, {}), state.nonce, now)
        issued[n] = now
        cleared = tuple(each.incident for each in state.incidents if self.is_cleared(each.incident, state.id))
        return Lease(state.nonce, n, t_ms, round(self.ttl_s * 1000), self.stopping(state.id)[:MOST_STOPS], cleared)

    def has_stopped(self, component: str, incident: str, now: float) -> bool:
        """It said so, signed, in answer to what we told it a moment ago. Nothing less counts."""
        heard = self._heard.get(component)
        return (
            heard is not None
            and heard.shown is Shown.STOPPED
            and incident in heard.names
            and now - heard.re_issued <= self.ttl_s
        )

    def has_resumed(self, component: str, incident: str, now: float) -> bool:
        """It was let off the incident, and has said without it what it is, in answer to what we told it just now."""
        heard = self._heard.get(component)
        return (
            self.is_cleared(incident, component)
            and heard is not None
            and incident not in heard.names
            and heard.shown is not Shown.LOST
            and now - heard.re_issued <= self.ttl_s
        )

    def has_latched(self, component: str, incident: str) -> bool:
        """It has said that it knows of the incident."""
        heard = self._heard.get(component)
        return heard is not None and incident in heard.names

    def overhear(self, component: str, lease: Lease, now: float) -> bool:
        """Whether this lease, which is on the wire, shows that another bot answers under our key.

        It does where it answers a question that we have answered, too, and that was no recording: the statement named a
        lease of ours. What comes before we have answered is remembered for a moment.
        """
        if lease.n in self._issued[component]:
            return False
        asked = self._asked.get(component, {}).get(lease.nonce)
        if asked is not None and now - asked <= self.ttl_s:
            return True
        _remember(self._overheard.setdefault(component, {}), lease.nonce, now)
        return False

    def is_answered(self, state: State, now: float) -> bool:
        """Whether another bot has answered this question already, and it is no recording."""
        answered = self._overheard.get(state.id, {}).get(state.nonce)
        return answered is not None and now - answered <= self.ttl_s and state.re in self._issued[state.id]

    def has_echoed(self, component: str, now: float) -> bool:
        """It has named a lease that we gave it a moment ago: it hears us, and this is no recording."""
        heard = self._heard.get(component)
        return heard is not None and now - heard.re_issued <= self.ttl_s

    def is_working(self, component: str, now: float) -> bool:
        """It has said just now that it may work."""
        heard = self._heard.get(component)
        return heard is not None and heard.shown in (Shown.READY, Shown.BUSY) and self.has_echoed(component, now)

    def has_spoken(self, component: str) -> bool:
        """It has said anything at all."""
        return component in self._heard

    def confirmed(self, incident: str, now: float) -> bool:
        """All that it stops have stopped, and there is one at least."""
        affected = self._still_stopped(incident)
        return bool(affected) and all(self.has_stopped(component, incident, now) for component in affected)

    def _still_stopped(self, incident: str) -> frozenset[str]:
        """The enrolled components that it stops and that were not let off."""
        if self.is_over(incident):
            return frozenset()
        return self.affected(incident) - self._cleared.get(incident, set())

    def _note_nonce(self, state: State) -> None:
        nonces = self._nonces[state.id]
        if state.nonce in nonces:
            raise Replayed(f"{state.id} has said this before.")
        nonces[state.nonce] = None
        if len(nonces) > MOST_HEARD:
            del nonces[next(iter(nonces))]

    def _proof(self, latched: Open, verify: Callable[[bytes], Stop | None]) -> Stop | None:
        """The signed stop of an incident, where we had none and it verifies for it."""
        known = self._incidents.get(latched.incident)
        if latched.stop is None or (known is not None and known.stop is not None):
            return None
        stop = verify(latched.stop)
        return stop if stop is not None and stop.incident == latched.incident else None

    def _name(self, component: str, incidents: Iterable[str]) -> tuple[Growth, bool]:
        """A component says that these stop it. False where they are too many, and not all were taken."""
        growth = Growth()
        room = MOST_UNPROVEN - sum(self._incidents[each].stop is None for each in self._stopping[component])
        complete = True
        for incident in incidents:
            if incident in self._stopping[component]:
                continue
            if self.is_cleared(incident, component):
                continue
            known = self._incidents.get(incident)
            if known is None or known.stop is None:
                if room <= 0:
                    complete = False
                    continue
                room -= 1
            if known is None:
                growth += self._put(Incident(incident, Target(id=component)))
            elif self._affect(incident, component):
                growth += Growth((), ((incident, component),))
        return growth, complete

    def _claim(self, state: State) -> bool:
        """It says which groups it is in; it leaves none. False where they are too many, and none was taken."""
        groups = self._groups[state.id] | frozenset(state.groups)
        if len(groups - self._enrolled[state.id]) > MOST_CLAIMED:
            return False
        if groups != self._groups[state.id]:
            self._groups[state.id] = groups
            self._met.discard(state.id)
        return True

    def _put(self, incident: Incident) -> Growth:
        """Keep an incident, new or widened, and all whom it affects."""
        is_known = incident.id in self._incidents
        self._incidents[incident.id] = incident
        if not self.is_over(incident.id):
            self._lasting[incident.id] = incident
        self._affected.setdefault(incident.id, set())
        self._count.setdefault(incident.id, 0)
        spread = self._spread([incident], self._groups)
        return Growth((), spread, (incident,)) if is_known else Growth((incident,), spread)

    def _spread(self, incidents: Iterable[Incident], components: Iterable[str]) -> tuple[tuple[str, str], ...]:
        return tuple(
            (incident.id, component)
            for incident in incidents
            for component in components
            if incident.target.meets(component, self._groups[component]) and self._affect(incident.id, component)
        )

    def _affect(self, incident: str, component: str) -> bool:
        """True where that is news. Who was let off it is not stopped by it again."""
        if component in self._affected[incident] or self.is_over(incident):
            return False
        self._affected[incident].add(component)
        self._count[incident] += component in self._enrolled
        if not self.is_cleared(incident, component):
            self._stopping.setdefault(component, {})[incident] = None
        return True


def _remember(nonces: dict[str, float], nonce: str, now: float) -> None:
    nonces[nonce] = now
    if len(nonces) > MOST_NONCES:
        del nonces[next(iter(nonces))]
