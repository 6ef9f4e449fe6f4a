"""One run of a swarm, from its damage to its end, and its curve. What it comes to never depends on how fast it runs."""

import dataclasses
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.swarm import law
from components.swarm.conditions import Conditions
from components.swarm.swarm import Arrays, Swarm

MOST_POINTS = 2048
AT_ONCE = 64
NO_LONGER_THAN = 20
"""Times what the law says, so long may a run take whose end nobody has set."""
AT_LEAST = 10_000
MOST_STEPS = 10_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """What is simulated."""

    bots: int
    size: int
    damage: float
    pattern: str
    conditions: Conditions
    until: float
    most_steps: int
    """It ends there, however much is left."""

    @property
    def density(self) -> float:
        """Bots a cell."""
        return self.bots / self.size**2

    @property
    def law_steps(self) -> int:
        """When a blind swarm should be done."""
        return law.steps_to(self.until, self.density)


@dataclass(slots=True)
class Curve:
    """How much was damaged after which step. It stays short: where it is full, every other point goes."""

    steps: list[int] = field(default_factory=list[int])
    damaged: list[int] = field(default_factory=list[int])
    _apart: int = 0

    def add(self, step: int, damaged: int) -> None:
        """One more point."""
        if self.steps and step - self.steps[-1] < self._apart:
            return
        self.steps.append(step)
        self.damaged.append(damaged)
        if len(self.steps) > MOST_POINTS:
            self._apart = max(2, 2 * self._apart, step // MOST_POINTS)
            del self.steps[1::2], self.damaged[1::2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    case: int
    """Which of the cases it was."""
    seed: int
    reached: int | None
    """The step at which as much was repaired as was wanted."""
    steps: int
    bots_left: int
    bots_lost: int
    damaged_at_start: int
    repaired: int
    damaged: int
    seconds: float
    curve_steps: tuple[int, ...]
    curve_damaged: tuple[int, ...]
    marks: tuple[tuple[int, str], ...]
    before: NDArray[np.float32] = field(repr=False)
    after: NDArray[np.float32] = field(repr=False)


class Trial:
    """A run that goes on."""

    def __init__(self, case: Case, seed: int, swarm: Swarm) -> None:
        self.case = case
        self.seed = seed
        self.swarm = swarm
        self.curve = Curve()
        self.curve.add(0, swarm.damaged)
        self.marks: list[tuple[int, str]] = []
        self.at_start = swarm.damaged
        self.before = swarm.lattice.picture()
        self.reached: int | None = None if swarm.damaged else 0
        self.seconds = 0.0

    @classmethod
    def begun(cls, case: Case, seed: int, *, threads: int) -> "Trial":
        """At its first step."""
        wanted = (case.size, case.bots, case.damage, case.pattern, seed, case.conditions)
        return cls(case, seed, Swarm.begun(*wanted, threads=threads))

    @property
    def is_over(self) -> bool:
        """Nothing is left to do, or nobody to do it."""
        return self.reached is not None or not self.swarm.alive or self.swarm.step >= self.case.most_steps

    @property
    def unrepaired(self) -> float:
        """The share of the first damage that there is."""
        return self.swarm.damaged / self.at_start if self.at_start else 0.0

    @property
    def progress(self) -> float:
        """From 0 to 1, by the damage that is left, as that shrinks exponentially."""
        if self.is_over:
            return 1.0
        wanted = math.log(max(1.0 - self.case.until, 0.5 / self.at_start))
        return min(1.0, max(0.0, math.log(max(self.unrepaired, 1e-12)) / wanted))

    def advance(self, seconds: float) -> None:
        """Take steps for about so long. One is taken anyway."""
        began = now = time.perf_counter()
        took = 0.0
        while not self.is_over and now - began + took <= seconds:
            step, damaged = self.swarm.step, self.swarm.damaged
            self.swarm.advance(min(AT_ONCE, self.case.most_steps - step))
            self.curve.add(self.swarm.step, self.swarm.damaged)
            self._look(step, damaged)
            before, now = now, time.perf_counter()
            took = now - before
        self.seconds += now - began

    def mark(self, words: str) -> None:
        """Something was changed here."""
        self.marks.append((self.swarm.step, words))
        self.curve.add(self.swarm.step, self.swarm.damaged)

    def outcome(self, case: int) -> Outcome:
        """What it came to."""
        swarm = self.swarm
        curve = (*self.curve.steps, swarm.step), (*self.curve.damaged, swarm.damaged)
        return Outcome(
            case, self.seed, self.reached, swarm.step, swarm.alive, swarm.lost, self.at_start, swarm.repaired,
            swarm.damaged, self.seconds, *curve, tuple(self.marks), self.before, swarm.lattice.picture(),
        )  # fmt: skip

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """All that it is, to go on from."""
        swarm, arrays = self.swarm.state()
        kept = {
            "seed": self.seed,
            "swarm": swarm,
            "curve": dataclasses.asdict(self.curve),
            "marks": self.marks,
            "at_start": self.at_start,
            "seconds": self.seconds,
        }
        return kept, {**arrays, "before": self.before}

    @classmethod
    def restored(cls, case: Case, kept: Mapping[str, Any], arrays: Arrays, *, threads: int) -> "Trial":
        """As it was."""
        trial = cls(case, kept["seed"], Swarm.restored(kept["swarm"], arrays, threads=threads))
        trial.curve = Curve(**kept["curve"])
        trial.marks = [(step, words) for step, words in kept["marks"]]
        trial.at_start, trial.seconds, trial.before = kept["at_start"], kept["seconds"], arrays["before"]
        return trial

    def _look(self, step: int, damaged: int) -> None:
        """Whether it is done. Within a block the damage shrinks exponentially."""
        wanted = (1 - self.case.until) * self.at_start
        if self.swarm.damaged > wanted:
            return
        now, steps = self.swarm.damaged, self.swarm.step - step
        if steps > 1 and damaged > wanted > 0:
            part = math.log(damaged / wanted) / math.log(damaged / max(now, 0.5))
            steps = min(steps, math.ceil(part * steps))
        self.reached = step + steps


def most_steps(until: float, bots: int, size: int, rate: float, speed: float) -> int:
    """Steps after which a run ends whose end nobody has set."""
    expected = law.steps_to(until, bots / size**2) / (rate * min(1.0, speed))
    return int(min(MOST_STEPS, AT_LEAST + NO_LONGER_THAN * expected))
