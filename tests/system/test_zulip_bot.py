"""A whole bot with a broker and a component, among people on a stand-in for a Zulip server."""

import asyncio
import contextlib
import dataclasses
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from bot import keys
from bot.enrol import enrol, stanza
from demo.broker import LocalBroker
from demo.process import Process
from tests.zulip.client import Person, hand, person
from tests.zulip.lab import ALICE, BOB, TOCSIN, key_of
from tests.zulip.server import running
from tests.zulip.things import Message
from tests.zulip.world import World
from wire.messages import ROOT

PATIENCE_S = 30.0
CONFIG = """\
[bot]
folder = "state"
alarms = ["zulip:incidents/alarms"]

[mqtt]
host = "{broker.host}"
port = {broker.port}

[zulip]
site = "{site}"
email = "tocsin-bot@lab.test"
key_file = "zulip-key"

[console]
socket = "chat.sock"

[people.alice]
role = "operator"
zulip = ["6"]
console = ["daemon"]

"""


@dataclasses.dataclass
class Whole:
    world: World
    session: aiohttp.ClientSession
    bot: Process
    key: Path
    alice: Person
    bob: Person

    def answers(self) -> list[Message]:
        messages = sorted(self.world.realm.messages.values(), key=lambda each: each.id)
        return [each for each in messages if each.sender_id == TOCSIN]

    async def until(self, holds: Callable[[], bool]) -> None:
        async def there() -> bool:
            return holds()

        await self.bot.until(there, seconds=PATIENCE_S)

    async def until_said(self, words: str) -> Message:
        await self.until(lambda: any(words in each.content for each in self.answers()))
        return next(each for each in self.answers() if words in each.content)

    async def listening(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await hand(self.world.url, self.session, "listening", **{"as": "tocsin"})

    async def direct(self, who: Person, words: str) -> int:
        form = {"type": "direct", "to": [TOCSIN], "content": words}
        return (await who.ask("POST", "/messages", form)).body["id"]


@contextlib.asynccontextmanager
async def whole(folder: Path, more: str = "") -> AsyncGenerator[Whole]:
    """`more` is what its configuration has besides."""
    own = folder / "bot"
    own.mkdir(mode=0o700)
    key = own / "zulip-key"
    key.touch(mode=0o600)
    key.write_text(key_of("tocsin"))
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(running())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        (folder / "broker").mkdir()
        broker = await stack.enter_async_context(LocalBroker(folder / "broker"))
        bot_key = keys.load_or_make(own / "state" / keys.KEY).public
        enrolment = enrol("walk-1", ("sims",), ROOT, broker.address, bot_key, folder / "component.json")
        config = CONFIG.format(broker=enrolment.broker, site=world.url)
        (own / "config.toml").write_text(f"{config}{stanza(enrolment)}\n{more}")
        bot = Process([sys.executable, "-m", "bot", "run", "--config", own / "config.toml"], folder / "bot.log")
        component = Process(
            [sys.executable, "-m", "demo.walker", folder / "component.json", "--latch", folder / "latch.json"],
            folder / "component.log",
        )
        await stack.enter_async_context(bot)
        await stack.enter_async_context(component)
        alice, bob = (person(world, session, each) for each in (ALICE, BOB))
        made = Whole(world, session, bot, key, alice, bob)
        await made.listening()
        yield made


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole(tmp_path) as made:
        yield made


async def test_a_listed_person_is_answered_a_stranger_is_not_and_a_stop_stops(there: Whole) -> None:
    await there.direct(there.bob, "status")
    await there.bob.say("@**tocsin** status", topic="Lab")
    await there.direct(there.alice, "status")
    await there.until(lambda: bool(there.answers()))
    (answer,) = there.answers()
    assert answer.channel_id is None
    assert sorted(answer.people) == [ALICE, TOCSIN]
    asked = (await there.alice.say("@**tocsin** status", topic="Lab")).body["id"]
    await there.until_said(f"near/{asked})")
    await there.alice.say("@**tocsin** !shutdown all", topic="Lab")
    stopped = await there.until_said("everything: 1 of 1")
    assert (stopped.channel_id, stopped.topic) == (4, "Lab")
    assert {each.topic for each in there.answers()} <= {"", "Lab", "alarms"}


async def test_a_bot_that_is_killed_goes_on_where_it_was(there: Whole) -> None:
    await there.direct(there.alice, "status")
    await there.until(lambda: len(there.answers()) == 1)
    await there.bot.kill()
    await there.direct(there.alice, "whoami")
    await there.bot.start()
    await there.until(lambda: len(there.answers()) == 2)
    await there.listening()
    await there.direct(there.alice, "whoami")
    await there.until(lambda: len(there.answers()) == 3)
    assert "alice" in there.answers()[1].content
    registered = [each for each in there.world.requests if each.path.endswith("/register")]
    assert len(registered) == 1


async def test_a_bot_that_is_killed_before_it_hears_that_its_answer_was_taken_says_it_once(there: Whole) -> None:
    await there.direct(there.alice, "whoami")
    await there.until(lambda: len(there.answers()) == 1)
    await hand(there.world.url, there.session, "fault", kind="hang_after", method="POST", path=".*/messages", times=1)
    form = {"type": "direct", "to": "[8]", "content": "status"}  # said beside the door, where the fault waits
    said = {"as": "alice", "method": "POST", "path": "/messages", "form": form}
    await hand(there.world.url, there.session, "act", **said)
    await there.until(lambda: len(there.answers()) == 2)
    await there.bot.kill()
    await there.bot.start()
    await there.listening()
    await there.direct(there.alice, "whoami")
    await there.until(lambda: len(there.answers()) >= 3 and "alice" in there.answers()[-1].content)
    assert len(there.answers()) == 3


async def test_without_its_key_the_bridge_ends_and_the_bot_goes_on(there: Whole) -> None:
    there.world.realm.users[TOCSIN].key = key_of("another")
    await hand(there.world.url, there.session, "events", do="beat")
    await there.until(lambda: there.bot.said("a part is out of service"))
    assert there.bot.said("does not take the bot's key")
    there.bot.check()
    await there.bot.kill()
    await there.bot.start()  # also where it is refused from the start
    await there.until(lambda: there.bot.said("a part is out of service"))
    there.bot.check()
