"""The swarm against the law of random walks, and against itself: what is repaired never depends on how it was run."""

import copy
from typing import Any

import numpy as np
import pytest

from components.swarm import law
from components.swarm.conditions import Conditions, Intelligence
from components.swarm.swarm import Swarm
from components.swarm.trial import Case, Trial

PLAIN = Conditions()


def run(swarm: Swarm, steps: int, *, at_once: int = 64) -> Swarm:
    end = swarm.step + steps
    while swarm.step < end:
        swarm.advance(min(at_once, end - swarm.step))
    return swarm


def same(one: Swarm, other: Swarm) -> bool:
    mine, theirs = one.state(), other.state()
    return mine[0] == theirs[0] and all(np.array_equal(each, theirs[1][name]) for name, each in mine[1].items())


@pytest.mark.parametrize(
    ("size", "bots", "damage", "pattern", "seeds"),
    [(256, 1_300, 0.35, "stripes", 11), (1024, 37_000, 0.2, "uniform", 5), (2048, 170_000, 0.11, "checker", 3)],
)
def test_the_time_to_a_share_is_that_of_the_law(size: int, bots: int, damage: float, pattern: str, seeds: int) -> None:
    for until in (0.3, 0.9, 0.99):
        case = Case(bots, size, damage, pattern, PLAIN, until, 10**6)
        reached: list[int] = []
        for seed in range(200, 200 + seeds):
            trial = Trial.begun(case, seed, threads=2)
            while not trial.is_over:
                trial.advance(1.0)
            assert trial.reached is not None
            reached.append(trial.reached)
        assert np.median(reached) == pytest.approx(case.law_steps, rel=0.05, abs=1)


def test_the_whole_curve_follows_the_law() -> None:
    size, bots = 2048, 300_000
    swarm = Swarm.begun(size, bots, 0.3, "uniform", 9, PLAIN, threads=2)
    start = swarm.damaged
    while swarm.damaged > 0.01 * start:
        swarm.advance(64)
        expected = law.unrepaired(np.array([swarm.step]), bots / size**2)[0]
        assert swarm.damaged / start == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("speed", [1.0, 0.5, 2.5])
def test_the_mean_square_displacement_is_the_number_of_moves(speed: float) -> None:
    middle, steps = 512, 300
    swarm = Swarm.begun(1024, 60_000, 0.01, "uniform", 77, Conditions(speed=speed))
    swarm.positions[:] = middle * 1024 + middle
    run(swarm, steps)
    x, y = (swarm.positions % 1024).astype(np.int64) - middle, (swarm.positions >> 10).astype(np.int64) - middle
    assert np.mean(x * x + y * y) == pytest.approx(speed * steps, rel=0.02)
    assert np.mean(x * x) == pytest.approx(np.mean(y * y), rel=0.03)
    assert abs(np.mean(x)) + abs(np.mean(y)) < 0.02 * steps**0.5 * 2


CONDITIONS = (
    PLAIN,
    Conditions(failures=1e-3, damage=1e-5),
    Conditions("local", noise=0.1),
    Conditions("global", speed=1.5, rate=0.7),
)


@pytest.mark.parametrize("conditions", CONDITIONS, ids=lambda each: each.intelligence)
def test_a_seed_repeats_bit_for_bit_on_two_threads_and_however_it_is_cut(conditions: Conditions) -> None:
    def begun(seed: int = 5, threads: int = 1) -> Swarm:
        return Swarm.begun(1024, 21_000, 0.2, "uniform", seed, conditions, threads=threads)

    whole = run(begun(), 66)
    assert same(whole, run(begun(), 66))
    assert same(whole, run(begun(threads=2), 66))
    assert same(whole, run(begun(), 66, at_once=7))
    assert not same(whole, run(begun(seed=6), 66))


@pytest.mark.parametrize("conditions", CONDITIONS, ids=lambda each: each.intelligence)
@pytest.mark.parametrize("at", [0, 37, 128])
def test_what_was_kept_in_the_middle_comes_to_the_same_end(conditions: Conditions, at: int) -> None:
    whole = Swarm.begun(128, 900, 0.2, "clusters", 8, conditions)
    run(whole, at)
    kept: Any = copy.deepcopy(whole.state())
    assert same(run(whole, 100), run(Swarm.restored(*kept), 100))


@pytest.mark.parametrize("intelligence", ["blind", "local", "global"])
def test_nothing_is_made_or_lost_without_being_counted(intelligence: Intelligence) -> None:
    swarm = Swarm.begun(256, 4_000, 0.3, "disc", 3, Conditions(intelligence, noise=0.05, failures=0.002, damage=1e-4))
    for _ in range(60):
        swarm.advance(64)
        assert swarm.damaged == swarm.lattice.damaged
        assert swarm.made == swarm.damaged + swarm.repaired
        living = swarm.positions[swarm.positions != 0xFFFFFFFF]
        assert swarm.alive == living.size
        assert swarm.alive + swarm.lost == 4_000
        assert np.all(living < 256 * 256)
    assert swarm.repaired > 0
    assert swarm.lost > 0


def test_with_a_bot_on_every_cell_and_a_half_the_lattice_is_soon_whole() -> None:
    swarm = run(Swarm.begun(64, 6_000, 1.0, "uniform", 1, PLAIN), 80)
    assert (swarm.damaged, swarm.repaired) == (0, 64 * 64)
