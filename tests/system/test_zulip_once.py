"""What a slow disk, a slow server, a restored one, and whoever moves messages make of a post: one, and in its place."""

import io
import json
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from bot.words.document import Document, Picture, TakenBack, document
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane, Place, Post
from bridges.zulip import client, voice
from bridges.zulip import notes as notes_of_the_bot
from bridges.zulip.notes import FOLDER, KEPT_S, Notes
from tests.system.zulip_stage import TO_ALICE, TOPIC, Stage, says, staged
from tests.zulip import api_uploads
from tests.zulip.lab import ALICE, INCIDENTS, SECRET, TOCSIN, UNSUBBED
from tests.zulip.things import MEMBER, Message


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        yield stage


def notes(stage: Stage) -> list[Path]:
    return list((stage.folder / "zulip" / FOLDER).iterdir())


async def test_what_a_slow_server_takes_after_nobody_waits_for_it_is_said_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "REQUEST_TIMEOUT_S", 0.3)
    monkeypatch.setattr(voice, "SETTLED_S", 0.01)
    async with stage.online() as bridge:
        await stage.fault("late_before", "POST", ".*/messages")
        with pytest.raises(Unreachable):
            await bridge.send(says("hello"), key="one")
        monkeypatch.setattr(client, "REQUEST_TIMEOUT_S", 15.0)
        with pytest.raises(Unreachable) as waits:
            await bridge.send(says("hello"), key="one")
        assert waits.value.retry_after
        await stage.hand("late")
        event = await bridge.send(says("hello"), key="one")
    assert stage.said() == ["hello"]
    assert int(event) in stage.world.realm.messages


async def test_a_stop_does_not_wait_for_a_slow_server(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "REQUEST_TIMEOUT_S", 0.3)
    async with stage.online() as bridge:
        await stage.fault("late_before", "POST", ".*/messages")
        with pytest.raises(Unreachable):
            await bridge.send(says("stop", lane=Lane.STOP), key="one")
        await bridge.send(says("stop", lane=Lane.STOP), key="one")
    assert stage.said() == ["stop"]


async def test_a_post_that_was_never_taken_is_no_other_with_the_same_words(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(says("known"), key="known")
        stage.world.limits.requests = 1
        with pytest.raises(Unreachable):
            await bridge.send(says("done", lane=Lane.STOP), key="one")
        stage.world.limits.requests = 200
        two = await bridge.send(says("done", lane=Lane.STOP), key="two")
    async with stage.online() as bridge:
        one = await bridge.send(says("done", lane=Lane.STOP), key="one")
        assert two == await bridge.send(says("done", lane=Lane.STOP), key="two")
    assert one != two
    assert stage.said() == ["known", "done", "done"]


async def test_a_post_that_was_refused_is_said_when_it_is_tried_again(stage: Stage) -> None:
    channel, alice = stage.world.realm.channels[INCIDENTS], stage.world.realm.users[ALICE]
    async with stage.online() as bridge:
        await bridge.send(says("known"), key="known")
        alice.role, channel.post_policy = MEMBER, 2
        with pytest.raises(NetworkError):
            await bridge.send(says("it is back"), key="one")
        channel.post_policy = 1
        await bridge.send(says("it is back"), key="two")
    async with stage.online() as bridge:
        await bridge.send(says("it is back"), key="one")
    assert stage.said() == ["known", "it is back", "it is back"]


async def test_a_disk_that_is_slow_to_tell_what_was_begun_has_nothing_said_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.online() as bridge:
        await stage.fault("drop_after", "POST", ".*/messages")
        with pytest.raises(Unreachable):
            await bridge.send(says("hello"), key="one")
    answers = threading.Event()
    read = Notes._read  # pyright: ignore[reportPrivateUsage] - what reads the disk

    def slow(self: Notes, key: str) -> object:
        answers.wait()
        return read(self, key)

    monkeypatch.setattr(Notes, "_read", slow)
    async with stage.online() as bridge:
        try:
            with pytest.raises(Unreachable) as waits:
                await bridge.send(says("hello"), key="one")
            assert waits.value.retry_after
            await bridge.send(says("stop", lane=Lane.STOP), key="two")  # it waits for no disk
        finally:
            answers.set()
        await stage.until_said(bridge, says("hello"), "one")
    assert stage.said() == ["hello", "stop"]


async def test_a_disk_that_is_always_slow_keeps_no_post_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes_of_the_bot, "DISK_MAY_TAKE_S", 0.0)
    monkeypatch.setattr(notes_of_the_bot, "LOOK_AGAIN_S", 0.1)
    async with stage.online() as bridge:
        await stage.until_said(bridge, says("hello"), "one")
    assert stage.said() == ["hello"]


