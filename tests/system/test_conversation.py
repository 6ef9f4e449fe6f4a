"""People talk on three networks while servers and the bot are away: in the end all of them have read the same."""

import asyncio
import contextlib
import os
import random
import sqlite3
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import aiohttp
import pytest

from demo.process import Process
from demo.world import World, running
from tests.system.conversation import fits, until
from tests.system.conversation_acts import BOT, Mortal, Talk, unlike
from tests.system.conversation_matrix import OnMatrix
from tests.system.conversation_mqtt import OnMqtt
from tests.system.conversation_zulip import OnZulip
from tests.zulip import program
from tests.zulip.client import Person, hand
from tests.zulip.lab import ALICE, BOB, INCIDENTS, TOCSIN, key_of

TALK = "lab/talk"
LIFTED_BOT = Path(__file__).with_name("lifted_bot.py")
CONFIG = """
[zulip]
site = "{site}"
email = "tocsin-bot@lab.test"
key_file = "zulip-key"

[channels.lab]
places = ["matrix:{room}", "zulip:{channel}/*", "mqtt:{talk}"]
share_encrypted = true
"""
SETTLED_S = 120.0
LONGEST_AWAY = 3
"""So many actions people do while something is away."""


class Zulip:
    """The stand-in as a program that can be killed."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession) -> None:
        self._data = folder / "zulip.db"
        self._session = session
        self._stack = contextlib.AsyncExitStack()
        self.url = ""

    async def start(self) -> None:
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        self.url = await self._stack.enter_async_context(program.started(self._data, port))
        await hand(self.url, self._session, "limits", requests=100_000)

    async def kill(self) -> None:
        await self._stack.aclose()


class Stage:
    """Where they talk, and what can be away."""

    def __init__(self, world: World, talk: Talk, mortals: Sequence[Mortal]) -> None:
        self.talk = talk
        self._database = world.database
        self._mortals = mortals
        self._away: Mortal | None = None
        self._killed = 0

    async def kill_next(self) -> None:
        """Each in its turn. What was away is back before."""
        await self.bring_back()
        self._away = self._mortals[self._killed % len(self._mortals)]
        self._killed += 1
        self.talk.down.add(self._away.name)
        self.talk.tell(f"{self._away.name} dies")
        await self._away.kill()

    async def bring_back(self) -> None:
        if self._away is not None:
            await self._away.start()
            self.talk.tell(f"{self._away.name} is back")
            self.talk.down.discard(self._away.name)
            self._away = None

    async def differs(self) -> dict[str, object]:
        """What is seen otherwise than it should be."""
        found: dict[str, object] = {}
        for viewer in self.talk.viewers:
            seen, expected = await viewer.view(self.talk.items), self.talk.expected(viewer)
            for number in expected.copies.keys() | seen.copies.keys():
                pair = seen.copies.get(number), expected.copies.get(number)
                if not fits(*pair):
                    found[f"{viewer.name} sees {number}"] = pair
            beside = unlike(seen.beside, expected.beside)
            found |= {f"{viewer.name} sees beside {number}": pair for number, pair in beside.items()}
            found |= dict.fromkeys(self.talk.disorder(viewer, seen.order))
        return found

    async def settled(self) -> None:
        """Wait until all stands as it should."""
        differs: dict[str, object] = {}

        async def settled() -> bool | None:
            nonlocal differs
            differs = await self.differs()
            return not differs or None

        await until(settled, lambda: f"{len(differs)} differ: {dict(list(differs.items())[:8])}", SETTLED_S)

    async def nothing_waits(self) -> None:
        """Wait until the bot has nothing more to say, and everybody has heard what it said."""

        async def is_empty() -> bool | None:
            with contextlib.closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
                return database.execute("SELECT 1 FROM outbox WHERE state = 'waiting'").fetchone() is None or None

        await until(is_empty, lambda: "something waits to be said", SETTLED_S)
        for viewer in self.talk.viewers:
            await viewer.catch_up()


@contextlib.asynccontextmanager
async def talking(folder: Path) -> AsyncGenerator[Stage]:
    async with contextlib.AsyncExitStack() as stack:
        world = await stack.enter_async_context(running(folder / "world", tell=print, kind="mosquitto"))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        zulip = Zulip(folder, session)
        stack.push_async_callback(zulip.kill)
        await zulip.start()
        config = _configured(world, zulip)
        await world.bot.stop()
        command = [sys.executable, LIFTED_BOT, "run", "--config", config]
        env = {**os.environ, "PYTHONPATH": str(LIFTED_BOT.parents[2])}
        bot = await stack.enter_async_context(Process(command, folder / "lifted.log", env=env, name="bot"))
        dave = OnMqtt.at(world.broker.address, TALK)
        listening = asyncio.create_task(dave.run())
        stack.callback(listening.cancel)
        owner, person = (Person(zulip.url, f"{name}@lab.test", key_of(name), session) for name in ("alice", "bob"))
        bob = OnZulip("bob", person, owner, INCIDENTS, TOCSIN, account=BOB, listed="bob")
        # Who owns the organization is called like somebody whom the bot knows.
        carol = OnZulip("carol", owner, owner, INCIDENTS, TOCSIN, account=ALICE, called="alice")
        alice = OnMatrix(world.alice, world.room)
        await world.alice.wait_for(lambda each: "From now on what is said here is passed on" in each.body)

        async def kill_homeserver() -> None:
            await world.homeserver.process.kill()  # another one since each start

        mortals = (
            Mortal(BOT, bot.kill, bot.start),
            Mortal("zulip", zulip.kill, zulip.start),
            Mortal("mqtt", world.broker.kill, world.broker.start),
            Mortal("matrix", kill_homeserver, world.homeserver.start),
        )
        yield Stage(world, Talk(alice, bob, carol, dave, INCIDENTS, print), mortals)


def _configured(world: World, zulip: Zulip) -> Path:
    own = world.folder / "bot"
    key = own / "zulip-key"
    key.touch(mode=0o600)
    key.write_text(key_of("tocsin"))
    config = own / "config.toml"
    text = config.read_text().replace('["@bob:localhost"]\n', f'["@bob:localhost"]\nzulip = ["{BOB}"]\n')
    config.write_text(text + CONFIG.format(site=zulip.url, room=world.room, channel=INCIDENTS, talk=TALK))
    return config


async def all_read_the_same(folder: Path, *, actions: int, deaths: int, seed: int) -> None:
    chance = random.Random(seed)
    async with talking(folder) as stage:
        dying = set(chance.sample(range(10, actions - 10), deaths))
        left = 0
        for number in range(actions):
            if number in dying:
                await stage.kill_next()
                left = chance.randint(1, LONGEST_AWAY)
            await stage.talk.act(chance)
            left -= 1
            if left == 0:
                await stage.bring_back()
        await stage.settled()
        await stage.talk.last_words()
        await stage.settled()
        await stage.nothing_waits()
        differs = await stage.differs()
        assert not differs, f"came a second time, or went again: {differs}"


async def test_all_read_the_same_whatever_dies_meanwhile(tmp_path: Path) -> None:
    await all_read_the_same(tmp_path, actions=300, deaths=8, seed=7)


@pytest.mark.soak  # each time: three hundred, above
async def test_all_read_the_same_after_a_thousand_words(tmp_path: Path) -> None:
    await all_read_the_same(tmp_path, actions=1000, deaths=24, seed=11)
