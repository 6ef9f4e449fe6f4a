"""Three people talk on three networks while servers and the bot die: in the end all of them have read the same."""

import asyncio
import contextlib
import dataclasses
import os
import random
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest

from demo.process import Process
from demo.world import World, running
from tests.system.conversation import MAIN, SIGNS, Item, OnMatrix, OnMqtt, OnZulip, Seen, Talker, insist, until
from tests.zulip import program
from tests.zulip.client import Person, hand
from tests.zulip.lab import BOB, INCIDENTS, TOCSIN, key_of

TALK = "lab/talk"
BOT = Path(__file__).with_name("lifted_bot.py")
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
TOPICS = 3
"""So many beside the main one."""
GONE = -1
"""What is answered is taken back: nobody needs to see what it was."""


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


@dataclasses.dataclass
class Talk:
    """All of them, what they have said, and what can die."""

    world: World
    bot: Process
    zulip: Zulip
    owner: Person
    """Of the organization in Zulip."""
    talkers: dict[str, Talker]
    deaths: list[Callable[[], Awaitable[None]]]
    alice: OnMatrix
    items: list[Item] = dataclasses.field(default_factory=list[Item])
    topics: list[str] = dataclasses.field(default_factory=list[str])
    """Those in Zulip, but for the main one."""

    async def act(self, chance: random.Random) -> None:
        """One of them does something, as chance has it."""
        kinds = ["write"] * 5 + ["edit"] * 4 + ["reply"] * 3 + ["react"] * 3 + ["remove", "upload", "rename", "move"]
        kind, who = chance.choice(kinds), chance.choice(list(self.talkers))
        talker = self.talkers[who]
        there = [each for each in self.items if not each.removed]
        mine = [each for each in there if each.author == who and each.file is None]
        if kind == "rename":
            await self.rename(chance)
        elif kind == "move":
            await self.move(chance)
        elif kind in ("write", "reply", "upload") or not mine or (kind == "react" and who == "dave"):
            item = Item(len(self.items), who, f"{who} says {chance.randrange(10**6)}")
            item.file = b"in file %d" % item.number if kind == "upload" and who != "dave" else None
            item.replies_to = chance.choice(there[-20:]) if kind == "reply" and there else None
            item.topic = item.replies_to.topic if item.replies_to else self.topic_of(who, chance)
            self.items.append(item)
            item.own = await talker.write(item)
        elif kind == "edit":
            item = chance.choice(mine[-10:])
            item.words, item.edits = f"{who} means {chance.randrange(10**6)}", item.edits + 1
            await talker.edit(item)
        elif kind == "remove":
            item = chance.choice(mine[-10:])
            item.removed = True
            await talker.remove(item)
        else:
            item, sign = chance.choice(there[-10:]), chance.choice(list(SIGNS))
            if (own := item.signs.pop((who, sign), None)) is not None:
                await talker.show_no_more(item, sign, own)
            else:
                item.signs[who, sign] = await talker.show(item, sign)

    def expected(self, who: str) -> dict[int, Seen]:
        """What one of them must see of the others."""
        others = [name for name in self.talkers if name != who]
        return {
            each.number: Seen(
                1,
                "" if each.removed else each.text,
                frozenset() if who == "dave" else frozenset(each.shown_by(*others)),
                (GONE if each.replies_to.removed else each.replies_to.number) if each.replies_to else None,
                each.file if who != "dave" else None,
                None if who == "dave" or (who, each.author) == ("alice", "dave") else each.topic,
            )
            for each in self.items
            if each.author != who
        }

    def topic_of(self, who: str, chance: random.Random) -> str:
        """Where one of them begins to speak. Topics are begun by bob, and dave has none."""
        if who == "dave" or chance.random() < 1 / 3:
            return MAIN
        if who == "bob" and len(self.topics) < TOPICS:
            self.topics.append(f"topic {len(self.topics)}")
            return self.topics[-1]
        return chance.choice(self.topics or [MAIN])

    async def move(self, chance: random.Random) -> None:
        """A topic in Zulip is called otherwise, or one of bob's messages stands in another one."""
        mine = [each for each in self.items if each.author == "bob" and not each.removed and each.topic != MAIN]
        if not mine:
            return
        item, before = chance.choice(mine), ""
        if chance.random() < 1 / 2:
            before, now = item.topic, f"topic {chance.randrange(10**6)}"
            self.topics = [now if each == before else each for each in self.topics]
            for each in self.items:
                each.topic = now if each.topic == before else each.topic
            await self._move(item, now, "change_all")
        elif len(self.topics) > 1:
            item.topic = chance.choice([each for each in self.topics if each != item.topic])
            item.was_moved = True
            await self._move(item, item.topic, "change_one")
            await self.alice.sees_in(item.topic, item)  # an answer stands where what it answers is seen

    async def _move(self, item: Item, topic: str, mode: str) -> None:
        form = {"topic": topic, "propagate_mode": mode}
        answer = await insist(lambda: self.owner.ask("PATCH", f"/messages/{item.own}", dict(form)))
        assert answer.status == HTTPStatus.OK, answer

    def disorder(self, who: str) -> list[str]:
        """What somebody sees before what its author has said earlier there."""
        found: list[str] = []
        last: dict[tuple[str, str], int] = {}
        for topic, number in self.talkers[who].order():
            item = self.items[number]
            if item.was_moved or item.removed:
                continue
            if number < last.get((topic, item.author), -1):
                found.append(f"{who} sees {number} behind {last[topic, item.author]} in {topic}")
            last[topic, item.author] = max(number, last.get((topic, item.author), -1))
        return found

    async def rename(self, chance: random.Random) -> None:
        """The channel in Zulip, or bob there, is called otherwise from now on."""
        name = f"called {chance.randrange(10**6)}"
        path, form = chance.choice(
            [(f"/streams/{INCIDENTS}", {"new_name": name}), (f"/users/{BOB}", {"full_name": name})]
        )
        answer = await insist(lambda: self.owner.ask("PATCH", path, dict(form)))
        assert answer.status == HTTPStatus.OK, answer


