"""What is read back after a gap in which the server, or the bot's account there, has become another."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.store import Tx
from bot.store import heard as heard_before
from tests.system.zulip_stage import SOON_S, Stage, bridge_to, says, staged
from tests.zulip.lab import ALICE, INCIDENTS
from tests.zulip.things import Message


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        yield stage


async def heard(stage: Stage, words: str) -> int:
    number: int = (await stage.bob.say(words)).body["id"]
    assert (await stage.inbox.next()).text == words
    return number


def restore(stage: Stage, last: int) -> None:
    """The server's database is again as it was after this message: what came later is gone, and its ids come again."""
    realm = stage.world.realm
    for message in [each for each in realm.messages.values() if each.id > last]:
        realm.delete(message)
    realm.start_after(Message, last)
    stage.world.queues.forget_all()


async def test_what_is_said_on_a_server_that_was_restored_is_heard_and_nothing_that_is_older(stage: Stage) -> None:
    for number in range(30):
        await stage.bob.say(f"before the bot was there {number}")
    for message in stage.world.realm.messages.values():
        message.sent -= 3600
    async with stage.online():
        await heard(stage, "one")
    restore(stage, 10)
    await stage.bob.say("!stop all")
    async with stage.online():
        assert (await stage.inbox.next()).text == "!stop all"
        await heard(stage, "two")
    assert [each.text for each in stage.inbox.rows] == ["one", "!stop all", "two"]


async def test_what_another_account_of_the_bot_has_said_is_nobodys(stage: Stage) -> None:
    async with stage.online() as bridge:
        await heard(stage, "one")
        await bridge.send(says("!stop all"), key="own")
        await heard(stage, "two")
    await stage.bob.say("three")
    other = await stage.hand("person", full_name="second", is_bot=True, owner_id=ALICE)
    stage.world.realm.channels[INCIDENTS].members.append(other["id"])
    await stage.bob.say("four")
    for message in stage.world.realm.messages.values():
        if message.content != "two":  # what an account cannot see was not taken back
            message.rows[other["id"]] = []
    bridge = bridge_to(
        stage.world.url, stage.folder, stage.people, stage.store, stage.inbox, account="second", email=other["email"]
    )
    running = asyncio.create_task(bridge.run())
    async with asyncio.timeout(SOON_S):
        assert [(await stage.inbox.next()).text for _ in range(2)] == ["three", "four"]
        await heard(stage, "five")
    running.cancel()
    await asyncio.wait([running])
    assert [each.text for each in stage.inbox.rows] == ["one", "two", "three", "four", "five"]
    assert stage.inbox.changed.empty()


async def test_an_edit_that_came_is_not_told_again_when_a_queue_is_lost(stage: Stage) -> None:
    async with stage.online():
        number = await heard(stage, "one")
        await heard(stage, "two")
        await stage.bob.ask("PATCH", f"/messages/{number}", {"content": "other"})
        assert (await stage.inbox.next_change()).text == "other"
        await stage.hand("clock", ahead_s=60)
        later = await heard(stage, "three")
    for _ in range(2):
        stage.world.queues.forget_all()
        async with stage.online():
            await heard(stage, "four")
    assert stage.inbox.changed.empty()
    stage.world.queues.forget_all()
    await stage.bob.ask("PATCH", f"/messages/{later}", {"content": "another"})
    async with stage.online():
        assert (await stage.inbox.next_change()).text == "another"


async def test_of_as_many_messages_as_the_page_says_edits_are_read_back(stage: Stage) -> None:
    stage.world.limits.requests = 10_000
    async with stage.online():
        number = await heard(stage, "the first")
        for each in range(heard_before.MOST_AT_ONCE + 100):
            await heard(stage, str(each))
    stage.world.queues.forget_all()
    await stage.bob.ask("PATCH", f"/messages/{number}", {"content": "edited"})
    async with stage.online():
        assert (await stage.inbox.next_change()).text == "edited"


async def test_of_many_deletions_at_once_the_database_is_asked_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.online():
        for each in range(20):
            await heard(stage, str(each))
        asked: list[object] = []
        read = stage.store.read

        async def counted(work: Callable[[Tx], Any]) -> Any:
            asked.append(work)
            return await read(work)

        monkeypatch.setattr(stage.store, "read", counted)
        await stage.alice.ask("POST", f"/streams/{INCIDENTS}/delete_topic", {"topic_name": "topic"})
        events = {(await stage.inbox.next_change()).event for _ in range(20)}
    assert events == {each.event for each in stage.inbox.rows}
    assert len(asked) == 1
