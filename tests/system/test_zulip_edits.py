"""Words that are written into messages of the stand-in after they were moved: they count where the message is."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.words.errors import Unreachable
from bot.words.message import Lane, Place
from bridges.zulip import catching_up, tracking, voice
from tests.system.zulip_moves import change, copied, heard, topic
from tests.system.zulip_stage import TO_ALICE, TOPIC, Stage, says, staged
from tests.zulip.lab import ALICE, SECRET, TOCSIN, UNSUBBED, WEIRD

HIDDEN = "the hidden word"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        stage.world.realm.channels[SECRET].members.append(TOCSIN)
        yield stage


def looked(stage: Stage) -> int:
    """How often the bot has read messages on the server."""
    return sum(
        each.method == "GET" and each.path.endswith("/messages") and each.who.startswith("tocsin")
        for each in stage.world.requests
    )


MOVES = [
    ({"stream_id": SECRET}, topic("topic", SECRET)),
    ({"stream_id": WEIRD, "topic": "topic"}, topic("topic", WEIRD)),
    ({"topic": "elsewhere"}, topic("elsewhere")),
    ({"stream_id": SECRET, "topic": "elsewhere", "propagate_mode": "change_all"}, topic("elsewhere", SECRET)),
]


@pytest.mark.parametrize(("move", "to"), MOVES)
async def test_what_is_written_into_a_message_that_was_moved_is_told_of_where_it_is(
    stage: Stage, move: dict[str, object], to: Place
) -> None:
    async with stage.online():
        number, event = await heard(stage, "hello")
        await change(stage, number, **move)
        await change(stage, number, content=HIDDEN)
        edit = await stage.inbox.next_change()
    assert (edit.event, edit.place, edit.text) == (event, to, HIDDEN)


async def test_so_it_is_where_the_bot_was_started_anew_between_and_nobody_is_asked(stage: Stage) -> None:
    async with stage.online():
        number, _ = await heard(stage, "hello")
        await change(stage, number, topic="elsewhere")
        await stage.inbox.next_move()
    async with stage.online():
        await change(stage, number, content=HIDDEN)
        edit = await stage.inbox.next_change()
    assert (edit.place, edit.text) == (topic("elsewhere"), HIDDEN)
    assert looked(stage) == 0


async def test_words_that_move_a_message_are_where_it_is(stage: Stage) -> None:
    async with stage.online():
        number, _ = await heard(stage, "hello")
        await change(stage, number, content=HIDDEN, topic="elsewhere")
        edit = await stage.inbox.next_change()
    assert (edit.place, edit.text) == (topic("elsewhere"), HIDDEN)


async def test_what_was_written_elsewhere_is_not_told_once_the_message_is_back(stage: Stage) -> None:
    async with stage.online():
        number, _ = await heard(stage, "hello")
    await change(stage, number, topic="elsewhere")
    await change(stage, number, content=HIDDEN)
    await change(stage, number, content="harmless")
    await change(stage, number, topic="topic")
    async with stage.online():  # all of it comes at once
        edits = [await stage.inbox.next_change() for _ in range(2)]
    assert [(each.place, each.text) for each in edits] == [(TOPIC, ""), (TOPIC, "harmless")]


async def test_words_in_a_channel_that_the_bot_is_not_in_any_more_are_nobodys(stage: Stage) -> None:
    async with stage.online():
        number, event = await heard(stage, "hello")
        await stage.tocsin.ask("DELETE", "/users/me/subscriptions", {"subscriptions": ["incidents"]})
        await change(stage, number, content=HIDDEN)
        edit = await stage.inbox.next_change()
    assert (edit.event, edit.text) == (event, "")


async def test_an_edit_of_a_mention_in_a_foreign_channel_is_the_writers_alone(stage: Stage) -> None:
    stage.world.realm.channels[SECRET].members.remove(TOCSIN)
    async with stage.online():
        number = (await stage.alice.say("@**tocsin** status", to="secret")).body["id"]
        assert (await stage.inbox.next()).place == TO_ALICE
        await stage.alice.ask("PATCH", f"/messages/{number}", {"content": HIDDEN})
        assert (await stage.inbox.next_change()).place == Place("zulip", f"dm/{ALICE}")


async def test_edits_of_the_bots_own_copies_are_not_told(stage: Stage) -> None:
    async with stage.online() as bridge:
        copy = await copied(stage, bridge)
        await stage.tocsin.ask("PATCH", f"/messages/{copy}", {"content": "other"})
        await heard(stage, "after it")
    assert stage.inbox.changed.empty()


async def test_where_the_bot_may_have_missed_a_move_the_server_is_asked(stage: Stage) -> None:
    async with stage.online():
        number, event = await heard(stage, "hello")
        await stage.be_out_for_a_while()
        stage.world.realm.messages[number].topic = "elsewhere"
        await change(stage, number, content=HIDDEN)
        moved, edit = await stage.inbox.next_move(), await stage.inbox.next_change()
    assert (moved.place, moved.to, moved.events, moved.is_whole) == (TOPIC, topic("elsewhere"), (event,), False)
    assert (edit.event, edit.place, edit.text) == (event, topic("elsewhere"), HIDDEN)
    assert looked(stage) == 1


async def test_a_message_that_came_back_without_a_word_is_looked_for(stage: Stage) -> None:
    async with stage.online():
        number, event = await heard(stage, "hello")
        await change(stage, number, stream_id=UNSUBBED)
        assert (await stage.inbox.next_move()).to == topic("topic", UNSUBBED)
        await change(stage, number, stream_id=4, topic="elsewhere")
        await change(stage, number, content=HIDDEN)
        moved, edit = await stage.inbox.next_move(), await stage.inbox.next_change()
    assert (moved.place, moved.to, moved.events) == (topic("topic", UNSUBBED), topic("elsewhere"), (event,))
    assert (edit.place, edit.text) == (topic("elsewhere"), HIDDEN)


async def test_so_is_one_that_was_told_to_be_gone(stage: Stage) -> None:
    stage.world.realm.channels[SECRET].members.remove(TOCSIN)
    async with stage.online():
        number, event = await heard(stage, "hello")
        await change(stage, number, stream_id=SECRET)
        assert (await stage.inbox.next_change()).removed
        await change(stage, number, stream_id=4, topic="elsewhere")
        await change(stage, number, content=HIDDEN)
        moved, edit = await stage.inbox.next_move(), await stage.inbox.next_change()
    assert (moved.place, moved.to, moved.events) == (TOPIC, topic("elsewhere"), (event,))
    assert (edit.place, edit.text) == (topic("elsewhere"), HIDDEN)


async def test_what_is_older_than_what_was_compared_after_a_gap_is_asked_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "BEFORE", 1)
    monkeypatch.setattr(catching_up, "BACK_S", -1.0)
    async with stage.online():
        old, _ = await heard(stage, "old")
        compared, _ = await heard(stage, "compared")
        newest, _ = await heard(stage, "newest")
    stage.world.queues.forget_all()
    await change(stage, old, topic="elsewhere")
    async with stage.online():
        before = looked(stage)
        for number in (newest, compared):
            await change(stage, number, content="other")
            assert (await stage.inbox.next_change()).text == "other"
        assert looked(stage) == before
        await change(stage, old, content=HIDDEN)
        assert (await stage.inbox.next_change()).place == topic("elsewhere")
        assert looked(stage) == before + 1


@pytest.mark.parametrize("kind", ["502_before", "hang_before", "401_before"])
async def test_where_the_server_does_not_tell_where_a_message_is_an_edit_has_no_words(
    stage: Stage, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "LOOKING_MAY_TAKE_S", 0.2)
    async with stage.online():
        number, event = await heard(stage, "hello")
        await stage.be_out_for_a_while()
        await stage.fault(kind, "GET", ".*/messages")
        await change(stage, number, content="hello all")
        edit = await stage.inbox.next_change()
    assert (edit.event, edit.place, edit.text) == (event, TOPIC, "")


@pytest.mark.parametrize(
    ("free_in_s", "is_known", "text"), [(1.0, True, "hello all"), (1.0, False, "hello all"), (50.0, False, "")]
)
async def test_the_words_of_an_edit_wait_for_their_turn_where_it_comes_soon(
    stage: Stage, free_in_s: float, *, is_known: bool, text: str
) -> None:
    async with stage.online() as bridge:
        number, event = await heard(stage, "hello")
        await stage.be_out_for_a_while()
        stage.world.limits.fill(TOCSIN, free_in_s)
        if is_known:
            with pytest.raises(Unreachable):
                await bridge.send(says("refused"), key="one")
        await change(stage, number, content="hello all")
        edit = await stage.inbox.next_change()
    assert (edit.event, edit.text) == (event, text)


async def test_a_stop_is_heard_while_words_wait_for_their_turn(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "LOOKING_MAY_TAKE_S", 60.0)
    async with stage.online():
        number, _ = await heard(stage, "hello")
        await stage.be_out_for_a_while()
        stage.world.limits.fill(TOCSIN, 50.0)
        await change(stage, number, content="hello all")
        await stage.bob.say("!stop all")
        await stage.inbox.until_hurried("!stop all")
        assert stage.inbox.changed.empty()


async def test_new_words_of_a_copy_wait_until_the_bot_knows_where_it_was_moved(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.online() as bridge:
        copy = await copied(stage, bridge)
        await change(stage, copy, topic="elsewhere", propagate_mode="change_all")
        edit = says("new words", lane=Lane.TALK, edits=str(copy))
        with pytest.raises(Unreachable, match="was moved"):
            await bridge.send(edit, key="edit")
        there = dataclasses.replace(edit, place=topic("elsewhere"))
        assert await bridge.send(there, key="edit") == str(copy)
        assert stage.world.realm.messages[copy].content == "new words"
        monkeypatch.setattr(voice, "MOVE_HEARD_S", 0.0)
        assert await bridge.send(edit, key="another") != str(copy), "it is not heard of: here it is missing"
        assert stage.world.realm.messages[copy].content == "new words"
