"""What changes a swarm while it works: collapse, loss, weather, and other bots. Each changes the simulation itself."""

import numpy as np
import pytest

from components.swarm import live
from components.swarm.conditions import Conditions, Intelligence
from components.swarm.lattice import PATTERNS, Lattice, chosen, damage
from components.swarm.order import Order
from components.swarm.region import NAMED, region
from components.swarm.swarm import Swarm
from components.swarm.trial import Trial


def begun(conditions: Conditions | None = None, *, size: int = 256, pattern: str = "uniform") -> Swarm:
    return Swarm.begun(size, 4_000, 0.2, pattern, 11, conditions or Conditions())


def run(swarm: Swarm, steps: int) -> Swarm:
    end = swarm.step + steps
    while swarm.step < end:
        swarm.advance(end - swarm.step)
    return swarm


def test_a_region_that_collapses_is_damaged_as_a_whole_and_is_repaired_again() -> None:
    swarm = run(begun(), 300)
    before, made = swarm.damaged, swarm.made
    fresh = swarm.collapse(region("north-west"))
    corner = swarm.lattice.in_squares(32)[:10, :10]
    assert np.all(corner == 64)
    assert (swarm.damaged, swarm.made) == (before + fresh, made + fresh)
    assert swarm.damaged == swarm.lattice.damaged
    assert run(swarm, 300).damaged < before + fresh / 10


@pytest.mark.parametrize("name", NAMED)
def test_each_region_that_has_a_name_lies_where_it_says(name: str) -> None:
    lattice = Lattice.whole(128)
    lattice.spoil_inside(region(name))
    rows, columns = np.nonzero(lattice.in_squares(16))
    assert lattice.damaged == pytest.approx(128**2 if name == "all" else 128**2 / 9, rel=0.05)
    if name != "all":
        assert (rows.mean() < 5) == ("north" in name)
        assert (rows.mean() > 10) == ("south" in name)
        assert (columns.mean() < 5) == ("west" in name)
        assert (columns.mean() > 10) == ("east" in name)


def test_a_disc_lies_on_the_torus_and_has_its_size() -> None:
    lattice = Lattice.whole(512)
    assert lattice.spoil_inside(region("0%,0%,10%")) == pytest.approx(np.pi * 51.2**2, rel=0.01)
    map_ = lattice.in_squares(8)
    assert all(map_[y, x] > 0 for x in (0, 7) for y in (0, 7))


@pytest.mark.parametrize("words", ["", "up", "1,2", "50%,50%,200%", "a,b,c"])
def test_a_region_that_nobody_knows_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match="region must"):
        region(words)


def test_a_fraction_of_the_bots_is_lost_and_the_others_need_longer() -> None:
    whole, fewer = run(begun(), 20), run(begun(), 20)
    assert fewer.kill(0.75) == 3_000
    assert (fewer.alive, fewer.lost) == (1_000, 3_000)
    assert run(whole, 100).damaged < 0.7 * run(fewer, 100).damaged
    assert fewer.kill(1.0) == 1_000
    left = fewer.damaged
    assert run(fewer, 100).damaged == left


def test_bots_fail_at_the_rate_of_the_weather() -> None:
    swarm = Swarm.begun(256, 100_000, 0.1, "uniform", 2, Conditions(failures=0.01))
    run(swarm, 50)
    assert swarm.alive == pytest.approx(100_000 * 0.99**50, rel=0.02)


def test_weather_damages_cells_at_its_rate() -> None:
    lone = Swarm.begun(512, 1, 0.1, "uniform", 2, Conditions(damage=0.001))
    healthy = lone.lattice.cells - lone.damaged
    run(lone, 100)
    assert lone.lattice.cells - lone.damaged == pytest.approx(healthy * 0.999**100, rel=0.01)


