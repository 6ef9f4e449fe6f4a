"""Starts the parts of the bot in order, starts again what breaks, and stops them in reverse order within a bound.

It never hides a fault: what starting again does not mend ends the whole, with the reason. A part that says that it
alone is out of service is left out, and told of.
"""

import asyncio
import collections
import contextlib
import dataclasses
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, cast

import structlog

from bot.words.errors import OutOfService, TocsinError

log = structlog.get_logger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
RAN_WELL_S = 300.0
"""A part that ran so long has recovered: its next wait is short again."""
MOST_RESTARTS = 5
WITHIN_S = 600.0
"""Where a part breaks more often than that in so many seconds, starting it again does not help."""
START_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
A_MOMENT_S = 0.5
"""What a part has for stopping when it has used up its time for ending its work."""

Run = Callable[[], Coroutine[Any, Any, None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One thing that runs for as long as the bot does."""

    name: str
    run: Run
    """Called again for a restart. It ends by being cancelled; every other end is a fault."""
    ready: asyncio.Event | None = None
    """What comes after it is started when this is set; at once, where there is nothing to wait for."""
    vital: bool = False
    """Nothing is right without it, so it is never started again: its fault ends the whole."""
    grace_s: float = A_MOMENT_S
    """How long it may take to stop."""
    left_out: Callable[[OutOfService], Awaitable[bool]] | None = None
    """Told that it is out of service. It says whether the others go on; without it they do not."""
    finish: Run | None = None
    """Called before it is cancelled, within the same grace: it ends well what was begun."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Running:
    part: Part
    task: "asyncio.Task[None]"


class Supervisor:
    """Runs stages of parts. Those of one stage start together and stop together."""

    def __init__(
        self,
        *,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._draw = draw
        self._clock = clock
        self._pause = pause
        self._stages: list[list[_Running]] = []
        self._faults: list[TocsinError] = []
        self._failed = asyncio.Event()
        self._stopped: set[str] = set()
        """The parts that we have told to stop. Only of those a cancellation is no fault."""
        self.restarts: collections.Counter[str] = collections.Counter()
        """By part."""
        self.resting: dict[str, str] = {}
        """The parts that wait to be started again, and what broke them."""
        self.out_of_service: dict[str, str] = {}
        """The parts without which the others go on until the next start, and why."""

    async def run(self, stages: Sequence[Sequence[Part]], *, running: Callable[[], None] = lambda: None) -> None:
        """Run the parts until cancelled, and call `running` when all are ready. Raises a group of what must be mended.

        It returns only when every part has ended or was left behind; a second cancellation does not hurry it.
        """
        failing = asyncio.create_task(self._failed.wait(), name="supervisor")
        try:
            for stage in stages:
                self._start(stage)
                await self._until_ready(stage, failing)
            if not self._faults:
                running()
            await asyncio.wait([failing])
        finally:
            failing.cancel()
            await _to_the_end(self._stop())
        raise ExceptionGroup("the bot cannot go on", self._faults)

    def _start(self, stage: Sequence[Part]) -> None:
        if not self._faults:
            self._stages.append(
                [_Running(part, asyncio.create_task(self._keep(part), name=part.name)) for part in stage]
            )

    async def _until_ready(self, stage: Sequence[Part], failing: "asyncio.Task[bool]") -> None:
        for part in stage:
            if part.ready is None or self._faults:
                continue
            ready = asyncio.create_task(part.ready.wait(), name=f"{part.name}: ready")
            try:
                await asyncio.wait([ready, failing], timeout=START_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
                if not ready.done() and not self._faults:
                    self._fail(TocsinError(f"{part.name} was not ready in {START_WITHIN_S:.0f} s.", hint=_hint(part)))
            finally:
                ready.cancel()

    def _fail(self, *faults: TocsinError) -> None:
        self._faults += faults
        self._failed.set()

    async def _keep(self, part: Part) -> None:
        """Run a part, again where it breaks, until it is cancelled or a person must mend it."""
        wait = FIRST_WAIT_S
        restarted: collections.deque[float] = collections.deque()
        while True:
            began = self._clock()
            fault = await self._fault(part)
            if fault is None:
                return
            now = self._clock()
            while restarted and now - restarted[0] >= WITHIN_S:
                restarted.popleft()
            if isinstance(fault, OutOfService) and await self._goes_on_without(part, fault):
                return
            if reasons := _reasons_to_end(part, fault, len(restarted)):
                self._fail(*reasons)
                return
            if now - began >= RAN_WELL_S:
                wait = FIRST_WAIT_S
            seconds = wait * (0.5 + self._draw() / 2)
            wait = min(wait * 2, LONGEST_WAIT_S)
            log.error("a part broke and is started again", part=part.name, seconds=round(seconds, 1), exc_info=fault)
            self.resting[part.name] = type(fault).__name__
            try:
                await self._pause(seconds)
            finally:
                del self.resting[part.name]
            self.restarts[part.name] += 1
            restarted.append(self._clock())

    async def _goes_on_without(self, part: Part, fault: OutOfService) -> bool:
        log.error("a part is out of service", part=part.name, why=fault.what)
        self.out_of_service[part.name] = fault.what
        return part.left_out is not None and await part.left_out(fault)

    async def _fault(self, part: Part) -> BaseException | None:
        """Run a part once, and return what is wrong with its end. Nothing is, where it ends because it is stopped."""
        try:
            await part.run()
        except asyncio.CancelledError as error:
            if part.name in self._stopped:
                raise
            _forget_cancelling()
            return error
        except Exception as error:  # it may break in any way; the caller judges and logs it
            if part.name not in self._stopped:
                _forget_cancelling()
                return error
            log.error("a part broke while it was stopped", part=part.name, exc_info=error)
        else:
            if part.name not in self._stopped:
                return RuntimeError("it came to an end by itself")
        return None

    async def _stop(self) -> None:
        """The last stage first. What every part may take is cut to what is left for all."""
        ends = asyncio.get_running_loop().time() + STOP_WITHIN_S
        for stage in reversed(self._stages):
            await asyncio.gather(*(self._end(each, ends) for each in stage))

    async def _end(self, running: _Running, ends: float) -> None:
        clock = asyncio.get_running_loop().time
        part, task = running.part, running.task
        until = min(clock() + part.grace_s, ends)
        ending = {task}
        if part.finish is not None and not task.done():
            finishing = asyncio.create_task(_finish(part, part.finish), name=f"{part.name}: finish")
            patience = max(0.0, until - A_MOMENT_S - clock())
            await asyncio.wait([finishing, task], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            finishing.cancel()
            ending.add(finishing)
        self._stopped.add(part.name)
        task.cancel()
        _, hanging = await asyncio.wait(ending, timeout=max(0.0, until - clock()))
        if hanging:  # it can keep the process from ending
            log.error("a part does not stop; it is left behind", part=part.name)


def _forget_cancelling() -> None:
    """A part that has cancelled its own task must not look as if it were to stop, at its next run."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


def _reasons_to_end(part: Part, fault: BaseException, restarts: int) -> list[TocsinError]:
    """Why this fault ends the whole; nothing, where starting the part again may help."""
    reasons = [each for each in _leaves(fault) if isinstance(each, TocsinError)]
    if reasons:
        if len(reasons) < len(list(_leaves(fault))):
            log.error("a part broke", part=part.name, exc_info=fault)
        return reasons
    if part.vital:
        what = f"{part.name} broke ({type(fault).__name__}), and nothing is right without it."
    elif restarts >= MOST_RESTARTS:
        minutes = WITHIN_S / 60
        what = f"{part.name} broke {restarts + 1} times in {minutes:.0f} minutes, at last with {type(fault).__name__}."
    else:
        return []
    log.error("a part broke", part=part.name, exc_info=fault)
    return [TocsinError(what, hint=_hint(part))]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(each)
    else:
        yield error


def _hint(part: Part) -> str:
    return f"The log above has the details: look for part={part.name}."


async def _finish(part: Part, finish: Run) -> None:
    try:
        await finish()
    except Exception:  # what it leaves undone is in the database, and the others must still be stopped
        log.exception("a part did not end its work", part=part.name)


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await it whole: a second cancellation does not cut short what follows from the first."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    task.result()
