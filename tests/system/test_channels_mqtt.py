"""A conversation that is on MQTT topics too, with a whole bot and a real broker: both ways, once, through restarts."""

import asyncio
import contextlib
import dataclasses
import functools
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson
import pytest
import pytest_asyncio
from paho.mqtt.enums import MQTTProtocolVersion

from bot.channels.allowance import OF_ONE_AT_ONCE
from bot.words.message import Lane
from demo.broker import mosquitto
from tests.faults.field import LOOK_EVERY_S, PATIENCE, Field, Said, running, until
from wire.mqtt import Delivery, Link

pytestmark = pytest.mark.asyncio(loop_scope="module")

TALK, OTHER, THIRD = "lab/talk", "lab/other", "lab/third"
CHANNEL = """
[channels.lab]
places = ["feed:room", "mqtt:{}", "mqtt:{}"]
share_encrypted = true
"""


class Client:
    """A program on the broker, that reads along."""

    def __init__(
        self,
        field: Field,
        name: str,
        answer: Callable[[Delivery], bytes | None] = lambda _: None,
        *,
        session_s: int = 0,
    ) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.said = 0
        self._answer = answer
        self._link = Link(field.broker.address, name, receive=self._receive, session_s=session_s, draw=lambda: 0.1)

    @contextlib.asynccontextmanager
    async def listening(self, *topics: str) -> AsyncGenerator["Client"]:
        for topic in topics:
            await self._link.subscribe(topic, 1, others_only=True)
        task = asyncio.create_task(self._link.run())
        try:
            await self.ready()
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def ready(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._link.ready()

    async def says(
        self, text: str | bytes, topic: str = TALK, *, retain: bool = False, who: str = "", **fields: str
    ) -> None:
        """Publish words alone, or with fields a payload that has them."""
        payload = text if isinstance(text, bytes) else text.encode()
        if who or fields:
            payload = orjson.dumps({"text": text, **({"from": who} if who else {}), **fields})
        await self._link.publish(topic, payload, qos=1, retain=retain)

    def on(self, topic: str, words: str) -> list[dict[str, Any]]:
        return [each for where, each in self.heard if where == topic and words in each["text"]]

    async def hears(self, words: str, topic: str = TALK) -> dict[str, Any]:
        """Wait until something is published by somebody else."""
        return (await until(lambda: self.on(topic, words), f"{words!r} is published on {topic}"))[0]

    async def _receive(self, delivery: Delivery) -> None:
        if delivery.payload.startswith(b"{"):
            with contextlib.suppress(ValueError):
                self.heard.append((delivery.topic, orjson.loads(delivery.payload)))
        if (answer := self._answer(delivery)) is not None:
            self.said += 1
            await self._link.publish(delivery.topic, answer)


@dataclasses.dataclass
class Lab:
    """A bot whose room is one conversation with two topics, and somebody on those."""

    field: Field
    client: Client

    def room(self, words: str) -> list[Said]:
        """What stands in the room with these words, without edits."""
        return [each for each in self.field.said() if words in each.words and each.edits is None]

    async def room_hears(self, words: str) -> Said:
        return (await until(lambda: self.room(words), f"the room hears {words!r}", self.field.last_words))[0]

    async def room_reads(self, said: Said, words: str) -> None:
        """Wait until something is edited."""
        await until(
            lambda: [each for each in self.field.said() if each.edits == said.key and words in each.words],
            f"{said.words!r} is edited to {words!r}",
            self.field.last_words,
        )

    async def fence(self) -> None:
        """Wait until all that was published before is dealt with."""
        mark = f"fence {len(self.field.said())}"
        await self.client.says(mark)
        await self.room_hears(mark)

    async def counted(self, name: str) -> float:
        return (await self.field.metrics())[f'tocsin_bridge_{name}_total{{network="mqtt"}}']


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Lab]:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    async with running(tmp_path_factory.mktemp("lab"), walkers=0) as field:
        await field.bot.stop()
        config = field.folder / "config.toml"
        config.write_text(config.read_text() + CHANNEL.format(TALK, OTHER))
        await field.begun()
        async with Client(field, "olga", session_s=60).listening(TALK, OTHER, THIRD) as client:
            made = Lab(field, client)
            await listens(made)
            yield made


