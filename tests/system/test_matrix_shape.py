"""How what the bot says looks to those who read it, where it stands, and what shows that it is at work."""

import asyncio
import dataclasses
import secrets

import pytest

from bot.words.document import document, picture, text
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account
from bridges.matrix import attention
from demo.operator import Operator
from demo.stage import SOON_S, Stage, says

PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)
PICTURE = picture("The law, and how far it holds", "image/png", PNG, width=40, height=30)


async def room_of(stage: Stage, host: Operator, *guests: Operator) -> str:
    """A room of which the bot knows by now."""
    room = await stage.room_of(host, *guests)
    event = await host.say(room, "Is everybody here?")
    assert (await stage.inbox.next()).event == event
    return room


async def test_an_answer_stands_in_the_thread_of_its_question_also_after_a_restart(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online() as bot:
            room = await room_of(stage, alice)
            root = await alice.say(room, "how is it?")
            relation = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True}
            question = await alice.say(room, "!status", **{"m.relates_to": relation})
            outside = await alice.say(room, "!status")
            for _ in range(3):
                await stage.inbox.next()
            await bot.send(says(room, "well", question), key="1")
            await bot.send(says(room, "still well", outside), key="2")
            heard = await alice.answer_to(question)
            assert (heard.body, heard.thread) == ("well", root)
            heard = await alice.answer_to(outside)
            assert (heard.body, heard.thread) == ("still well", None)
        async with stage.bot_online() as bot:
            await bot.send(says(room, "and ended", question), key="3")
            heard = await alice.wait_for(lambda heard: heard.body == "and ended")
            assert (heard.in_reply_to, heard.thread) == (question, root)


async def test_what_stands_in_a_thread_that_is_none_is_said_all_the_same(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await room_of(stage, alice)
        question = await alice.say(room, "how is it?")
        await stage.inbox.next()
        post = dataclasses.replace(says(room, "well", question), thread="$never:example.org")
        event = await bot.send(post, key="1")
        assert await bot.send(post, key="1") == event
        heard = await alice.answer_to(question)
        assert (heard.event, heard.body, heard.thread) == (event, "well", None)
        event = await bot.send(dataclasses.replace(says(room, "to nobody"), thread="$never:example.org"), key="2")
        heard = await alice.wait_for(lambda heard: heard.event == event)
        assert (heard.body, heard.in_reply_to, heard.thread) == ("to nobody", None, None)


async def test_pictures_come_encrypted_after_the_words_and_once(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await room_of(stage, alice)
        question = await alice.say(room, "!job 1")
        post = Post(Place("matrix", room), document("Done.", PICTURE, PICTURE), Lane.ANSWER, question)
        event = await bot.send(post, key="a job's end")
        assert await bot.send(post, key="a job's end") == event
        alone = Post(Place("matrix", room), document(PICTURE), Lane.ANSWER)
        await bot.send(alone, key="a picture")
        await bot.send(says(room, "last"), key="last")
        await alice.wait_for(lambda heard: heard.body == "last")
        words, first, second, third, last = alice.heard
        assert (words.event, words.body, words.file, words.in_reply_to) == (event, "Done.", None, question)
        assert last.body == "last"
        for image in (first, second, third):
            assert image.decrypted
            assert image.verified
            assert image.body == "The law, and how far it holds"
            assert await alice.open(image) == PNG
        assert (first.in_reply_to, third.in_reply_to) == (question, None)
        assert first.file != second.file


async def test_what_is_edited_shows_its_picture_as_a_new_message(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await room_of(stage, alice)
        first = await bot.send(says(room, "begun"), key="1")
        post = Post(Place("matrix", room), document("ended", PICTURE), Lane.PROGRESS, edits=first)
        assert await bot.send(post, key="2") == first
        image = await alice.wait_for(lambda heard: heard.file is not None)
        assert image.edits is None
        assert [heard.edits for heard in alice.heard if heard.body == "ended"] == [first]


async def test_whoever_ordered_something_sees_that_it_is_taken_and_worked_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "PACE_S", 0.05)
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice, asyncio.timeout(SOON_S):
        room = await room_of(stage, alice)
        signs = alice.signs_of_life(room, stage.bot)
        event = await alice.say(room, "!run-sim swarm")
        message = await stage.inbox.next()
        with bot.attending(message):
            assert {await anext(signs), await anext(signs)} == {event, "types"}
            again = await alice.say(room, "!status")
            with bot.attending(await stage.inbox.next()):
                assert await anext(signs) == again
        assert await anext(signs) == "rests"


async def test_nobody_is_disturbed_by_signs_for_a_room_that_is_not_there(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await room_of(stage, alice)
        place, account = Place("matrix", "!nowhere:localhost"), Account("matrix", stage.alice)
        nowhere = Message(place, account, "$none", "!status", Standing.ATTESTED, "", 0, 0.0)
        with bot.attending(nowhere):
            event = await alice.say(room, "!status")
            assert (await stage.inbox.next()).event == event


async def test_it_leaves_where_nobody_on_the_list_is_and_waits_for_the_suspended(stage: Stage) -> None:
    async with (
        stage.bot_online() as bot,
        stage.online(stage.alice) as alice,
        stage.online(stage.bob) as bob,
        stage.online(stage.mallory) as mallory,
    ):
        deserted = await room_of(stage, alice, mallory)
        kept = await room_of(stage, bob)
        stage.people.suspend("bob")
        await bob.say(kept, "am I heard?")
        await alice.leave(deserted)
        await mallory.gone(deserted, stage.bot)
        stage.people.resume("bob")
        await bot.send(says(kept, "still here"), key="kept")
        assert (await bob.wait_for(lambda heard: heard.room == kept)).body == "still here"
        with pytest.raises(NetworkError, match="not in"):
            await bot.send(says(deserted, "anybody?"), key="deserted")


async def test_a_room_is_found_by_its_alias_or_its_name(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await room_of(stage, alice)
        alias = f"#ops-{secrets.token_hex(4)}:localhost"
        await alice.connection.request(
            "PUT", f"/_matrix/client/v3/directory/room/{alias.replace('#', '%23')}", {"room_id": room}
        )
        await bot.send(says(alias, "by alias"), key="1")
        await bot.send(says("ops", "by name"), key="2")
        await alice.wait_for(lambda heard: heard.body == "by name")
        assert [heard.body for heard in alice.heard] == ["by alias", "by name"]
        other = await room_of(stage, alice)
        await bot.send(says("ops", "the same as ever"), key="4")
        assert (await alice.wait_for(lambda heard: heard.body == "the same as ever")).room == room
        with pytest.raises(NetworkError, match="There is no room #gone:localhost"):
            await bot.send(says("#gone:localhost", "who?"), key="5")
        with pytest.raises(NetworkError, match=r"in no room that is called lab\. Invite it there"):
            await bot.send(says("lab", "who?"), key="6")
    async with stage.bot_online() as bot:
        with pytest.raises(Unreachable, match=f"(?s)2 rooms are called ops.*{other}"):
            await bot.send(says("ops", "which?"), key="7")


async def test_words_call_nobody_by_name(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await room_of(stage, alice)
        await bot.send(Post(Place("matrix", room), document(text("@room look: <b>now</b>")), Lane.ANSWER), key="1")
        heard = await alice.wait_for(lambda heard: "look" in heard.body)
        assert heard.mentions == {}
        assert "&lt;b&gt;" in heard.html