@pytest.mark.parametrize(
    ("conditions", "factor"), [(Conditions(rate=0.5), 0.5), (Conditions(noise=0.25), 0.75), (Conditions(speed=1e-9), 0)]
)
def test_rate_and_noise_take_their_share_of_the_first_repairs(conditions: Conditions, factor: float) -> None:
    def first(now: Conditions) -> int:
        swarm = Swarm.begun(2048, 100_000, 0.5, "uniform", 4, now)
        swarm.lattice.words[:] = np.uint64(0xFFFFFFFFFFFFFFFF)
        swarm.made = swarm.damaged = swarm.lattice.damaged
        swarm.advance(1)
        return swarm.repaired

    expected = first(Conditions()) * (factor or 1)  # who stays repairs, too: it stands on damage
    assert first(conditions) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("pattern", ["clusters", "uniform"])
def test_the_cleverer_the_bots_the_sooner_it_is_done(pattern: str) -> None:
    def steps(intelligence: Intelligence) -> int:
        swarm = begun(Conditions(intelligence), pattern=pattern, size=512)
        start = swarm.damaged
        while swarm.damaged > 0.01 * start:
            swarm.advance(64)
        return swarm.step

    blind, local, controlled = steps("blind"), steps("local"), steps("global")
    assert controlled < local < blind / 2


def test_a_controller_brings_bots_to_damage_that_none_of_them_sees() -> None:
    def left(intelligence: Intelligence) -> int:
        swarm = Swarm.begun(512, 200, 0.002, "disc", 3, Conditions(intelligence))
        return run(swarm, 150).damaged

    assert left("global") < 0.3 * left("local")


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_pattern_damages_its_share(pattern: str, share: float) -> None:
    lattice = Lattice.whole(512)
    assert damage(lattice, pattern, share, np.random.default_rng(1)) == lattice.damaged
    assert lattice.damaged == pytest.approx(share * lattice.cells, abs=8 * lattice.size)
    assert lattice.in_squares(64).sum() == lattice.damaged
    assert lattice.picture().mean() == pytest.approx(lattice.damaged / lattice.cells, rel=1e-5)


def test_who_is_hit_is_hit_with_the_same_chance() -> None:
    many = chosen(1_000_000, 0.01, np.random.default_rng(5))
    assert many.size == pytest.approx(10_000, rel=0.04)
    assert np.all(np.diff(many) > 0)
    assert many.mean() == pytest.approx(500_000, rel=0.02)
    assert chosen(1000, 1.0, np.random.default_rng(5)).size == 1000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (live.collapse("centre"), "collapse centre: "),
        (live.kill("50%"), "lost 0.5: 2,000 bots"),
        (live.conditions({"speed": "0.5", "rate": "", "intelligence": "local"}), "speed 0.5, intelligence local"),
        (live.conditions({"noise": "10%", "failures": "", "damage": "1e-5"}), "noise 10%, damage 1e-5"),
    ],
    ids=["levolution", "kill", "customize", "weather"],
)
def test_each_change_changes_the_run_and_marks_its_moment(change: live.Change, words: str) -> None:
    (case,) = Order(bots="4000", size="256").cases()
    changed, usual = (Trial.begun(case, 1, threads=1) for _ in range(2))
    for trial in (changed, usual):
        while trial.swarm.step < 20:
            trial.advance(0)
    change.made(changed)
    for trial in (changed, usual):
        trial.advance(0)
        trial.advance(0)
    ((step, said),) = changed.marks
    assert step == usual.curve.steps[-3]
    assert said.startswith(words)
    assert changed.swarm.damaged != usual.swarm.damaged
    assert changed.outcome(0).marks == ((step, said),)


@pytest.mark.parametrize(
    "texts",
    [
        {"speed": "0"},
        {"speed": "100"},
        {"rate": "2"},
        {"noise": "-1"},
        {"sight": "2.5"},
        {"speed": ""},
        {"damage": "x"},
    ],
)
def test_conditions_that_cannot_be_are_refused_when_they_are_ordered(texts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(texts))):
        live.conditions(texts)