async def listens(lab: Lab) -> None:
    """Wait until the bot hears what is published."""
    async with asyncio.timeout(PATIENCE):
        while not (await lab.field.metrics())['tocsin_bridge_ready{network="mqtt"}']:  # noqa: ASYNC110 - see `field.py`
            await asyncio.sleep(LOOK_EVERY_S)


async def test_what_is_said_on_either_side_is_read_answered_and_changed_on_the_other(lab: Lab) -> None:
    said = lab.field.say("the lamp is on")
    here, there = await lab.client.hears("the lamp is on"), await lab.client.hears("the lamp is on", OTHER)
    assert (here["from"], here["network"], here["text"]) == ("alice", "feed", "the lamp is on")
    assert here["origin"] == there["origin"] == "tocsin/tocsin"
    assert "unproven" not in here
    await lab.client.says("I see it", id="m1", replies_to=here["id"], who="lamp")
    answer = await lab.room_hears("lamp (mqtt, unproven): I see it")
    assert answer.to == said
    passed_on = await lab.client.hears("I see it", OTHER)
    assert (passed_on["from"], passed_on["unproven"], passed_on["replies_to"]) == ("lamp", True, there["id"])
    await lab.client.says("It is a lie", id="m2", edits="m1", who="somebody else")
    await lab.client.says("", id="m2 gone", edits="m1", who="somebody else")
    await lab.client.says("I saw it", id="m3", edits="m1", who="lamp")
    await lab.room_reads(answer, "lamp (mqtt, unproven): I saw it")
    assert (await lab.client.hears("I saw it", OTHER))["edits"] == passed_on["id"]
    await lab.client.says("", id="m4", edits="m1", who="lamp")
    await lab.room_reads(answer, "(taken back)")
    await lab.fence()
    assert not [each for each in lab.field.said() if "a lie" in each.words]
    assert not lab.client.on(TALK, "I see it"), "nothing comes back to where it was said"


async def test_nothing_that_is_published_is_ever_an_order(lab: Lab) -> None:
    await lab.client.says("!shutdown all", who="alice")
    await lab.client.says("STOP ALL", who="alice")
    await lab.room_hears("STOP ALL")
    await lab.fence()
    assert lab.field.incidents() == []
    assert not [each for each in lab.client.heard if "stop" in each[1]["text"].lower() and "from" not in each[1]]


async def test_garbage_is_counted_and_what_comes_after_it_is_heard(lab: Lab) -> None:
    before = await lab.counted("bad_payloads")
    garbage = [b"\xff\xfe\x00", b"{", b'{"text": 5}', b'{"text": "\\ud800"}', b'{"a": ' + b"[" * 20_000, b" ", b"{}"]
    for each in garbage:
        await lab.client.says(each)
    await lab.client.says(b"x" * 70_000)
    await lab.client.says(b"\x1b[2J\x00 harmless")
    assert "\x1b" not in (await lab.room_hears("harmless")).words
    assert await lab.counted("bad_payloads") == before + len(garbage)
    assert await lab.counted("too_large") == 1
    log = lab.field.bot.log.read_text()
    assert "what was published is not taken in" in log
    assert "ud800" not in log


async def test_what_the_broker_keeps_is_said_once_and_not_at_each_start(lab: Lab) -> None:
    await lab.client.says("kept by the broker", retain=True)
    await lab.room_hears("kept by the broker")
    await lab.field.bot.kill()
    await lab.field.begun()
    await listens(lab)
    await lab.fence()
    assert await lab.counted("retained") >= 1
    assert len(lab.room("kept by the broker")) == 1
    await lab.client.says(b"", retain=True)


