"""What the bridge says in Zulip: once, whole, and nowhere else, on a stand-in that breaks as a real server does."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from bot.words.document import Document, Picture, code, document, text
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane, Place, Post
from bot.words.talk import Speaker, passed_on
from tests.system.zulip_stage import SOON_S, TO_ALICE, TOPIC, Stage, says, staged
from tests.zulip import api_events, sending
from tests.zulip.lab import BOB, INCIDENTS, TOCSIN
from tests.zulip.things import Json


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        yield stage


def topics(stage: Stage) -> list[str]:
    return [each.topic for each in stage.world.realm.messages.values() if each.sender_id == TOCSIN]


@pytest.mark.parametrize("place", [TOPIC, TO_ALICE])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "502_before", "502_after"])
async def test_a_connection_that_breaks_leaves_one_message(stage: Stage, kind: str, place: Place) -> None:
    async with stage.online() as bridge:
        await stage.fault(kind, "POST", ".*/messages")
        event = await stage.until_said(bridge, says("hello", place), "one")
    assert stage.said() == ["hello"]
    assert int(event) in stage.world.realm.messages


async def test_the_same_words_twice_are_two_messages_also_when_connections_break(stage: Stage) -> None:
    async with stage.online() as bridge:
        for number in range(3):
            await stage.fault("drop_after", "POST", ".*/messages")
            await stage.until_said(bridge, says("hello"), str(number))
    assert stage.said() == ["hello"] * 3


async def test_one_message_is_not_taken_for_two_posts(stage: Stage) -> None:
    async with stage.online() as bridge:
        await stage.hand("events", do="stop")  # so that the bot does not hear of its own message
        await stage.fault("drop_after", "POST", ".*/messages")
        with pytest.raises(Unreachable):
            await bridge.send(says("hello"), key="one")
        await stage.fault("drop_before", "POST", ".*/messages")
        with pytest.raises(Unreachable):
            await bridge.send(says("hello"), key="two")
        events = {await stage.until_said(bridge, says("hello"), key) for key in ("two", "one")}
    assert len(events) == 2
    assert stage.said() == ["hello"] * 2


async def test_a_bot_that_dies_after_the_server_took_a_post_says_it_once(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(says("hello"), key="one")
        await stage.fault("drop_after", "POST", ".*/messages")
        with pytest.raises(Unreachable):
            await bridge.send(says("hello"), key="two")
    async with stage.online() as bridge:  # nothing but the disk knows of it now
        assert await bridge.send(says("hello"), key="two") != await bridge.send(says("hello"), key="one")
    assert stage.said() == ["hello"] * 2


async def test_a_bot_that_dies_before_the_server_took_a_post_says_it_once(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(says("hello"), key="one")
        await stage.fault("drop_before", "POST", ".*/messages")
        with pytest.raises(Unreachable):
            await bridge.send(says("hello"), key="two")
    async with stage.online() as bridge:
        await bridge.send(says("hello"), key="two")
    assert stage.said() == ["hello"] * 2


async def test_of_a_post_in_two_messages_only_what_is_missing_is_said_again(stage: Stage) -> None:
    long = Post(TOPIC, Document((*document(text("x" * 9000)).blocks, *document(text("y" * 9000)).blocks)), Lane.ANSWER)
    async with stage.online() as bridge:
        await stage.fault("drop_after", "POST", ".*/messages", times=2)
        await stage.until_said(bridge, long, "one")
    assert stage.said() == ["x" * 9000, "y" * 9000]


async def test_a_full_bucket_loses_nothing_and_says_nothing_twice(stage: Stage) -> None:
    async with stage.online() as bridge:
        stage.world.limits.requests = 10
        taken, away = 0, None
        while away is None:
            try:
                await bridge.send(says(f"{taken}", lane=Lane.STOP), key=f"{taken}")
                taken += 1
            except Unreachable as error:
                away = error
        assert 0 < taken < 10
        assert isinstance(away.retry_after, float)
        assert 0 < away.retry_after <= 60
        assert bridge.health().counts["limited"]
        stage.world.limits._web.clear()  # pyright: ignore[reportPrivateUsage] - a minute later
        stage.world.limits.requests = 200
    async with stage.online() as bridge:
        await bridge.send(says(f"{taken}", lane=Lane.STOP), key=f"{taken}")
    assert stage.said() == [*map(str, range(taken + 1))]


async def test_other_posts_wait_for_room_and_a_stop_does_not(stage: Stage) -> None:
    async with stage.online() as bridge:
        stage.world.limits.requests = 10
        stage.world.limits._web.clear()  # pyright: ignore[reportPrivateUsage] - of the start
        await bridge.send(says("first"), key="first")
        others = [
            asyncio.create_task(bridge.send(says(f"{number}", lane=Lane.PROGRESS), key=f"{number}"))
            for number in range(20)
        ]
        async with asyncio.timeout(SOON_S):
            while len(stage.said()) < 2:
                await asyncio.wait(others, timeout=0.05)
            await bridge.send(says("stop", lane=Lane.STOP), key="stop")
        assert "stop" in stage.said()
        assert len(stage.said()) < 10
        for each in others:
            each.cancel()
        await asyncio.wait(others)
    assert not any(each.exception() for each in others if not each.cancelled())  # none was sent in vain


async def test_a_channel_is_the_same_under_its_new_name_also_after_a_restart(stage: Stage) -> None:
    by_name = Place("zulip", "incidents/Lab")
    async with stage.online() as bridge:
        await bridge.send(says("one", by_name), key="one")
        await stage.alice.ask("PATCH", f"/streams/{INCIDENTS}", {"new_name": "accidents"})
        await bridge.send(says("two", by_name), key="two")
    async with stage.online() as bridge:
        await bridge.send(says("three", by_name), key="three")
    mine = [each for each in stage.world.realm.messages.values() if each.sender_id == TOCSIN]
    assert [(each.channel_id, each.topic) for each in mine] == [(INCIDENTS, "Lab")] * 3


async def test_a_channel_with_a_slash_in_its_name_is_found(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(says("one", Place("zulip", "Störung / Netz/a/b")), key="one")
    assert topics(stage) == ["a/b"] or topics(stage) == ["b"]


async def test_nothing_is_said_in_a_channel_that_is_archived(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(says("one"), key="one")
        await stage.alice.ask("DELETE", f"/streams/{INCIDENTS}")
        await stage.until_heard()
        with pytest.raises(NetworkError) as refused:
            await bridge.send(says("two"), key="two")
    assert not isinstance(refused.value, Unreachable)
    assert stage.said() == ["one"]
    posts = [each for each in stage.world.requests if each.method == "POST" and each.path.endswith("/messages")]
    assert len(posts) == 1  # each try there would be told to the bot's owner


async def test_nothing_is_said_in_a_channel_that_the_bot_is_not_in(stage: Stage) -> None:
    async with stage.online() as bridge:
        for place in ("unsubbed/topic", "5/topic", "secret/topic", "6/topic", "nowhere/topic", "999/topic", "lab"):
            with pytest.raises(NetworkError) as refused:
                await bridge.send(says("one", Place("zulip", place)), key=place)
            assert not isinstance(refused.value, Unreachable)
        await stage.tocsin.ask("DELETE", "/users/me/subscriptions", {"subscriptions": ["incidents"]})
        await stage.bob.say("@**tocsin** are you there?")
        await stage.inbox.next()
        with pytest.raises(NetworkError):
            await bridge.send(says("two"), key="two")
    assert stage.said() == []


async def test_what_is_too_long_for_one_message_is_said_in_two_and_whole(stage: Stage) -> None:
    words = " ".join(["word"] * 2001)[:10_001]
    lines = "\n".join(f"line {number}" for number in range(1500))
    async with stage.online() as bridge:
        await bridge.send(says(words), key="one")
        assert len(stage.said()) == 2
        await bridge.send(Post(TOPIC, document(code(lines)), Lane.ANSWER), key="two")
    said = stage.said()
    assert all(len(each) <= 10_000 for each in said)
    assert "".join(said[:2]).replace(" ", "") == words.replace(" ", "")
    assert not any("truncated" in each for each in said)
    for each in said[2:]:
        assert each.startswith("```")
        assert each.endswith("```")
    assert [line for each in said[2:] for line in each.split("\n") if line.startswith("line")] == lines.split("\n")


async def test_a_topic_that_is_too_long_is_cut_the_same_each_time(stage: Stage) -> None:
    place = Place("zulip", f"{INCIDENTS}/{'t' * 61}")
    async with stage.online() as bridge:
        await bridge.send(says("one", place), key="one")
    async with stage.online() as bridge:
        await bridge.send(says("two", place), key="two")
    assert topics(stage) == [f"{'t' * 59}…"] * 2


async def test_a_resolved_topic_is_spoken_to_where_it_is_and_as_it_is_written(stage: Stage) -> None:
    number = (await stage.bob.say("hello", topic="Netz")).body["id"]
    await stage.bob.ask("PATCH", f"/messages/{number}", {"topic": "✔ Netz", "propagate_mode": "change_all"})
    async with stage.online() as bridge:
        await bridge.send(says("one", Place("zulip", f"{INCIDENTS}/netz")), key="one")
    assert topics(stage) == ["✔ Netz"]


async def test_an_answer_in_a_topic_says_to_what_and_calls_nobody(stage: Stage) -> None:
    async with stage.online() as bridge:
        number = (await stage.bob.say("@**tocsin** status")).body["id"]
        message = await stage.inbox.next()
        await bridge.send(says("fine", reply_to=message.event), key="one")
        await direct(stage, "status")
        message = await stage.inbox.next()
        await bridge.send(says("fine", message.place, reply_to=message.event), key="two")
    head = f"@_**|{BOB}** [said](#narrow/stream/{INCIDENTS}/topic/topic/near/{number}):"
    assert stage.said() == [f"{head}\nfine", "fine"]
    assert not any("mentioned" in flags for each in stage.world.realm.messages.values() for flags in each.rows.values()
                   if each.sender_id == TOCSIN)  # fmt: skip


async def test_an_edit_takes_the_place_of_a_message_and_a_new_message_does_when_it_is_too_late(stage: Stage) -> None:
    async with stage.online() as bridge:
        first = await bridge.send(says("10 %"), key="one")
        assert await bridge.send(says("20 %", edits=first), key="two") == first
        assert stage.said() == ["20 %"]
        await stage.hand("age", message_id=int(first), seconds=700)
        second = await bridge.send(says("30 %", edits=first), key="three")
        assert second != first
        assert await bridge.send(says("40 %", edits=second), key="four") == second
        await stage.fault("drop_after", "PATCH", ".*/messages/.*")
        assert await stage.until_said(bridge, says("50 %", edits=second), "five") == second
    old, new = stage.said()
    assert old == "20 %"
    assert new == "50 %"


async def test_what_takes_the_place_of_an_old_message_says_so(stage: Stage) -> None:
    async with stage.online() as bridge:
        for place in (TOPIC, TO_ALICE):
            first = await bridge.send(says("10 %", place), key=f"one {place}")
            await stage.hand("age", message_id=int(first), seconds=700)
            await bridge.send(says("20 %", place, edits=first), key=f"two {place}")
    assert ["takes the place of an earlier message" in each for each in stage.said()] == [False, True, False, True]


async def test_an_edit_that_is_too_long_says_that_it_is_not_all(stage: Stage) -> None:
    async with stage.online() as bridge:
        first = await bridge.send(says("short"), key="one")
        await bridge.send(says("word " * 3000, edits=first), key="two")
    (said,) = stage.said()
    assert len(said) <= 10_000
    assert said.endswith("The rest does not fit into one message.")


async def test_what_somebody_has_said_elsewhere_is_one_message_that_begins_with_who(stage: Stage) -> None:
    said = passed_on(Speaker("mallory", "matrix"), "$" * 4970 + " **olga** (matrix): It is safe, reset all of it.")
    async with stage.online() as bridge:
        event = await bridge.send(Post(TOPIC, said, Lane.TALK), key="one")
        for edits in (None, event):
            await bridge.send(Post(TOPIC, said, Lane.TALK, edits=edits), key=f"again {edits}")
    assert len(stage.said()) == 2
    for whole in stage.said():
        assert whole.startswith("**mallory** (matrix): ")
        assert whole.endswith("The rest does not fit into one message.")


async def test_a_picture_is_uploaded_once_and_linked(stage: Stage) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (2, 2)).save(drawn, "png")
    picture = Picture("a curve", "image/png", drawn.getvalue(), 2, 2)
    async with stage.online() as bridge:
        await stage.fault("drop_after", "POST", ".*/messages")
        await stage.until_said(bridge, Post(TOPIC, Document((*document("look").blocks, picture)), Lane.ANSWER), "one")
    (upload,) = stage.world.realm.uploads.values()
    assert upload.data == drawn.getvalue()
    assert stage.said() == [f"look\n\nPicture: a curve\n[picture 1](/user_uploads/{upload.path})"]


async def test_nobody_can_have_the_bot_call_everybody(stage: Stage) -> None:
    async with stage.online() as bridge:
        for number, words in enumerate(
            ("@**all** come", "@**everyone**", "@**topic**", "@*role:everyone*", "@**bob|7**")
        ):
            await bridge.send(says(words), key=str(number))
    flags = {flag for each in stage.world.realm.messages.values() for row in each.rows.values() for flag in row}
    assert not {flag for flag in flags if flag.endswith("mentioned")}


async def test_a_bot_that_is_at_work_is_shown_typing(stage: Stage) -> None:
    queues = [await stage.alice.register("typing", client_capabilities=TYPING)]
    async with stage.online() as bridge:
        await stage.alice.say("@**tocsin** status")
        message = await stage.inbox.next()
        with bridge.attending(message):
            start = await typed(stage, queues[0], -1)
        stop = await typed(stage, queues[0], start["id"])
    assert (start["op"], start["stream_id"], start["topic"]) == ("start", INCIDENTS, "topic")
    assert stop["op"] == "stop"


TYPING = {"notification_settings_null": True, "stream_typing_notifications": True}


async def typed(stage: Stage, queue: str, last: int) -> Json:
    async with asyncio.timeout(SOON_S):
        (event,) = (await stage.alice.poll(queue, last, wait=True)).body["events"]
    return event


async def direct(stage: Stage, words: str) -> None:
    await stage.alice.ask("POST", "/messages", {"type": "direct", "to": [TOCSIN], "content": words})


async def test_what_lies_around_for_other_programs_is_not_looked_at(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".zuliprc").write_text("[api]\nkey=stolen\nemail=eve@lab.test\nsite=http://127.0.0.1:1\n")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "ZULIP_SITE", "ZULIP_CERT", "ZULIP_CERT_BUNDLE"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name, value in {"HOME": str(tmp_path), "ZULIP_EMAIL": "eve@lab.test", "ZULIP_API_KEY": "stolen"}.items():
        monkeypatch.setenv(name, value)
    async with stage.online() as bridge:
        await bridge.send(says("hello"), key="one")
    assert stage.said() == ["hello"]
    assert {each.who for each in stage.world.requests if each.path.startswith("/api")} == {stage.tocsin.email}


async def test_a_server_that_takes_less_is_given_less_also_after_a_restart(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_events, "LONGEST_CONTENT", 500)
    monkeypatch.setattr(sending, "LONGEST_CONTENT", 500)
    for key in ("one", "two"):
        async with stage.online() as bridge:
            await bridge.send(says("word " * 150), key=key)
    assert len(stage.said()) == 4
    assert not any("truncated" in each for each in stage.said())
