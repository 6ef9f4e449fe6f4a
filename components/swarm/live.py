"""Changes to a swarm that works. They are checked when they are ordered, and made between two blocks of steps."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from components.swarm.conditions import Conditions
from components.swarm.region import region
from components.swarm.sweep import number, share, whole
from components.swarm.trial import Trial

READ: Mapping[str, Callable[[str, str], float]] = {
    "speed": number,
    "rate": number,
    "sight": whole,
    "noise": share,
    "failures": share,
    "damage": share,
}


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed, in words that stand beside the curve, and how."""

    words: str
    make: Callable[[Trial], str]
    """Make it. Returns what can be said of it only then."""

    def made(self, trial: Trial) -> None:
        """Make it, and mark the curve."""
        more = self.make(trial)
        trial.mark(f"{self.words}{more}")


def conditions(texts: Mapping[str, str]) -> Change:
    """Other conditions; what has no text stays as it is."""
    values: dict[str, Any] = {
        name: READ[name](name, text) if name in READ else text for name, text in texts.items() if text
    }
    if not values:
        raise ValueError(f"Say what is to change, as in {next(iter(texts))}=…: one of {', '.join(texts)}.")
    Conditions(**values)  # it must be possible at all

    def make(trial: Trial) -> str:
        trial.swarm.conditions = dataclasses.replace(trial.swarm.conditions, **values)
        return ""

    return Change(", ".join(f"{name} {text}" for name, text in texts.items() if text), make)


def collapse(where: str) -> Change:
    """All of a region is damaged at once."""
    inside = region(where)

    def make(trial: Trial) -> str:
        return f": {trial.swarm.collapse(inside):,} cells"

    return Change(f"collapse {where.strip()}", make)


def kill(fraction: str) -> Change:
    """Bots are lost."""
    part = share("fraction", fraction)

    def make(trial: Trial) -> str:
        return f": {trial.swarm.kill(part):,} bots"

    return Change(f"lost {part:.3g}", make)