async def test_what_was_said_while_the_bot_was_away_has_its_time_and_is_no_flood(lab: Lab) -> None:
    then_ms = time.time_ns() // 1_000_000 - 3_600_000
    said = [f"away {number:02}." for number in range(OF_ONE_AT_ONCE + 10)]
    times = {**dict.fromkeys(said, then_ms), "old news": then_ms - 86_400_000, "just now": 2**63}
    await lab.field.bot.kill()
    for text, sent_ms in times.items():
        await lab.client.says(orjson.dumps({"text": text, "from": "lamp", "sent_ms": sent_ms}))
    await lab.field.begun()
    await lab.room_hears("lamp (mqtt, unproven): just now")
    there = await lab.client.hears(said[0], OTHER)
    assert (there["from"], there["network"], there["unproven"]) == ("lamp", "mqtt", True)
    assert there["at"].endswith(f"{time.strftime('%H:%M', time.gmtime(then_ms / 1000))} UTC")
    for each in said:
        await lab.room_hears(f"lamp (mqtt, unproven, {there['at']}): {each}")
    assert not lab.room("old news")
    assert "at" not in await lab.client.hears("just now", OTHER)


async def test_nothing_is_lost_and_nothing_is_said_twice_where_bot_and_broker_die(lab: Lab) -> None:
    said: list[str] = []

    async def says() -> None:
        said.append(f"word {len(said):03}")
        await lab.client.says(said[-1], id=f"w{len(said)}")

    for moment in ("before", "after"):  # it is on its way to the inbox, or is there and not acknowledged
        lab.field.play("die at", f"{moment} the commit of Intake.accept.write")
        async with asyncio.timeout(PATIENCE):
            while lab.field.bot.alive:
                await says()
                await asyncio.sleep(LOOK_EVERY_S)  # another process dies
        await lab.field.bot.wait()
        await says()
        await lab.field.begun()
    await lab.field.bot.kill()
    await says()
    await lab.field.broker.stop()
    await lab.field.broker.start()
    await lab.client.ready()
    await says()
    await lab.client.says(said[0], id="w1")  # its publisher has heard of nothing, and says it again
    await lab.field.begun()
    await lab.room_hears(said[-1])
    lab.field.say("where is the broker?")
    await lab.client.hears("where is the broker?")
    await lab.field.broker.stop()
    lab.field.say("nobody hears this now")
    await until(lambda: "not sent yet" in lab.field.bot.log.read_text(), "it cannot be published")
    await lab.field.broker.start()
    await lab.client.ready()
    await lab.client.hears("nobody hears this now")
    await listens(lab)
    await says()
    await lab.room_hears(said[-1])
    await lab.fence()
    assert [len(lab.room(each)) for each in said] == [1] * len(said)
    ids = {each["id"] for each in lab.client.on(TALK, "nobody hears this now")}
    assert len(ids) == 1


async def test_a_topic_is_heard_from_when_it_is_in_a_channel_until_it_is_not_any_more(lab: Lab) -> None:
    config = lab.field.folder / "config.toml"
    before = config.read_text()
    config.write_text(before.replace(f"mqtt:{OTHER}", f"mqtt:{THIRD}"))
    os.kill(lab.field.bot.pid, signal.SIGHUP)
    await until(lambda: lab.room("RELOADED"), "the bot has reloaded", lab.field.last_words)
    async with asyncio.timeout(PATIENCE):
        while not lab.room("from the third"):
            await lab.client.says("from the third", THIRD)
            await asyncio.sleep(LOOK_EVERY_S)  # until another process has subscribed
    await lab.fence()
    late = await lab.counted("on_no_place")  # what the bot itself had published there before
    await lab.client.says("from the other", OTHER)
    await lab.fence()
    assert not lab.room("from the other")
    assert await lab.counted("on_no_place") == late, "nobody has asked the broker for it any more"
    config.write_text(before.replace(f', "mqtt:{TALK}", "mqtt:{OTHER}"', ""))
    os.kill(lab.field.bot.pid, signal.SIGHUP)
    log = lab.field.broker.folder / "mosquitto.log"
    await until(lambda: "Client talk-tocsin disconnected" in log.read_text(), "no place, no connection")
    assert (await lab.field.metrics())['tocsin_bridge_ready{network="mqtt"}']
    config.write_text(before)
    os.kill(lab.field.bot.pid, signal.SIGHUP)
    await until(lambda: len(lab.room("RELOADED")) == 3, "the bot has reloaded", lab.field.last_words)
    await listens(lab)
    await lab.fence()


