"""What the bot says in a topic in the very moment in which all of that is moved: it follows the rest."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.words.errors import Unreachable
from tests.system.zulip_moves import Watch, change, heard, topic_of
from tests.system.zulip_stage import SOON_S, Stage, says, staged
from tests.zulip.lab import TOCSIN

ALL = "change_all"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        yield stage


@pytest.fixture
async def watch(stage: Stage) -> Watch:
    return Watch(stage, await stage.alice.register("update_message"))


async def heard_after(stage: Stage) -> None:
    """The bot has heard all that was before."""
    await stage.bob.say("after it", topic="another")
    while (await stage.inbox.next()).text != "after it":
        pass


async def test_what_was_said_before_the_bot_heard_of_the_move_follows(stage: Stage, watch: Watch) -> None:
    async with stage.online() as bridge:
        number, _ = await heard(stage, "hello")
        before = await bridge.send(says("before"), key="before")
        stage.inbox.may_go.clear()
        await stage.bob.say("while this stands", topic="another")
        await change(stage, number, topic="Elsewhere", propagate_mode=ALL)
        stray = await bridge.send(says("stray"), key="stray")
        assert (topic_of(stage, before), topic_of(stage, stray)) == ("Elsewhere", "topic")
        stage.inbox.may_go.set()
        assert await watch.moved_by_the_bot() == [int(stray)]
        assert topic_of(stage, stray) == "Elsewhere"
        await heard_after(stage)
    assert all("moved" not in each.content for each in stage.world.realm.messages.values()), "there is no notice"


async def test_what_was_begun_before_and_is_said_afterwards_follows_too(stage: Stage, watch: Watch) -> None:
    async with stage.online() as bridge:
        number, _ = await heard(stage, "hello")
        await bridge.send(says("before"), key="before")
        stage.world.limits.fill(TOCSIN, 2.0)
        with pytest.raises(Unreachable):  # so that the bot waits for its turn
            await bridge.send(says("refused"), key="refused")
        sending = asyncio.create_task(bridge.send(says("late"), key="late"))
        await change(stage, number, topic="elsewhere", propagate_mode=ALL)
        assert (await stage.inbox.next_move()).is_whole
        stray = await sending
        assert await watch.moved_by_the_bot() == [int(stray)]
    assert topic_of(stage, stray) == "elsewhere"


async def test_what_an_earlier_run_has_said_there_follows(stage: Stage, watch: Watch) -> None:
    async with stage.online() as bridge:
        number, _ = await heard(stage, "hello")
        stage.inbox.may_go.clear()
        await change(stage, number, topic="elsewhere", propagate_mode=ALL)
        stray = await bridge.send(says("stray"), key="stray")
    stage.inbox.may_go.set()
    async with stage.online():
        assert (await stage.inbox.next_move()).is_whole
        assert await watch.moved_by_the_bot() == [int(stray)]
    assert topic_of(stage, stray) == "elsewhere"


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_message_that_went_elsewhere_before_stays_there(stage: Stage, watch: Watch, *, is_told: bool) -> None:
    async with stage.online() as bridge:
        number, _ = await heard(stage, "hello")
        own = await bridge.send(says("own"), key="own")
        if is_told:
            await change(stage, int(own), topic="first")
        else:
            stage.world.realm.messages[int(own)].topic = "first"
        await heard_after(stage)
        stage.inbox.may_go.clear()
        await stage.bob.say("while this stands", topic="another")
        await change(stage, number, topic="elsewhere", propagate_mode=ALL)
        stray = await bridge.send(says("stray"), key="stray")
        stage.inbox.may_go.set()
        assert await watch.moved_by_the_bot() == [int(stray)]
        await heard_after(stage)
    assert (topic_of(stage, own), topic_of(stage, stray)) == ("first", "elsewhere")


async def test_where_not_all_was_moved_nothing_follows(stage: Stage) -> None:
    async with stage.online() as bridge:
        number, _ = await heard(stage, "hello")
        stage.inbox.may_go.clear()
        await stage.bob.say("while this stands", topic="another")
        await change(stage, number, topic="elsewhere")
        own = await bridge.send(says("stays"), key="own")
        stage.inbox.may_go.set()
        await stage.inbox.next_move()
        await heard_after(stage)
        await bridge.send(says("after it"), key="after")
    assert topic_of(stage, own) == "topic"


async def test_a_stray_that_may_not_be_moved_stays(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    async with stage.online() as bridge:
        number, _ = await heard(stage, "hello")
        stage.inbox.may_go.clear()
        await stage.bob.say("while this stands", topic="another")
        await change(stage, number, topic="elsewhere", propagate_mode=ALL)
        own = await bridge.send(says("stays"), key="own")
        await stage.hand("settings", edit_topic_policy=6)
        stage.inbox.may_go.set()
        async with asyncio.timeout(SOON_S):
            while "stays behind" not in capsys.readouterr().out:
                await stage.until_heard()
                await bridge.send(says("on", lane=says("").lane), key=f"on {len(stage.said())}")
    assert topic_of(stage, own) == "topic"
