"""How much one person and one place may ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.desk.limits import Limit, Limits, TooMany
from bot.words.message import Place
from bot.words.people import Person, Role


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_so_many_at_once_and_then_no_more(clock: Clock) -> None:
    limit = Limit(3, 1.0, clock=clock)
    assert [limit.take("olga") for _ in range(5)] == [True, True, True, False, False]


def test_it_fills_again_with_time_and_not_beyond_its_bound(clock: Clock) -> None:
    limit = Limit(3, 0.5, clock=clock)
    assert [limit.take("olga") for _ in range(3)] == [True] * 3
    clock.now += 1.9
    assert not limit.take("olga")
    assert limit.wait_s("olga") == pytest.approx(0.1)
    clock.now += 0.1
    assert limit.take("olga")
    clock.now += 10_000
    assert [limit.take("olga") for _ in range(4)] == [True, True, True, False]


def test_one_person_does_not_use_up_what_another_has(clock: Clock) -> None:
    limit = Limit(1, 1.0, clock=clock)
    assert limit.take("olga")
    assert limit.take("vera")
    assert not limit.take("olga")


def test_whoever_asks_too_much_is_told_once_in_each_place(clock: Clock) -> None:
    olga, otto = (Person(name, Role.OPERATOR, frozenset()) for name in ("olga", "otto"))
    room, hall = Place("chat", "room"), Place("chat", "hall")
    limits = Limits(place=Limit(1, 0.01, clock=clock), told=Limit(1, 0.01, clock=clock))
    limits.charge(olga, room)
    limits.charge(olga, hall)
    told: list[tuple[str, str, bool]] = []
    for person, place in ((olga, room), (olga, room), (otto, room), (olga, hall)):
        with pytest.raises(TooMany, match="from here") as much:
            limits.charge(person, place)
        told.append((person.name, place.id, much.value.first))
    assert told == [("olga", "room", True), ("olga", "room", False), ("otto", "room", True), ("olga", "hall", True)]


def test_a_full_place_takes_nothing_from_the_person(clock: Clock) -> None:
    olga = Person("olga", Role.OPERATOR, frozenset())
    limits = Limits(person=Limit(2, 0.001, clock=clock), place=Limit(1, 0.001, clock=clock))
    limits.charge(olga, Place("chat", "room"))
    with pytest.raises(TooMany, match="from here"):
        limits.charge(olga, Place("chat", "room"))
    limits.charge(olga, Place("chat", "hall"))
    with pytest.raises(TooMany, match="from you"):
        limits.charge(olga, Place("chat", "yard"))


def test_only_so_many_keys_are_remembered(clock: Clock) -> None:
    limit = Limit(1, 0.001, clock=clock, most=10)
    assert all(limit.take(key) for key in range(100))
    assert limit.take(0)
    assert not limit.take(99)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 10)), max_size=60))
def test_nobody_ever_gets_more_than_the_rate(steps: list[tuple[str, float]]) -> None:
    clock = Clock()
    limit = Limit(5, 0.5, clock=clock)
    taken = dict.fromkeys("ab", 0)
    for key, passed in steps:
        clock.now += passed
        taken[key] += limit.take(key)
    assert all(count <= 5 + clock.now * 0.5 + 1e-6 for count in taken.values())
