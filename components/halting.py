"""How work comes down. It says that it is down when nothing moves any more, and never before.

What the author's own function raises keeps the component stopping: it is told, and the function is tried again.
"""

import asyncio
import inspect
import logging

from components.component import Component
from components.gate import Gate
from components.trouble import isolated, root_of, told
from components.voice import Voice
from wire.work import Severity

AGAIN_S = 1.0
NOT_DOWN = "not-down"

log = logging.getLogger(__name__)


class Halting:
    """Brings the work down."""

    def __init__(self, component: Component, voice: Voice) -> None:
        self._component = component
        self._voice = voice
        self._has_begun = False

    def at_once(self) -> None:
        """An incident is open: what can be done before the disk is written, which may hang, is done now."""
        halt = self._component.halt
        if not self._has_begun and halt is not None and not inspect.iscoroutinefunction(halt):
            try:
                coming = halt()
                if inspect.iscoroutine(coming):  # it is awaited when its turn comes
                    coming.close()
            except BaseException:  # the latch must be written, also where somebody wants to end the program
                log.exception("what brings the work down has failed; it is tried again")
        self._has_begun = True

    def is_over(self) -> None:
        """No incident is open any more."""
        self._has_begun = False

    async def at_the_end(self, gate: Gate) -> None:
        """The program ends, and what it has switched on must not outlive its latch."""
        try:
            async with asyncio.timeout(self._component.stops_within_s):
                failure = await self._failure()
                if not gate.is_at_rest:  # a thread may be in its last step, and switch something on
                    await self._at_rest(gate)
                    failure = await self._failure()
        except TimeoutError:
            failure = TimeoutError(f"it has not returned within {self._component.stops_within_s:g} s")
        if failure is not None:
            log.error("what brings the work down has failed at the end: %s", told(failure))

    async def bring_down(self, gate: Gate) -> None:
        """Returns when it is down."""
        loop = asyncio.get_running_loop()
        overdue = loop.call_later(self._component.stops_within_s, self._tell_overdue, gate)
        try:
            was_at_work = not gate.is_at_rest
            await self._halted()
            if was_at_work:
                await self._at_rest(gate)
                await self._halted()  # its last step may have switched something on
        finally:
            overdue.cancel()
        self._voice.clear(NOT_DOWN)

    async def _at_rest(self, gate: Gate) -> None:
        while not gate.is_at_rest:
            await gate.change()

    async def _halted(self) -> None:
        while (failure := await self._failure()) is not None:
            log.error("what brings the work down has failed; it is tried again", exc_info=failure)
            what = f"It is not down: what brings the work down has failed, and is tried again. {told(failure)}"
            self._voice.alert(Severity.CRITICAL, what, NOT_DOWN)
            await asyncio.sleep(AGAIN_S)

    async def _failure(self) -> BaseException | None:
        async def halt() -> None:
            if self._component.halt is not None:
                coming = self._component.halt()
                if inspect.isawaitable(coming):
                    await coming

        task = await isolated(halt())
        if task.cancelled():
            return RuntimeError("it has cancelled itself")
        return None if (raised := task.exception()) is None else root_of(raised)

    def _tell_overdue(self, gate: Gate) -> None:
        why = (
            "what brings the work down has not returned"
            if gate.is_at_rest
            else "what is at work has not ended its step"
        )
        what = f"It is not down {self._component.stops_within_s:g} s after a stop: {why}."
        log.error("%s", what)
        self._voice.alert(Severity.CRITICAL, what, NOT_DOWN)