@contextlib.asynccontextmanager
async def talking(folder: Path) -> AsyncGenerator[Talk]:
    async with contextlib.AsyncExitStack() as stack:
        world = await stack.enter_async_context(running(folder / "world", tell=print, kind="mosquitto"))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        zulip = Zulip(folder, session)
        stack.push_async_callback(zulip.kill)
        await zulip.start()
        own = world.folder / "bot"
        key = own / "zulip-key"
        key.touch(mode=0o600)
        key.write_text(key_of("tocsin"))
        config = own / "config.toml"
        text = config.read_text().replace('["@bob:localhost"]\n', f'["@bob:localhost"]\nzulip = ["{BOB}"]\n')
        more = CONFIG.format(site=zulip.url, room=world.room, channel=INCIDENTS, talk=TALK)
        config.write_text(text + more)
        await world.bot.stop()
        command = [sys.executable, BOT, "run", "--config", config]
        env = {**os.environ, "PYTHONPATH": str(BOT.parents[2])}
        bot = await stack.enter_async_context(Process(command, folder / "lifted.log", env=env, name="bot"))
        dave = OnMqtt.at(world.broker.address, TALK)
        listening = asyncio.create_task(dave.run())
        stack.callback(listening.cancel)
        bob = OnZulip(Person(zulip.url, "bob@lab.test", key_of("bob"), session), INCIDENTS, TOCSIN, url=zulip.url)
        alice = OnMatrix(world.alice, world.room)
        await world.alice.wait_for(lambda each: "From now on what is said here is passed on" in each.body)

        async def kill_bot() -> None:
            await bot.kill()
            await bot.start()

        async def kill_homeserver() -> None:
            await world.homeserver.process.kill()
            await world.homeserver.start()

        async def kill_broker() -> None:
            await world.broker.kill()
            await world.broker.start()

        async def kill_zulip() -> None:
            await zulip.kill()
            await zulip.start()

        talkers: dict[str, Talker] = {each.name: each for each in (alice, bob, dave)}
        owner = Person(zulip.url, "alice@lab.test", key_of("alice"), session)
        yield Talk(world, bot, zulip, owner, talkers, [kill_bot, kill_zulip, kill_broker, kill_homeserver], alice)


def fits(seen: Seen | None, expected: Seen | None) -> bool:
    """Whether somebody sees what they should. What is taken back leaves nothing but a sign, or nothing."""
    if expected is not None and not expected.text:
        return seen is None or not seen.text
    if seen is None or expected is None:
        return seen is expected
    if expected.topic is None:
        seen = dataclasses.replace(seen, topic=None)
    if expected.answers == GONE:
        seen = dataclasses.replace(seen, answers=GONE)
    if seen.text.startswith(expected.text):  # behind it stands how the file is called
        seen = dataclasses.replace(seen, text=expected.text)
    return seen == expected


async def all_read_the_same(folder: Path, *, actions: int, deaths: int, seed: int) -> None:
    chance = random.Random(seed)
    async with talking(folder) as talk:
        dying = sorted(chance.sample(range(10, actions - 10), deaths))
        for number in range(actions):
            if number in dying:
                await talk.deaths[dying.index(number) % len(talk.deaths)]()
            await talk.act(chance)
        differs: dict[str, object] = {}

        async def settled() -> bool | None:
            nonlocal differs
            found: dict[str, object] = {}
            for who, talker in talk.talkers.items():
                seen, expected = await talker.view(talk.items), talk.expected(who)
                for number in expected.keys() | seen.keys():
                    if not fits(seen.get(number), expected.get(number)):
                        found[f"{who} sees {number}"] = (seen.get(number), expected.get(number))
                found |= dict.fromkeys(talk.disorder(who))
            differs = found
            return not found or None

        await until(
            settled, lambda: f"seed {seed}: {len(differs)} differ: {dict(list(differs.items())[:8])}", SETTLED_S
        )


async def test_all_read_the_same_whatever_dies_meanwhile(tmp_path: Path) -> None:
    await all_read_the_same(tmp_path, actions=300, deaths=8, seed=7)


@pytest.mark.soak  # each time: three hundred, above
async def test_all_read_the_same_after_a_thousand_words(tmp_path: Path) -> None:
    await all_read_the_same(tmp_path, actions=1000, deaths=24, seed=11)
