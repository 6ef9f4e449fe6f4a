"""Ears on MQTT while they listen, over the inbox of a real store: their tests stand on it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import orjson

from bot.store import Store
from bot.words.errors import StoreError, StoreRefused
from bot.words.message import Change, Message, Place
from bridges.mqtt.ears import Ears
from demo.inlet import Batch, StoredInlet
from wire.mqtt import Delivery

TOPIC = "lab/talk"
PLACE = Place("mqtt", TOPIC)
PATIENCE_S = 10.0


def published(payload: bytes | str | dict[str, Any], **more: Any) -> Delivery:
    """What the broker brings."""
    if isinstance(payload, dict):
        payload = orjson.dumps(payload)
    return Delivery(TOPIC, payload.encode() if isinstance(payload, str) else payload, 1, retain=False, **more)


class Inbox(StoredInlet):
    """The inbox of a real store, which refuses as a test says."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "mqtt")
        self.messages: list[Message] = []
        self.changes: list[Change] = []
        self.faults: list[StoreError] = []
        self.poison = ""

    async def take(self, batch: Batch) -> None:
        """Take a batch."""
        assert [*batch.unreadable, *batch.reactions, *batch.moves] == []
        if self.faults:
            raise self.faults.pop(0)
        if self.poison and any(self.poison in each.text for each in batch.messages):
            raise StoreRefused("It is against the rules.")
        self.messages += await self.keep(batch)
        self.changes += batch.changes


class Listening:
    """Ears, while they listen."""

    def __init__(self, inbox: Inbox, ears: Ears) -> None:
        self.inbox = inbox
        self.ears = ears

    async def hears(self, *deliveries: Delivery) -> list[bool]:
        """All of it is published, and dealt with. Which of it came into the inbox, as far as anybody waits for that."""
        taken = [self.ears.hear(each) for each in deliveries]
        async with asyncio.timeout(PATIENCE_S):
            for each in filter(None, taken):
                await each
        return [each is not None for each in taken]

    def texts(self) -> list[str]:
        return [each.text for each in self.inbox.messages]


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def listening(
    store: Store,
    into: Inbox | None = None,
    *,
    pause: Callable[[float], Awaitable[None]] = _at_once,
    now_ns: Callable[[], int] = time.time_ns,
) -> AsyncGenerator[Listening]:
    """Ears that hear one topic."""
    into = into or Inbox(store)
    ears = Ears(into, lambda topic: topic == TOPIC, clock=lambda: 0.0, now_ns=now_ns, pause=pause)
    running = asyncio.create_task(ears.run())
    try:
        yield Listening(into, ears)
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait([running])
