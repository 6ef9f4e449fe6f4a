"""The parts of the bot start in order, are started again when they break, and stop in reverse, leaving nothing."""

import asyncio
import dataclasses
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from structlog.typing import EventDict

from bot import supervisor as module
from bot.supervisor import MOST_RESTARTS, RAN_WELL_S, Part, Supervisor
from bot.words.errors import NetworkError, OutOfService, SettingsError, TocsinError

PATIENCE_S = 10.0


class Time:
    """A clock that goes on where the supervisor waits, and where a test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Diary:
    """Parts that write down what becomes of them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.news = asyncio.Event()

    def note(self, line: str) -> None:
        self.lines.append(line)
        self.news.set()

    async def until(self, line: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while line not in self.lines:
                self.news.clear()
                await self.news.wait()

    def part(self, name: str, **more: Any) -> Part:
        async def run() -> None:
            self.note(f"{name} starts")
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.note(f"{name} stops")

        return Part(name, run, **more)

    def breaks(self, name: str, *faults: BaseException | None, **more: Any) -> Part:
        """A part that ends so, time after time; with nothing it returns; then it runs on."""
        left = list(faults)

        async def run() -> None:
            self.note(f"{name} starts")
            if left:
                fault = left.pop(0)
                if fault is not None:
                    raise fault
                return
            await asyncio.get_running_loop().create_future()

        return Part(name, run, **more)


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def supervisor(time: Time) -> Supervisor:
    return Supervisor(draw=lambda: 1.0, clock=time.clock, pause=time.pause)


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest_asyncio.fixture(autouse=True)
async def _nothing_is_left() -> AsyncIterator[None]:  # pyright: ignore[reportUnusedFunction] - pytest uses it
    threads = set(threading.enumerate())
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert set(threading.enumerate()) <= threads


async def stopped(supervisor: Supervisor, diary: Diary, stages: Sequence[Sequence[Part]]) -> None:
    """Run until everything is up, then as SIGTERM does."""
    running = asyncio.create_task(supervisor.run(stages, running=lambda: diary.note("running")))
    await diary.until("running")
    await cancelled(running)


async def cancelled(running: "asyncio.Task[None]") -> None:
    running.cancel()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait([running])
    assert running.cancelled()


async def reasons(work: Coroutine[Any, Any, None]) -> list[str]:
    """What ends the whole, in words."""
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ExceptionGroup) as caught:
            await work
    assert all(isinstance(each, TocsinError) for each in caught.value.exceptions)
    return [str(each) for each in caught.value.exceptions]


async def test_parts_start_in_order_and_stop_in_reverse(supervisor: Supervisor, diary: Diary) -> None:
    stages = [[diary.part("a")], [diary.part("b"), diary.part("c")], [diary.part("d")]]
    running = asyncio.create_task(supervisor.run(stages))
    await diary.until("d starts")
    await cancelled(running)
    assert diary.lines == [*(f"{name} starts" for name in "abcd"), *(f"{name} stops" for name in "dbca")]


async def test_nothing_starts_before_what_it_stands_on_is_ready(supervisor: Supervisor, diary: Diary) -> None:
    ready = asyncio.Event()
    stages = [[diary.part("a", ready=ready)], [diary.part("b")]]
    running = asyncio.create_task(supervisor.run(stages, running=lambda: diary.note("running")))
    await diary.until("a starts")
    assert diary.lines == ["a starts"]
    ready.set()
    await diary.until("b starts")
    assert "running" in diary.lines
    await cancelled(running)


