"""`python -m bench.fleet.bare stop|orders|lease PORT COUNT FOLDER`: the reference of one run.

A bare asyncio client: no signature is made or checked, nothing is recorded, nobody is asked who they are. It reads what
the fleet says, because without that nothing can be counted, and never more. The folder is not used.
"""

import asyncio
import base64
import contextlib
import os
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from time import perf_counter
from typing import Any

import orjson

from bench.fleet.components import BEGIN, BOT, READY, UNLEASED, name
from bench.fleet.mqtt import Bare
from bench.fleet.run import measure
from bench.fleet.tally import Tally
from wire.envelope import seal
from wire.messages import ROOT, Stop, Target


class Side:
    """The bare client."""

    def __init__(self, *, echoes: bool) -> None:
        self.answered = 0
        self.handed_over = 0.0
        self._echoes = echoes
        self._incident = ""
        self._tally = Tally()
        self._ready = asyncio.Event()
        self._client: Bare

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, port: int, *, echoes: bool) -> AsyncGenerator["Side"]:
        """It is connected, and everybody has spoken."""
        side = cls(echoes=echoes)
        async with Bare.connected(port, "bench", side._receive) as side._client:
            await side._client.subscribe(READY)
            await side._client.subscribe(f"{ROOT}/state/+")
            side._client.publish(BEGIN, UNLEASED)
            await side._ready.wait()
            yield side

    async def order(self, component: str | None) -> float:
        """The stop is made before the clock starts."""
        target = Target(id=component)
        self._incident = os.urandom(16).hex()
        stop = Stop(self._incident, target, time.time_ns() // 1_000_000)
        made = seal(BOT, ROOT, "stop", stop.to_bytes())
        self.handed_over = perf_counter()
        await self._client.publish_surely(f"{ROOT}/stop/{target}", made)
        return (perf_counter() - self.handed_over) * 1000

    def count(self, components: Sequence[str]) -> None:
        """Whoever says so has stopped."""
        self._tally.fill(components)

    async def counted(self) -> int:
        """Whoever says so has stopped."""
        return await self._tally.emptied()

    def _receive(self, topic: str, payload: bytes) -> None:
        if topic == READY:
            self._ready.set()
            return
        self.answered += 1
        if self._echoes:
            self._client.publish(f"{ROOT}/lease/{topic.rpartition('/')[2]}", payload)
        else:
            self._count(orjson.loads(base64.b64decode(orjson.loads(payload)["payload"])))

    def _count(self, state: "dict[str, Any]") -> None:
        if state["state"] == "stopped" and self._incident in [each["id"] for each in state["incidents"]]:
            self._tally.count(state["id"])


async def main(what: str, port: int, count: int) -> None:
    """One run."""
    components = [name(number) for number in range(count)]
    async with Side.running(port, echoes=what == "lease") as side:
        took = await measure(what, side, components)
    took.report()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
