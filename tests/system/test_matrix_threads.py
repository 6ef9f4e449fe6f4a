"""Threads on a real homeserver: what people write in one, and what the bot says in one."""

import asyncio
import dataclasses
from typing import Any

from bot.words.message import Post
from demo.operator import Heard, Operator
from demo.stage import SOON_S, Stage, says


def within(root: str, before: str, *, falls_back: bool) -> dict[str, Any]:
    relation = {"rel_type": "m.thread", "event_id": root, "is_falling_back": falls_back}
    return {"m.relates_to": {**relation, "m.in_reply_to": {"event_id": before}}}


async def sees(alice: Operator, event: str) -> Heard:
    return await alice.wait_for(lambda heard: heard.event == event)


def in_thread(room: str, words: str, root: str, answered: str | None = None) -> Post:
    return dataclasses.replace(says(room, words), thread=root, reply_to=answered)


async def test_what_stands_in_a_thread_answers_nobody_unless_it_says_so(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        root = await alice.say(room, "the plan")
        first = await alice.say(room, "a remark", **within(root, root, falls_back=True))
        await alice.say(room, "what do you mean?", **within(root, first, falls_back=False))
        heard = [await stage.inbox.next() for _ in range(3)]
    assert [(each.thread, each.replies_to) for each in heard] == [("", ""), (root, ""), (root, first)]


async def test_the_bot_speaks_in_a_thread_and_answers_in_it(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        asked = await alice.say(room, "hello")
        await stage.inbox.next()
        root = await bot.send(says(room, "a topic"), key="root")
        said = await sees(alice, await bot.send(in_thread(room, "words", root), key="one"))
        assert (said.thread, said.in_reply_to) == (root, root)
        answer = await sees(alice, await bot.send(in_thread(room, "more words", root, asked), key="two"))
        assert (answer.thread, answer.in_reply_to) == (root, asked)


async def test_the_bot_knows_its_own_words_by_their_keys_as_they_come_back(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice, stage.bot_online() as bot:
        room = await stage.room_of(alice)
        await alice.say(room, "hello")
        await stage.inbox.next()
        event = await bot.send(says(room, "words"), key="the key")
        async with asyncio.timeout(SOON_S):
            assert await stage.inbox.own.get() == ("the key", event)
