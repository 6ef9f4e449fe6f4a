"""A swarm on its lattice, step by step. What is repaired is counted where a cell changes, and never by a bot.

Bots are sorted by their rows now and then. Between two sorts a bot goes a few rows at most, so two threads can work on
parts that lie apart, and what comes out is the same for one thread and for two, bit for bit.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from components.swarm import control, kernels
from components.swarm.conditions import Conditions
from components.swarm.hands import Ranges, together
from components.swarm.kernels import CHANCES, DEAD, STEPS_IN_A_WORD, Cells, Counts
from components.swarm.lattice import Inside, Lattice, chosen, damage

SORT_AFTER = 64
"""Moves of a bot."""
MARGIN = 80
"""Rows between two parts and whatever lies near the other: the moves of a bot, how far it sees, and some more."""
LEAST_FOR_PARTS = 512
"""Rows of a part: a lattice that is smaller is worked on as one."""
LEAST_FOR_TWO = 20_000
"""Bots: to call a second thread costs more than what fewer take."""
COARSENESS = 8
"""So many times a block of steps has gone by since the last news, before one of that size is taken."""
MASK = (1 << 64) - 1

T = TypeVar("T")
Work: TypeAlias = Callable[[Ranges], T]
Arrays = Mapping[str, NDArray[Any]]


class Swarm:
    """Bots, damage, and the step at which they are."""

    def __init__(self, lattice: Lattice, bots: int, seed: int, conditions: Conditions, *, threads: int = 1) -> None:
        self.lattice = lattice
        self._conditions = conditions
        self.bots = self.alive = bots
        self.seed = seed
        self.step = 0
        self.made = self.damaged = lattice.damaged
        """Cells that were ever damaged, each time counted; and those that are."""
        self._threads = threads
        self._moves = 0
        self._since_sort = 0
        self._changes = 0
        self._news = 0
        self.positions: Cells = self._random("places").integers(0, lattice.cells, bots, dtype=np.uint32)
        """The cell of each bot; of one that is lost, until it is forgotten, `DEAD`."""
        self._regions: Cells = np.zeros(bots, np.uint32)
        self._cuts = (0, 0, 0, 0)
        self._sort()

    @classmethod
    def begun(
        cls, size: int, bots: int, share: float, pattern: str, seed: int, conditions: Conditions, *, threads: int = 1
    ) -> "Swarm":
        """A swarm on a lattice of which this share is damaged in a pattern."""
        lattice = Lattice.whole(size)
        damage(lattice, pattern, share, _random(seed, "pattern"))
        return cls(lattice, bots, seed, conditions, threads=threads)

    @property
    def lost(self) -> int:
        """Bots that are no more."""
        return self.bots - self.alive

    @property
    def repaired(self) -> int:
        """Cells that were repaired, each time counted."""
        return self.made - self.damaged

    @property
    def conditions(self) -> Conditions:
        """What it works under."""
        return self._conditions

    @conditions.setter
    def conditions(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._news = self.step
        self._sort()  # also those who were blind are assigned a region before their next step

    def advance(self, most: int) -> int:
        """Take up to so many steps, one at least. Returns how many.

        Where nothing has happened for a while, more are taken at once: what is counted is right after the last.
        """
        moves = int(np.ceil(self.conditions.speed))
        if self._since_sort + moves > SORT_AFTER:
            self._sort()
        steps = 1
        if self.conditions.is_plain:
            in_word = self._moves % STEPS_IN_A_WORD
            room = min(SORT_AFTER - self._since_sort, STEPS_IN_A_WORD - in_word, (self.step - self._news) // COARSENESS)
            steps = max(1, min(most, room)) if self.conditions.is_calm else 1
            self.damaged -= self._walk(steps, in_word)
        else:
            if self.conditions.intelligence == "global" and self._since_sort % control.EVERY < moves:
                self._regions = control.assigned(self.positions, self.lattice, self._rules(1.0))
            self.damaged -= self._act(moves)
        self.step += steps
        self._weather()
        return steps

    def collapse(self, inside: Inside) -> int:
        """All cells that are meant are damaged at once. Returns how many were not before."""
        self._news = self.step
        return self._spoiled(self.lattice.spoil_inside(inside))

    def kill(self, share: float) -> int:
        """Lose this share of the bots that live. Returns how many."""
        living = np.flatnonzero(self.positions != DEAD)
        lost = round(share * living.size)
        self._changes += 1
        self._news = self.step
        random = self._random(f"kill {self._changes}")
        self.positions[random.choice(living, lost, replace=False, shuffle=False)] = DEAD
        self.alive -= lost
        return lost

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """All that it is, to go on from."""
        kept = {
            "log2": self.lattice.log2,
            "bots": self.bots,
            "seed": self.seed,
            "step": self.step,
            "made": self.made,
            "moves": self._moves,
            "since_sort": self._since_sort,
            "changes": self._changes,
            "news": self._news,
            "cuts": list(self._cuts),
            "conditions": dataclasses.asdict(self.conditions),
        }
        return kept, {"words": self.lattice.words, "positions": self.positions, "regions": self._regions}

    @classmethod
    def restored(cls, kept: Mapping[str, Any], arrays: Arrays, *, threads: int = 1) -> "Swarm":
        """As it was."""
        lattice = Lattice(kept["log2"], arrays["words"])
        swarm = cls(lattice, 0, kept["seed"], Conditions(**kept["conditions"]), threads=threads)
        swarm.bots, swarm.step, swarm.made = kept["bots"], kept["step"], kept["made"]
        swarm._moves, swarm._since_sort, swarm._changes = kept["moves"], kept["since_sort"], kept["changes"]
        swarm._news = kept["news"]
        swarm._cuts = tuple(kept["cuts"])
        swarm.positions, swarm._regions = arrays["positions"], arrays["regions"]
        swarm.alive = int(np.count_nonzero(swarm.positions != DEAD))
        return swarm

    def _walk(self, steps: int, in_word: int) -> int:
        key = np.uint64(_key(self.seed, "walk", self._moves // STEPS_IN_A_WORD))
        at, log2 = np.uint64(in_word), np.uint64(self.lattice.log2)

        def work(ranges: Ranges) -> int:
            swarm, words = self.positions, self.lattice.words
            return sum(int(kernels.walk(swarm, first, last, words, log2, key, at, steps)) for first, last in ranges)

        self._moves += steps
        self._since_sort += steps
        return sum(self._in_parts(work))

    def _act(self, moves: int) -> int:
        repaired = 0
        for move in range(moves):
            key = np.uint64(_key(self.seed, "act", self._moves))
            rules = self._rules(min(1.0, self.conditions.speed - move))

            def work(ranges: Ranges, rules: Counts = rules, key: np.uint64 = key) -> int:
                swarm, regions, words = self.positions, self._regions, self.lattice.words
                return sum(int(kernels.act(swarm, regions, first, last, words, rules, key)) for first, last in ranges)

            repaired += sum(self._in_parts(work))
            self._moves += 1
            self._since_sort += 1
        return repaired

    def _weather(self) -> None:
        failures, damaging = self.conditions.failures, self.conditions.damage
        if failures:
            positions = self.positions
            failed = chosen(positions.size, failures, self._random(f"failures {self.step}"))
            lost = failed[positions[failed] != DEAD]
            positions[lost] = DEAD
            self.alive -= int(lost.size)
        if damaging:
            self._spoiled(self.lattice.spoil(damaging, self._random(f"damage {self.step}")))

    def _spoiled(self, cells: int) -> int:
        self.made += cells
        self.damaged += cells
        return cells

    def _sort(self) -> None:
        ordered = np.empty(self.positions.size, np.uint32)
        starts = np.zeros(self.lattice.size + 1, np.int64)
        self.alive = int(kernels.sort(self.positions, ordered, np.uint64(self.lattice.log2), starts))
        self.positions = ordered[: self.alive]
        self._regions = np.zeros(self.alive, np.uint32)
        self._since_sort = 0
        size, half = self.lattice.size, self.lattice.size // 2
        if half < LEAST_FOR_PARTS:
            self._cuts = (0, self.alive, self.alive, self.alive)
        else:
            rows = (MARGIN, half - MARGIN, half + MARGIN, size - MARGIN)
            a, b, c, d = (int(starts[row]) for row in rows)
            self._cuts = (a, b, c, d)

    def _in_parts(self, work: Work[T]) -> list[T]:
        """Do a piece of work for all bots: first what lies apart, then what lies between."""
        a, b, c, d = self._cuts
        end = self.positions.size
        phases: list[tuple[Ranges, Ranges]] = [([(a, b)], [(c, d)]), ([(b, c)], [(0, a), (d, end)])]
        if self._threads == 1 or a == 0 or end < LEAST_FOR_TWO:
            return [work([*mine, *other]) for mine, other in phases]
        return [done for mine, other in phases for done in together(work, mine, other)]

    def _rules(self, move: float) -> Counts:
        now = self.conditions
        rules = np.zeros(7, np.int64)
        rules[kernels.LOG2], rules[kernels.REGION_LOG2] = self.lattice.log2, control.region_log2(self.lattice.log2)
        rules[kernels.SIGHT] = 0 if now.intelligence == "blind" else now.sight
        rules[kernels.GUIDED] = now.intelligence == "global" and self.damaged > 0
        chances = ((kernels.NOISE, now.noise), (kernels.MOVE, move), (kernels.RATE, now.rate))
        for place, chance in chances:
            rules[place] = round(chance * CHANCES)
        return rules

    def _random(self, what: str) -> np.random.Generator:
        return _random(self.seed, what)


def _random(seed: int, what: str) -> np.random.Generator:
    """Chance for one purpose. The same is drawn wherever the work is taken up again."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *what.encode()])))


def _key(seed: int, what: str, number: int) -> int:
    """Where the counting of random bits begins, for a purpose and a number."""
    key = seed
    for part in (*what.encode(), number):
        key = (key + part + 1) * 0x9E3779B97F4A7C15 & MASK
        key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9 & MASK
        key = (key ^ key >> 27) * 0x94D049BB133111EB & MASK
        key ^= key >> 31
    return key


def warm_up() -> None:
    """Compile all that is compiled, or take it from the cache. It takes seconds where nothing is there yet."""
    for conditions in (Conditions(), Conditions("local", damage=1e-6), Conditions("global")):
        Swarm.begun(64, 10, 0.1, "uniform", 0, conditions).advance(1)
