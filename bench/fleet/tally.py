"""Who is still to be counted as stopped. It waits no longer than COUNT_WITHIN_S for anybody."""

import asyncio
import contextlib
from collections.abc import Iterable

from bench.fleet.run import COUNT_WITHIN_S


class Tally:
    """Filled once, and then emptied one by one."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._empty = asyncio.Event()

    def __contains__(self, component: str) -> bool:
        return component in self._open

    def fill(self, components: Iterable[str]) -> None:
        """These are to be counted."""
        self._open = set(components)
        self._empty.clear()

    def count(self, component: str) -> None:
        """It has stopped."""
        self._open.discard(component)
        if not self._open:
            self._empty.set()

    async def emptied(self) -> int:
        """Wait until all are counted, or for as long as they are given. How many are missing."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(COUNT_WITHIN_S):
                await self._empty.wait()
        return len(self._open)
