"""Whether work may go on just now: for those who ask in the event loop, and for those who ask in a thread.

It counts what is at work, so that nobody says that the work is down before it is. It never says yes for the latch.
"""

import asyncio
import contextlib
from collections.abc import Callable, Generator

from wire.latch import Latch


class Gate:
    """The latch as work sees it."""

    def __init__(self, latch: Latch, clock: Callable[[], float], *, always: bool) -> None:
        self._latch = latch
        self._clock = clock
        self._always = always
        self._at_work = 0
        self.is_closed = False
        self._changed = asyncio.Event()
        latch.busy = always

    def may_work(self) -> bool:
        """To be asked before every step of work. It can be asked in any thread, also while the event loop stands."""
        return not self.is_closed and self._latch.may_work(self._clock())

    @property
    def is_stopped(self) -> bool:
        """An incident is open: work does not go on by itself."""
        return self.is_closed or bool(self._latch.open)

    @property
    def is_at_rest(self) -> bool:
        """Nothing is at work."""
        return not self._at_work

    @contextlib.contextmanager
    def at_work(self) -> Generator[None]:
        """What happens in here is work, until it has ended."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def close(self) -> None:
        """For good: whoever guarded the latch is gone."""
        self.is_closed = True
        self.wake()

    def wake(self) -> None:
        """Something has changed: all who wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self) -> None:
        """Waits until something has changed."""
        await self._changed.wait()

    def _count(self, more: int) -> None:
        self._at_work += more
        self._latch.busy = self._always or self._at_work > 0
        self.wake()
