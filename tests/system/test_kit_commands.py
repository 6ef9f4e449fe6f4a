"""Commands, jobs, alerts and values of a component made with the kit, on a real broker."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, cast

import pytest
import pytest_asyncio
from paho.mqtt import subscribe
from paho.mqtt.enums import MQTTProtocolVersion

from components.engine import Engine
from components.kit import Between, Cancelled, Component, Danger, Job, Severity, Stopped, ThreadStep
from demo.broker import ROOT, LocalBroker
from tests.system.played_bot import BOT, NAME, NOW_MS, PATIENCE, STRANGER, Bot, X, running
from wire.enrolment import Enrolment
from wire.messages import Shown
from wire.work import CANCEL, KEPT_S, JobState, Status

RUNS, HELD, QUEUED = JobState.RUNNING, JobState.HELD, JobState.QUEUED
DONE, FAILED, CANCELLED, STOPPED = JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.STOPPED


class Bench:
    """A component with one of each, and what its functions have seen."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.go_on = asyncio.Event()
        """What the job waits for between its steps."""
        self.took_step = asyncio.Event()
        self.thread_goes_on = threading.Event()
        self.component = Component(title="A bench", kind="test", version="1", stops_within_s=0.3)
        self.heat = self.component.stream("heat", title="Heat", unit="°C")
        for danger, function in (
            (Danger.CAUTION, self.warm),
            (Danger.NONE, self.read),
            (Danger.NONE, self.fail),
            (Danger.NONE, self.crunch),
            (Danger.NONE, self.swallow),
            (Danger.NONE, self.breaks),
        ):
            self.component.command(danger=danger)(function)

    async def warm(self, job: Job, to: Annotated[float, Between(20, 90)], rate: float = 0.5) -> dict[str, Any]:
        """Warm up to a temperature."""
        self.seen.append("begun")
        try:
            for number in range(3):
                await job.step(number / 3, f"step {number}")
                self.seen.append(f"step {number}")
                self.took_step.set()
                await self.go_on.wait()
        except (Stopped, Cancelled) as ended:
            self.seen.append(type(ended).__name__)
            raise
        return {"reached": to, "rate": rate}

    async def read(self) -> dict[str, Any]:
        """Read the thermometer."""
        self.heat.send(21.5)
        return {"heat": 21.5}

    async def fail(self, *, how: str) -> None:
        """Fail."""
        if how == "group":
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.fail(how="plainly"))
        if how == "cancelled":
            raise asyncio.CancelledError
        if how == "result":
            return {"set": {1, 2}}  # type: ignore[return-value] - that is the mistake
        raise ValueError(f"failed {how}")

    async def breaks(self, job: Job) -> None:
        """Break after a step."""
        await job.step()
        raise RuntimeError("the belt is torn")

    async def swallow(self, job: Job) -> dict[str, Any]:
        """Take no notice of the end."""
        for _ in range(1000):
            with contextlib.suppress(Stopped, Cancelled):
                await job.step()
                self.took_step.set()
                await self.go_on.wait()
        return {"reached": "the end"}

    async def crunch(self, job: Job) -> dict[str, Any]:
        """Count in a thread."""

        def run(step: ThreadStep) -> int:
            try:
                for number in range(1_000_000):
                    step(number / 1_000_000, f"at {number}")
                    self.seen.append("counted")
                    self.thread_goes_on.wait(0.01)
            finally:
                self.seen.append("thread over")
            return 1

        return {"counted": await job.in_thread(run)}


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[LocalBroker]:
    async with LocalBroker(tmp_path / "broker", kind="mosquitto") as local:
        yield local


@pytest.fixture
def enrolment(broker: LocalBroker) -> Enrolment:
    return Enrolment(NAME, "walker", ("walkers",), broker.address, BOT.public, (), bytes(range(32)))


@pytest_asyncio.fixture
async def bot(enrolment: Enrolment) -> AsyncGenerator[Bot]:
    bot = Bot(enrolment)
    async with running(bot):
        async with asyncio.timeout(PATIENCE):
            await bot.link.ready()
        yield bot