async def test_a_part_that_is_never_ready_ends_the_whole(
    supervisor: Supervisor, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_WITHIN_S", 0.0)
    stages = [[diary.part("late", ready=asyncio.Event())], [diary.part("after")]]
    assert (await reasons(supervisor.run(stages)))[0].startswith("late was not ready in 0 s.")
    assert "after starts" not in diary.lines


async def test_being_stopped_while_it_starts_leaves_nothing(supervisor: Supervisor, diary: Diary) -> None:
    running = asyncio.create_task(supervisor.run([[diary.part("a", ready=asyncio.Event())], [diary.part("b")]]))
    await diary.until("a starts")
    await cancelled(running)
    assert diary.lines == ["a starts", "a stops"]


async def test_what_a_person_must_mend_ends_the_whole_at_once(supervisor: Supervisor, diary: Diary) -> None:
    fault = SettingsError("The port is taken.", hint="Choose another.")
    stages = [[diary.part("a")], [diary.breaks("b", fault)]]
    assert await reasons(supervisor.run(stages)) == ["The port is taken. Choose another."]
    assert diary.lines == ["a starts", "b starts", "a stops"]
    assert supervisor.restarts == {}


async def test_a_part_that_is_out_of_service_is_told_of_and_left_out(
    supervisor: Supervisor, diary: Diary, logged: list[EventDict]
) -> None:
    async def told(fault: OutOfService) -> bool:
        diary.note(f"told: {fault}")
        return True

    out = dataclasses.replace(diary.breaks("b", OutOfService("It is gone.", hint="Bring it back.")), left_out=told)
    running = asyncio.create_task(supervisor.run([[diary.part("a")], [out], [diary.part("c")]]))
    await diary.until("told: It is gone. Bring it back.")
    await diary.until("c starts")
    assert (supervisor.out_of_service, supervisor.resting, supervisor.restarts) == ({"b": "It is gone."}, {}, {})
    assert [(line["event"], line["part"]) for line in logged] == [("a part is out of service", "b")]
    assert not {"a stops", "c stops"} & {*diary.lines}
    await cancelled(running)
    assert {"a stops", "c stops"} < {*diary.lines}
    assert diary.lines.count("b starts") == 1


@pytest.mark.parametrize("told", [True, False])
async def test_what_the_others_cannot_go_on_without_ends_the_whole(
    supervisor: Supervisor, diary: Diary, *, told: bool
) -> None:
    async def left_out(_: OutOfService) -> bool:
        return False

    out = diary.breaks("b", OutOfService("It is gone."))
    stages = [[diary.part("a")], [dataclasses.replace(out, left_out=left_out) if told else out]]
    assert await reasons(supervisor.run(stages)) == ["It is gone."]


async def test_what_must_be_mended_is_told_of_all_parts(supervisor: Supervisor, diary: Diary) -> None:
    several = ExceptionGroup("inside", [NetworkError("Two."), ExceptionGroup("deeper", [NetworkError("Three.")])])
    stages = [[diary.breaks("a", NetworkError("One.")), diary.breaks("b", several)]]
    assert await reasons(supervisor.run(stages)) == ["One.", "Two.", "Three."]


@pytest.mark.parametrize("fault", [KeyError("x"), None, asyncio.CancelledError(), ExceptionGroup("g", [KeyError()])])
async def test_a_part_that_breaks_or_returns_is_started_again(
    supervisor: Supervisor, diary: Diary, time: Time, fault: BaseException | None
) -> None:
    running = asyncio.create_task(supervisor.run([[diary.part("a")], [diary.breaks("b", fault, fault)]]))
    async with asyncio.timeout(PATIENCE_S):
        while diary.lines.count("b starts") < 3:
            diary.news.clear()
            await diary.news.wait()
    assert diary.lines.count("a starts") == 1
    assert (dict(supervisor.restarts), supervisor.resting) == ({"b": 2}, {})
    assert time.waits == [1.0, 2.0]
    await cancelled(running)


async def test_waits_grow_and_a_part_that_breaks_too_often_ends_the_whole(
    supervisor: Supervisor, diary: Diary, time: Time, logged: list[EventDict]
) -> None:
    faults = [KeyError(number) for number in range(MOST_RESTARTS + 2)]
    (reason,) = await reasons(supervisor.run([[diary.breaks("b", *faults)]]))
    assert reason == (
        "b broke 6 times in 10 minutes, at last with KeyError. The log above has the details: look for part=b."
    )
    assert time.waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert diary.lines.count("b starts") == MOST_RESTARTS + 1
    assert [(line["event"], line["part"]) for line in logged] == [
        *[("a part broke and is started again", "b")] * MOST_RESTARTS,
        ("a part broke", "b"),
    ]


async def test_a_part_that_breaks_now_and_then_is_started_again_for_ever(
    supervisor: Supervisor, diary: Diary, time: Time
) -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 40:
            diary.note("enough")
            await asyncio.get_running_loop().create_future()
        time.now += RAN_WELL_S
        raise KeyError

    running = asyncio.create_task(supervisor.run([[Part("b", run)]]))
    await diary.until("enough")
    assert time.waits == [1.0] * 39
    await cancelled(running)


async def test_waits_have_a_bound_and_are_spread(diary: Diary, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RESTARTS", 8)
    supervisor = Supervisor(draw=lambda: 0.0, clock=time.clock, pause=time.pause)
    await reasons(supervisor.run([[diary.breaks("b", *[KeyError()] * 9)]]))
    assert time.waits == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


async def test_a_vital_part_is_never_started_again(supervisor: Supervisor, diary: Diary) -> None:
    stages = [[diary.breaks("bell", KeyError("secret"), vital=True)], [diary.part("b")]]
    (reason,) = await reasons(supervisor.run(stages))
    assert reason.startswith("bell broke (KeyError), and nothing is right without it. The log above")
    assert "secret" not in reason
    assert diary.lines.count("bell starts") == 1


async def test_a_part_that_waits_to_be_started_again_is_shown_and_can_be_stopped(diary: Diary, time: Time) -> None:
    async def pause(_: float) -> None:
        diary.note("rests")
        await asyncio.get_running_loop().create_future()

    supervisor = Supervisor(clock=time.clock, pause=pause)
    running = asyncio.create_task(supervisor.run([[diary.breaks("b", KeyError())]]))
    await diary.until("rests")
    assert supervisor.resting == {"b": "KeyError"}
    await cancelled(running)
    assert (supervisor.resting, dict(supervisor.restarts)) == ({}, {})


async def test_a_part_ends_its_work_before_it_is_stopped_and_before_what_it_stands_on(
    supervisor: Supervisor, diary: Diary
) -> None:
    async def finish() -> None:
        diary.note("b finishes")

    await stopped(supervisor, diary, [[diary.part("a")], [diary.part("b", finish=finish, grace_s=PATIENCE_S)]])
    assert diary.lines[-3:] == ["b finishes", "b stops", "a stops"]


async def test_work_that_does_not_end_is_broken_off(
    supervisor: Supervisor, diary: Diary, logged: list[EventDict]
) -> None:
    async def finish() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            diary.note("b is broken off")

    await stopped(supervisor, diary, [[diary.part("a")], [diary.part("b", finish=finish)]])
    assert sorted(diary.lines[-3:-1]) == ["b is broken off", "b stops"]
    assert diary.lines[-1] == "a stops"
    assert logged == []


async def test_work_that_breaks_at_its_end_keeps_nobody_from_stopping(
    supervisor: Supervisor, diary: Diary, logged: list[EventDict]
) -> None:
    async def finish() -> None:
        raise KeyError

    await stopped(supervisor, diary, [[diary.part("a")], [diary.part("b", finish=finish, grace_s=PATIENCE_S)]])
    assert diary.lines[-2:] == ["b stops", "a stops"]
    assert [(line["event"], line["part"]) for line in logged] == [("a part did not end its work", "b")]


async def test_a_part_that_does_not_stop_is_named_and_left_behind(
    supervisor: Supervisor, diary: Diary, logged: list[EventDict]
) -> None:
    let_go = asyncio.Event()

    async def run() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await let_go.wait()
            diary.note("hung ends")

    await stopped(supervisor, diary, [[diary.part("a")], [Part("hung", run, grace_s=0.0)]])
    assert diary.lines[-1] == "a stops"
    assert [(line["event"], line["part"]) for line in logged] == [("a part does not stop; it is left behind", "hung")]
    let_go.set()
    await diary.until("hung ends")


async def test_the_whole_stops_in_its_bound_whatever_each_part_may_take(
    supervisor: Supervisor, diary: Diary, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_WITHIN_S", 0.0)
    let_go = asyncio.Event()

    async def run() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await let_go.wait()

    await stopped(supervisor, diary, [[Part(f"hung {number}", run, grace_s=3600.0)] for number in range(3)])
    assert [line["part"] for line in logged] == ["hung 2", "hung 1", "hung 0"]
    let_go.set()
    await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name().startswith("hung")])


async def test_a_part_that_breaks_while_it_is_stopped_is_logged_and_the_others_stop(
    supervisor: Supervisor, diary: Diary, logged: list[EventDict]
) -> None:
    async def run() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            raise KeyError

    await stopped(supervisor, diary, [[diary.part("a")], [Part("b", run)]])
    assert diary.lines[-1] == "a stops"
    assert [(line["event"], line["part"]) for line in logged] == [("a part broke while it was stopped", "b")]


async def test_a_second_signal_does_not_cut_the_stopping_short(supervisor: Supervisor, diary: Diary) -> None:
    go_on = asyncio.Event()

    async def finish() -> None:
        diary.note("b finishes")
        await go_on.wait()
        diary.note("b has finished")

    stages = [[diary.part("a")], [diary.part("b", finish=finish, grace_s=PATIENCE_S)]]
    running = asyncio.create_task(supervisor.run(stages))
    await diary.until("b starts")
    running.cancel()
    await diary.until("b finishes")
    running.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await cancelled(running)
    assert diary.lines[-3:] == ["b has finished", "b stops", "a stops"]


async def test_a_part_that_cancels_its_own_task_is_no_quiet_end() -> None:
    ran: list[int] = []
    running_on = asyncio.Event()
    time = Time()

    async def run() -> None:
        ran.append(1)
        if len(ran) > 2:
            running_on.set()
            await asyncio.get_running_loop().create_future()
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            raise ValueError("broken after it cancelled itself") from None

    supervisor = Supervisor(draw=lambda: 0.0, clock=time.clock, pause=time.pause)
    with capture_logs():
        task = asyncio.create_task(supervisor.run([[Part("odd", run)]]))
        async with asyncio.timeout(PATIENCE_S):
            await running_on.wait()
    assert supervisor.restarts["odd"] == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