async def test_after_a_server_was_restored_a_connection_that_breaks_leaves_one_message(stage: Stage) -> None:
    realm = stage.world.realm
    async with stage.online() as bridge:
        for number in range(10):
            await stage.bob.say(str(number))
            await stage.inbox.next()
        for number in [each for each in realm.messages if each > 3]:
            realm.delete(realm.messages[number])
        realm.start_after(Message, 3)
        await stage.hand("events", do="kill")
        await stage.hand("events", do="start")
        await stage.until_heard()
        await stage.fault("drop_after", "POST", ".*/messages")
        await stage.until_said(bridge, says("hello"), "one")
    assert stage.said() == ["hello"]


@pytest.mark.parametrize("lane", [Lane.TALK, Lane.ANSWER])
async def test_new_words_do_not_follow_a_message_that_was_moved_to_others(stage: Stage, lane: Lane) -> None:
    stage.world.realm.channels[SECRET].members.append(TOCSIN)
    place = Place("zulip", f"{SECRET}/ops")
    async with stage.online() as bridge:
        event = await bridge.send(says("harmless", place, lane=lane), key="one")
        moved = await stage.alice.ask("PATCH", f"/messages/{event}", {"stream_id": UNSUBBED, "topic": "all see this"})
        assert moved.status == 200
        new = await bridge.send(says("secret", place, lane=lane, edits=event), key="two")
    mine = {each.id: each for each in stage.world.realm.messages.values() if each.sender_id == TOCSIN}
    assert mine[int(event)].content == "harmless"
    assert (mine[int(new)].channel_id, mine[int(new)].topic) == (SECRET, "ops")
    assert mine[int(new)].content.endswith("secret")


async def test_what_is_taken_back_is_so_wherever_it_was_moved(stage: Stage) -> None:
    async with stage.online() as bridge:
        event = await bridge.send(says("a secret", lane=Lane.TALK), key="one")
        await stage.alice.ask("PATCH", f"/messages/{event}", {"topic": "another"})
        gone = Post(TOPIC, document(TakenBack(taken_back=True)), Lane.TALK, edits=event)
        assert await bridge.send(gone, key="two") == event
    assert "secret" not in "".join(stage.said())


def pictured() -> Post:
    drawn = io.BytesIO()
    Image.new("RGB", (2, 2)).save(drawn, "png")
    picture = Picture("a curve", "image/png", drawn.getvalue(), 2, 2)
    return Post(TOPIC, Document((*document("look").blocks, picture)), Lane.ANSWER)


@pytest.mark.parametrize(("told", "is_linked"), [("url", True), ("uri", True), ("path", False)])
async def test_a_server_that_tells_otherwise_where_a_picture_is_keeps_no_words_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, told: str, is_linked: bool
) -> None:
    monkeypatch.setattr(api_uploads, "TOLD_AS", (told,))
    async with stage.online() as bridge:
        await bridge.send(pictured(), key="one")
    (said,) = stage.said()
    assert said.startswith("look")
    assert ("[picture 1](/user_uploads/" in said) == is_linked


async def test_once_it_is_said_no_word_of_a_post_stays_in_its_note(stage: Stage) -> None:
    async with stage.online() as bridge:
        event = await bridge.send(says("secret words of a room", TO_ALICE), key="one")
        await bridge.send(says("word " * 3000), key="two")
        stage.world.realm.channels[INCIDENTS].archived = True
        with pytest.raises(NetworkError):
            await bridge.send(says("refused"), key="three")
    kept = [json.loads(each.read_bytes()) for each in notes(stage)]
    assert {words for each in kept for words in each["contents"]} == set()
    async with stage.online() as bridge:
        assert await bridge.send(says("secret words of a room", TO_ALICE), key="one") == event


async def test_notes_of_an_earlier_run_are_gone_after_a_day(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(says("one"), key="one")
    (old,) = notes(stage)
    long_ago = time.time() - KEPT_S - 60
    os.utime(old, (long_ago, long_ago))
    async with stage.online() as bridge:
        await bridge.send(says("two"), key="two")
    assert old not in notes(stage)
    assert len(notes(stage)) == 1