@pytest_asyncio.fixture
async def bench(bot: Bot, enrolment: Enrolment, tmp_path: Path) -> AsyncGenerator[Bench]:
    """A component that runs and may work."""
    bench = Bench()
    async with running(Engine(bench.component, enrolment, tmp_path / "latch")):
        await bot.lets()
        yield bench


async def within(wait: Awaitable[object]) -> None:
    async with asyncio.timeout(PATIENCE):
        await wait


def kept_by(broker: LocalBroker, topic: str) -> Any:
    """What the broker gives to whoever comes late, with its properties."""
    place, reading = broker.address, cast("Any", subscribe)
    return reading.simple(topic, hostname=place.host, port=place.port, protocol=MQTTProtocolVersion.MQTTv5)


async def test_its_birth_says_what_it_takes(bot: Bot, bench: Bench) -> None:
    birth = await bot.births.get()
    warm = birth.commands["warm"]
    assert (warm.title, warm.job, warm.danger) == ("Warm up to a temperature", True, Danger.CAUTION)
    assert warm.input == {
        "type": "object",
        "properties": {
            "to": {"type": "number", "minimum": 20, "maximum": 90},
            "rate": {"type": "number", "default": 0.5},
        },
        "required": ["to"],
        "additionalProperties": False,
    }
    assert (birth.commands["read"].job, birth.commands["read"].danger) == (False, Danger.NONE)
    assert birth.commands[CANCEL].input["required"] == ["job"]
    assert (birth.streams["heat"].title, birth.streams["heat"].unit) == ("Heat", "°C")
    assert birth.stop_deadline_ms == 300
    assert bench.seen == []


async def test_a_command_is_answered_at_once(bot: Bot, bench: Bench) -> None:
    reply = await bot.asks("read")
    assert (reply.status, reply.result, reply.sender) == (Status.DONE, {"heat": 21.5}, "walker")
    async with asyncio.timeout(PATIENCE):
        assert await bot.values.get() == 21.5
    assert bench.seen == []


@pytest.mark.parametrize(
    ("command", "args", "said"),
    [
        ("warm", {}, "to is missing. It must be a number from 20 to 90."),
        ("warm", {"to": 200}, "to must be a number from 20 to 90, not 200."),
        ("warm", {"to": "hot"}, 'to must be a number from 20 to 90, not "hot".'),
        ("warm", {"to": 50, "spin": 1}, '"spin" is no argument. There are: to, rate.'),
        ("chill", {}, "there is no command chill. There are: warm, read, fail, crunch, swallow, breaks, cancel."),
        (CANCEL, {}, "job must be the id of a job."),
        (CANCEL, {"job": "ff"}, "there is no such job, or it has ended"),
    ],
)
@pytest.mark.usefixtures("bench")
async def test_what_it_cannot_carry_out_is_rejected_with_what_is_wrong(
    bot: Bot, command: str, args: dict[str, Any], said: str
) -> None:
    reply = await bot.asks(command, args)
    assert (reply.status, reply.error) == (Status.REJECTED, said)


async def test_a_command_runs_once_in_its_session_in_time_and_only_from_the_bot(bot: Bot, bench: Bench) -> None:
    bench.go_on.set()
    await bot.orders("warm", {"to": 30}, key=STRANGER)
    await bot.orders("warm", {"to": 30}, session="ab")
    assert (await bot.reply()).error == "it is for another session of this component"
    await bot.orders("warm", {"to": 30}, expires_ms=NOW_MS)
    assert (await bot.reply()).error == "it came too late"
    assert bench.seen == []
    order = await bot.orders("warm", {"to": 30})
    assert (await bot.reply()).status is Status.ACCEPTED
    await bot.job(order, DONE)
    await bot.orders("warm", {"to": 30}, id=order)
    assert (await bot.reply()).error == "it came before"
    assert bench.seen.count("begun") == 1


