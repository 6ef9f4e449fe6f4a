"""Work in a thread, for what keeps a processor busy. It asks for permission as a job does, and waits without it.

A thread cannot be ended from outside. So it is a daemon, which does not outlive the process, and until it has ended the
component does not say that its work is down.
"""

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from components.gate import Gate
from components.trouble import Cancelled, Stopped

NOTE_EVERY_S = 0.1

T = TypeVar("T")


class Asks(Protocol):
    """The job that a thread works for."""

    id: str

    async def step(self, progress: float | None = None, message: str = "") -> None:
        """Returns when the next step may be taken."""
        ...

    def may_go_on(self) -> bool:
        """Whether it may be taken at once; asked in any thread."""
        ...

    def note(self, progress: float | None, message: str) -> None:
        """How far it is."""
        ...


class ThreadStep:
    """What a thread calls before every step of its work."""

    def __init__(self, job: Asks, loop: asyncio.AbstractEventLoop) -> None:
        self._job = job
        self._loop = loop
        self._noted = float("-inf")
        self.is_abandoned = False

    def __call__(self, progress: float | None = None, message: str = "") -> None:
        """As `Job.step`, but it blocks this thread. It asks the latch itself: no busy event loop hides a stop."""
        try:
            if not self._may_go_on():
                asyncio.run_coroutine_threadsafe(self._job.step(progress, message), self._loop).result()
            elif time.monotonic() >= self._noted + NOTE_EVERY_S:
                self._noted = time.monotonic()
                self._loop.call_soon_threadsafe(self._job.note, progress, message)
        except (RuntimeError, concurrent.futures.CancelledError):  # the event loop is gone, and the latch with it
            raise Stopped from None
        if self.is_abandoned:
            raise Cancelled

    def _may_go_on(self) -> bool:
        return not self.is_abandoned and self._job.may_go_on()


async def run_in_thread(job: Asks, run: Callable[[ThreadStep], T], gate: Gate, running: set[asyncio.Future[Any]]) -> T:
    """Run it, and wait for it. It is at work for as long as it runs, also where nobody waits any more."""
    loop = asyncio.get_running_loop()
    step = ThreadStep(job, loop)
    ended: asyncio.Future[T] = loop.create_future()
    at_work = contextlib.ExitStack()

    def settle(result: T | None, error: BaseException | None) -> None:
        running.discard(ended)
        at_work.close()
        if error is None:
            ended.set_result(cast("T", result))
        else:
            ended.set_exception(error if not isinstance(error, StopIteration) else RuntimeError(repr(error)))

    def whole() -> None:
        result, error = None, None
        try:
            result = run(step)
        except BaseException as raised:  # noqa: BLE001 - whatever it is, the job is told
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # the event loop is gone: nobody waits

    threading.Thread(target=whole, name=f"job-{job.id}", daemon=True).start()
    running.add(ended)  # now, because the system may refuse a thread
    at_work.enter_context(gate.at_work())
    ended.add_done_callback(lambda each: each.exception())  # also where nobody waits any more
    try:
        return await asyncio.shield(ended)
    finally:
        step.is_abandoned = True
