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
"""What a homeserver may ask us to wait. One that asks for more is tried again all the same."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


def asked_wait_s(retry_after_ms: object) -> float | None:
    """How long a homeserver asks us to wait, up to a bound; nothing where it does not say so."""
    if isinstance(retry_after_ms, bool) or not isinstance(retry_after_ms, int | float) or not retry_after_ms > 0:
        return None
    return min(retry_after_ms, LONGEST_ASKED_S * 1000) / 1000


async def patiently(work: Callable[[], Awaitable[T]], *passing: type[TocsinError]) -> T:
    """The result of the first try that succeeds. Errors that do not pass with time are raised."""
    retried = passing or (Unreachable,)
    clock = asyncio.get_running_loop().time
    wait = FIRST_WAIT_S
    while True:
        begun = clock()
        try:
            return await work()
        except retried as error:
            if clock() - begun > LONGEST_WAIT_S:
                wait = FIRST_WAIT_S  # it did work for a while
            asked = error.retry_after if isinstance(error, Unreachable) else None
            pause = asked if asked is not None else wait * random.uniform(0.5, 1.0)  # noqa: S311 - only spreads retries
            log.warning("matrix has to wait", error=error.what, seconds=round(pause, 1))
        await asyncio.sleep(pause)
        wait = min(LONGEST_WAIT_S, 2 * wait)