async def test_a_job_says_how_far_it_is_and_its_end_is_kept_for_a_day(
    bot: Bot, bench: Bench, broker: LocalBroker
) -> None:
    order = await bot.orders("warm", {"to": 30, "rate": 2})
    first = await bot.job(order, RUNS)
    await within(bench.took_step.wait())
    assert (await bot.hears(Shown.BUSY)).id == "walker"
    bench.go_on.set()
    end = await bot.job(order)
    assert (end.state, end.progress, end.result) == (DONE, 1.0, {"reached": 30.0, "rate": 2.0})
    assert end.seq > first.seq
    async with asyncio.timeout(PATIENCE):
        kept = await asyncio.to_thread(kept_by, broker, f"{NAME}/job/walker/{order}")
    assert kept.retain
    assert 0 < kept.properties.MessageExpiryInterval <= KEPT_S
    await bot.hears(Shown.READY)


async def test_jobs_wait_in_a_line_that_has_an_end(bot: Bot, bench: Bench) -> None:
    first = await bot.orders("warm", {"to": 30})
    await within(bench.took_step.wait())
    waiting = [await bot.orders("warm", {"to": 31}) for _ in range(17)]
    for _ in range(17):
        assert (await bot.reply()).status is Status.ACCEPTED
    full = await bot.reply()
    assert (full.id, full.status) == (waiting[-1], Status.REJECTED)
    assert "16 jobs wait already" in full.error
    assert (await bot.asks(CANCEL, {"job": waiting[0]})).status is Status.DONE
    assert (await bot.job(waiting[0], CANCELLED)).progress is None
    assert bench.seen.count("begun") == 1
    bench.go_on.set()
    await bot.job(first, DONE)
    await bot.job(waiting[-2], DONE)
    assert bench.seen.count("begun") == 16


