"""Work, step by step: jobs, and what a component always does. No step begins without permission.

A job that is held goes on by itself; one that was stopped has ended. What a job raises ends it, and nothing else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from components.gate import Gate
from components.pace import Paced
from components.pictures import Pictures
from components.threads import ThreadStep, run_in_thread
from components.trouble import Cancelled, Stopped, checked_result, isolated, readable, root_of, told
from wire import work
from wire.errors import Rejected
from wire.work import PROGRESS_EVERY_S, JobState, Severity

MOST_QUEUED = 16
LONGEST_MESSAGE = 300
AGAIN_S = 1.0
STEP_FAILED = "step-failed"

T = TypeVar("T")
log = logging.getLogger(__name__)


class Says(Protocol):
    """Where a job says how it is."""

    def progress(self, job: work.Job) -> None:
        """How far it is: dropped where there is no connection."""
        ...

    def ended(self, job: work.Job, pictures: Mapping[str, bytes]) -> None:
        """How it ended, and its pictures by their digests: kept until it is said."""
        ...

    def failed(self, what: str, error: BaseException) -> None:
        """Somebody should know."""
        ...


@dataclass(frozen=True, slots=True)
class Name:
    """Which job it is."""

    component: str
    session: str
    id: str
    command: str


class Job:
    """What the function of a job is given: permission for its next step, and a way to say how far it is."""

    def __init__(self, name: Name, gate: Gate, says: Says) -> None:
        self.id = name.id
        self._name = name
        self._gate = gate
        self._says = says
        self._seq = -1
        self._state = JobState.QUEUED
        self._progress: float | None = None
        self._message = ""
        self._pace = Paced(PROGRESS_EVERY_S)
        self._is_cancelled = False
        self._ended_by: JobState | None = None
        """How it was told to end."""
        self._threads: set[asyncio.Future[Any]] = set()
        self._pictures = Pictures()

    async def step(self, progress: float | None = None, message: str = "") -> None:
        """To be awaited before every step: returns when it may be taken.

        `progress` is from 0 to 1, and `message` says what is going on. It waits while nobody lets the component work.
        Raises Stopped or Cancelled where the job is to end: put things in order and let it pass.
        """
        self.note(progress, message)
        await asyncio.sleep(0)  # what has arrived meanwhile is heard first: it may be a stop
        while True:
            self.check()
            if self._gate.may_work():
                self._be(JobState.RUNNING)
                return
            self._be(JobState.HELD)
            await self._gate.change()

    async def in_thread(self, run: Callable[[ThreadStep], T]) -> T:
        """Run what keeps a processor busy in a thread. It is given a `step` of its own, which it calls as often.

        What has ended no longer, but has not come to its next `step`, still counts as work. Raises Stopped or
        Cancelled where the job is to end, or has ended.
        """
        self.check()
        return await run_in_thread(self, run, self._gate, self._threads)

    def picture(self, alt: str, data: bytes, media_type: str = "image/png") -> None:
        """Show a picture with its end, however it ends. `alt` says what can be seen. It can be called in any thread.

        Raises ValueError over a bound: eight pictures of 256 KiB, each a PNG, a JPEG or a WebP.
        """
        self._pictures.add(alt, data, media_type)

    def may_go_on(self) -> bool:
        """Whether a step could be taken at once. It can be asked in any thread."""
        is_over = self._is_cancelled or self._ended_by is not None or self._state.is_over
        return not is_over and self._gate.may_work()

    @property
    def has_more_to_say(self) -> bool:
        """Its progress waits to be said."""
        return self._pace.is_waiting

    def note(self, progress: float | None, message: str) -> None:
        """How far it is, for those who look."""
        if progress is not None and progress == progress:  # noqa: PLR0124 - not where it is no number
            self._progress = min(1.0, max(0.0, float(progress)))
        if message:
            self._message = readable(message)[:LONGEST_MESSAGE]
        if self._state is JobState.RUNNING:
            self._tell()

    def check(self) -> None:
        """Raises where the job is to end."""
        if self._state.is_over or self._is_cancelled:
            self._ended_by = JobState.CANCELLED
            raise Cancelled
        if self._gate.is_stopped:
            self._ended_by = JobState.STOPPED
            raise Stopped

    def cancel(self) -> None:
        """Have it end at its next step."""
        self._is_cancelled = True
        self._gate.wake()

    def wait_in_line(self) -> None:
        """Say that it has not begun yet."""
        self._tell()

    async def carry_out(self, call: Callable[["Job"], Coroutine[Any, Any, Any]]) -> None:
        """From its first step to its end. Raises nothing of its own."""

        async def whole() -> Any:
            await self.step()
            return await call(self)

        task = await isolated(whole())
        await self._threads_ended()
        if task.cancelled():
            self.end(self._ended_by or JobState.FAILED, "It cancelled itself.")
        elif (error := task.exception()) is not None:
            self._end_with(root_of(error))
        elif self._ended_by is not None:  # it was told, and has put things in order
            self.end(self._ended_by)
        else:
            try:
                self.end(JobState.DONE, result=checked_result(task.result()))
            except (TypeError, ValueError) as wrong:
                self._end_with(wrong)

    def end(self, state: JobState, message: str = "", result: Mapping[str, Any] | None = None) -> None:
        """Say how it ended."""
        self._pace.close()
        self._state = state
        self._progress = 1.0 if state is JobState.DONE else self._progress
        self._message = message or self._message
        named, pictures = self._pictures.close()
        self._says.ended(replace(self._made(result), pictures=named), pictures)

    def _end_with(self, error: BaseException) -> None:
        if isinstance(error, Stopped | Cancelled):
            self.end(JobState.STOPPED if isinstance(error, Stopped) else JobState.CANCELLED)
            return
        if isinstance(error, Rejected):  # it was looked at and refused: nothing is wrong with the component
            self.end(JobState.FAILED, str(error))
            return
        self.end(JobState.FAILED, told(error))
        self._says.failed(f"The job {self._name.command} failed", error)

    async def _threads_ended(self) -> None:
        """A thread that nobody waits for any more is told so at its next step. Until then it works."""
        if self._threads:
            await asyncio.wait(self._threads)

    def _be(self, state: JobState) -> None:
        if self._state is not state:
            self._state = state
            self._tell()

    def _tell(self) -> None:
        self._pace.offer(lambda: self._says.progress(self._made()))

    def _made(self, result: Mapping[str, Any] | None = None) -> work.Job:
        self._seq += 1
        name = self._name
        return work.Job(
            name.component, name.id, name.session, self._seq, self._state, self._progress, self._message, result or {}
        )


class Jobs:
    """All jobs of a component: so many at once, and a line of those that wait."""

    def __init__(self, gate: Gate, says: Says, *, at_once: int) -> None:
        self._gate = gate
        self._says = says
        self._at_once = at_once
        self._waiting: dict[str, tuple[Job, Callable[[Job], Coroutine[Any, Any, Any]]]] = {}
        self._running: dict[str, Job] = {}
        self._news = asyncio.Event()

    def begin(self, name: Name, call: Callable[[Job], Coroutine[Any, Any, Any]]) -> None:
        """Put a job into the line. Raises Rejected where that is full."""
        if len(self._waiting) >= MOST_QUEUED:
            raise Rejected(f"{MOST_QUEUED} jobs wait already. Cancel one, or wait until one has ended.")
        job = Job(name, self._gate, self._says)
        if len(self._running) + len(self._waiting) >= self._at_once:
            job.wait_in_line()
        self._waiting[name.id] = (job, call)
        self._news.set()

    def cancel(self, job: str) -> None:
        """Have a job end. Raises Rejected where there is none of this id."""
        if job in self._waiting:
            self._waiting.pop(job)[0].end(JobState.CANCELLED)
        elif job in self._running:
            self._running[job].cancel()
        else:
            raise Rejected("there is no such job, or it has ended")

    def halt(self) -> None:
        """A stop: what waits in line has ended. What runs is told at its next step."""
        waiting, self._waiting = self._waiting, {}
        for job, _ in waiting.values():
            job.end(JobState.STOPPED)

    async def run(self) -> None:
        """Carry out what comes, until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._at_once):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()
            name = next(iter(self._waiting))
            job, call = self._waiting.pop(name)
            self._running[name] = job
            try:
                with self._gate.at_work():
                    await job.carry_out(call)
            finally:
                del self._running[name]


class Alerts(Protocol):
    """Where people are told what lasts."""

    def alert(self, severity: Severity, message: str, key: str = "") -> None:
        """Have them know."""
        ...

    def clear(self, key: str) -> None:
        """It is over."""
        ...


async def always(step: Callable[[], Awaitable[None]], gate: Gate, alerts: Alerts) -> None:
    """Take one step after the other, until cancelled. One that fails is told, and after a while the next is taken."""

    async def whole() -> None:
        if gate.may_work():  # a stop may have come since this was begun
            await step()

    while True:
        if not gate.may_work():
            await gate.change()
            continue
        with gate.at_work():
            task = await isolated(whole())
        raised = RuntimeError("it has cancelled itself") if task.cancelled() else task.exception()
        if raised is None:
            alerts.clear(STEP_FAILED)
            await asyncio.sleep(0)
            continue
        error = root_of(raised)
        log.error("a step failed", exc_info=error)
        alerts.alert(Severity.WARNING, f"A step of its work failed: {told(error)}", STEP_FAILED)
        await asyncio.sleep(AGAIN_S)
