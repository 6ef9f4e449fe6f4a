"""Who may do what, from where: every standing, every action, every role. The table stands here a second time."""

import itertools

import pytest

from bot.desk.authority import TABLE, Action, Authority, Demand
from bot.words.errors import Refused
from bot.words.message import Standing
from bot.words.people import Person, Role

DESIGN = """
from       read   inspect  stop   run  govern
attested   yes    yes      yes    yes  yes
signed     yes    -        yes    -    -
unproven   -      -        alarm  -    -
clear      viewer -        alarm  -    -
named      viewer -        yes    conf -
local      yes    yes      yes    yes  yes
key        -      -        yes    -    -
relayed    -      -        -      -    -
"""

NETWORK = "chat"
EVERY_CASE = list(itertools.product(Standing, Action, Role, Role, (False, True), (False, True)))


def designed() -> dict[tuple[Standing, Action], str]:
    head, *lines = (line.split() for line in DESIGN.strip().splitlines())
    return {
        (Standing(line[0]), Action(action)): cell
        for line in lines
        for action, cell in zip(head[1:], line[1:], strict=True)
    }


def person(role: Role) -> Person:
    return Person("pat", role, frozenset())


def may(cell: str, holds: Role, asks: Role, *, two_persons: bool, configured: bool) -> bool:
    """The design, in other words than the code."""
    if cell == "-":
        return False
    if cell == "viewer" and asks != Role.VIEWER:
        return False
    if cell == "conf" and (two_persons or not configured):
        return False
    return holds.value >= asks.value


def test_the_design_says_something_of_every_standing_and_action() -> None:
    assert set(designed()) == set(itertools.product(Standing, Action))
    assert {standing: set(row) for standing, row in TABLE.items()} == {each: set(Action) for each in Standing}


@pytest.mark.parametrize("standing", Standing)
def test_the_table_holds_for_every_action_role_and_configuration(standing: Standing) -> None:
    for _, action, holds, asks, two, configured in (case for case in EVERY_CASE if case[0] is standing):
        cell = designed()[standing, action]
        authority = Authority(frozenset({NETWORK} if configured else ()))
        verdict = authority.judge(person(holds), standing, NETWORK, Demand(action, asks, two))
        expected = may(cell, holds, asks, two_persons=two, configured=configured)
        assert verdict.allowed is expected, (standing, action, holds, asks, two, configured)
        assert verdict.alarm is (expected and cell == "alarm")
        assert verdict.why


def test_every_case_was_looked_at() -> None:
    assert len(EVERY_CASE) == 8 * 5 * 3 * 3 * 2 * 2


@pytest.mark.parametrize(("standing", "action", "holds", "asks", "two", "configured"), EVERY_CASE[::7])
def test_what_is_not_allowed_is_refused_with_its_reason(
    standing: Standing, action: Action, holds: Role, asks: Role, *, two: bool, configured: bool
) -> None:
    authority = Authority(frozenset({NETWORK} if configured else ()))
    demand = Demand(action, asks, two)
    verdict = authority.judge(person(holds), standing, NETWORK, demand)
    if verdict.allowed:
        assert authority.check(person(holds), standing, NETWORK, demand) == verdict
        return
    with pytest.raises(Refused, match=r"^Not run: ") as refused:
        authority.check(person(holds), standing, NETWORK, demand)
    assert verdict.why in refused.value.what


def test_another_network_is_not_the_configured_one() -> None:
    authority = Authority(frozenset({"other"}))
    demand = Demand(Action.RUN, Role.VIEWER)
    assert not authority.judge(person(Role.COMMANDER), Standing.NAMED, NETWORK, demand).allowed


def test_whoever_nobody_has_compared_hears_what_helps() -> None:
    with pytest.raises(Refused, match="nobody has compared yet whether pat is") as refused:
        Authority().check(person(Role.COMMANDER), Standing.SIGNED, NETWORK, Demand(Action.RUN, Role.OPERATOR))
    assert "!verify pat" in refused.value.hint


def test_in_clear_the_room_is_the_reason_and_not_the_network() -> None:
    for action, role in ((Action.READ, Role.OPERATOR), (Action.RUN, Role.OPERATOR)):
        verdict = Authority(frozenset({NETWORK})).judge(
            person(Role.COMMANDER), Standing.CLEAR, NETWORK, Demand(action, role)
        )
        assert NETWORK not in verdict.why
        assert verdict.hint


@pytest.mark.parametrize("role", Role)
def test_a_role_is_named_with_its_article(role: Role) -> None:
    verdict = Authority().judge(person(Role.VIEWER), Standing.ATTESTED, NETWORK, Demand(Action.READ, role))
    article = "an" if role is Role.OPERATOR else "a"
    assert f"{article} {role}" in verdict.why