async def test_a_topic_that_left_its_channel_while_the_bot_was_away_is_not_heard_again(lab: Lab) -> None:
    config = lab.field.folder / "config.toml"
    before = config.read_text()
    await lab.field.bot.kill()
    config.write_text(before.replace(f', "mqtt:{OTHER}"', ""))
    await lab.field.begun()
    await listens(lab)
    await lab.client.says("from the other, later", OTHER)
    await lab.fence()
    counted = await lab.counted("on_no_place")
    assert counted
    await lab.client.says("from the other, later still", OTHER)
    await lab.fence()
    assert await lab.counted("on_no_place") == counted, "it was taken out of the session that the broker keeps"
    assert not lab.room("from the other, later")
    await lab.field.bot.stop()
    config.write_text(before)
    await lab.field.begun()
    await listens(lab)


@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311])
async def test_a_session_keeps_what_was_not_acknowledged_and_what_came_meanwhile(
    lab: Lab, version: MQTTProtocolVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: asyncio.Queue[Delivery] = asyncio.Queue()
    never = asyncio.get_running_loop().create_future()

    async def hear(delivery: Delivery) -> None:
        heard.put_nowait(delivery)
        await never

    link = Link(lab.field.broker.address, f"listener {version}", receive=hear, session_s=60, draw=lambda: 0.1)
    monkeypatch.setattr(link, "_connect", functools.partial(link._open, version, PATIENCE))  # pyright: ignore[reportPrivateUsage] - no broker here is as old
    await link.subscribe(THIRD, 1)

    async def next_after(words: str, *, resumed: bool) -> list[tuple[bytes, bool, int]]:
        running = asyncio.create_task(link.run())
        async with asyncio.timeout(PATIENCE):
            await link.ready()
            assert (link.version, link.resumed) == (version, resumed)
            await lab.client.says(words, THIRD)
            found = [await heard.get()]
            while found[-1].payload != words.encode():
                found.append(await heard.get())
        running.cancel()
        await asyncio.wait([running])
        return [(each.payload, each.dup, each.number) for each in found]

    assert await next_after("a", resumed=False) == [(b"a", False, 1)]
    await lab.client.says("b", THIRD)
    assert await next_after("c", resumed=True) == [(b"a", True, 1), (b"b", False, 2), (b"c", False, 3)]


def parrot(*fields: str) -> Callable[[Delivery], bytes | None]:
    """Says again what it hears, as if it were its own: without these fields."""

    def answer(delivery: Delivery) -> bytes | None:
        if b'"origin"' not in delivery.payload:
            return None
        heard: dict[str, Any] = orjson.loads(delivery.payload)
        return orjson.dumps({name: value for name, value in heard.items() if name not in fields})

    return answer


async def test_who_says_again_what_the_bot_says_is_heard_once_at_most(lab: Lab) -> None:
    async with Client(lab.field, "parrot", parrot("origin")).listening(TALK) as bird:
        lab.field.say("polly has an id")
        await until(lambda: bird.said, "the parrot speaks")
        await lab.fence()
        assert not lab.room("polly has an id")
    async with Client(lab.field, "parrot", parrot("origin", "id")).listening(TALK) as bird:
        lab.field.say("polly has none")
        await lab.room_hears("alice (mqtt alice, unproven): polly has none")
        await lab.fence()
        assert (len(lab.room("polly has none")), bird.said) == (1, 1)


async def test_what_goes_round_between_two_topics_all_the_same_ends_at_the_limit_of_the_channel(lab: Lab) -> None:
    bird = Client(lab.field, "parrot", parrot("origin", "id"))
    async with bird.listening(TALK, OTHER):
        lab.field.say("round and round")
        await lab.room_hears("Too much is said here")
    await until(lambda: lab.client.on(OTHER, "Too much is said here"), "the topics are told, too")
    told = [each for each in lab.room("Too much is said here") if each.lane is Lane.ALERT]
    assert len(told) == 1, "what the parrot makes of it is no second word of the bot's"
