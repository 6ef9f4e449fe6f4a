"""Jobs of a component: no step without permission, in the event loop and in threads, and an end that is said once."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncGenerator, Callable, Mapping

import pytest

from components.component import Component
from components.gate import Gate
from components.halting import Halting
from components.jobs import MOST_QUEUED, Job, Jobs, Name, always
from components.orders import Orders
from components.pace import Paced
from components.threads import ThreadStep
from components.trouble import LONGEST_TOLD, Cancelled, Stopped, checked_result, isolated, root_of, told
from components.voice import Voice
from wire import work
from wire.enrolment import Enrolment
from wire.envelope import PrivateKey
from wire.errors import Rejected
from wire.latch import Kept, Latch, Trusted
from wire.messages import Lease, Stop, Target
from wire.mqtt import Broker, Link
from wire.work import LARGEST_RESULT, Command, JobState, Reply, Severity, Status

PATIENCE = 10.0


class Said:
    """What jobs say."""

    def __init__(self) -> None:
        self.states: list[tuple[str, JobState]] = []
        self.ends: dict[str, work.Job] = {}
        self.pictures: dict[str, Mapping[str, bytes]] = {}
        self.failures: list[str] = []
        self.news = asyncio.Event()

    def progress(self, job: work.Job) -> None:
        self.states.append((job.job, job.state))
        self.news.set()

    def ended(self, job: work.Job, pictures: Mapping[str, bytes]) -> None:
        assert job.job not in self.ends, "an end is said once"
        self.pictures[job.job] = pictures
        self.ends[job.job] = job
        self.news.set()

    def failed(self, what: str, error: BaseException) -> None:
        self.failures.append(f"{what}: {error}")

    async def end(self, id: str) -> work.Job:  # noqa: A002 - as the contract calls it
        async with asyncio.timeout(PATIENCE):
            while id not in self.ends:
                self.news.clear()
                await self.news.wait()
        return self.ends[id]


class Machine:
    """Jobs with a latch of their own, and a clock that a test moves."""

    def __init__(self, *, at_once: int = 1) -> None:
        self.now = 0.0
        self.on_clock: Callable[[], None] = lambda: None
        numbers = itertools.count()
        self.latch = Latch(
            "c",
            (),
            Kept(),
            trusted=Trusted(PrivateKey(bytes(32)).public),
            write=lambda _: True,
            random=lambda size: next(numbers).to_bytes(size, "big"),
        )
        self.gate = Gate(self.latch, self.clock, always=False)
        self.said = Said()
        self.jobs = Jobs(self.gate, self.said, at_once=at_once)
        self.ids = (f"{number:02x}" for number in itertools.count())

    def clock(self) -> float:
        now = self.now
        self.on_clock()  # after the look: whoever hears of it knows that the next look is a later one
        return now

    def let(self) -> None:
        """A lease from now on."""
        question = self.latch.ask(self.now)
        self.latch.lease(Lease(question.nonce, "ab", 0, 10_000), self.now)
        self.gate.wake()

    def stop(self) -> None:
        self.latch.stop(Stop("1" * 32, Target(), 0), b"signed")
        self.jobs.halt()
        self.gate.wake()

    def begin(self, call: Callable[[Job], object]) -> str:
        job = next(self.ids)

        async def whole(given: Job) -> object:
            result = call(given)
            return await result if asyncio.iscoroutine(result) else result

        self.jobs.begin(Name("c", "5e", job, "work"), whole)
        return job


@contextlib.asynccontextmanager
async def running(machine: Machine) -> AsyncGenerator[None]:
    task = asyncio.create_task(machine.jobs.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_job_does_not_even_begin_without_permission() -> None:
    machine, begun = Machine(), asyncio.Event()

    async def call(_: Job) -> None:
        begun.set()

    async with running(machine):
        job = machine.begin(call)
        await turns()
        assert not begun.is_set()
        assert machine.said.states == [(job, JobState.HELD)]
        machine.let()
        assert (await machine.said.end(job)).state is JobState.DONE


async def test_a_step_waits_while_it_is_held_and_goes_on_by_itself() -> None:
    machine, steps = Machine(), list[int]()

    async def call(job: Job) -> dict[str, int]:
        for number in range(4):
            if number == 2:
                machine.now += 11  # the lease has run out
            await job.step()
            steps.append(number)
        return {"steps": len(steps)}

    machine.let()
    async with running(machine):
        job = machine.begin(call)
        await turns()
        assert steps == [0, 1]
        machine.let()
        assert (await machine.said.end(job)).result == {"steps": 4}


async def test_a_stop_ends_what_is_held() -> None:
    machine = Machine()
    async with running(machine):
        job = machine.begin(lambda _: None)
        await turns()
        machine.stop()
        assert (await machine.said.end(job)).state is JobState.STOPPED


async def test_a_stop_ends_those_in_line_and_none_of_them_begins() -> None:
    machine, begun = Machine(), list[int]()

    async def call(job: Job) -> None:
        begun.append(1)
        while True:
            await job.step()

    machine.let()
    async with running(machine):
        jobs = [machine.begin(call) for _ in range(3)]
        await turns()
        machine.stop()
        for each in jobs:
            assert (await machine.said.end(each)).state is JobState.STOPPED
        assert begun == [1]
        assert machine.gate.is_at_rest


async def test_so_many_run_at_once_and_no_more() -> None:
    machine, at_once, most = Machine(at_once=3), 0, 0

    async def call(job: Job) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        for _ in range(5):
            await job.step()
        at_once -= 1

    machine.let()
    async with running(machine):
        jobs = [machine.begin(call) for _ in range(8)]
        for each in jobs:
            await machine.said.end(each)
    assert most == 3


async def test_a_full_line_takes_no_more() -> None:
    machine = Machine()
    for _ in range(MOST_QUEUED):
        machine.begin(lambda _: None)
    with pytest.raises(Rejected, match="16 jobs wait already"):
        machine.begin(lambda _: None)


async def test_progress_is_bounded_and_said_at_most_twice_a_second() -> None:
    machine = Machine()

    async def call(job: Job) -> None:
        for number in range(1000):
            await job.step(number, "x" * 1000)
        await job.step(float("nan"))

    machine.let()
    async with running(machine):
        job = machine.begin(call)
        end = await machine.said.end(job)
    assert len(machine.said.states) <= 3
    assert (end.progress, len(end.message)) == (1.0, 300)


async def test_nothing_is_said_of_a_job_after_its_end() -> None:
    machine, kept = Machine(), list[Job]()

    async def call(job: Job) -> None:
        kept.append(job)
        await job.step(0.1)
        await job.step(0.2)  # waits to be said

    machine.let()
    async with running(machine):
        job = machine.begin(call)
        await machine.said.end(job)
        said = len(machine.said.states)
        kept[0].note(0.9, "more")
        with pytest.raises(Cancelled):
            await kept[0].step()
        assert not kept[0].has_more_to_say
        assert len(machine.said.states) == said


async def test_a_job_that_is_caught_in_a_group_of_its_own_is_stopped() -> None:
    machine, halfway = Machine(), asyncio.Event()

    async def call(job: Job) -> None:
        async def part() -> None:
            while True:
                await job.step()
                halfway.set()

        async with asyncio.TaskGroup() as parts:
            parts.create_task(part())
            parts.create_task(part())

    machine.let()
    async with running(machine):
        job = machine.begin(call)
        async with asyncio.timeout(PATIENCE):
            await halfway.wait()
        machine.stop()
        assert (await machine.said.end(job)).state is JobState.STOPPED
    assert machine.said.failures == []


async def test_a_worker_outlives_what_a_job_raises() -> None:
    machine = Machine()

    async def cancels_itself(_: Job) -> None:
        raise asyncio.CancelledError

    async def returns_nonsense(_: Job) -> object:
        return 7

    machine.let()
    async with running(machine):
        first, second = machine.begin(cancels_itself), machine.begin(returns_nonsense)
        third = machine.begin(lambda _: None)
        assert (await machine.said.end(first)).state is JobState.FAILED
        assert (await machine.said.end(second)).message == (
            "TypeError: a command must return a dict or nothing, not int"
        )
        assert (await machine.said.end(third)).state is JobState.DONE


async def test_a_thread_asks_the_latch_itself_also_while_the_event_loop_stands() -> None:
    machine, steps = Machine(), list[int]()
    working, asked = threading.Event(), threading.Event()

    def run(step: ThreadStep) -> None:
        for number in range(1_000_000):
            step()
            steps.append(number)
            working.set()

    machine.let()
    async with running(machine):
        job = machine.begin(lambda job: job.in_thread(run))
        assert await asyncio.to_thread(working.wait, PATIENCE)
        machine.on_clock = lambda: asked.set() if machine.now > 10 else None
        machine.now += 11  # the lease has run out, and from here to the next await the event loop stands
        assert asked.wait(PATIENCE)
        taken = len(steps)
        machine.on_clock = lambda: None
        threading.Event().wait(0.05)
        assert len(steps) <= taken + 1
        machine.stop()
        assert (await machine.said.end(job)).state is JobState.STOPPED


async def test_a_thread_that_nobody_waits_for_is_told_to_end_and_counts_as_work_until_it_has() -> None:
    machine, go_on, began, told_to_end = Machine(), threading.Event(), threading.Event(), list[str]()
    left = asyncio.Event()

    def run(step: ThreadStep) -> None:
        step()
        began.set()
        go_on.wait(PATIENCE)
        try:
            step()
        except Cancelled:
            told_to_end.append("told")
            raise

    async def call(job: Job) -> dict[str, str]:
        waiting = asyncio.create_task(job.in_thread(run))
        assert await asyncio.to_thread(began.wait, PATIENCE)
        waiting.cancel()
        await asyncio.wait([waiting])
        left.set()
        return {"left": "the thread"}

    machine.let()
    async with running(machine):
        job = machine.begin(call)
        async with asyncio.timeout(PATIENCE):
            await left.wait()
        await turns()
        assert machine.said.ends == {}
        assert not machine.gate.is_at_rest
        go_on.set()
        assert (await machine.said.end(job)).state is JobState.DONE
    assert told_to_end == ["told"]
    assert machine.gate.is_at_rest


async def test_what_a_thread_gives_and_raises_reaches_the_job() -> None:
    machine = Machine()

    def stops_iterating(_: ThreadStep) -> None:
        raise StopIteration

    machine.let()
    async with running(machine):
        good = machine.begin(lambda job: job.in_thread(lambda _: {"sum": 3}))
        bad = machine.begin(lambda job: job.in_thread(stops_iterating))
        assert (await machine.said.end(good)).result == {"sum": 3}
        assert (await machine.said.end(bad)).message == "RuntimeError: StopIteration()"


class Answered:
    """What commands are answered."""

    def __init__(self) -> None:
        self.replies: asyncio.Queue[Reply] = asyncio.Queue()
        self.fails = False

    def reply(self, to: str, reply: Reply) -> None:
        assert to == "bot"
        self.replies.put_nowait(reply)

    def failed(self, what: str, error: BaseException) -> None:
        if not self.fails:
            raise AssertionError(what) from error


@pytest.mark.parametrize("looked", [0, 1])
async def test_a_command_that_was_let_does_not_begin_once_a_stop_has_come(looked: int) -> None:
    machine, answered, ran = Machine(), Answered(), list[int]()
    component = Component(title="A test", kind="test", version="1")

    @component.command()
    async def act() -> None:
        ran.append(1)

    machine.let()
    order = Command("ab", "act", {}, (), "bot", 1, "alice")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        orders = Orders(component, "c", machine.gate, answered, machine.jobs, tasks.create_task)
        orders.carry_out(order, "5e")
        await turns(looked)
        machine.stop()  # between the last look and the first line of somebody's code
        assert (await answered.replies.get()).status is Status.REJECTED
    assert ran == []


class Alerted:
    """Where people are told what lasts."""

    def __init__(self) -> None:
        self.active: dict[str, str] = {}

    def alert(self, severity: Severity, message: str, key: str = "") -> None:
        assert severity is Severity.WARNING
        self.active[key] = message

    def clear(self, key: str) -> None:
        self.active.pop(key, None)


async def test_no_step_of_what_it_always_does_begins_once_a_stop_has_come() -> None:
    machine, begun = Machine(), list[int]()

    async def step() -> None:
        begun.append(1)

    machine.let()
    working = asyncio.create_task(always(step, machine.gate, Alerted()))
    await turns(1)  # it has looked, and its step is about to begin
    assert not machine.gate.is_at_rest
    machine.stop()
    await turns()
    working.cancel()
    await asyncio.wait([working])
    assert (begun, machine.gate.is_at_rest) == ([], True)


@pytest.mark.parametrize("raised", [Stopped, Cancelled, GeneratorExit])
async def test_whatever_a_command_raises_is_its_answer_and_nothing_else_ends(raised: type[BaseException]) -> None:
    machine, answered = Machine(), Answered()
    component = Component(title="A test", kind="test", version="1")

    @component.command()
    async def act() -> None:
        raise raised

    machine.let()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        orders = Orders(component, "c", machine.gate, answered, machine.jobs, tasks.create_task)
        answered.fails = True
        orders.carry_out(Command("ab", "act", {}, (), "bot", 1, "alice"), "5e")
        reply = await answered.replies.get()
    assert (reply.status, reply.error) == (Status.ERROR, raised.__name__)


async def test_no_thread_begins_for_a_job_that_has_ended() -> None:
    machine, ran, tasks, over = Machine(), threading.Event(), list[asyncio.Task[None]](), asyncio.Event()

    async def late(job: Job) -> None:
        await over.wait()
        await job.in_thread(lambda _: ran.set())

    async def call(job: Job) -> None:
        tasks.append(asyncio.create_task(late(job)))

    machine.let()
    async with running(machine):
        assert (await machine.said.end(machine.begin(call))).state is JobState.DONE
        over.set()
        await asyncio.wait(tasks)
    assert isinstance(tasks[0].exception(), Cancelled)
    assert not ran.is_set()


async def test_what_is_no_text_in_a_message_is_told_all_the_same() -> None:
    machine = Machine()

    async def call(job: Job) -> None:
        await job.step(0.5, "the file \udcff")
        machine.stop()
        await job.step()

    machine.let()
    async with running(machine):
        end = await machine.said.end(machine.begin(call))
    assert (end.state, end.message) == (JobState.STOPPED, "the file ?")
    assert b"the file ?" in end.to_bytes()


def halting(halt: Callable[[], None]) -> Halting:
    component = Component(title="A test", kind="test", version="1")
    component.on_stop(halt)
    enrolment = Enrolment("r", "c", (), Broker("127.0.0.1", 1), PrivateKey(bytes(32)).public, (), bytes(32))
    link = Link(enrolment.broker, "c", receive=lambda _: None)
    return Halting(component, Voice(enrolment, link, lambda _, __: None))


@pytest.mark.parametrize("raised", [ValueError, Stopped, SystemExit])
async def test_what_brings_the_work_down_never_keeps_a_stop_from_the_disk(
    raised: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def halt() -> None:
        raise raised

    halting(halt).at_once()
    assert "what brings the work down has failed; it is tried again" in caplog.text


async def test_at_the_end_the_work_is_brought_down_again_after_the_last_step_of_a_thread() -> None:
    machine, go_on, began, seen = Machine(), threading.Event(), threading.Event(), list[str]()
    first = asyncio.Event()

    def run(step: ThreadStep) -> None:
        step()
        began.set()
        go_on.wait(PATIENCE)
        seen.append("on")

    def halt() -> None:
        seen.append("off")
        first.set()

    machine.let()
    async with running(machine):
        machine.begin(lambda job: job.in_thread(run))
        assert await asyncio.to_thread(began.wait, PATIENCE)
    machine.gate.close()
    ending = asyncio.create_task(halting(halt).at_the_end(machine.gate))
    async with asyncio.timeout(PATIENCE):
        await first.wait()
        go_on.set()
        await ending
    assert seen == ["off", "on", "off"]


async def test_a_gate_that_is_closed_lets_nothing_through_whatever_the_latch_says() -> None:
    machine = Machine()
    machine.let()
    assert machine.gate.may_work()
    machine.gate.close()
    assert not machine.gate.may_work()
    async with running(machine):
        job = machine.begin(lambda _: None)
        assert (await machine.said.end(job)).state is JobState.STOPPED


async def test_the_newest_of_what_is_offered_is_said_and_nothing_after_the_end() -> None:
    said: list[int] = []
    pace, over = Paced(0.01), asyncio.Event()
    for number in range(5):
        pace.offer(lambda number=number: said.append(number))
    pace.offer(over.set)
    assert said == [0]
    async with asyncio.timeout(PATIENCE):
        await over.wait()
    assert said == [0]
    pace.offer(lambda: said.append(9))
    pace.close()
    assert not pace.is_waiting


async def test_somebodys_code_is_ended_before_whoever_runs_it() -> None:
    began, ended = asyncio.Event(), list[str]()

    async def code() -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            ended.append("put in order")

    running_it = asyncio.create_task(isolated(code()))
    async with asyncio.timeout(PATIENCE):
        await began.wait()
    running_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running_it
    assert ended == ["put in order"]


def test_the_order_to_end_is_found_among_other_errors() -> None:
    stopped = Stopped()
    group = BaseExceptionGroup("parts", [ValueError("first"), BaseExceptionGroup("inner", [stopped])])
    assert root_of(group) is stopped
    assert str(root_of(ExceptionGroup("parts", [ValueError("first"), KeyError("second")]))) == "first"


def test_an_error_is_told_in_one_short_line() -> None:
    assert told(ValueError("one\ntwo\x1b[31m")) == "ValueError: one two [31m"
    assert told(ValueError()) == "ValueError"
    assert len(told(ValueError("x" * 5000))) == LONGEST_TOLD + 1


@pytest.mark.parametrize("result", [7, [1], {"a": {1}}, {1: 2}, {"a": "x" * LARGEST_RESULT}])
def test_a_result_that_cannot_be_sent_is_refused(result: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        checked_result(result)


def test_a_result_that_can_be_sent_is_taken() -> None:
    assert checked_result(None) == {}
    assert checked_result({"a": [1, 2.5, None, {"b": "ü"}]}) == {"a": [1, 2.5, None, {"b": "ü"}]}
