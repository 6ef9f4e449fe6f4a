"""What somebody ordered, as they typed it, and the cases that this makes. A mistake is a ValueError with a way out."""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from components.swarm.conditions import INTELLIGENCES, Conditions, Intelligence
from components.swarm.lattice import LEAST_LOG2, MOST_LOG2, PATTERNS
from components.swarm.sweep import number, several, share, whole
from components.swarm.trial import MOST_STEPS, Case, most_steps

MOST_BOTS = 1_000_000
MOST_CASES = 16
MOST_RUNS = 64
CELLS_A_BOT = 16
HIGHEST_SEED = 2**32 - 1
SURE = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Order:
    """The texts. Bots, damage, failures and intelligence may be several, and each is tried with each."""

    bots: str = "1e5"
    damage: str = "20%"
    pattern: str = "uniform"
    size: str = ""
    intelligence: str = "blind"
    failures: str = "0"
    noise: str = "0"
    speed: str = "1"
    rate: str = "1"
    sight: str = "3"
    seeds: str = "1..3"
    until: str = "99%"
    steps: str = ""
    """The most of them."""

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> "Order":
        """One that was kept."""
        return cls(**texts)

    @property
    def texts(self) -> dict[str, str]:
        """As it was typed."""
        return dataclasses.asdict(self)

    def cases(self) -> tuple[Case, ...]:
        """Each with each."""
        bots = several("bots", self.bots, whole)
        if not 1 <= min(bots) <= max(bots) <= MOST_BOTS:
            raise ValueError(f"bots must be from 1 to {MOST_BOTS:,}, not {self.bots!r}.")
        size = whole("size", self.size) if self.size.strip() else size_for(max(bots))
        if size & (size - 1) or not 1 << LEAST_LOG2 <= size <= 1 << MOST_LOG2:
            known = ", ".join(str(1 << each) for each in range(LEAST_LOG2, MOST_LOG2 + 1))
            raise ValueError(f"size must be one of {known}, not {self.size!r}.")
        if self.pattern not in PATTERNS:
            raise ValueError(f"pattern must be one of {', '.join(PATTERNS)}, not {self.pattern!r}.")
        damages = several("damage", self.damage, share)
        if min(damages) == 0:
            raise ValueError("damage must be over 0: there would be nothing to repair.")
        several_failures, wits = several("failures", self.failures, share), self._intelligences()
        made = [self._case(*each, size) for each in itertools.product(bots, damages, several_failures, wits)]
        if len(made) > MOST_CASES or len(made) * len(self.seed_list()) > MOST_RUNS:
            raise ValueError(
                f"that makes {len(made)} cases with {len(self.seed_list())} seeds each. At most {MOST_CASES} cases "
                f"and {MOST_RUNS} runs are done in one job: take fewer values."
            )
        return tuple(made)

    def seed_list(self) -> list[int]:
        """The seeds of each case."""
        seeds = several("seeds", self.seeds, whole)
        if not 0 <= min(seeds) <= max(seeds) <= HIGHEST_SEED:
            raise ValueError(f"seeds must be from 0 to {HIGHEST_SEED}, not {self.seeds!r}.")
        return seeds

    def _intelligences(self) -> list[Intelligence]:
        everything = self.intelligence.strip() == "all"
        words = [each.strip() for each in self.intelligence.split(",")]
        known: list[Intelligence] = [each for each in INTELLIGENCES if everything or each in words]
        if not everything and len(known) != len(words):
            raise ValueError(f"intelligence must be all, or some of {', '.join(INTELLIGENCES)}: {self.intelligence!r}.")
        return known

    def _case(self, bots: int, damage: float, failures: float, intelligence: Intelligence, size: int) -> Case:
        until = share("until", self.until)
        if not 0 < until < SURE:
            raise ValueError("until must be over 0 and under 100%: the last cell may take for ever.")
        rate, speed = number("rate", self.rate), number("speed", self.speed)
        conditions = Conditions(
            intelligence, speed, rate, whole("sight", self.sight), share("noise", self.noise), failures
        )
        steps = whole("steps", self.steps) if self.steps.strip() else most_steps(until, bots, size, rate, speed)
        if not 1 <= steps <= MOST_STEPS:
            raise ValueError(f"steps must be from 1 to {MOST_STEPS:,}, not {self.steps!r}.")
        return Case(bots, size, damage, self.pattern, conditions, until, steps)


def size_for(bots: int) -> int:
    """The side of a lattice on which so many bots have something to walk."""
    log2 = math.ceil(math.log2(bots * CELLS_A_BOT) / 2) if bots > 1 else LEAST_LOG2
    return 1 << min(MOST_LOG2, max(LEAST_LOG2, log2))
