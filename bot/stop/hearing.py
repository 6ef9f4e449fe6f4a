"""Statements on their way to the bell: checked, counted, and then answered, in the order of their arrival.

While a stop is being counted nothing else comes first: answers wait for a moment.
"""

import asyncio
import collections
import contextlib
from collections.abc import Callable

from bot.stop.bell import Bell, Heard
from wire.errors import BadMessage
from wire.messages import State

MOST_AT_ONCE = 16
"""Statements that are checked in one turn of the loop."""
ANSWER_WITHIN_S = 1.0
"""Answers wait no longer than this for a count."""
MOST_BYTES = 32 * 1024 * 1024
"""Of what waits. What comes beyond is dropped: components say it again."""
MOST_OF_ONE = 64
"""Statements of one component that wait: it must not take the room of the others."""


class Hearing:
    """What components say, from the wire to the bell."""

    def __init__(
        self,
        bell: Bell,
        *,
        heard: Callable[[Heard], None],
        refused: Callable[[str, BadMessage], None],
    ) -> None:
        self._bell = bell
        self._heard = heard
        self._refused = refused
        self._waiting: collections.deque[tuple[str, bytes]] = collections.deque()
        self._bytes = 0
        self._count_of: collections.Counter[str] = collections.Counter()
        """How many of each component wait."""
        self._some = asyncio.Event()
        self._answers: dict[str, State] = {}
        """Of each component the newest statement that is not answered."""
        self._due = 0.0
        """When they are answered at the latest, on the loop's clock."""
        self.overrun = 0
        """Statements that were dropped because too much waited."""

    def put(self, component: str, envelope: bytes) -> None:
        """Take a statement of an enrolled component in."""
        if self._bytes + len(envelope) > MOST_BYTES or self._count_of[component] >= MOST_OF_ONE:
            self.overrun += 1
            return
        self._waiting.append((component, envelope))
        self._bytes += len(envelope)
        self._count_of[component] += 1
        self._some.set()

    async def run(self) -> None:
        """Pass on what comes until cancelled."""
        while True:
            await self._until_some_wait()
            await self.deal()

    async def deal(self) -> None:
        """Count what waits, and answer it unless a stop is being counted."""
        loop = asyncio.get_running_loop()
        if not self._answers:
            self._due = loop.time() + ANSWER_WITHIN_S
        while self._waiting:
            self._take()
            await asyncio.sleep(0)  # more may be at the door
            if self._waiting and loop.time() >= self._due:  # for ever, where somebody does not stop talking
                self._some.set()
                break
        if not self._bell.is_counting or loop.time() >= self._due:
            states = list(self._answers.values())
            self._answers.clear()
            await self._bell.answer(states)

    async def _until_some_wait(self) -> None:
        """Wait for statements, or until the answers to those that were counted are due."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._due if self._answers else None):
                await self._some.wait()
        self._some.clear()

    def _take(self) -> None:
        """Check and count some of what waits."""
        for _ in range(min(len(self._waiting), MOST_AT_ONCE)):
            component, envelope = self._waiting.popleft()
            self._bytes -= len(envelope)
            self._count_of[component] -= 1
            try:
                heard = self._bell.take(component, self._bell.opened(component, "state", envelope))
            except BadMessage as error:
                self._refused(component, error)
                continue
            self._heard(heard)
            self._answers[component] = heard.state
