"""The core of every benchmark: ours and a reference are measured in turn, and their medians compared.

It never measures one side first and the other afterwards: a machine that gets busy would choose the winner.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `goal` is the promise in words, and `holds` says whether it was kept."""

    name: str
    ours: float
    reference: float
    what: str
    ratio: float
    goal: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Medians:
    """What several runs of both sides came to, in whatever unit they were measured."""

    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        """How many times the reference ours is."""
        return self.ours / self.reference


def in_turn(ours: Callable[[], float], reference: Callable[[], float], *, runs: int) -> Medians:
    """Call both sides `runs` times, one after the other, and take the medians of what they return.

    One more round comes first and does not count: it fills caches.
    """
    pairs = [(ours(), reference()) for _ in range(runs + 1)][1:]
    return Medians(median(ours for ours, _ in pairs), median(reference for _, reference in pairs))
