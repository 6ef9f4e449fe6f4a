"""What theory says of the swarm, against walks that are counted one by one and sums that are done term by term."""

import itertools
import math

import numpy as np
import pytest

from components.swarm import law

WAYS = ((1, 0), (-1, 0), (0, 1), (0, -1))


def stepped_on(walk: tuple[tuple[int, int], ...]) -> int:
    x, y = (itertools.accumulate(each) for each in zip(*walk, strict=True))
    return len(set(zip(x, y, strict=True)))


def distinct(step: int) -> float:
    return float(law.distinct(np.array([step]))[0])


@pytest.mark.parametrize("steps", range(1, 8))
def test_the_mean_of_cells_stepped_on_is_that_of_all_walks(steps: int) -> None:
    every = [stepped_on(walk) for walk in itertools.product(WAYS, repeat=steps)]
    assert distinct(steps) == pytest.approx(sum(every) / len(every), rel=1e-12)


def test_long_sums_are_those_of_the_renewal_equation() -> None:
    back, never = [1.0], [1.0]
    for step in range(1, 1500):
        back.append(0.0 if step % 2 else back[step - 2] * ((step - 1) / step) ** 2)
        never.append(1 - math.fsum(back[each] * never[step - each] for each in range(1, step + 1)))
    for step in (100, 777, 1500):
        assert distinct(step) == pytest.approx(math.fsum(never[:step]), rel=1e-10)


def test_beyond_what_is_summed_it_goes_on_smoothly(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = np.array([1 << 14, 1 << 15, 50_001, 1 << 16])
    exact = law.distinct(steps)
    monkeypatch.setattr(law, "EXACT_UP_TO", 1 << 13)
    law.summed.cache_clear()
    try:
        assert law.distinct(steps) == pytest.approx(exact, rel=5e-4)
    finally:
        law.summed.cache_clear()


def test_the_first_term_alone_is_too_small_by_a_few_percent() -> None:
    steps = np.array([200, 2_000, 20_000, 60_000])
    ratios = math.pi * steps / np.log(8 * steps) / law.distinct(steps)
    assert np.all((ratios > 0.95) & (ratios < 0.98))


def test_the_time_to_a_share_is_the_first_step_with_so_little_left() -> None:
    for until, density in ((0.99, 0.06), (0.5, 0.01), (0.999, 1e-4)):
        step = law.steps_to(until, density)
        left = law.unrepaired(np.array([step - 1, step]), density)
        assert left[1] <= 1 - until < left[0]


def test_the_bound_is_the_formula() -> None:
    assert law.bound(1000, 100) == 10
    assert law.bound(1000, 100, rate=0.5) == 20
    assert law.bound(1000, 0) == math.inf