async def test_a_job_is_held_without_a_lease_and_goes_on_with_the_next(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    bench = Bench()
    async with running(Engine(bench.component, enrolment, tmp_path / "latch")):
        await bot.took(await bot.lease(await bot.hears(Shown.HELD), ttl_ms=1500))
        order = await bot.orders("warm", {"to": 30})
        await within(bench.took_step.wait())
        held = await bot.hears(Shown.HELD)
        bench.go_on.set()
        await bot.job(order, HELD)
        assert bench.seen == ["begun", "step 0"]
        await bot.lease(held)
        assert (await bot.job(order, DONE)).result == {"reached": 30.0, "rate": 0.5}


async def test_a_stop_ends_a_job_at_its_next_step_and_those_in_line_at_once(bot: Bot, bench: Bench) -> None:
    first, second = await bot.orders("warm", {"to": 30}), await bot.orders("warm", {"to": 31})
    await within(bench.took_step.wait())
    await bot.stop(X, "all")
    assert (await bot.job(second, STOPPED)).job == second
    await bot.hears(Shown.STOPPING)
    bench.go_on.set()
    await bot.job(first, STOPPED)
    stopped = await bot.hears(Shown.STOPPED)
    assert bench.seen == ["begun", "step 0", "Stopped"]
    bot.answers = False
    assert (await bot.asks("read")).error == "the component is stopped"
    await bot.lease(stopped, cleared=[X])
    while (await bot.hears(Shown.READY)).session == stopped.session:
        pass
    assert bench.seen == ["begun", "step 0", "Stopped"]


async def test_what_never_asks_for_its_next_step_keeps_it_stopping_and_that_is_told(bot: Bot, bench: Bench) -> None:
    order = await bot.orders("warm", {"to": 30})
    await within(bench.took_step.wait())
    await bot.stop(X, "all")
    alert = await bot.alert()
    assert alert is not None
    assert (alert.severity, alert.key) == (Severity.CRITICAL, "not-down")
    assert alert.message == "It is not down 0.3 s after a stop: what is at work has not ended its step."
    assert (await bot.hears()).shown is Shown.STOPPING
    bench.go_on.set()
    await bot.job(order, STOPPED)
    await bot.hears(Shown.STOPPED)
    assert await bot.alert() is None


async def test_a_job_that_takes_no_notice_of_its_end_is_stopped_all_the_same(bot: Bot, bench: Bench) -> None:
    order = await bot.orders("swallow")
    await within(bench.took_step.wait())
    await bot.stop(X, "all")
    await bot.hears(Shown.STOPPING)
    bench.go_on.set()
    assert (await bot.job(order, STOPPED)).result == {}
    await bot.hears(Shown.STOPPED)


async def test_a_job_is_cancelled_at_its_next_step(bot: Bot, bench: Bench) -> None:
    order = await bot.orders("warm", {"to": 30})
    await within(bench.took_step.wait())
    await bot.orders(CANCEL, {"job": order})
    bench.go_on.set()
    await bot.job(order, CANCELLED)
    assert bench.seen == ["begun", "step 0", "Cancelled"]
    assert (await bot.asks("read")).status is Status.DONE


async def test_a_thread_stops_when_it_is_told_and_is_waited_for(bot: Bot, bench: Bench) -> None:
    order = await bot.orders("crunch")
    await bot.job(order, RUNS)
    await bot.stop(X, "all")
    await bot.job(order, STOPPED)
    await bot.hears(Shown.STOPPED)
    taken = bench.seen.count("counted")
    assert (taken > 0, bench.seen[-1]) == (True, "thread over")


async def test_a_thread_is_held_and_goes_on(bot: Bot, enrolment: Enrolment, tmp_path: Path) -> None:
    bench = Bench()
    async with running(Engine(bench.component, enrolment, tmp_path / "latch")):
        await bot.took(await bot.lease(await bot.hears(Shown.HELD), ttl_ms=1500))
        order = await bot.orders("crunch")
        await bot.job(order, HELD)
        taken = bench.seen.count("counted")
        held = await bot.hears(Shown.HELD)
        assert bench.seen.count("counted") == taken > 0
        await bot.lease(held)
        await bot.job(order, RUNS)
        await bot.asks(CANCEL, {"job": order})
        await bot.job(order, CANCELLED)
        assert bench.seen.count("counted") > taken


async def test_a_job_that_raises_has_failed_and_the_component_lives_on(bot: Bot, bench: Bench) -> None:
    order = await bot.orders("breaks")
    end = await bot.job(order, FAILED)
    assert end.message == "RuntimeError: the belt is torn"
    alert = await bot.alert()
    assert alert is not None
    assert (alert.severity, alert.message) == (
        Severity.WARNING,
        "The job breaks failed: RuntimeError: the belt is torn",
    )
    assert (await bot.asks("read")).status is Status.DONE
    assert bench.seen == []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("plainly", "ValueError: failed plainly"),
        ("group", "ValueError: failed plainly"),
        ("cancelled", "CancelledError"),
        ("result", "TypeError: Type is not JSON serializable: set"),
    ],
)
@pytest.mark.usefixtures("bench")
async def test_a_command_that_raises_is_answered_and_the_component_lives_on(bot: Bot, how: str, said: str) -> None:
    reply = await bot.asks("fail", {"how": how})
    assert (reply.status, reply.error) == (Status.ERROR, said)
    alert = await bot.alert()
    assert alert is not None
    assert alert.message == f"The command fail failed: {said}"
    assert (await bot.asks("read")).status is Status.DONE


async def test_an_alert_lasts_until_it_is_cleared_and_is_told_again_at_each_connect(
    bot: Bot, bench: Bench, broker: LocalBroker
) -> None:
    bench.component.alert(Severity.INFO, "hello")
    bench.component.alert(Severity.WARNING, "too hot", key="hot")
    told, hot = await bot.alert(), await bot.alert()
    assert told is not None
    assert (told.severity, told.message, told.key, told.source) == (Severity.INFO, "hello", "", f"{NAME}/walker")
    assert hot is not None
    assert (hot.severity, hot.message, hot.key) == (Severity.WARNING, "too hot", "hot")
    bench.component.alert(Severity.WARNING, "too hot", key="hot")  # nothing new
    await broker.kill()
    await broker.start()
    again = await bot.alert()
    assert again == hot
    bench.component.clear("hot")
    while (over := await bot.alert()) == hot:  # what the broker had kept
        pass
    assert over is None


