"""What is shown of a component is what it said itself, and how long ago."""

import inspect

import pytest

from bot.desk.targets import resolve
from bot.fleet.registry import Registry
from bot.words.errors import UsageError
from wire.clock import boot_clock
from wire.latch import TTL_S
from wire.messages import Birth, Shown, State, Target

ENROLLED = (("walker", frozenset({"legs"})), ("crane", frozenset[str]()))


class Clock:
    """Set by the test."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> Registry:
    return Registry(ENROLLED, clock=clock)


def state(component: str, shown: Shown, *groups: str) -> State:
    return State(component, "5e", "00", None, shown, groups=groups)


def test_what_never_spoke_is_shown_as_that(registry: Registry) -> None:
    crane, walker = registry.sights()
    assert (crane.id, walker.id) == ("crane", "walker")
    assert (walker.title, walker.shown, walker.heard_ago_s) == (None, None, None)
    assert walker.says(confirmed=False).text == "not heard since I started"


def test_its_age_counts_while_the_machine_sleeps() -> None:
    default = inspect.signature(Registry).parameters["clock"].default
    assert default is boot_clock


def test_a_statement_is_shown_with_its_age(registry: Registry, clock: Clock) -> None:
    registry.heard(state("walker", Shown.BUSY))
    clock.now += 3
    _, walker = registry.sights()
    assert (walker.shown, walker.heard_ago_s) == (Shown.BUSY, 3.0)
    assert walker.says(confirmed=False).text == "busy"


@pytest.mark.parametrize("shown", [shown for shown in Shown if shown is not Shown.LOST])
@pytest.mark.parametrize("confirmed", [True, False])
def test_silence_is_shown_as_silence(registry: Registry, clock: Clock, shown: Shown, confirmed: bool) -> None:
    registry.heard(state("walker", shown))
    clock.now += TTL_S + 0.1
    assert registry.sights()[1].says(confirmed=confirmed).text == f"silent, was {shown}"


def test_stopped_is_said_only_when_the_bell_says_so_too(registry: Registry) -> None:
    registry.heard(state("walker", Shown.STOPPED))
    _, walker = registry.sights()
    assert walker.says(confirmed=True).text == "stopped"
    assert walker.says(confirmed=False).text == "stopped, last heard"


def test_a_lost_connection_is_not_a_stop(registry: Registry) -> None:
    registry.heard(state("walker", Shown.LOST))
    assert registry.sights()[1].says(confirmed=True).text == "connection lost"


def test_a_birth_gives_a_title_until_it_is_taken_away(registry: Registry) -> None:
    registry.born(Birth("walker", "5e", "A walker", "demo", "1"))
    assert registry.sights()[1].title == "A walker"
    registry.decommissioned("walker")
    registry.decommissioned("walker")
    assert registry.sights()[1].title is None


def test_groups_are_those_of_the_configuration_and_what_the_component_adds(registry: Registry) -> None:
    assert registry.groups() == {"legs"}
    registry.heard(state("walker", Shown.READY, "arms"))
    assert registry.sights()[1].groups == {"legs", "arms"}
    assert registry.groups() == {"legs", "arms"}
    registry.heard(state("walker", Shown.READY))
    assert registry.sights()[1].groups == {"legs"}  # never fewer than the configuration says


@pytest.mark.parametrize(
    ("word", "target"),
    [("all", Target()), ("ALL", Target()), ("walker", Target(id="walker")), ("Legs", Target(group="legs"))],
)
def test_a_target_is_all_or_a_component_or_a_group(registry: Registry, word: str, target: Target) -> None:
    assert resolve(registry, word) == target


@pytest.mark.parametrize(
    ("word", "line"), [("walkr", "!shutdown walker"), ("al", "!shutdown all"), ("xyz", "!shutdown all")]
)
def test_what_is_no_target_is_answered_with_the_line_to_send(registry: Registry, word: str, line: str) -> None:
    with pytest.raises(UsageError, match="Nothing was stopped") as wrong:
        resolve(registry, word)
    assert line in wrong.value.hint


def test_a_component_is_meant_before_a_group_of_its_name() -> None:
    registry = Registry((("twin", frozenset({"twin"})),))
    assert resolve(registry, "twin") == Target(id="twin")
