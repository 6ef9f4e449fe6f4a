"""What goes wrong in Zulip, with a whole bot: what other networks see of it, and what they do not.

The server is the stand-in. The other end of each conversation is a topic of a real broker, and orders come from a
third network.
"""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import orjson
import pytest
import pytest_asyncio

from bot.words.message import Lane
from demo.broker import mosquitto
from tests.faults import field as faults
from tests.faults.field import PATIENCE, Field
from tests.zulip.client import OK, Person, hand, person
from tests.zulip.lab import ALICE, BOB, INCIDENTS, TOCSIN, WEIRD, key_of
from tests.zulip.server import running
from tests.zulip.things import Message
from tests.zulip.world import World
from wire.mqtt import Delivery, Link

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed"),
]

LONGEST_TOPIC, TOO_LONG = 60, 10_001
CUT = "…"
CONFIG = """
[zulip]
site = "{site}"
email = "tocsin-bot@lab.test"
key_file = "{key}"

[channels.lab]
places = ["zulip:{lab}/talk", "mqtt:lab"]

[channels.wide]
places = ["zulip:{wide}/*", "mqtt:wide"]

[channels.long]
places = ["zulip:{lab}/{long}", "mqtt:long"]

[channels.direct]
places = ["zulip:dm/{bob}", "mqtt:direct"]

[channels.door]
places = ["zulip:{door}/talk", "mqtt:door"]

[channels.attic]
places = ["zulip:{attic}/talk", "mqtt:attic"]
"""
LONG = "l" * LONGEST_TOPIC
"""A topic whose name has no room for anything more."""
T = TypeVar("T")


class Listener:
    """A program on the broker that hears everything, and publishes."""

    def __init__(self, field: Field) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._link = Link(field.broker.address, "olga", receive=self._receive, draw=lambda: 0.1)

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator["Listener"]:
        await self._link.subscribe("#", 1, others_only=True)
        task = asyncio.create_task(self._link.run())
        try:
            async with asyncio.timeout(PATIENCE):
                await self._link.ready()
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def says(self, words: str, topic: str, **fields: str) -> None:
        payload = {"text": words, "from": "lamp", **fields}
        await self._link.publish(topic, orjson.dumps(payload), qos=1)

    def on(self, topic: str, words: str = "") -> list[dict[str, Any]]:
        """What was published on a topic with these words."""
        said: list[dict[str, Any]] = [orjson.loads(payload) for where, payload in self.heard if where == topic]
        return [each for each in said if words in each["text"]]

    def _receive(self, delivery: Delivery) -> None:
        self.heard.append((delivery.topic, delivery.payload))


@dataclasses.dataclass
class Lab:
    """A bot with Zulip, MQTT and the network from which orders come, and who is there."""

    field: Field
    zulip: World
    session: aiohttp.ClientSession
    olga: Listener
    alice: Person
    bob: Person
    door: int
    attic: int

    def said(self, words: str = "") -> list[Message]:
        """What the bot has said in Zulip, as it stands there now."""
        messages = sorted(self.zulip.realm.messages.values(), key=lambda each: each.id)
        return [each for each in messages if each.sender_id == TOCSIN and words in each.content]

    async def until(self, holds: Callable[[], T], what: str) -> T:
        return await faults.until(holds, what, self.field.last_words)

    async def says(self, words: str, topic: str = "talk", to: str = "incidents", who: Person | None = None) -> int:
        """Somebody says something in Zulip."""
        said = await (who or self.bob).say(words, topic=topic, to=to)
        assert said.status == OK, said.body
        return said.body["id"]

    async def crosses(self, words: str, topic: str = "talk", to: str = "incidents", mqtt: str = "lab") -> None:
        """What is said in Zulip is published, once; and so all that was said in Zulip before is dealt with."""
        await self.says(words, topic, to)
        await self.is_published(words, mqtt)

    async def is_published(self, words: str, mqtt: str) -> dict[str, Any]:
        found = await self.until(lambda: self.olga.on(mqtt, words), f"{words!r} is published on {mqtt}")
        assert len(found) == 1
        return found[0]

    async def is_said(self, words: str) -> Message:
        """The bot says it in Zulip, once."""
        found = await self.until(lambda: self.said(words), f"{words!r} is said in Zulip")
        assert len(found) == 1
        return found[0]

    async def fence(self) -> None:
        """Wait until all that was said and published before is dealt with, on either side."""
        mark = f"fence {len(self.olga.heard)} {len(self.said())}"
        await self.crosses(mark)
        await self.olga.says(f"{mark} back", "lab")
        await self.is_said(f"{mark} back")

    async def row(self, place: str) -> str:
        """What `!channels` shows of a place."""
        shown = (await self.field.answer("!channels")).words
        (row,) = [line for line in shown.splitlines() if place in line]
        return row

    def logged(self, event: str, place: str) -> list[str]:
        """What the log says of posts to a place."""
        log = self.field.bot.log.read_text(encoding="utf-8", errors="replace")
        return [line for line in log.splitlines() if event in line and f'"{place}"' in line]

    def requests(self) -> int:
        """How many the bot has made of Zulip."""
        return sum(each.who == "tocsin-bot@lab.test" for each in self.zulip.requests)

    async def lets_the_bot(self, method: str, door: object) -> None:
        """It is let in, or put out, and has heard of it."""
        asked = {"subscriptions": [door], "principals": [TOCSIN]}
        done = await self.alice.ask(method, "/users/me/subscriptions", asked)
        assert done.status == OK, done.body
        await self.fence()