async def test_an_alert_and_a_value_can_be_told_from_any_thread(bot: Bot, bench: Bench) -> None:
    def told() -> None:
        bench.component.alert(Severity.CRITICAL, "from a thread")
        bench.heat.send(99.0)
        bench.heat.send(float("nan"))

    await asyncio.to_thread(told)
    alert = await bot.alert()
    assert alert is not None
    assert alert.message == "from a thread"
    async with asyncio.timeout(PATIENCE):
        assert await bot.values.get() == 99.0


async def test_many_values_and_alerts_become_few_and_the_newest_wins(bot: Bot, bench: Bench) -> None:
    for number in range(1000):
        bench.heat.send(number)
        bench.component.alert(Severity.INFO, f"alert {number}")
    async with asyncio.timeout(PATIENCE):
        assert [await bot.values.get(), await bot.values.get()] == [0, 999]
    alerts = [await bot.alert() for _ in range(10)]
    assert [each.message for each in alerts if each] == [f"alert {number}" for number in range(10)]
    assert (await bot.asks("read")).status is Status.DONE
    assert bot.alerts.empty()


@pytest.mark.parametrize("is_async", [False, True])
async def test_it_is_stopped_when_what_brings_it_down_has_returned_after_the_last_step(
    bot: Bot, enrolment: Enrolment, tmp_path: Path, *, is_async: bool
) -> None:
    bench = Bench()
    may_return = asyncio.Event()
    if is_async:

        @bench.component.on_stop
        async def halt() -> None:
            bench.seen.append("halt")
            await may_return.wait()
            bench.seen.append("halted")
    else:

        @bench.component.on_stop
        def halt_now() -> None:
            on_disk = (tmp_path / "latch").read_bytes()
            bench.seen.append("halt before the disk" if X.encode() not in on_disk else "halt")

    async with running(Engine(bench.component, enrolment, tmp_path / "latch")):
        await bot.lets()
        order = await bot.orders("warm", {"to": 30})
        await within(bench.took_step.wait())
        await bot.stop(X, "all")
        await bot.hears(Shown.STOPPING)
        bench.go_on.set()
        await bot.job(order, STOPPED)
        assert (await bot.hears()).shown in ((Shown.STOPPING,) if is_async else (Shown.STOPPING, Shown.STOPPED))
        may_return.set()
        await bot.hears(Shown.STOPPED)
        ended = bench.seen.index("Stopped")
        assert bench.seen[ended + 1 :] in (["halted", "halt", "halted"], ["halt"])
        assert is_async or bench.seen[2] == "halt before the disk"


