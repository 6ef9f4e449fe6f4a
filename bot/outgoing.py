"""Brings what is queued to one network, lane by lane. A post leaves the queue when the network has confirmed it."""

import asyncio
import contextlib
import dataclasses
import functools
import random
import time
from collections.abc import Callable

import structlog

from bot.bridge import Bridge
from bot.store import Store, outbox
from bot.store.outbox import Queued
from bot.words.errors import NetworkError, StoreError, Unreachable
from bot.words.message import Place

log = structlog.get_logger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
LONGEST_ASKED_S = 300.0
"""What a network may ask us to wait. One that asks for more is tried again all the same."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Pause:
    """A place that did not take its last post."""

    until: float
    wait: float


class Outgoing:
    """The way out to one network. A place that is away delays only itself."""

    def __init__(
        self,
        network: str,
        bridge: Bridge,
        store: Store,
        *,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._network = network
        self._bridge = bridge
        self._store = store
        self._draw = draw
        self._clock = clock
        self._news = asyncio.Event()
        self._pauses: dict[Place, _Pause] = {}

    def wake(self) -> None:
        """There is something new to say."""
        self._news.set()

    async def run(self) -> None:
        """Say what is queued until cancelled. What an earlier run left comes first."""
        while True:
            self._news.clear()
            now = self._clock()
            resting = {place: pause for place, pause in self._pauses.items() if pause.until > now}
            try:
                waiting = await self._store.read(
                    functools.partial(outbox.waiting, network=self._network, most=1, away=tuple(resting))
                )
                for queued in waiting:
                    await self._say(queued)
            except StoreError as error:
                log.error("the outbox has to wait", network=self._network, error=str(error))
                await asyncio.sleep(FIRST_WAIT_S)
                continue
            if waiting:
                continue
            soonest = min((pause.until for pause in resting.values()), default=None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if soonest is None else soonest - now):
                    await self._news.wait()

    async def _say(self, queued: Queued) -> None:
        place = queued.place
        try:
            event = await self._bridge.send(queued.post, key=queued.key)
        except Unreachable as error:  # the next try begins with what is most urgent by then
            log.warning("not sent yet", place=str(place), row=queued.row, error=str(error))
            self._rest(place, error.retry_after)
            return
        except NetworkError as error:
            log.error("never sent", place=str(place), row=queued.row, error=str(error))
            await self._store.write(functools.partial(outbox.failed, row=queued.row, error=str(error)))
        except Exception as error:  # one post that nobody can send must not hold up all others, at every start again
            log.exception("a post broke its bridge", place=str(place), row=queued.row)
            await self._store.write(functools.partial(outbox.failed, row=queued.row, error=repr(error)))
        else:
            await self._store.write(functools.partial(outbox.sent, row=queued.row, event=event))
        self._pauses.pop(place, None)

    def _rest(self, place: Place, asked: float | None) -> None:
        last = self._pauses.get(place)
        wait = FIRST_WAIT_S if last is None else min(last.wait * 2, LONGEST_WAIT_S)
        pause = min(asked, LONGEST_ASKED_S) if asked else wait * (0.5 + self._draw() / 2)
        self._pauses[place] = _Pause(self._clock() + pause, wait)