@asynccontextmanager
async def laboratory(folder: Path, walkers: int = 0) -> AsyncGenerator[Lab]:
    async with AsyncExitStack() as stack:
        field = await stack.enter_async_context(faults.running(folder, walkers=walkers))
        await field.bot.stop()
        zulip = await stack.enter_async_context(running())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        people = [ALICE, BOB, TOCSIN]
        door, attic = [
            (await hand(zulip.url, session, "channel", name=name, members=people))["id"] for name in ("door", "attic")
        ]
        key = folder / "zulip-key"
        key.touch(mode=0o600)
        key.write_text(key_of("tocsin"))
        more = CONFIG.format(
            site=zulip.url, key=key, lab=INCIDENTS, wide=WEIRD, long=LONG, bob=BOB, door=door, attic=attic
        )
        config = folder / "config.toml"
        config.write_text(config.read_text() + more)
        await field.begun()
        olga = await stack.enter_async_context(Listener(field).listening())
        alice, bob = (person(zulip, session, each) for each in (ALICE, BOB))
        made = Lab(field, zulip, session, olga, alice, bob, door, attic)
        async with asyncio.timeout(PATIENCE):
            await hand(zulip.url, session, "listening", **{"as": "tocsin"})
        await until_heard(made)
        yield made


async def until_heard(lab: Lab) -> None:
    """Wait until the bot hears what is published."""
    async with asyncio.timeout(PATIENCE):
        while not (await lab.field.metrics())['tocsin_bridge_ready{network="mqtt"}']:  # noqa: ASYNC110 - another process
            await asyncio.sleep(faults.LOOK_EVERY_S)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    async with laboratory(tmp_path_factory.mktemp("troubles")) as made:
        yield made


async def test_put_out_of_a_channel_and_let_in_again_the_bot_says_nothing_twice_and_nothing_of_meanwhile(
    lab: Lab,
) -> None:
    place = f"zulip:{lab.door}/talk"
    await lab.crosses("before", to="door", mqtt="door")
    await lab.olga.says("answered before", "door")
    await lab.is_said("answered before")
    await lab.lets_the_bot("DELETE", "door")
    await lab.says("meant for those who are in", to="door")
    mentioned = await lab.says("@**tocsin** and so is this", to="door")
    assert TOCSIN in lab.zulip.realm.messages[mentioned].rows, "the bot hears of it all the same"
    await lab.olga.says("is anybody there?", "door")
    await lab.until(lambda: lab.logged("never sent", place), "it is refused")
    assert f"refused: The bot is not in the channel of {place}" in await lab.row(place)
    await lab.lets_the_bot("POST", {"name": "door"})
    await lab.crosses("after", to="door", mqtt="door")
    await lab.olga.says("answered after", "door")
    await lab.is_said("answered after")
    await lab.fence()
    assert [each["text"] for each in lab.olga.on("door")] == ["before", "after"]
    here = [each.content.partition("): ")[2] for each in lab.said() if each.channel_id == lab.door]
    assert here == ["answered before", "answered after"]
    assert not [each for each in lab.olga.heard if b"meant for those" in each[1] or b"so is this" in each[1]]
    assert len(lab.logged("never sent", place)) == 1


async def test_nothing_of_a_channel_that_is_not_linked_is_published_where_the_bot_is_mentioned(lab: Lab) -> None:
    numbers = [await lab.says(f"@**tocsin** a riddle in {each}", to=each) for each in ("vault", "secret", "unsubbed")]
    await lab.fence()
    for number in numbers:
        assert TOCSIN in lab.zulip.realm.messages[number].rows, "the bot hears of it"
        edit = {"content": "@**tocsin** another riddle"}
        assert (await lab.bob.ask("PATCH", f"/messages/{number}", edit)).status == OK
        assert (await lab.bob.ask("POST", f"/messages/{number}/reactions", {"emoji_name": "eyes"})).status == OK
    await lab.fence()
    assert not [each for each in lab.olga.heard if b"riddle" in each[1]]
    assert not lab.said("riddle")
    assert not [each for each in lab.field.said() if "riddle" in each.words]