async def test_what_brings_it_down_is_called_when_the_component_ends(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    bench = Bench()

    @bench.component.on_stop
    async def halt() -> None:
        bench.seen.append("halt")
        await asyncio.Event().wait()  # it does not hold up the end for ever

    async with running(Engine(bench.component, enrolment, tmp_path / "latch")):
        await bot.lets()
        await bot.orders("warm", {"to": 30})
        await within(bench.took_step.wait())
    assert bench.seen == ["begun", "step 0", "halt"]


async def test_what_fails_to_bring_it_down_is_tried_again_and_told(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    failing = Component(title="A failing one", kind="test", version="1")
    tries = 0

    @failing.on_stop
    async def halt() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("the relay does not answer")

    async with running(Engine(failing, enrolment, tmp_path / "latch")):
        await bot.lets()
        await bot.stop(X, "all")
        alert = await bot.alert()
        assert alert is not None
        assert (alert.severity, alert.key) == (Severity.CRITICAL, "not-down")
        assert alert.message.endswith("is tried again. OSError: the relay does not answer")
        await bot.hears(Shown.STOPPED)
        assert await bot.alert() is None
        assert tries == 2


async def test_a_step_of_what_it_always_does_may_fail_and_is_taken_again(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    failing = Component(title="A failing one", kind="test", version="1")
    steps = 0
    again = asyncio.Event()

    @failing.always
    async def step() -> None:
        nonlocal steps
        steps += 1
        if steps == 1:
            raise asyncio.CancelledError
        again.set()
        await asyncio.sleep(0.01)

    async with running(Engine(failing, enrolment, tmp_path / "latch")):
        bot.answers = True
        alert = await bot.alert()
        assert alert is not None
        assert (alert.key, alert.message) == (
            "step-failed",
            "A step of its work failed: RuntimeError: it has cancelled itself",
        )
        await within(again.wait())
        assert await bot.alert() is None


PROGRAM = """\
import asyncio, threading
from components import program
from components.kit import Component, Job, main

program.LOOK_EVERY_S = 0.05
one = Component(title="A program", kind="test", version="1")

@one.command()
async def hang():
    while True:
        pass

@one.command()
async def clutch(job: Job):
    def run(step):
        while True:
            print("working", flush=True)
            threading.Event().wait(0.01)
    await job.in_thread(run)

@one.command()
async def leave():
    from components.halting import Halting
    def broken(self):
        raise RuntimeError("the kit is broken")
    Halting.at_once = broken

main(one)
"""


@pytest_asyncio.fixture
async def start(
    enrolment: Enrolment, tmp_path: Path
) -> AsyncGenerator[Callable[[], Awaitable[asyncio.subprocess.Process]]]:
    """Start a component as a program of its own."""
    enrolment.save(tmp_path / "walker.json")
    (tmp_path / "one.py").write_text(PROGRAM)
    started: list[asyncio.subprocess.Process] = []

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, tmp_path / "one.py", tmp_path / "walker.json",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for each in started:
        if each.returncode is None:
            each.kill()
            await each.communicate()


async def said_at_its_end(process: asyncio.subprocess.Process) -> str:
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    return said.decode()


async def test_a_program_whose_event_loop_stands_still_ends(
    bot: Bot, start: Callable[[], Awaitable[asyncio.subprocess.Process]]
) -> None:
    process = await start()
    await bot.lets()
    await bot.orders("hang")
    said = await said_at_its_end(process)
    assert process.returncode == 1
    assert "The event loop stands still, and no stop can be heard: the process ends." in said
    assert "in hang" in said


async def test_a_program_ends_when_it_is_told_also_while_a_thread_does_not_want_to(
    bot: Bot, start: Callable[[], Awaitable[asyncio.subprocess.Process]], tmp_path: Path
) -> None:
    process = await start()
    await bot.lets()
    await bot.job(await bot.orders("clutch"), RUNS)
    assert (tmp_path / "walker.latch").is_file()
    process.send_signal(signal.SIGTERM)
    await said_at_its_end(process)
    assert process.returncode is not None


async def test_a_program_whose_kit_is_broken_ends(
    bot: Bot, start: Callable[[], Awaitable[asyncio.subprocess.Process]]
) -> None:
    process = await start()
    await bot.lets()
    await bot.asks("leave")
    await bot.job(await bot.orders("clutch"), RUNS)
    await bot.stop(X, "all")
    said = await said_at_its_end(process)
    assert process.returncode == 1
    assert "RuntimeError: the kit is broken" in said


async def test_a_second_process_of_one_component_does_not_start(
    bot: Bot, start: Callable[[], Awaitable[asyncio.subprocess.Process]]
) -> None:
    await start()
    await bot.hears(Shown.HELD)
    second = await start()
    said = await said_at_its_end(second)
    assert second.returncode == 1
    assert "walker.latch. One component runs once: end the other." in said
