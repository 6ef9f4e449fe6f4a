"""Pictures of a component's jobs on a real broker: there before the end that names them, whatever happens between."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated, Any, cast

import pytest
import pytest_asyncio
from paho.mqtt import subscribe
from paho.mqtt.enums import MQTTProtocolVersion

from components.check.cable import Cable
from components.engine import Engine
from components.kit import Between, Component, Job
from components.post import LARGEST_WAITING
from components.voice import PICTURES_LOST, Voice
from demo.broker import Doors, LocalBroker
from tests.system.played_bot import BOT, NAME, PATIENCE, Bot, running
from wire import work
from wire.enrolment import Enrolment
from wire.mqtt import Link
from wire.picture import LARGEST_PICTURE, MediaType, PictureNamed
from wire.work import KEPT_S, MOST_PICTURES, JobState, Status

LIMIT = 150_000
TOO_LARGE = 200_000


@dataclasses.dataclass(frozen=True, slots=True)
class Narrow(Doors):
    """A broker that does not take every picture."""

    more: str = ""

    def lines(self, folder: Path) -> str:
        """As they stand in mosquitto's configuration."""
        rules = folder.resolve() / "rules"
        rules.write_text(f"topic readwrite #\ntopic deny {NAME}/picture/#\n")
        return f"{super(Narrow, self).lines(folder)}\n{self.more.format(rules=rules)}"


class Painter:
    """A component that draws when it is told to go on."""

    def __init__(self) -> None:
        self.go_on, self.begun = asyncio.Event(), asyncio.Event()
        self.component = Component(title="A painter", kind="test", version="1")
        self.component.command()(self.draw)

    async def draw(self, job: Job, count: Annotated[int, Between(1, 9)], size: int) -> None:
        """Draw."""
        await job.step()
        self.begun.set()
        await self.go_on.wait()
        await job.in_thread(
            lambda _: [job.picture(f"Number {number}", bytes([number]) * size) for number in range(count)]
        )


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[LocalBroker]:
    async with LocalBroker(tmp_path / "broker", kind="mosquitto") as local:
        yield local


def enrolled(broker: LocalBroker, port: int = 0) -> Enrolment:
    place = dataclasses.replace(broker.address, port=port or broker.address.port)
    return Enrolment(NAME, "walker", (), place, BOT.public, (), bytes(range(32)))


async def ready(bot: Bot) -> None:
    async with asyncio.timeout(PATIENCE):
        await bot.link.ready()


async def end_of(bot: Bot, order: str) -> tuple[work.Job, dict[str, bytes]]:
    """How it ended, and the pictures that were there before it, by their digests."""
    end = await bot.job(order, *(each for each in JobState if each.is_over))
    there: dict[str, bytes] = {}
    while not bot.pictures.empty():
        digest, data = bot.pictures.get_nowait()
        there[digest] = data
    return end, there


def came_first(bot: Bot) -> bool:
    """Whether all pictures were there before the last word of a job."""
    return "job" in bot.order[len(bot.order) - bot.order[::-1].index("picture") :]


def are_named(end: work.Job, there: dict[str, bytes]) -> bool:
    return all(each.is_of(there[each.sha256]) for each in end.pictures)


def kept_by(broker: LocalBroker, topic: str) -> Any:
    """What the broker gives to whoever comes late, with its properties."""
    place, reading = broker.address, cast("Any", subscribe)
    return reading.simple(topic, hostname=place.host, port=place.port, protocol=MQTTProtocolVersion.MQTTv5)


async def test_the_bytes_arrive_before_the_end_that_names_them_and_are_kept_as_long(
    broker: LocalBroker, tmp_path: Path
) -> None:
    enrolment, painter = enrolled(broker), Painter()
    bot = Bot(enrolment)
    painter.go_on.set()
    async with running(bot, Engine(painter.component, enrolment, tmp_path / "latch")):
        await ready(bot)
        await bot.lets()
        order = await bot.orders("draw", {"count": MOST_PICTURES, "size": LARGEST_PICTURE})
        end, there = await end_of(bot, order)
        assert [each.alt for each in end.pictures] == [f"Number {number}" for number in range(MOST_PICTURES)]
        assert are_named(end, there)
        assert came_first(bot)
        topic = f"{NAME}/picture/walker/{end.pictures[0].sha256}"
        async with asyncio.timeout(PATIENCE):
            kept = await asyncio.to_thread(kept_by, broker, topic)
        assert (kept.retain, kept.payload) == (True, bytes(LARGEST_PICTURE))
        assert 0 < kept.properties.MessageExpiryInterval <= KEPT_S


