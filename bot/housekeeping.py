"""Lets go of what was kept long enough, and says when the disk runs full. It never ends because a disk fails."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog

from bot.store import Store, Tx, keeping, outbox
from bot.words.document import Document, Tone, document, strong, text
from bot.words.errors import StoreError
from bot.words.message import Lane, Place, Post

log = structlog.get_logger(__name__)

EVERY_S = 600.0
MOST_BITES = 10_000
"""In one round. What is left then waits for the next."""
CALM_AT = 0.75
"""A disk that is less full than this has room again: the next time that it fills up is told anew."""
DANGER_AT = 0.95


class Housekeeping:
    """Sweeps the database and looks at its disk, again and again."""

    def __init__(
        self,
        store: Store,
        alarms: Sequence[Place],
        *,
        queued: Callable[[], None],
        now: Callable[[], float] = time.time,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        fullness: Callable[[Path], float] = keeping.fullness,
    ) -> None:
        self._store = store
        self._alarms = alarms
        self._queued = queued
        self._now = now
        self._pause = pause
        self._fullness = fullness
        self._warned = False
        self._in_danger = False

    async def run(self) -> None:
        """Keep house until cancelled, the first time at once."""
        while True:
            try:
                await self._sweep()
                await self._look_at_the_disk()
            except StoreError as error:
                log.error("housekeeping has to wait", error=str(error), seconds=EVERY_S)
            await self._pause(EVERY_S)

    async def _sweep(self) -> None:
        """Bite by bite, so that no stop waits behind it for the disk."""
        gone = 0
        for _ in range(MOST_BITES):
            swept = await self._store.write(lambda tx: keeping.sweep(tx, self._now()))
            if not swept.total:
                break
            gone += swept.total
        if gone:
            log.info("old rows are gone from the database", rows=gone)

    async def _look_at_the_disk(self) -> None:
        folder = self._store.path.parent
        full = await asyncio.to_thread(self._fullness, folder)
        if full < CALM_AT:
            self._warned = self._in_danger = False
        if full > keeping.WARN_AT and not self._warned:
            await self._alarm(full)  # where it cannot be written, all of this is tried again
            self._warned = True
            log.warning("the disk of the database is filling up", folder=str(folder), full=_percent(full))
        if full >= DANGER_AT and not self._in_danger:
            self._in_danger = True
            log.error("the disk of the database is almost full", folder=str(folder), full=_percent(full))

    async def _alarm(self, full: float) -> None:
        if not self._alarms:
            return
        words = warning(full)

        def write(tx: Tx) -> None:
            for place in self._alarms:
                outbox.queue(tx, Post(place, words, Lane.ALERT))

        await self._store.write(write)
        self._queued()


def warning(full: float) -> Document:
    """What the alarms say of a disk that runs full."""
    return document(
        text(strong(f"My disk is {_percent(full)} full.", Tone.WARN)),
        text(
            "When nothing fits on it any more, commands are refused, because they cannot be recorded. "
            "Stops go out all the same. Make room on the disk that holds my folder, or move the folder to a larger one."
        ),
    )


def _percent(part: float) -> str:
    return f"{part:.0%}"
