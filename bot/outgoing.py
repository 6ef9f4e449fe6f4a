"""Brings what is queued to one network, lane by lane. A post leaves the queue when the network has confirmed it."""

import asyncio
import functools
import random
from collections.abc import Callable

import structlog

from bot.bridge import Bridge
from bot.store import Store, outbox
from bot.store.outbox import Queued
from bot.words.errors import NetworkError, StoreError, Unreachable

log = structlog.get_logger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0


class Outgoing:
    """The way out to one network."""

    def __init__(
        self, network: str, bridge: Bridge, store: Store, *, draw: Callable[[], float] = random.random
    ) -> None:
        self._network = network
        self._bridge = bridge
        self._store = store
        self._draw = draw
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is something new to say."""
        self._news.set()

    async def run(self) -> None:
        """Say what is queued until cancelled. What an earlier run left comes first."""
        wait = FIRST_WAIT_S
        while True:
            self._news.clear()
            waiting = await self._store.read(lambda tx: outbox.waiting(tx, self._network, most=1))
            if not waiting:
                await self._news.wait()
                continue
            try:
                await self._say(waiting[0])
                wait = FIRST_WAIT_S
            except (Unreachable, StoreError) as error:  # the next try begins with what is most urgent by then
                log.warning("not sent yet", network=self._network, row=waiting[0].row, error=str(error))
                asked = error.retry_after if isinstance(error, Unreachable) else None
                await asyncio.sleep(asked or wait * (0.5 + self._draw() / 2))
                wait = min(wait * 2, LONGEST_WAIT_S)

    async def _say(self, queued: Queued) -> None:
        try:
            event = await self._bridge.send(queued.post, key=queued.key)
        except Unreachable:
            raise
        except NetworkError as error:
            log.error("never sent", network=self._network, row=queued.row, error=str(error))
            await self._store.write(functools.partial(outbox.failed, row=queued.row, error=str(error)))
        except Exception as error:  # one post that nobody can send must not hold up all others, at every start again
            log.exception("a post broke its bridge", network=self._network, row=queued.row)
            await self._store.write(functools.partial(outbox.failed, row=queued.row, error=repr(error)))
        else:
            await self._store.write(functools.partial(outbox.sent, row=queued.row, event=event))
