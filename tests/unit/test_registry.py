"""What is shown of a component is what it said itself, and how long ago."""

import dataclasses
import inspect

import pytest

from bot.desk.targets import resolve
from bot.fleet.registry import MOST_STRANGERS, Listed, Registry
from bot.words.errors import UsageError
from wire.birth import Birth, Danger, Offer
from wire.clock import boot_clock
from wire.latch import TTL_S
from wire.messages import Shown, State, Target

ENROLLED = {"walker": Listed(frozenset({"legs"})), "crane": Listed()}


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
    registry = Registry({"twin": Listed(frozenset({"twin"}))})
    assert resolve(registry, "twin") == Target(id="twin")


def born(danger: Danger = Danger.NONE, *groups: str) -> Birth:
    return Birth("walker", "5e", "A walker", "demo", "1", groups, {"walk": Offer("Walk", {}, danger=danger)})


@pytest.mark.parametrize("listed", list(Danger))
@pytest.mark.parametrize("claimed", list(Danger))
def test_a_command_takes_the_care_of_the_configuration_or_more(listed: Danger, claimed: Danger) -> None:
    registry = Registry({"walker": Listed(danger={"walk": listed})})
    assert registry.danger("walker", "walk") is listed
    registry.born(born(claimed))
    assert registry.danger("walker", "walk") is max(listed, claimed)
    registry.decommissioned("walker")
    assert registry.danger("walker", "walk") is listed
    assert registry.danger("walker", "fly") is Danger.NONE


def test_a_birth_takes_no_group_away_and_only_a_statement_adds_one(registry: Registry) -> None:
    registry.born(born(Danger.NONE, "arms"))  # a stop of `arms` would wait for nobody: the bell goes by statements
    assert registry.groups_of("walker") == {"legs"}
    registry.heard(state("walker", Shown.READY, "arms"))
    assert registry.groups_of("walker") == {"legs", "arms"}
    registry.born(born())
    registry.heard(state("walker", Shown.READY))
    assert registry.groups_of("walker") == {"legs"}


def test_what_a_component_claims_has_one_form(registry: Registry) -> None:
    assert registry.claims("walker") == ("group legs",)
    registry.born(born(Danger.HIGH, "zebra", "arms"))
    assert registry.claims("walker") == ("group arms", "group legs", "group zebra", "walk: danger high")
    assert registry.birth("walker") == born(Danger.HIGH, "zebra", "arms")
    assert registry.claims("crane") == ()


def test_the_narrowest_escape_is_remembered_and_only_of_work(registry: Registry) -> None:
    for shown, spare in (
        (Shown.HELD, 0.1),
        (Shown.READY, 7.4),
        (Shown.BUSY, 3.2),
        (Shown.BUSY, 6.0),
        (Shown.BUSY, None),
    ):
        registry.heard(state("walker", shown), spare)
    assert registry.sights()[1].spare_s == 3.2
    assert registry.sights()[0].spare_s is None


def test_how_often_it_was_held_while_it_worked_is_counted(registry: Registry) -> None:
    for shown in (Shown.HELD, Shown.HELD, Shown.READY, Shown.HELD, Shown.BUSY, Shown.HELD, Shown.STOPPED, Shown.HELD):
        registry.heard(state("walker", shown))
    assert registry.sights()[1].held == 2
    registry.heard(state("walker", Shown.READY))
    registry.heard(dataclasses.replace(state("walker", Shown.HELD), session="6f"))
    assert registry.sights()[1].held == 2  # it began anew: it had not worked in this session


def test_a_state_that_may_be_a_recording_is_shown_as_heard_and_no_more(registry: Registry) -> None:
    registry.heard(state("walker", Shown.BUSY))
    assert registry.sights()[1].says(confirmed=False, echoed=False).text == "busy, last heard"
    assert registry.sights()[1].says(confirmed=False, echoed=True).text == "busy"


def test_strangers_are_shown_while_they_speak_with_what_they_name(registry: Registry, clock: Clock) -> None:
    assert registry.strangers() == {}
    registry.stranger("ghost", ["a" * 32])
    clock.now += 2 * TTL_S
    assert registry.strangers() == {"ghost": (frozenset({"a" * 32}), 2 * TTL_S)}
    clock.now += 0.1
    assert registry.strangers() == {}


def test_of_a_crowd_of_strangers_the_last_are_kept(registry: Registry) -> None:
    for number in range(MOST_STRANGERS):
        registry.stranger(f"ghost-{number}", [])
    registry.stranger("ghost-0", [])  # it speaks again
    registry.stranger("ghost-new", [])
    strangers = registry.strangers()
    assert len(strangers) == MOST_STRANGERS
    assert ["ghost-0" in strangers, "ghost-1" in strangers, "ghost-new" in strangers] == [True, False, True]
    assert [each.id for each in registry.sights()] == ["crane", "walker"]
