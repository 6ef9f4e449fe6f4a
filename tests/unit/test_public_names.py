"""The names that a plug-in may import: a bridge can be written with them alone."""

import inspect
import typing
from collections.abc import Iterator

import pytest

import tocsin
from bot import bridge
from bot.findings import State

CONTRACT = [each for each in vars(bridge).values() if inspect.isclass(each) and each.__module__ == bridge.__name__]


def ours_in(hint: object) -> Iterator[type]:
    """The classes of the bot that a type is made of."""
    if inspect.isclass(hint) and hint.__module__.startswith("bot."):
        yield hint
    parts: list[object] = [*hint] if isinstance(hint, list) else [*typing.get_args(hint)]
    for part in parts:
        yield from ours_in(part)


@pytest.mark.parametrize("part", CONTRACT, ids=lambda part: part.__name__)
def test_what_the_contract_with_bridges_names_a_plug_in_may_import(part: type) -> None:
    said = [part, *(each for name, each in vars(part).items() if inspect.isfunction(each) and name[0] != "_")]
    named = {part} | {
        found for each in said for hint in typing.get_type_hints(each).values() for found in ours_in(hint)
    }
    public = [vars(tocsin)[name] for name in tocsin.__all__]
    assert {each.__name__ for each in named if each not in public} == set()


def test_a_finding_of_each_state_can_be_made() -> None:
    for state in State:
        what_to_do = () if state is State.GOOD else ("Make room.",)
        assert vars(tocsin)[state]("disk", "It is so.", *what_to_do).state is state
        assert state in tocsin.__all__
