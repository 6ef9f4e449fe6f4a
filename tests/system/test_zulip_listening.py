"""Stops are heard as long as there is a queue: while the disk, the database or the server's other half stands."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Literal

import pytest

from bridges.zulip import client, ear
from bridges.zulip.bridge import ZulipBridge
from tests.system.zulip_stage import SOON_S, Stage, says, staged
from tests.zulip import door
from tests.zulip.lab import BOB, INCIDENTS, TOCSIN

STOP = "!stop all"
FOR_EVER = 10_000


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(ear, "MAY_TAKE_S", 0.1)
    async with staged(tmp_path) as stage:
        yield stage


@contextlib.asynccontextmanager
async def begun(stage: Stage) -> AsyncGenerator[ZulipBridge]:
    """The bridge, which need not listen yet."""
    bridge = stage.bridge()
    running = asyncio.create_task(bridge.run())
    try:
        yield bridge
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait([running])


@contextlib.asynccontextmanager
async def reading(stage: Stage) -> AsyncGenerator[None]:
    """Somebody reads the database, and reads on."""
    began, may_end = threading.Event(), threading.Event()

    def read(_: object) -> bool:
        began.set()
        return may_end.wait(SOON_S)

    standing = asyncio.create_task(stage.store.read(read))
    await asyncio.to_thread(began.wait)
    try:
        yield
    finally:
        may_end.set()
        assert await standing


async def said(stage: Stage, words: str) -> None:
    await stage.bob.say(words)
    await taken(stage, words)


async def taken(stage: Stage, words: str) -> None:
    while (await stage.inbox.next()).text != words:
        pass


async def test_a_stop_is_heard_while_history_cannot_be_read(stage: Stage) -> None:
    async with stage.online():
        await said(stage, "one")
    stage.world.queues.forget_all()
    await stage.bob.say("two")
    await stage.fault("502_before", "GET", ".*/messages", FOR_EVER)
    async with begun(stage):
        await stage.until_heard()
        await stage.bob.say(STOP)
        await stage.inbox.until_hurried(STOP)
        stage.world.broken.faults.clear()
        await taken(stage, STOP)
    assert [each.text for each in stage.inbox.rows] == ["one", "two", STOP]


async def test_a_stop_is_heard_while_a_page_of_history_hangs(stage: Stage) -> None:
    async with stage.online():
        await said(stage, "one")
    stage.world.queues.forget_all()
    await stage.fault("hang_before", "GET", ".*/messages", FOR_EVER)
    async with begun(stage):
        await stage.until_heard()
        await stage.bob.say(STOP)
        await stage.inbox.until_hurried(STOP)


async def test_a_stop_is_heard_while_an_edit_waits_for_the_database(stage: Stage) -> None:
    async with stage.online():
        number = (await stage.bob.say("one")).body["id"]
        await taken(stage, "one")
        async with reading(stage):
            await stage.bob.ask("PATCH", f"/messages/{number}", {"content": "two"})
            await stage.bob.say(STOP)
            await stage.inbox.until_hurried(STOP)
        await taken(stage, STOP)
        assert (await stage.inbox.next_change()).text == "two"


async def test_a_stop_is_heard_while_what_was_heard_before_waits_for_the_database(stage: Stage) -> None:
    async with stage.online():
        await said(stage, "one")
        async with reading(stage):
            stage.world.queues.forget_all()
            await stage.until_heard()
            await stage.bob.say(STOP)
            await stage.inbox.until_hurried(STOP)
        await taken(stage, STOP)
    assert [each.text for each in stage.inbox.rows] == ["one", STOP]


async def test_stops_are_heard_however_much_is_said_while_the_disk_hangs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ear, "MOST_AHEAD", 3)
    async with stage.online():
        number = (await stage.bob.say("one")).body["id"]
        await taken(stage, "one")
        stage.inbox.may_go.clear()
        for round_ in range(3):
            for word in range(4):
                await stage.bob.say(f"{round_} {word}")
                await stage.inbox.until_hurried(f"{round_} {word}")
            await stage.bob.say(f"{STOP} {round_}")
            await stage.inbox.until_hurried(f"{STOP} {round_}")
        await stage.bob.ask("PATCH", f"/messages/{number}", {"content": "other"})
        stage.inbox.may_go.set()
        await said(stage, "end")
        assert (await stage.inbox.next_change()).text == "other"
    words = [f"{round_} {word}" for round_ in range(3) for word in range(4)]
    assert [each.text for each in stage.inbox.rows if STOP not in each.text] == ["one", *words, "end"]
    assert sum(STOP in each.text for each in stage.inbox.rows) == 3


async def test_a_stop_at_the_end_of_a_long_batch_waits_for_no_disk(stage: Stage) -> None:
    async with stage.online():
        await said(stage, "one")
    stage.world.limits.requests = FOR_EVER
    for number in range(600):
        await stage.bob.say(str(number))
    await stage.bob.say(STOP)
    stage.inbox.may_go.clear()
    async with begun(stage):
        await stage.inbox.until_hurried(STOP)
        stage.inbox.may_go.set()
        await taken(stage, STOP)
    assert len(stage.inbox.rows) == 602


async def test_a_stop_is_heard_where_the_queue_is_lost_while_the_disk_hangs(stage: Stage) -> None:
    async with stage.online():
        await said(stage, "one")
        stage.inbox.may_go.clear()
        await stage.bob.say("two")
        await stage.inbox.until_hurried("two")
        await stage.until_heard()
        stage.world.queues.forget_all()
        await stage.until_heard()
        await stage.bob.say(STOP)
        await stage.inbox.until_hurried(STOP)
        stage.inbox.may_go.set()
        await taken(stage, STOP)
    assert [each.text for each in stage.inbox.rows] == ["one", "two", STOP]


async def test_what_a_batch_brings_that_is_too_large_is_read_back_in_pages(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.online():
        await said(stage, "one")
    words = [f"{number} " + "x" * 1000 for number in range(60)]
    for each in words:
        await stage.bob.say(each)
    await stage.bob.say(STOP)
    monkeypatch.setattr(client, "LARGEST", 40_000)
    async with stage.online() as bridge:
        await taken(stage, STOP)
        assert bridge.health().counts["lost_queues"] == 1
    assert [each.text for each in stage.inbox.rows] == ["one", *words, STOP]


async def test_a_stop_is_heard_after_a_batch_that_is_too_large_while_the_disk_hangs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.online():
        stage.inbox.may_go.clear()
        await stage.bob.say("one")
        await stage.inbox.until_hurried("one")
        await stage.until_heard()
        with monkeypatch.context() as thin:
            thin.setattr(client, "LARGEST", 20_000)
            await stage.bob.say("💥" * 9000)
            await stage.until_heard()
            await stage.bob.say(STOP)
            await stage.inbox.until_hurried(STOP)
        stage.inbox.may_go.set()
        await taken(stage, STOP)
    assert [each.text for each in stage.inbox.rows] == ["one", "💥" * 9000, STOP]


@pytest.mark.parametrize(
    "page", [b"<html>Log in first.</html>", b'{"error": "log in"}', b'{"result": "error", "code": "LOG_IN"}', b'"no"']
)
async def test_what_lets_nobody_in_before_zulip_ends_nothing(
    stage: Stage, page: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "GATEWAY", page)
    async with stage.online() as bridge:
        for method, path in (("GET", ".*/events"), ("POST", ".*/register"), ("GET", ".*/messages")):
            await stage.fault("401_before", method, path)
        await said(stage, "one")
        stage.world.queues.forget_all()
        await said(stage, "two")
        await stage.fault("401_before", "POST", ".*/messages")
        await stage.until_said(bridge, says("three"), "three")
        assert bridge.health().ready
    assert stage.said() == ["three"]


async def test_a_queue_that_lives_is_heard_after_a_restart_while_the_web_is_down(stage: Stage) -> None:
    async with stage.online():
        await said(stage, "one")
    await stage.bob.say("@**tocsin** stop all")
    await stage.hand("web", down=True)
    async with begun(stage):
        await stage.inbox.until_hurried("stop all")
        await stage.hand("web", down=False)
        await taken(stage, "stop all")
        await said(stage, "two")
    assert [each.text for each in stage.inbox.rows] == ["one", "stop all", "two"]
    assert {each.place.id for each in stage.inbox.rows} == {f"{INCIDENTS}/topic"}


class Turns(asyncio.Event):
    """A disk that takes one batch at a time, when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.given = asyncio.Semaphore(0)

    async def wait(self) -> Literal[True]:
        """Until there is a turn."""
        return await self.given.acquire()


async def test_what_is_heard_while_the_disk_hangs_is_looked_at_once(stage: Stage) -> None:
    async with stage.online() as bridge:
        await bridge.send(says("known"), key="known")
        await stage.until_heard()
        stage.inbox.may_go = turns = Turns()
        await stage.bob.say("one")
        await stage.inbox.until_hurried("one")
        await stage.until_heard()
        await stage.tocsin.ask("DELETE", "/users/me/subscriptions", {"subscriptions": ["incidents"]})
        await stage.until_heard()
        again = {"subscriptions": [{"name": "incidents"}], "principals": [TOCSIN, BOB]}
        await stage.bob.ask("POST", "/users/me/subscriptions", again)
        await stage.until_heard()
        await stage.bob.say("two")
        await stage.inbox.until_hurried("two")
        async with asyncio.timeout(SOON_S):
            while not any(each.text == "two" for each in stage.inbox.rows):
                stage.inbox.offered.clear()
                turns.given.release()
                await stage.inbox.offered.wait()
                # what the bot says itself is the next batch
                await bridge.send(says("there"), key=str(len(stage.said())))
