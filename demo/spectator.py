"""Watches on MQTT what the component says, so that nobody has to guess when something has happened."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Self

from wire.broker import Broker
from wire.envelope import PublicKey, unseal
from wire.errors import BadMessage
from wire.messages import State
from wire.mqtt import Delivery, Link

WITHIN_S = 30.0


class Spectator:
    """Hears every statement of one component."""

    def __init__(self, root: str, key: PublicKey) -> None:
        self._root = root
        self._key = key
        self._last: State | None = None
        self._news = asyncio.Condition()

    @classmethod
    @contextlib.asynccontextmanager
    async def watching(cls, broker: Broker, root: str, component: str, key: PublicKey) -> AsyncGenerator[Self]:
        """Watch until the block ends."""
        spectator = cls(root, key)
        link = Link(broker, f"spectator-of-{component}", receive=spectator._receive)
        await link.subscribe(f"{root}/state/{component}")
        running = asyncio.create_task(link.run(), name="spectator")
        try:
            await link.ready()
            yield spectator
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def until(self, wanted: Callable[[State], bool]) -> State:
        """The next statement that is wanted."""
        self._last = None
        async with asyncio.timeout(WITHIN_S), self._news:
            await self._news.wait_for(lambda: self._last is not None and wanted(self._last))
        assert self._last is not None  # noqa: S101 - just awaited
        return self._last

    async def _receive(self, delivery: Delivery) -> None:
        with contextlib.suppress(BadMessage):
            state = State.parse(unseal(delivery.payload, self._root, "state", self._key))
            async with self._news:
                self._last = state
                self._news.notify_all()