async def test_a_picture_too_many_fails_the_job_and_the_others_are_shown(broker: LocalBroker, tmp_path: Path) -> None:
    enrolment, painter = enrolled(broker), Painter()
    bot = Bot(enrolment)
    painter.go_on.set()
    async with running(bot, Engine(painter.component, enrolment, tmp_path / "latch")):
        await ready(bot)
        await bot.lets()
        end, there = await end_of(bot, await bot.orders("draw", {"count": 9, "size": 10}))
    assert (end.state, end.message) == (JobState.FAILED, "ValueError: a job has up to 8 pictures")
    assert (len(end.pictures), are_named(end, there)) == (8, True)


async def test_a_connection_that_breaks_between_the_pictures_and_the_end_loses_neither(
    broker: LocalBroker, tmp_path: Path
) -> None:
    bot, painter = Bot(enrolled(broker)), Painter()
    painter.go_on.set()
    async with Cable(broker.address) as cable:
        engine = Engine(painter.component, enrolled(broker, cable.port), tmp_path / "latch")
        async with running(bot, engine):
            await ready(bot)
            await bot.lets()
            order = await bot.orders("draw", {"count": MOST_PICTURES, "size": LARGEST_PICTURE})
            async with asyncio.timeout(PATIENCE):
                first = await bot.pictures.get()
            cable.cut()
            assert bot.jobs.empty() or not bot.jobs.get_nowait()[0].state.is_over
            assert bot.pictures.qsize() < MOST_PICTURES - 1
            cable.mend()
            end, there = await end_of(bot, order)
            assert (len(end.pictures), are_named(end, there), came_first(bot)) == (MOST_PICTURES, True, True)
            assert there[first[0]] == first[1]  # all of them anew: the broker may have lost those it had


async def test_what_ends_while_the_broker_is_away_is_shown_when_it_is_back(broker: LocalBroker, tmp_path: Path) -> None:
    bot, painter = Bot(enrolled(broker)), Painter()
    async with Cable(broker.address) as cable:
        engine = Engine(painter.component, enrolled(broker, cable.port), tmp_path / "latch")
        async with running(bot, engine):
            await ready(bot)
            await bot.lets()
            order = await bot.orders("draw", {"count": 2, "size": 1000})
            async with asyncio.timeout(PATIENCE):
                await painter.begun.wait()
            cable.cut()
            await broker.kill()
            painter.go_on.set()
            await broker.start()
            await ready(bot)  # who comes later is given what is kept in whatever order the broker likes
            cable.mend()
            end, there = await end_of(bot, order)
    assert (end.state, len(end.pictures), are_named(end, there)) == (JobState.DONE, 2, True)
    assert came_first(bot)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (f"max_packet_size {LIMIT}", "may have been published or not"),
        ("acl_file {rules}", "refuses"),
    ],
    ids=["too large", "forbidden"],
)
async def test_an_end_whose_pictures_the_broker_does_not_take_is_said_without_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, more: str, why: str
) -> None:
    painter = Painter()
    painter.go_on.set()
    async with LocalBroker(tmp_path / "broker", kind="mosquitto", doors=Narrow(more=more)) as broker:
        enrolment = enrolled(broker)
        bot = Bot(enrolment)
        async with running(bot, Engine(painter.component, enrolment, tmp_path / "latch")):
            await ready(bot)
            await bot.lets()
            end, _ = await end_of(bot, await bot.orders("draw", {"count": 1, "size": TOO_LARGE}))
            assert (end.state, end.pictures, end.message) == (JobState.DONE, (), PICTURES_LOST)
            (told,) = [each.message for each in caplog.records if "are not sent" in each.message]
            assert why in told
            assert (await bot.asks("cancel", {"job": "ff"})).status is Status.REJECTED  # it speaks on


async def test_what_is_over_the_bound_of_what_waits_is_said_without_its_pictures(broker: LocalBroker) -> None:
    enrolment, fit = enrolled(broker), LARGEST_WAITING // LARGEST_PICTURE
    bot, link = Bot(enrolment), Link(enrolment.broker, "voice", receive=lambda _: None)
    voice = Voice(enrolment, link, lambda _, __: None)
    for number in range(fit + 1):
        data = number.to_bytes(LARGEST_PICTURE, "big")
        named = PictureNamed.of("A map", MediaType.PNG, data)
        voice.ended(work.Job("walker", f"{number:x}", "5e", 1, JobState.DONE, pictures=(named,)), {named.sha256: data})
    voice.introduced()
    async with running(bot):
        await ready(bot)
        async with asyncio.TaskGroup() as tasks:
            saying = [tasks.create_task(each.run()) for each in (link, voice)]
            async with asyncio.timeout(PATIENCE):
                await link.ready()
            voice.be_silent()
            voice.introduced()
            for number in range(fit):
                end, there = await end_of(bot, f"{number:x}")
                assert (len(end.pictures), are_named(end, there)) == (1, True)
            end, there = await end_of(bot, f"{fit:x}")
            assert (end.pictures, end.message, there) == ((), PICTURES_LOST, {})
            for each in saying:
                each.cancel()
