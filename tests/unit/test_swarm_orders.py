"""How orders for the swarm are read: numbers as people write them, sweeps, and mistakes, with a way out."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.swarm.order import MOST_BOTS, Order, size_for
from components.swarm.sweep import MOST_VALUES, number, several, share, whole


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e6", 1e6), ("1M", 1e6), ("20k", 2e4), ("20%", 0.2), ("20 %", 0.2), ("0.2", 0.2), (".5", 0.5), (" 7 ", 7)],
)
def test_numbers_are_read_as_people_write_them(text: str, value: float) -> None:
    assert number("bots", text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "x", "1e", "1e999", "nan", "inf", "1_000", "--1", "5 M x", "٣"])
def test_what_is_no_number_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="bots must be a number such as 1e6"):
        number("bots", text)


def test_a_sweep_goes_from_the_one_to_the_other_by_equal_factors() -> None:
    assert several("bots", "1e3..1e6/4", whole) == [1_000, 10_000, 100_000, 1_000_000]
    assert several("damage", "10%..40%/3", share) == [0.1, 0.2, 0.4]
    assert several("seeds", "7", whole) == [7]
    assert several("seeds", "1, 2,3", whole) == [1, 2, 3]
    assert several("seeds", "5..8", whole) == [5, 6, 7, 8]
    assert several("bots", "10,1e2..1e3/2,10", whole) == [10, 100, 1000]


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(2, MOST_VALUES))
def test_any_sweep_has_its_ends_and_goes_up(one: int, other: int, count: int) -> None:
    low, high = sorted((one, other))
    values = several("bots", f"{low}..{high}/{count}", whole)
    assert (values[0], values[-1]) == (low, high)
    assert all(before < after for before, after in itertools.pairwise(values))
    assert len(values) <= count


@given(st.floats(1e-6, 1e6), st.floats(1.1, 100), st.integers(2, MOST_VALUES))
def test_factors_of_a_sweep_are_equal(low: float, factor: float, count: int) -> None:
    values = several("x", f"{low!r}..{low * factor!r}/{count}", number)
    assert len(values) == count
    for before, after in itertools.pairwise(values):
        assert after / before == pytest.approx(factor ** (1 / (count - 1)), rel=1e-4)


@given(st.text(max_size=30))
def test_whatever_is_typed_is_read_or_refused_in_words(text: str) -> None:
    try:
        values = several("bots", text, whole)
    except ValueError as refused:
        assert "bots must" in str(refused)  # noqa: PT017 - both ways are right
    else:
        assert 0 < len(values) <= MOST_VALUES


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (Order(bots="1e9"), "bots must be from 1 to"),
        (Order(bots="0.5"), "bots must be a whole number"),
        (Order(bots="1e6..1e3/4"), "bots must go up: 1e3..1e6"),
        (Order(bots="1e3..1e6"), "bots must say how many values"),
        (Order(bots="1e3..1e6/1000"), "bots must have 2 to"),
        (Order(size="1000"), "size must be one of 64, 128"),
        (Order(damage="0"), "damage must be over 0"),
        (Order(damage="120%"), "damage must be from 0 to 1"),
        (Order(pattern="spots"), "pattern must be one of uniform"),
        (Order(intelligence="clever"), "intelligence must be all, or some of"),
        (Order(intelligence="blind,blind"), "intelligence must be all, or some of"),
        (Order(until="100%"), "until must be over 0 and under 100%"),
        (Order(seeds="-1"), "seeds must be from 0"),
        (Order(steps="0"), "steps must be from 1"),
        (Order(speed="9"), "speed must be over 0"),
        (Order(bots="1e3..1e4/20"), "that makes 20 cases with 3 seeds each"),
        (Order(bots="1e3..1e4/10", seeds="1..20"), "that makes 10 cases with 20 seeds each"),
    ],
)
def test_a_mistake_in_an_order_is_told_with_a_way_out(order: Order, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        order.cases()


def test_each_is_tried_with_each_on_the_lattice_of_the_most() -> None:
    cases = Order(bots="1e3,1e4", intelligence="all", failures="0,1e-4").cases()
    assert len(cases) == 12
    assert {case.size for case in cases} == {512}
    assert {case.conditions.intelligence for case in cases} == {"blind", "local", "global"}


@given(st.integers(1, MOST_BOTS))
def test_any_number_of_bots_gets_a_lattice_with_room(bots: int) -> None:
    size = size_for(bots)
    assert size & (size - 1) == 0
    assert bots * 4 <= size * size
