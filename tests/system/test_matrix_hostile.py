"""What a stranger with an account may send, and what a disk may do: the next stop is heard all the same."""

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest

from bot.keys import DATABASE
from bot.words.errors import Unreachable
from bot.words.message import Standing
from bridges.matrix import trust
from bridges.matrix.connection import Connection
from bridges.matrix.cross_signing import CrossSigning, publish, sign_device
from bridges.matrix.offered_keys import within
from bridges.matrix.session import Asks, keys_of
from demo.odd import BOT, Odd
from demo.stage import Stage, says

KIND = "m.key.verification.request"


def deep(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


SENT = [
    ("org.example.deep", {"a": deep(930)}),
    (KIND, {"from_device": "X", "methods": deep(900), "transaction_id": "t", "timestamp": 1}),
    (KIND, {"from_device": "X", "methods": ["m.sas.v1"], "transaction_id": "t", "timestamp": 2**53 - 1}),
    (KIND, {"from_device": ["X"], "methods": 5, "transaction_id": {"a": 1}, "timestamp": "now"}),
    ("m.key.verification.start", {"transaction_id": "t"}),
]


async def test_what_a_stranger_sends_to_the_bots_device_keeps_it_from_no_stop(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice, stage.online(stage.mallory) as mallory:
        async with stage.bot_online():
            room = await stage.room_of(alice)
            await alice.say(room, "hello")
            await stage.inbox.next()
        for kind, content in SENT:  # all of it waits for the bot when it starts
            path = f"/_matrix/client/v3/sendToDevice/{kind}/{secrets.token_hex(8)}"
            await mallory.connection.request("PUT", path, {"messages": {stage.bot: {"*": content}}})
        event = await alice.say(room, "!shutdown all")
        async with stage.bot_online():
            assert (await stage.inbox.next()).event == event


async def test_an_odd_edit_of_a_stranger_keeps_the_bot_from_no_stop(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice, stage.online(stage.mallory) as mallory:
        room = await stage.room_of(alice, mallory)
        said = await alice.say(room, "hello")
        assert (await stage.inbox.next()).event == said
        relation = {"rel_type": "m.replace", "event_id": said}
        odd: dict[str, Any] = {"msgtype": "m.file", "body": "a", "url": "mxc://x/y", "m.new_content": {"msgtype": []}}
        await mallory.put(room, "m.room.message", {**odd, "m.relates_to": relation})
        event = await alice.say(room, "!stop all")
        assert (await stage.inbox.next()).event == event


async def test_a_stop_waits_for_no_disk_although_somebodys_identity_has_changed(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice, stage.online(stage.bob) as bob:
        room = await stage.room_of(alice, bob)
        await alice.say(room, "hello")
        assert (await stage.inbox.next()).standing is Standing.ATTESTED
        with held(stage.folder / DATABASE):
            swapped = CrossSigning.fresh()
            await publish(bob.connection, swapped, f"secret of {stage.bob}")
            await sign_device(bob.connection, swapped)
            await alice.say(room, "!shutdown all")
            await stage.inbox.until_hurried("!shutdown all")
        assert (await stage.inbox.next()).text == "!shutdown all"


@contextlib.contextmanager
def held(database: Path) -> Generator[None]:
    """Nobody else writes in this database."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextlib.contextmanager
def refusing(database: Path, table: str) -> Generator[None]:
    """Nothing more gets into this table, as on a full disk."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        for change in ("INSERT", "UPDATE"):
            other.execute(
                f"CREATE TRIGGER full_{change} BEFORE {change} ON {table} BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        yield
        for change in ("INSERT", "UPDATE"):
            other.execute(f"DROP TRIGGER full_{change}")


async def test_a_stop_does_not_wait_behind_a_message_that_the_disk_does_not_take(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        await alice.say(room, "hello")
        await stage.inbox.next()
        with held(stage.folder / DATABASE):
            await alice.say(room, "just talk")
            await stage.inbox.until_offered("just talk")
            await alice.say(room, "!shutdown all")
            await stage.inbox.until_hurried("!shutdown all")
            del alice.connection.olm.outbound_group_sessions[room]  # the next has a new key, which comes along with it
            await alice.say(room, "!shutdown walk-1")
            await stage.inbox.until_hurried("!shutdown walk-1")
        texts = [(await stage.inbox.next()).text for _ in range(3)]
    assert texts == ["just talk", "!shutdown all", "!shutdown walk-1"]


async def test_a_disk_that_does_not_take_keys_holds_up_no_stop_and_no_answer(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room, other = await stage.room_of(alice), await stage.room_of(alice)
        await alice.say(room, "hello")
        await stage.inbox.next()
        await bot.send(says(room, "hello, too"), key="before")
        (seen,) = (stage.folder / "bot").glob("seen-*.db")
        with held(seen):
            await alice.say(room, "just talk")
            await stage.inbox.until_hurried("just talk")
            assert "cannot be kept" in stage.inbox.troubles["just talk"]
            await bot.send(says(room, "not run"), key="apart")
            await alice.wait_for(lambda heard: heard.body == "not run")
            with pytest.raises(Unreachable, match="cannot be kept"):  # nobody there has a key, and none can be given
                await bot.send(says(other, "not run"), key="elsewhere")
            del alice.connection.olm.outbound_group_sessions[room]
            await alice.say(room, "!shutdown all")
            await stage.inbox.until_hurried("!shutdown all")
        texts = [(await stage.inbox.next()).text for _ in range(2)]
        await bot.send(says(room, "heard"), key="heard")
        await alice.wait_for(lambda heard: heard.body == "heard")
    assert texts == ["just talk", "!shutdown all"]


async def test_a_stop_is_heard_beside_the_stream_also_where_its_key_comes_later(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        await alice.say(room, "hello")
        await stage.inbox.next()
        with held(stage.folder / DATABASE):
            _, key = await alice.say_before_the_key(room, "!shutdown all")  # in the batch that stands
            await alice.say(room, "just talk")
            await stage.inbox.until_hurried("just talk")
            await alice.give(key)
            await stage.inbox.until_hurried("!shutdown all")
            _, key = await alice.say_before_the_key(room, "!shutdown walk-1")
            await alice.say(room, "!shutdown walk-2")
            await stage.inbox.until_hurried("!shutdown walk-2")
            await alice.give(key)
            await stage.inbox.until_hurried("!shutdown walk-1")
        texts = {(await stage.inbox.next()).text for _ in range(4)}
    assert texts == {"just talk", "!shutdown all", "!shutdown walk-1", "!shutdown walk-2"}


async def test_a_stop_is_heard_whose_own_key_the_disk_does_not_take(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        await alice.say(room, "hello")
        await stage.inbox.next()
        (keys,) = (stage.folder / "bot").glob("keys-*.db")
        with refusing(keys, "olmsessions"):
            for order in ("!shutdown all", "!shutdown walk-1"):
                del alice.connection.olm.outbound_group_sessions[room]
                await alice.say(room, order)
                await stage.inbox.until_hurried(order)
        texts = [(await stage.inbox.next()).text for _ in range(2)]
    assert texts == ["!shutdown all", "!shutdown walk-1"]


async def test_somebodys_unsigned_device_and_slow_keys_hold_nobody_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def slow(asks: Asks, *users: str) -> dict[str, Any]:
        nonlocal asked
        answer = await keys_of(asks, *users)
        if asks.login.user == stage.bot:
            asked += 1
            await asyncio.sleep(1.5)  # longer than a look beside the stream takes
        return answer

    async with (
        stage.bot_online(),
        stage.online(stage.alice) as alice,
        stage.online(stage.bob, "tablet", signed=False) as bob,
    ):
        room = await stage.room_of(alice, bob)
        for who in (alice, bob):
            await who.say(room, "hello")
            await stage.inbox.next()
        monkeypatch.setattr(trust, "keys_of", slow)
        for words in ("one", "two"):
            await bob.say(room, words)
        await alice.say(room, "an order")
        texts = [(await stage.inbox.next()).text for _ in range(3)]
    assert texts == ["one", "two", "an order"]
    assert asked < 8


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncGenerator[Connection]:
    async with Odd().running() as odd, odd.device(BOT, "TOCSIN", tmp_path / "bot") as connection:
        yield connection


@pytest.mark.parametrize("count", [-100_000, -(2**53), 2**53, 0, None, 7])
def test_a_homeserver_cannot_have_more_keys_made_than_a_device_holds(connection: Connection, count: int | None) -> None:

    assert 0 <= within(connection.olm, count) <= connection.olm.account.max_one_time_keys
