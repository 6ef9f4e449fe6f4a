"""Topics that are resolved, spelled otherwise or moved: what the bot says to a place is said where that is."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.system.zulip_moves import change, heard, topic_of
from tests.system.zulip_stage import Stage, says, staged


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        yield stage


async def test_a_topic_that_was_resolved_and_opened_again_is_spoken_to_where_it_is(stage: Stage) -> None:
    async with stage.online() as bridge:
        number, _ = await heard(stage, "hello")
        await change(stage, number, topic="✔ topic", propagate_mode="change_all")
        await stage.inbox.next()  # the notice
        assert topic_of(stage, await bridge.send(says("resolved"), key="1")) == "✔ topic"
        await change(stage, number, topic="topic", propagate_mode="change_all")
        await stage.bob.say("the bot hears this after it", topic="another")
        await stage.inbox.next()
        assert topic_of(stage, await bridge.send(says("open"), key="2")) == "topic"


async def test_a_topic_that_was_moved_without_a_word_is_spoken_to_where_it_is(stage: Stage) -> None:
    async with stage.online() as bridge:
        number, _ = await heard(stage, "hello")
        await change(stage, number, topic="TOPIC", propagate_mode="change_all")
        await stage.bob.say("the bot hears this after it", topic="another")
        await stage.inbox.next()
        assert topic_of(stage, await bridge.send(says("there"), key="1")) == "TOPIC"


@pytest.mark.parametrize("decoy", ["✔ topic", "✔ ✔ TOPIC", "✔  topic"])
async def test_nobody_diverts_what_is_said_by_a_topic_that_looks_resolved(stage: Stage, decoy: str) -> None:
    async with stage.online() as bridge:
        await heard(stage, "hello")
        for number in range(2):
            await stage.alice.say("diverted", topic=decoy)
            await stage.inbox.next()
            assert topic_of(stage, await bridge.send(says("alarm"), key=str(number))) == "topic"
    async with stage.online() as bridge:
        assert topic_of(stage, await bridge.send(says("alarm"), key="again")) == "topic"


async def test_what_is_said_to_a_topic_that_was_resolved_and_moved_away_begins_it_anew_as_it_is_called(
    stage: Stage,
) -> None:
    async with stage.online() as bridge:
        number, _ = await heard(stage, "hello")
        await change(stage, number, topic="✔ topic", propagate_mode="change_all")
        await stage.inbox.next()  # the notice
        assert topic_of(stage, await bridge.send(says("resolved"), key="1")) == "✔ topic"
        await change(stage, number, topic="elsewhere", propagate_mode="change_all")
        assert (await stage.inbox.next_move()).is_whole
        assert topic_of(stage, await bridge.send(says("anew"), key="2")) == "topic"
