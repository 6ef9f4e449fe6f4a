"""A drill goes the way of a stop, and stops nothing: it shows who would have heard."""

import asyncio
import contextlib
import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Iterable

from bot.stop.sending import AGAIN_S, BROKER_MAY_TAKE_S, Publish
from wire.errors import WireError
from wire.messages import Drill, Target

LASTS_S = 8.0
"""Who has not answered by then has not heard."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What one component made of a drill."""

    component: str
    after_s: float | None
    """None where it did not answer."""


@dataclasses.dataclass(slots=True)
class _Running:
    waiting: set[str]
    began: float
    after_s: dict[str, float]
    done: asyncio.Event


class Drills:
    """The drills that go on."""

    def __init__(self, publish: Publish, root: str, seal: Callable[[Drill], bytes], clock: Callable[[], float]) -> None:
        self._publish = publish
        self._root = root
        self._seal = seal
        self._clock = clock
        self._running: dict[str, _Running] = {}

    async def run(self, target: Target, components: Iterable[str]) -> tuple[Answer, ...]:
        """Send a drill as a stop is sent, and wait until each has said that it came, or for a while."""
        drill = Drill(os.urandom(16).hex(), target, time.time_ns() // 1_000_000)
        running = _Running(set(components), self._clock(), {}, asyncio.Event())
        everybody = sorted(running.waiting)
        self._running[drill.id] = running
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LASTS_S), asyncio.TaskGroup() as tasks:
                    sending = tasks.create_task(self._send(drill))
                    if running.waiting:
                        await running.done.wait()
                    sending.cancel()
        finally:
            del self._running[drill.id]
        return tuple(Answer(each, running.after_s.get(each)) for each in everybody)

    def heard(self, component: str, drill: str) -> None:
        """A component has named a drill in a statement that counts."""
        running = self._running.get(drill)
        if running is None or component not in running.waiting:
            return
        running.waiting.remove(component)
        running.after_s[component] = self._clock() - running.began
        if not running.waiting:
            running.done.set()

    async def _send(self, drill: Drill) -> None:
        signed = self._seal(drill)
        for pause in itertools.chain(AGAIN_S, itertools.repeat(AGAIN_S[-1])):
            with contextlib.suppress(WireError, TimeoutError):  # the answers say who heard
                async with asyncio.timeout(BROKER_MAY_TAKE_S):
                    await self._publish(f"{self._root}/stop/{drill.target}", signed, qos=1)
            await asyncio.sleep(pause)
