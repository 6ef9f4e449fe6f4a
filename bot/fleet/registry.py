"""What is known of each component from its birth and its statements. It never decides that one has stopped."""

import dataclasses
from collections.abc import Callable, Iterable

from bot.words.document import Span, Tone
from wire.clock import boot_clock
from wire.latch import TTL_S
from wire.messages import Birth, Shown, State

TONES = {
    Shown.HELD: Tone.WARN,
    Shown.READY: Tone.GOOD,
    Shown.BUSY: Tone.GOOD,
    Shown.STOPPING: Tone.WARN,
    Shown.STOPPED: Tone.BAD,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Sight:
    """One component as we see it now."""

    id: str
    title: str | None
    """From its birth certificate, which anybody on the broker could have written."""
    groups: frozenset[str]
    shown: Shown | None
    """What it last said, or nothing since we started."""
    heard_ago_s: float | None

    def says(self, *, confirmed: bool) -> Span:
        """Its state in words: only what is known. `confirmed` is the bell's word that it stands still just now."""
        if self.shown is None or self.heard_ago_s is None:
            return Span("not heard since I started", tone=Tone.WARN)
        if self.shown is Shown.LOST:
            return Span("connection lost", tone=Tone.BAD)
        if self.heard_ago_s > TTL_S:
            return Span(f"silent, was {self.shown}", tone=Tone.BAD)
        if self.shown is Shown.STOPPED and not confirmed:
            return Span("stopped, last heard", tone=Tone.WARN)
        return Span(self.shown, tone=TONES[self.shown])


class Registry:
    """All enrolled components, seen or not."""

    def __init__(
        self, enrolled: Iterable[tuple[str, frozenset[str]]], *, clock: Callable[[], float] = boot_clock
    ) -> None:
        self._clock = clock
        self._groups = dict(enrolled)
        self._births: dict[str, Birth] = {}
        self._states: dict[str, tuple[State, float]] = {}

    def born(self, birth: Birth) -> None:
        """A birth certificate of an enrolled component."""
        self._births[birth.id] = birth

    def decommissioned(self, component: str) -> None:
        """The birth certificate was taken away."""
        self._births.pop(component, None)

    def heard(self, state: State) -> None:
        """A verified statement of an enrolled component."""
        self._states[state.id] = (state, self._clock())

    def groups(self) -> frozenset[str]:
        """All groups that any component is in."""
        return frozenset(group for component in self._groups for group in self._groups_of(component))

    def components(self) -> tuple[str, ...]:
        """All enrolled components."""
        return tuple(sorted(self._groups))

    def sights(self) -> tuple[Sight, ...]:
        """All enrolled components, in order of name."""
        return tuple(self._sight(component) for component in self.components())

    def _sight(self, component: str) -> Sight:
        birth = self._births.get(component)
        state, at = self._states.get(component, (None, 0.0))
        return Sight(
            id=component,
            title=birth.title if birth else None,
            groups=self._groups_of(component),
            shown=state.shown if state else None,
            heard_ago_s=self._clock() - at if state else None,
        )

    def _groups_of(self, component: str) -> frozenset[str]:
        state, _ = self._states.get(component, (None, 0.0))
        return self._groups[component] | frozenset(state.groups if state else ())
