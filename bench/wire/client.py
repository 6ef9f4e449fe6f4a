"""What a bare client must do for commands: ask at QoS 1, and leave nothing with the broker. It never asks again."""

import asyncio
from collections.abc import Sequence

from bench.fleet.mqtt import Bare


class Client(Bare):
    """The bare client of the benchmarks, which can also ask and answer."""

    def send(self, topic: str, payload: bytes) -> asyncio.Future[None]:
        """QoS 1, not kept. Done when the broker has it."""
        mid, answer = self._expect()
        self._send(0x32, _text(topic) + mid + b"\0" + payload)
        return answer

    async def subscribe_all(self, topics: Sequence[str]) -> None:
        """At QoS 1. Returns when the broker has answered."""
        mid, answer = self._expect()
        self._send(0x82, mid + b"\0" + b"".join(_text(each) + b"\1" for each in topics))
        await answer


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw
