"""What is known of each component from its birth and its statements. It never decides that one has stopped.

A birth certificate may ask for more care than the configuration does. It never takes any away.
"""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from bot.words.document import Span, Tone
from wire.birth import Birth, Danger
from wire.clock import boot_clock
from wire.latch import TTL_S
from wire.messages import Shown, State

TONES = {
    Shown.HELD: Tone.WARN,
    Shown.READY: Tone.GOOD,
    Shown.BUSY: Tone.GOOD,
    Shown.STOPPING: Tone.WARN,
    Shown.STOPPED: Tone.WARN,
}
WORKING = (Shown.READY, Shown.BUSY)
MOST_STRANGERS = 64
"""Who speaks without being enrolled, and is shown as that. The one that was not heard for longest goes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """A component as the configuration lists it."""

    groups: frozenset[str] = frozenset()
    danger: Mapping[str, Danger] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    """By command: at least this much care, whatever its birth says."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sight:
    """One component as we see it now."""

    id: str
    title: str | None
    """From its birth certificate."""
    groups: frozenset[str]
    shown: Shown | None
    """What it last said, or nothing since we started."""
    heard_ago_s: float | None
    spare_s: float | None = None
    """How much of a lease was left when it asked for the next one: the least so far."""
    held: int = 0
    """How often it came to be held while it worked."""

    def says(self, *, confirmed: bool, echoed: bool = True) -> Span:
        """Its state in words: only what is known.

        `confirmed` is the bell's word that it stands still just now, `echoed` that it has answered us just now.
        """
        if self.shown is None or self.heard_ago_s is None:
            return Span("not heard since I started", tone=Tone.WARN)
        if self.shown is Shown.LOST:
            return Span("connection lost", tone=Tone.BAD)
        if self.heard_ago_s > TTL_S:
            return Span(f"silent, was {self.shown}", tone=Tone.BAD)
        if not confirmed and (self.shown is Shown.STOPPED or not echoed):
            return Span(f"{self.shown}, last heard", tone=Tone.WARN)
        return Span(self.shown, tone=TONES[self.shown])


@dataclasses.dataclass(slots=True)
class _Seen:
    """What was heard of one component since we started."""

    birth: Birth | None = None
    state: State | None = None
    at: float = 0.0
    spare_s: float | None = None
    held: int = 0


class Registry:
    """All enrolled components, seen or not."""

    def __init__(self, listed: Mapping[str, Listed], *, clock: Callable[[], float] = boot_clock) -> None:
        self._clock = clock
        self._listed = dict(listed)
        self._seen = {component: _Seen() for component in self._listed}
        self._strangers: collections.OrderedDict[str, tuple[frozenset[str], float]] = collections.OrderedDict()

    def born(self, birth: Birth) -> None:
        """A verified birth certificate of an enrolled component."""
        self._seen[birth.id].birth = birth

    def decommissioned(self, component: str) -> None:
        """The birth certificate was taken away."""
        self._seen[component].birth = None

    def heard(self, state: State, spare_s: float | None = None) -> None:
        """A verified statement of an enrolled component, and how much of its lease was left."""
        seen = self._seen[state.id]
        if state.shown is Shown.LOST and seen.state is not None and seen.state.session != state.session:
            return  # the will of a session that is over
        before, seen.state, seen.at = seen.state, state, self._clock()
        if spare_s is not None and state.shown in WORKING:
            seen.spare_s = spare_s if seen.spare_s is None else min(seen.spare_s, spare_s)
        if before is not None and before.session == state.session and before.shown in WORKING:
            seen.held += state.shown is Shown.HELD

    def stranger(self, component: str, names: Iterable[str]) -> None:
        """Somebody speaks who is not enrolled, and names incidents. Nobody can tell whether it is true."""
        self._strangers[component] = (frozenset(names), self._clock())
        self._strangers.move_to_end(component)
        if len(self._strangers) > MOST_STRANGERS:
            self._strangers.popitem(last=False)

    def strangers(self) -> Mapping[str, tuple[frozenset[str], float]]:
        """Who spoke a moment ago without being enrolled: what it names, and how long ago."""
        now = self._clock()
        return {
            component: (names, now - at) for component, (names, at) in self._strangers.items() if now - at <= 2 * TTL_S
        }

    def session(self, component: str) -> str | None:
        """In which session it spoke last."""
        state = self._seen[component].state
        return None if state is None else state.session

    def works(self, component: str) -> bool:
        """Whether it has just said that it is let work, in the session of its birth."""
        seen = self._seen[component]
        if seen.state is None or seen.birth is None or seen.state.session != seen.birth.session:
            return False
        return seen.state.shown in WORKING and self._clock() - seen.at <= TTL_S

    def birth(self, component: str) -> Birth | None:
        """Its birth certificate, where we have seen one."""
        return self._seen[component].birth

    def danger(self, component: str, command: str) -> Danger:
        """How much care a command takes: what the configuration says, or more."""
        birth = self._seen[component].birth
        offer = birth.commands.get(command) if birth else None
        said = offer.danger if offer else Danger.NONE
        return max(said, self._listed[component].danger.get(command, Danger.NONE))

    def claims(self, component: str) -> tuple[str, ...]:
        """Its groups, and the care that its commands take, in a fixed form: what nobody may change unseen."""
        birth = self._seen[component].birth
        commands = sorted(birth.commands) if birth else ()
        return (
            *(f"group {group}" for group in sorted(self.groups_of(component).union(birth.groups if birth else ()))),
            *(f"{command}: danger {self.danger(component, command)}" for command in commands),
        )

    def groups(self) -> frozenset[str]:
        """All groups that any component is in."""
        return frozenset(group for component in self._listed for group in self.groups_of(component))

    def components(self) -> tuple[str, ...]:
        """All enrolled components."""
        return tuple(sorted(self._listed))

    def sights(self) -> tuple[Sight, ...]:
        """All enrolled components, in order of name."""
        return tuple(self._sight(component) for component in self.components())

    def _sight(self, component: str) -> Sight:
        seen = self._seen[component]
        return Sight(
            id=component,
            title=seen.birth.title if seen.birth else None,
            groups=self.groups_of(component),
            shown=seen.state.shown if seen.state else None,
            heard_ago_s=self._clock() - seen.at if seen.state else None,
            spare_s=seen.spare_s,
            held=seen.held,
        )

    def groups_of(self, component: str) -> frozenset[str]:
        """Those of the configuration, and what it says itself. It leaves none."""
        seen = self._seen[component]
        return self._listed[component].groups.union(seen.state.groups if seen.state else ())
