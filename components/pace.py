"""Says a thing as often as it changes, but never more often than so: the newest wins, and none is kept beside it."""

import asyncio
from collections.abc import Callable


class Paced:
    """One thing that is said again and again."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._said = float("-inf")
        self._newest: Callable[[], None] = lambda: None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Something is still to be said."""
        return self._timer is not None

    def offer(self, say: Callable[[], None]) -> None:
        """It has changed: say it now, or as soon as something may be said again."""
        self._newest = say
        if self._timer is None:
            loop = asyncio.get_running_loop()
            due = self._said + self._every_s
            if loop.time() >= due:
                self._now()
            else:
                self._timer = loop.call_at(due, self._now)

    def close(self) -> None:
        """Say nothing more of what was offered."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _now(self) -> None:
        self._timer = None
        self._said = asyncio.get_running_loop().time()
        self._newest()