async def test_what_is_too_long_arrives_once_and_visibly_cut(lab: Lab) -> None:
    there, here = (f"{each} ".ljust(TOO_LONG, "x") for each in ("thither", "hither"))
    await lab.says(there)
    published = (await lab.is_published("thither", "lab"))["text"]
    before = len(lab.said())
    await lab.olga.says(here, "lab")
    said = (await lab.is_said("hither")).content.partition("): ")[2]
    for words, whole in ((published, there), (said, here)):
        assert whole.startswith(words.removesuffix(CUT))
        assert len(words) < len(whole)
        assert words.endswith(CUT)
    assert len(lab.said()) == before + 1
    await lab.fence()
    assert len(lab.olga.on("lab", "xxxxx")) == len(lab.said("xxxxx")) == 1


async def test_what_is_said_in_a_topic_that_the_server_cuts_is_answered_there(lab: Lab) -> None:
    topic = "w" * (LONGEST_TOPIC + 1)
    for words in ("in a long topic", "and again"):
        number = await lab.says(words, topic, "Störung / Netz")
        is_called = lab.zulip.realm.messages[number].topic
        assert is_called == f"{topic[:57]}..."
        there = await lab.is_published(words, "wide")
        await lab.olga.says(f"answered: {words}", "wide", replies_to=there["id"])
        here = await lab.is_said(f"answered: {words}")
        assert (here.channel_id, here.topic) == (WEIRD, is_called)


@pytest.mark.parametrize(
    ("mqtt", "channel", "topic"),
    [
        pytest.param("wide", "Störung / Netz", "w" * LONGEST_TOPIC, id="where all topics are linked"),
        pytest.param("long", "incidents", LONG, id="where it is linked alone"),
    ],
)
async def test_a_topic_that_loses_its_tail_as_it_is_resolved_stays_the_same_conversation(
    lab: Lab, mqtt: str, channel: str, topic: str
) -> None:
    number = await lab.says(f"{mqtt} is open", topic, channel)
    there = await lab.is_published(f"{mqtt} is open", mqtt)
    change = {"topic": f"✔ {topic}", "propagate_mode": "change_all"}
    assert (await lab.alice.ask("PATCH", f"/messages/{number}", change)).status == OK
    is_called = lab.zulip.realm.messages[number].topic
    assert is_called == f"✔ {topic[:55]}..."
    await lab.fence()
    await lab.olga.says(f"{mqtt} was open", mqtt, replies_to=there["id"])
    here = await lab.is_said(f"{mqtt} was open")
    assert here.topic == is_called
    await lab.crosses(f"{mqtt} is done", is_called, channel, mqtt)
    await lab.fence()
    assert [len(lab.olga.on(mqtt, f"{mqtt} is {each}")) for each in ("open", "done")] == [1, 1]
    assert lab.said(f"{mqtt} was open") == [here]


async def test_what_is_said_to_a_channel_that_was_archived_is_refused_once_and_shown(lab: Lab) -> None:
    place = f"zulip:{lab.attic}/talk"
    await lab.crosses("dusty", to="attic", mqtt="attic")
    assert "up to date" in await lab.row(place)
    assert (await lab.alice.ask("DELETE", f"/streams/{lab.attic}")).status == OK
    await lab.fence()
    await lab.olga.says("is it gone?", "attic")
    await lab.until(lambda: lab.logged("never sent", place), "it is refused")
    assert f"refused: The bot is not in the channel of {place}, or the channel is archived" in await lab.row(place)
    await lab.fence()
    assert len(lab.logged("never sent", place)) == 1
    assert not lab.said("is it gone?")
    assert "up to date" in await lab.row(f"zulip:{INCIDENTS}/talk")


async def test_a_key_that_is_refused_is_an_alarm_elsewhere_and_a_stop_from_there_stops(tmp_path: Path) -> None:
    place = f"zulip:{INCIDENTS}/talk"
    async with laboratory(tmp_path, walkers=1) as lab:
        lab.zulip.realm.users[TOCSIN].key = key_of("another")
        await hand(lab.zulip.url, lab.session, "events", do="beat")
        alarm = await lab.field.hears("ALARM: zulip is out of service")
        assert alarm.lane is Lane.ALERT
        assert "does not take the bot's key" in alarm.words
        made = lab.requests()
        await lab.olga.says("is anybody there?", "lab")
        await lab.until(lambda: lab.logged("not sent yet", place), "it has to wait")
        assert "Zulip does not take the bot's key" in await lab.row(place)
        await lab.field.stopped("!shutdown all")
        await lab.field.all_stand(alarm.at)
        assert not (await lab.field.metrics())['tocsin_bridge_ready{network="zulip"}']
        assert lab.requests() == made, "it asks no more"
        assert len(lab.field.news("out of service")) == 1
