"""A bot that is killed in mid-conversation: what was asked is answered, and answered once."""

import collections
import contextlib
import json
import random
import sqlite3
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from demo.world import World, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTIONS = ("!status", "!whoami", "!help")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with running(tmp_path_factory.mktemp("world"), tell=print) as world:
        yield world


async def _converse(world: World, kills: int, draw: random.Random) -> list[str]:
    """Ask, and kill the bot at one moment or another. Returns the questions."""
    asked: list[str] = []
    for kill in range(kills):
        batch = [await world.alice.say(world.room, QUESTIONS[number % 3]) for number in range(3)]
        asked += batch
        if kill % 2:  # after one answer, with the others on their way
            await world.alice.answer_to(draw.choice(batch))
        await world.bot.kill()
        asked.append(await world.alice.say(world.room, "!whoami"))
        await world.bot.start()
    last = await world.alice.say(world.room, "!whoami")
    for question in (*asked, last):
        await world.alice.answer_to(question)
    return [*asked, last]


def _check_nothing_lost_and_nothing_twice(world: World, asked: list[str]) -> None:
    answers = collections.Counter(heard.in_reply_to for heard in world.alice.heard)
    assert {question: answers[question] for question in asked} == dict.fromkeys(asked, 1)
    with contextlib.closing(sqlite3.connect(world.database)) as database:
        entries = [json.loads(entry) for (entry,) in database.execute("SELECT entry FROM audit ORDER BY seq")]
        queued = database.execute("SELECT reply_to, count(*) FROM outbox GROUP BY reply_to").fetchall()
    outcomes = collections.Counter(entry["event"] for entry in entries if entry["kind"] == "outcome")
    assert {question: outcomes[question] for question in asked} == dict.fromkeys(asked, 1)
    assert dict(queued) == dict.fromkeys(asked, 1)


@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.soak)])
async def test_kills_in_mid_conversation_lose_nothing_and_repeat_nothing(world: World, kills: int) -> None:
    asked = await _converse(world, kills, random.Random(kills))
    _check_nothing_lost_and_nothing_twice(world, asked)


async def test_a_stop_that_was_ordered_before_a_kill_is_confirmed_after_it_once(world: World) -> None:
    await world.component.stop()
    order = await world.alice.say(world.room, "!shutdown all")
    first = await world.alice.answer_to(order)
    await world.bot.kill()
    await world.component.start()
    await world.bot.start()
    await world.alice.wait_for(lambda heard: heard.in_reply_to == order and "STOPPED everything: 1 of 1" in heard.body)
    again = await world.alice.say(world.room, "!shutdown all")
    assert "ALREADY STOPPED everything" in (await world.alice.answer_to(again)).body
    news = [heard for heard in world.alice.heard if heard.in_reply_to == order and heard.event != first.event]
    assert sum("STOPPED everything" in heard.body for heard in news) == 1
    with contextlib.closing(sqlite3.connect(world.database)) as database:
        assert database.execute("SELECT count(*) FROM incident").fetchone() == (1,)
