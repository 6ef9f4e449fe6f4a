"""The table of who may do what, from where: every cell of it."""

import itertools

import pytest

from bot.desk.authority import ALLOWED, Action, check
from bot.words.errors import Refused
from bot.words.message import Standing
from bot.words.people import Account, Person, Role

MAY_FROM = {
    (Standing.ATTESTED, Action.READ): True,
    (Standing.ATTESTED, Action.STOP): True,
    (Standing.UNPROVEN, Action.READ): False,
    (Standing.UNPROVEN, Action.STOP): False,
}
ENOUGH = {
    (Role.VIEWER, Role.VIEWER): True,
    (Role.VIEWER, Role.OPERATOR): False,
    (Role.VIEWER, Role.COMMANDER): False,
    (Role.OPERATOR, Role.VIEWER): True,
    (Role.OPERATOR, Role.OPERATOR): True,
    (Role.OPERATOR, Role.COMMANDER): False,
    (Role.COMMANDER, Role.VIEWER): True,
    (Role.COMMANDER, Role.OPERATOR): True,
    (Role.COMMANDER, Role.COMMANDER): True,
}


def person(role: Role) -> Person:
    return Person("somebody", role, frozenset({Account("chat", "somebody")}))


@pytest.mark.parametrize("standing", Standing)
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(("has", "takes"), list(itertools.product(Role, Role)))
def test_exactly_what_stands_in_the_table_is_allowed(
    standing: Standing, action: Action, has: Role, takes: Role
) -> None:
    if MAY_FROM[standing, action] and ENOUGH[has, takes]:
        check(person(has), standing, action, takes)
    else:
        with pytest.raises(Refused, match="Not run"):
            check(person(has), standing, action, takes)


def test_every_standing_has_its_row() -> None:
    assert set(ALLOWED) == set(Standing)


def test_a_refusal_says_what_it_takes() -> None:
    with pytest.raises(Refused, match="takes an operator, and you are a viewer"):
        check(person(Role.VIEWER), Standing.ATTESTED, Action.STOP, Role.OPERATOR)


def test_who_proves_nothing_is_not_told_what_it_would_take() -> None:
    with pytest.raises(Refused, match="nothing proves") as refused:
        check(person(Role.VIEWER), Standing.UNPROVEN, Action.STOP, Role.OPERATOR)
    assert "operator" not in str(refused.value)
    assert "verified" in refused.value.hint
