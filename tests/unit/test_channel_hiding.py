"""What somebody has hidden in one place of a channel is hidden in the others, and commands are what was typed."""

import dataclasses

import pytest

from bot.store import Store
from bot.words.hiding import HIDDEN
from tests.unit.talk import MATRIX, OTHER, Talk, change


@pytest.fixture
def talk(store: Store) -> Talk:
    return Talk(store)


async def test_others_read_what_a_message_shows_and_not_what_it_says(talk: Talk) -> None:
    message = dataclasses.replace(talk.message("it is in the cellar", MATRIX), caption=f"it is {HIDDEN}")
    await talk.takes(message)
    assert await talk.heard(OTHER) == [f"olga (matrix): it is {HIDDEN}"]


async def test_an_edit_that_comes_with_it_takes_the_place_of_both(talk: Talk) -> None:
    message = dataclasses.replace(talk.message("it is in the cellar", MATRIX), caption=f"it is {HIDDEN}")
    await talk.takes(message, changes=[change(message.event, MATRIX, words="it is gone")])
    assert await talk.heard(OTHER) == ["olga (matrix): it is gone"]
