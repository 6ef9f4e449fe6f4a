"""Alerts of components in the room, with a whole bot: once each, edited when over, through restarts and floods."""

import asyncio
import contextlib
import dataclasses
import os
import signal
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from components.voice import Voice
from demo.broker import mosquitto
from tests.faults.field import LOOK_EVERY_S, PATIENCE, Field, Said, running, until
from wire.messages import ROOT
from wire.mqtt import Link
from wire.work import Alert, Severity

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHANNEL = '\n[channels.ops]\nplaces = ["feed:ops"]\nalerts = "warning"\n'
FLOOD = 3000


@dataclasses.dataclass
class Ops:
    """The field, with somebody who asks for alerts, and the voice of one component."""

    field: Field
    voice: Voice

    def messages(self, words: str) -> list[Said]:
        """What was said about this that is no edit."""
        return [each for each in self.field.said() if words in each.words and each.edits is None]

    async def tells(self, words: str) -> Said:
        """Wait until the room is told of something."""
        return (await until(lambda: self.messages(words), f"the room hears {words!r}", self.field.last_words))[0]

    async def edits(self, said: Said, words: str) -> None:
        """Wait until a message says something else."""
        await until(
            lambda: [each for each in self.field.said() if each.edits == said.key and words in each.words],
            f"{said.words!r} is edited to {words!r}",
            self.field.last_words,
        )

    async def restart(self, *meanwhile: tuple[str, bytes]) -> None:
        """The bot dies, this is said, and it begins again."""
        await self.field.bot.kill()
        for topic, payload in meanwhile:
            await self.field.wire.say(topic, payload, retain=True)
        await self.field.begun()
        await self.listens()

    async def listens(self) -> None:
        """Wait until the bot is told what is said, and has told what was said before."""
        async with asyncio.timeout(PATIENCE):
            while not (await self.field.metrics())["tocsin_mqtt_connected"]:  # noqa: ASYNC110 - another process connects
                await asyncio.sleep(LOOK_EVERY_S)
        self.voice.alert(Severity.WARNING, mark := f"mark {len(self.field.said())}")
        await self.tells(mark)


@contextlib.asynccontextmanager
async def speaking(field: Field, name: str) -> AsyncGenerator[Voice]:
    """The kit's own voice of a component, on a connection beside it."""

    def connected() -> None:
        voice.be_silent()
        voice.introduced()

    link = Link(
        field.broker.address, f"voice of {name}", receive=lambda _: None, on_connect=connected, draw=lambda: 0.1
    )
    voice = Voice(field.walkers[name].enrolment, link, lambda _topic, _payload: None)
    tasks = [asyncio.create_task(link.run()), asyncio.create_task(voice.run())]
    try:
        async with asyncio.timeout(PATIENCE):
            await link.ready()
        yield voice
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ops(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Ops]:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    async with running(tmp_path_factory.mktemp("field"), walkers=1) as field:
        await field.bot.stop()
        with (field.folder / "config.toml").open("a") as config:
            config.write(CHANNEL)
        await field.begun()
        async with speaking(field, "walk-1") as voice:
            ops = Ops(field, voice)
            await field.work()
            yield ops


def forged(message: str, severity: Severity = Severity.WARNING, key: str = "", *, id: str) -> bytes:  # noqa: A002 - it is the id
    """As anybody on the broker can say it."""
    return Alert(id, f"{ROOT}/walk-1", "2026-11-22T12:00:00Z", severity, message, key).to_bytes()


async def test_an_alert_of_a_component_is_told_and_its_message_says_when_it_is_over(ops: Ops) -> None:
    ops.voice.alert(Severity.CRITICAL, "The door does not open.", "door")
    raised = await ops.tells("CRITICAL walk-1 says: The door does not open.")
    ops.voice.clear("door")
    await ops.edits(raised, "CLEARED after")
    ops.voice.alert(Severity.CRITICAL, "The door does not open again.", "door")
    again = await ops.tells("open again.")
    ops.voice.clear("door")
    await ops.edits(again, "CLEARED after")
    ops.voice.alert(Severity.INFO, "Nobody has asked for that.")
    await ops.listens()
    assert not ops.messages("Nobody has asked")


