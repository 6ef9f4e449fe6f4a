"""Trying again until it works. It waits longer each time and never gives up; who has enough cancels it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bot.words.errors import TocsinError, Unreachable

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0

log = structlog.get_logger(__name__)
T = TypeVar("T")


async def patiently(work: Callable[[], Awaitable[T]], *passing: type[TocsinError]) -> T:
    """The result of the first try that succeeds. Errors that do not pass with time are raised."""
    retried = passing or (Unreachable,)
    wait = FIRST_WAIT_S
    while True:
        try:
            return await work()
        except retried as error:
            asked = error.retry_after if isinstance(error, Unreachable) else None
            pause = asked if asked is not None else wait * random.uniform(0.5, 1.0)  # noqa: S311 - only spreads retries
            log.warning("matrix has to wait", error=error.what, seconds=round(pause, 1))
        await asyncio.sleep(pause)
        wait = min(LONGEST_WAIT_S, 2 * wait)
