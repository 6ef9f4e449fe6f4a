"""Checks the whole record beside the running bot: at the start, and then each day. What was altered is told.

From then on nothing privileged is run until a person has looked. Stops and reading go on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bot.record import held_keys
from bot.record.opening import PUBLIC
from bot.record.verdict import State, Verdict
from bot.record.verifying import verify
from bot.record.witnesses.aside import Aside
from bot.store import Store, Tx, audit, outbox
from bot.words.document import Tone, document, mono, strong, text
from bot.words.errors import StoreError
from bot.words.message import Lane, Place, Post

EVERY_S = 86_400.0

log = structlog.get_logger(__name__)


class Guard:
    """Looks whether the record still is what was signed."""

    def __init__(
        self,
        store: Store,
        alarms: Sequence[Place],
        *,
        queued: Callable[[], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._alarms = alarms
        self._queued = queued
        self._pause = pause
        self._aside = Aside("record guard")

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        if self._store.distrusted:
            self._store.examined.set()
            await self._tell(self._store.distrusted)
        while not self._store.distrusted:
            verdict = await self._aside.run(self._look)
            if verdict.state is State.ALTERED:
                self._store.distrust(_worst(verdict))
                log.error("the record was altered; nothing privileged is run", why=self._store.distrusted)
                self._store.examined.set()
                await self._tell(self._store.distrusted)
            else:
                self._store.examined.set()
                log.debug("the record was looked at", entries=verdict.size)
            await self._pause(EVERY_S)
        await asyncio.get_running_loop().create_future()  # a person must look; the next start begins anew

    def _look(self) -> Verdict:
        path = self._store.path
        return verify(path, held_keys.beside_the_record(path.with_name(PUBLIC)), [])

    async def _tell(self, why: str) -> None:
        words = document(
            text(strong("ALARM", Tone.BAD), f": the record cannot be trusted: {why}."),
            text("Nothing privileged is run until a person has looked: ", mono("tocsin audit verify")),
        )

        def write(tx: Tx) -> None:
            audit.record(tx, "alarm", why="the record cannot be trusted", fault=why)
            for place in self._alarms:
                outbox.queue(tx, Post(place, words, Lane.ALERT))

        try:
            await self._store.write(write)
        except StoreError as error:
            log.error("nobody could be told that the record cannot be trusted", error=error.what)
        self._queued()


def _worst(verdict: Verdict) -> str:
    return next(each.what for each in verdict.findings if each.state is State.ALTERED).removesuffix(".")
