"""What the bot has said for others and takes back again: deleted where the server lets it, else edited, else told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.words.document import TakenBack, document
from bot.words.message import Lane, Post
from tests.system.zulip_stage import TO_ALICE, TOPIC, Stage, says, staged
from tests.zulip.editing import ADMINS

BACK = "\u200b(taken back)"
LONG = "secret " * 3000


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        yield stage


def back(event: str) -> Post:
    return Post(TOPIC, document(TakenBack(taken_back=True)), Lane.TALK, edits=event)


def talks(words: str, edits: str | None = None) -> Post:
    return says(words, lane=Lane.TALK, edits=edits)


async def test_where_the_server_lets_it_the_message_is_deleted(stage: Stage) -> None:
    async with stage.online() as bridge:
        event = await bridge.send(talks("a secret"), key="one")
        assert await bridge.send(back(event), key="two") == event
        assert stage.said() == []
        await stage.bob.say("the bot hears this after it")
        await stage.inbox.next()
    assert stage.inbox.changed.empty()  # its own message is nobody's else


@pytest.mark.parametrize("rules", [{"delete_own_message_policy": ADMINS}, {"message_content_delete_limit_seconds": 60}])
async def test_else_it_is_edited(stage: Stage, rules: dict[str, object]) -> None:
    await stage.hand("settings", **rules)
    async with stage.online() as bridge:
        event = await bridge.send(talks("a secret"), key="one")
        await stage.hand("age", message_id=int(event), seconds=120)
        for key in ("two", "three"):
            assert await bridge.send(back(event), key=key) == event
    assert stage.said() == [BACK]


async def test_where_messages_may_not_be_edited_it_is_deleted(stage: Stage) -> None:
    async with stage.online() as bridge:
        event = await bridge.send(talks("a secret"), key="one")
        await stage.hand("settings", allow_message_editing=False)
        await stage.until_heard()
        assert await bridge.send(back(event), key="two") == event
    assert stage.said() == []


async def test_past_all_limits_a_new_message_says_so_once(stage: Stage) -> None:
    async with stage.online() as bridge:
        event = await bridge.send(talks("a secret"), key="one")
        await stage.hand("age", message_id=int(event), seconds=700)
        assert await bridge.send(back(event), key="two") == await bridge.send(back(event), key="two") != event
    old, new = stage.said()
    assert old == "a secret"
    assert new.endswith(BACK)
    assert "takes the place of an earlier message" in new


@pytest.mark.parametrize("rules", [{}, {"delete_own_message_policy": ADMINS}])
async def test_all_messages_of_a_post_are_taken_back_also_after_a_restart(
    stage: Stage, rules: dict[str, object]
) -> None:
    await stage.hand("settings", **rules)
    async with stage.online() as bridge:
        first = await bridge.send(says(LONG, lane=Lane.ANSWER), key="one")  # such as earlier versions have left
        kept = await bridge.send(talks("another"), key="two")
    async with stage.online() as bridge:
        assert await bridge.send(back(first), key="three") == first
    assert set(stage.said()) - {BACK} == {"another"}
    assert stage.world.realm.messages[int(kept)].content == "another"


async def test_what_took_the_place_of_a_message_is_taken_back_with_it(stage: Stage) -> None:
    await stage.hand("settings", message_content_delete_limit_seconds=None)
    async with stage.online() as bridge:
        event = await bridge.send(talks(LONG), key="one")
        for key in ("two", "three"):
            for each in stage.world.realm.messages:
                await stage.hand("age", message_id=each, seconds=700)
            event, before = await bridge.send(talks("other words", edits=event), key=key), event
            assert event != before
        assert len(stage.said()) == 3
        assert await bridge.send(back(event), key="four") == event
    assert stage.said() == []


async def test_what_is_gone_already_is_taken_back(stage: Stage) -> None:
    async with stage.online() as bridge:
        event = await bridge.send(talks("a secret"), key="one")
        await stage.alice.ask("DELETE", f"/messages/{event}")
        for key in ("two", "three"):
            assert await bridge.send(back(event), key=key) == event
    assert stage.said() == []


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "502_after"])
@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
async def test_a_connection_that_breaks_keeps_nothing_from_being_taken_back(
    stage: Stage, kind: str, method: str
) -> None:
    if method == "PATCH":
        await stage.hand("settings", delete_own_message_policy=ADMINS)
    async with stage.online() as bridge:
        event = await bridge.send(talks(LONG), key="one")
        await stage.fault(kind, method, ".*/messages/.*")
        assert await stage.until_said(bridge, back(event), "two") == event
    assert set(stage.said()) <= {BACK}


async def test_what_was_said_directly_is_taken_back(stage: Stage) -> None:
    async with stage.online() as bridge:
        event = await bridge.send(says("a secret", TO_ALICE, lane=Lane.TALK), key="one")
        gone = Post(TO_ALICE, document(TakenBack(taken_back=True)), Lane.TALK, edits=event)
        assert await bridge.send(gone, key="two") == event
    assert stage.said() == []
