"""A bot that is killed in mid-conversation: what was asked is answered, and answered once."""

import asyncio
import collections
import contextlib
import random
import sqlite3
from collections.abc import AsyncGenerator, Mapping

import pytest
import pytest_asyncio

from bot.store import audit
from demo.operator import Operator
from demo.world import World, running
from tests.system.witness import PATIENCE_S, Moment, Witness, talk

MOST_BEFORE_A_KILL = 10

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def witness(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Witness]:
    with pytest.MonkeyPatch.context() as patch:
        async with Witness.there(tmp_path_factory.mktemp("plugin")) as (witness, variables):
            for name, value in variables.items():
                patch.setenv(name, value)
            yield witness


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(witness: Witness, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:  # noqa: ARG001 - the bot needs its plug-in
    async with running(tmp_path_factory.mktemp("world"), tell=print) as world:
        config = world.folder / "bot" / "config.toml"
        config.write_text(config.read_text().replace('role = "viewer"', 'role = "operator"'))
        await world.bot.stop()
        await world.bot.start()
        yield world


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.soak)])
async def test_kills_while_two_people_give_commands_lose_nothing_and_repeat_nothing(
    world: World, witness: Witness, kills: int
) -> None:
    draw, fate, enough = random.Random(kills), witness.fate, asyncio.Event()
    async with asyncio.TaskGroup() as people:
        talking = {
            who: people.create_task(talk(who, world.room, fate, random.Random(who.user), enough))
            for who in (world.alice, world.bob)
        }
        for kill in range(kills):
            moment = [*Moment][kill % len(Moment)]
            if moment is Moment.STARTED:
                await world.bot.until(lambda: _has_found_the_broker(world), seconds=PATIENCE_S)
            else:
                await fate.befalls(moment, draw.randint(1, MOST_BEFORE_A_KILL))
            await world.bot.kill()
            fate.is_done()
            await world.bot.start()
        enough.set()
    asked = {who: task.result() for who, task in talking.items()}
    for who, questions in asked.items():
        last = await who.say(world.room, "!whoami")
        questions[last] = "!whoami"
        for each in asked:  # who hears this has heard all that was said before, also what was said twice
            await each.answer_to(last)
    _check_nothing_lost_and_nothing_twice(world, {**asked[world.alice], **asked[world.bob]})
    found = collections.Counter(_judged(asked, witness))
    assert found["known"] >= kills, found
    assert found["unknown"] >= kills // len(Moment), found


async def _has_found_the_broker(world: World) -> bool:
    return world.bot.said("connected to the broker")


def _judged(asked: Mapping[Operator, Mapping[str, str]], witness: Witness) -> list[str]:
    """What became of each mark, as far as its owner knows, compared with what was seen."""
    found: list[str] = []
    for who, questions in asked.items():
        name = who.user[1:].partition(":")[0]
        answers = {heard.in_reply_to: heard for heard in who.heard}
        for event, question in questions.items():
            body, marks = answers[event].body, witness.seen[event]
            assert answers[event].verified
            if question != "!mark":
                assert marks == 0
                assert {"!whoami": name, "!help": "!status"}[question] in body, body
            elif "I was interrupted" in body:
                assert marks <= 1
                found.append("unknown")
            elif "it was sent before I began" in body:  # and the bot was dead, or had taken it nowhere yet
                assert marks == 0
                found.append("refused")
            else:
                assert body.startswith(f"MARKED by {name}"), body
                assert marks == 1
                found.append("known")
    return found


def _check_nothing_lost_and_nothing_twice(world: World, asked: Mapping[str, str]) -> None:
    once = dict.fromkeys(asked, 1)
    for who in (world.alice, world.bob):
        answers = collections.Counter(heard.in_reply_to for heard in who.heard)
        assert {question: answers[question] for question in asked} == once
    with contextlib.closing(sqlite3.connect(world.database)) as database:
        entries = audit.everything(database)
        queued = database.execute("SELECT reply_to, count(*) FROM outbox GROUP BY reply_to").fetchall()
    outcomes = collections.Counter(entry.all["event"] for entry in entries if entry.kind == "outcome")
    assert {question: outcomes[question] for question in asked} == once
    assert dict(queued) == once


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
