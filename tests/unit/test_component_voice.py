"""What a component says beside its statements: bounded, the newest of what lasts, and nothing before it is known."""

import asyncio
import threading

import orjson
import pytest

from components.post import MOST_UNSENT
from components.voice import ALERTS_AT_ONCE, MOST_ACTIVE, FromAnywhere, Voice
from wire.enrolment import Enrolment
from wire.envelope import PrivateKey
from wire.mqtt import Broker, Link
from wire.work import Job, JobState, Reply, Severity, Status

ENROLMENT = Enrolment("r", "c", (), Broker("127.0.0.1", 1), PrivateKey(bytes(32)).public, (), bytes(32))


class Away:
    """A voice without a connection, and what it dropped."""

    def __init__(self) -> None:
        self.dropped: list[str] = []
        link = Link(ENROLMENT.broker, "c", receive=lambda _: None)
        self.values: list[float] = []
        self.voice = Voice(ENROLMENT, link, self._drop)

    def _drop(self, topic: str, payload: bytes) -> None:
        self.dropped.append(topic)
        if topic.startswith("r/tele/"):
            self.values.append(orjson.loads(payload)["value"])


def reply(number: int) -> Reply:
    return Reply(f"{number:x}", "c", Status.DONE)


def job(state: JobState) -> Job:
    return Job("c", "ab", "5e", 1, state)


async def test_what_waits_for_a_connection_is_bounded_and_the_oldest_goes(caplog: pytest.LogCaptureFixture) -> None:
    voice = Away().voice
    voice.reply("first", reply(0))
    for number in range(MOST_UNSENT):
        voice.reply("bot", reply(number))
    assert voice.waiting == ("r/reply/bot",) * MOST_UNSENT
    assert "not said: r/reply/first" in caplog.text


async def test_of_what_the_broker_keeps_the_newest_waits_alone() -> None:
    voice = Away().voice
    for _ in range(3):
        voice.ended(job(JobState.DONE), {})
        voice.alert(Severity.WARNING, "hot", "heat")
        voice.clear("heat")
    assert sorted(voice.waiting) == ["r/alert-active/c/heat", "r/job/c/ab"]


async def test_before_it_has_said_who_it_is_it_says_no_value_and_no_progress() -> None:
    away = Away()
    away.voice.value("heat", 1.0)
    away.voice.progress(job(JobState.RUNNING))
    assert away.dropped == []
    away.voice.introduced()
    away.voice.value("cold", 1.0)
    away.voice.progress(job(JobState.RUNNING))
    assert away.dropped == ["r/tele/c/cold", "r/job/c/ab"]
    away.voice.be_silent()
    away.voice.progress(job(JobState.RUNNING))
    assert len(away.dropped) == 2


async def test_alerts_that_last_are_bounded_and_told_again_when_it_is_back() -> None:
    voice = Away().voice
    for number in range(MOST_ACTIVE + 5):
        voice.alert(Severity.INFO, "on", f"key-{number}")
    assert len(voice.waiting) == MOST_ACTIVE
    voice.introduced()
    assert len(voice.waiting) == MOST_ACTIVE


async def test_alerts_that_last_are_told_once_at_each_connect() -> None:
    voice = Away().voice
    voice.alert(Severity.INFO, "on", "key")
    voice.introduced()
    voice.reply("bot", reply(1))
    voice.introduced()  # by its next statement, on the same connection
    assert voice.waiting == ("r/alert-active/c/key", "r/reply/bot")
    voice.be_silent()
    voice.introduced()
    assert voice.waiting == ("r/reply/bot", "r/alert-active/c/key")


async def test_alerts_that_do_not_last_have_a_pace(caplog: pytest.LogCaptureFixture) -> None:
    voice = Away().voice
    for number in range(ALERTS_AT_ONCE + 5):
        voice.alert(Severity.INFO, f"alert {number}" + "x" * 5000)
    assert len(voice.waiting) == ALERTS_AT_ONCE
    assert "too many alerts at once" in caplog.text


async def test_it_waits_for_a_connection_without_turning_in_circles() -> None:
    voice = Away().voice
    voice.reply("bot", reply(1))
    voice.introduced()
    saying = asyncio.create_task(voice.run())
    for _ in range(50):
        await asyncio.sleep(0)
    assert voice.waiting == ("r/reply/bot",)
    assert not saying.done()
    saying.cancel()
    await asyncio.wait([saying])


async def test_what_an_earlier_run_left_is_taken_back_once() -> None:
    voice = Away().voice
    voice.introduced()
    for _ in range(3):
        voice.clear("door")
    assert voice.waiting == ("r/alert-active/c/door",)


async def test_what_is_no_text_can_be_told() -> None:
    voice = Away().voice
    voice.alert(Severity.INFO, "the file \udcff", "file")
    voice.introduced()
    assert voice.waiting == ("r/alert-active/c/file",)


async def test_of_what_a_busy_thread_says_the_newest_waits_alone() -> None:
    away = Away()
    away.voice.introduced()
    anywhere = FromAnywhere(away.voice)

    def busy() -> None:
        for number in range(1000):
            anywhere.value("heat", number)
            anywhere.alert(Severity.INFO, f"at {number}", "heat")
            anywhere.alert(Severity.INFO, f"at {number}", "")

    thread = threading.Thread(target=busy)
    thread.start()
    thread.join(10)  # the event loop stands
    await asyncio.sleep(0)
    assert away.dropped == ["r/tele/c/heat"]
    assert away.values == [999]
    assert len(away.voice.waiting) == 1 + ALERTS_AT_ONCE