async def test_what_comes_twice_late_or_kept_by_the_broker_is_told_once_also_after_restarts(ops: Ops) -> None:
    event = forged("It beeps.", id="beep")
    for retain in (False, True, True):
        await ops.field.wire.say("alert/walk-1", event, retain=retain)
    await ops.tells("It beeps.")
    for _ in range(2):
        await ops.restart(("alert/walk-1", event))
    await ops.field.wire.say("alert/walk-1", b"", retain=True)
    await ops.listens()
    assert len([each for each in ops.field.said() if "It beeps." in each.words]) == 1, "nor is it edited"


async def test_a_broker_that_dies_and_comes_back_makes_no_news_of_what_lasts(ops: Ops) -> None:
    ops.voice.alert(Severity.WARNING, "The lamp is dark.", "lamp")
    raised = await ops.tells("lamp is dark")
    await ops.field.broker.kill()
    await ops.field.broker.start()
    await ops.field.work()
    await ops.listens()
    assert len(ops.messages("lamp is dark")) == 1
    ops.voice.clear("lamp")
    await ops.edits(raised, "CLEARED after")


async def test_what_no_enrolled_component_says_of_itself_is_refused_and_changes_nothing(ops: Ops) -> None:
    refused = await ops.field.refused()
    status = (await ops.field.answer("!status")).words
    stranger = Alert("x", f"{ROOT}/ghost", "", Severity.CRITICAL, "Boo.").to_bytes()
    for topic, payload in (
        ("alert/ghost", stranger),
        ("alert/walk-1", stranger),
        ("alert-active/walk-1/boo", forged("Boo.", id="x")),
        ("alert-active/walk-1/boo", b"{}"),
        ("alert/walk-1", b"\xff" * 100),
    ):
        await ops.field.wire.say(topic, payload)
    await ops.field.refuses(refused + 4)
    await ops.listens()
    assert not ops.messages("Boo.")
    assert "ghost" not in status + (await ops.field.answer("!status")).words


async def test_who_asks_anew_while_the_bot_runs_is_told_of_what_lasts(ops: Ops) -> None:
    file = ops.field.folder / "config.toml"
    began = file.read_text()
    ops.voice.alert(Severity.INFO, "The hall is empty.", "hall")
    await ops.listens()
    assert not ops.messages("hall is empty")
    file.write_text(began.replace('alerts = "warning"', 'alerts = "info"'))
    os.kill(ops.field.bot.pid, signal.SIGHUP)
    raised = await ops.tells("INFO walk-1 says: The hall is empty.")
    ops.voice.clear("hall")
    await ops.edits(raised, "CLEARED after")
    file.write_text(began)


async def test_what_is_cleared_while_the_bot_is_dead_is_edited_and_what_lasts_is_not_told_again_nor_in_a_flood(
    ops: Ops,
) -> None:
    ops.voice.alert(Severity.WARNING, "The left fan stands.", "left-fan")
    ops.voice.alert(Severity.WARNING, "The right fan stands.", "right-fan")
    left, right = await ops.tells("left fan"), await ops.tells("right fan")
    await ops.restart(("alert-active/walk-1/left-fan", b""))
    await a_flood_becomes_one_message_and_the_grave_and_the_stops_come_through(ops)  # while it may still be said again
    await ops.edits(left, "CLEARED while I was away")
    assert len(ops.messages("fan stands")) == 2
    assert not [each for each in ops.field.said() if each.edits == right.key]
    ops.voice.clear("right-fan")
    await ops.edits(right, "CLEARED after")


async def a_flood_becomes_one_message_and_the_grave_and_the_stops_come_through(ops: Ops) -> None:
    pid = ops.field.bot.pid
    for number in range(FLOOD):
        await ops.field.wire.say("alert/walk-1", forged(f"hum {number}", id=f"hum {number}"))
        await ops.field.wire.say(
            f"alert-active/walk-1/hum-{number}", forged("hum", key=f"hum-{number}", id=f"{number}")
        )
    ops.voice.alert(Severity.CRITICAL, "It burns.", "fire")
    raised = await ops.tells("It burns.")
    await ops.field.stopped()
    await ops.tells("MORE ALERTS since")
    assert len(ops.messages("MORE ALERTS")) == 1
    assert len(ops.messages("hum")) < FLOOD / 20
    ops.voice.clear("fire")
    await ops.edits(raised, "CLEARED after")
    assert ops.field.bot.pid == pid
    await ops.field.reset()
    await ops.field.work()
