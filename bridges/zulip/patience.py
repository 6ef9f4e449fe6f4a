"""Trying again until it works. It waits longer each time and never gives up; who has enough cancels it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bot.words.errors import TocsinError, Unreachable

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
LONGEST_ASKED_S = 300.0
"""What a server may ask us to wait. One that asks for more is tried again all the same."""
RAN_WELL_S = 30.0

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Patience:
    """How long to wait before the next try. Each failure doubles it, up to a bound."""

    def __init__(self) -> None:
        self._wait = FIRST_WAIT_S
        self._failed = 0.0

    async def after(self, error: TocsinError) -> None:
        """Wait: as long as the server asks, where it does."""
        now = asyncio.get_running_loop().time()
        if now - self._failed > RAN_WELL_S + self._wait:  # it did work for a while
            self._wait = FIRST_WAIT_S
        asked = error.retry_after if isinstance(error, Unreachable) else None
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - only spreads retries
        pause = min(asked, LONGEST_ASKED_S) if asked else self._wait * spread
        self._wait = min(LONGEST_WAIT_S, 2 * self._wait)
        log.warning("zulip has to wait", error=error.what, seconds=round(pause, 1))
        await asyncio.sleep(pause)
        self._failed = asyncio.get_running_loop().time()


async def patiently(work: Callable[[], Awaitable[T]], *passing: type[TocsinError]) -> T:
    """The result of the first try that succeeds. Errors that do not pass with time are raised."""
    retried = passing or (Unreachable,)
    patience = Patience()
    while True:
        try:
            return await work()
        except retried as error:
            await patience.after(error)
