"""A bare MQTT 5 client on asyncio: what pure Python can do at best. It never reconnects and never checks what it reads.

It is the reference's way to the broker, and the fleet's. It reads all that is there at once, and what is published in
one turn of the event loop goes out together.
"""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncGenerator, Callable
from typing import Self, cast

CONNACK, PUBLISH, PUBACK, SUBACK = 2, 3, 4, 9
MOST_MIDS = 65_535

Receive = Callable[[str, bytes], None]


class Bare(asyncio.Protocol):
    """One connection. `receive` is called with the topic and the payload of each message."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._mids = itertools.cycle(range(1, MOST_MIDS + 1))
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._unread = b""
        self._unsent: list[bytes] = []
        self._transport: asyncio.Transport

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, port: int, client_id: str, receive: Receive) -> AsyncGenerator[Self]:
        """A connection to the broker of this machine, and its end."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: cls(receive), "127.0.0.1", port)
        await client.greet(client_id)
        try:
            yield client
        finally:
            client.close()

    async def greet(self, client_id: str) -> None:
        """Returns when the broker has accepted us."""
        clean_start, no_keepalive, no_properties = b"\2", b"\0\0", b"\0"
        self._send(0x10, _text("MQTT") + b"\5" + clean_start + no_keepalive + no_properties + _text(client_id))
        await self._accepted

    def close(self) -> None:
        """With a goodbye."""
        self._send(0xE0, b"")
        self._flush()
        self._transport.close()

    async def until_lost(self) -> None:
        """Raises ConnectionError when the connection is over."""
        await self._lost
        raise ConnectionError("The connection to the broker is lost.")

    async def subscribe(self, topic_filter: str, *, qos: int = 0) -> None:
        """Returns when the broker has answered."""
        mid, answer = self._expect()
        self._send(0x82, mid + b"\0" + _text(topic_filter) + bytes((qos,)))
        await answer

    def publish(self, topic: str, payload: bytes) -> None:
        """QoS 0."""
        self._send(0x30, _text(topic) + b"\0" + payload)

    async def publish_surely(self, topic: str, payload: bytes) -> None:
        """QoS 1, retained: what a stop is sent with. Returns when the broker has it."""
        mid, answer = self._expect()
        self._send(0x33, _text(topic) + mid + b"\0" + payload)
        await answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's."""
        self._transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's. What was wrong is in its log."""
        del exc
        if not self._lost.done():
            self._lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Asyncio's: as many packets as are whole."""
        data = self._unread + data if self._unread else data
        start, end = 0, len(data)
        while end - start > 1:
            body, length = _length(data, start + 1)
            if body == 0 or end - body < length:
                break
            self._take(data[start], data[body : body + length])
            start = body + length
        self._unread = data[start:]

    def _take(self, head: int, body: bytes) -> None:
        kind = head >> 4
        if kind == PUBLISH:
            after_topic = 2 + (body[0] << 8 | body[1])
            topic = body[2:after_topic].decode()
            if head & 0b110:
                self._send(0x40, body[after_topic : after_topic + 2])
                after_topic += 2
            properties, length = _length(body, after_topic)
            self._receive(topic, body[properties + length :])
        elif kind in (PUBACK, SUBACK):
            answer = self._answers.pop(body[0] << 8 | body[1], None)
            if answer is not None and not answer.done():
                answer.set_result(None)
        elif kind == CONNACK and not body[1]:
            self._accepted.set_result(None)

    def _expect(self) -> tuple[bytes, asyncio.Future[None]]:
        mid = next(self._mids)
        answer = self._answers[mid] = self._loop.create_future()
        return mid.to_bytes(2, "big"), answer

    def _send(self, head: int, body: bytes) -> None:
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent += (bytes((head,)), _varint(len(body)), body)

    def _flush(self) -> None:
        if self._unsent:
            self._transport.write(b"".join(self._unsent))
            self._unsent.clear()


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


def _varint(number: int) -> bytes:
    if number < 0x80:  # noqa: PLR2004 - what fits seven bits
        return bytes((number,))
    return bytes((number & 0x7F | 0x80,)) + _varint(number >> 7)


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Where what follows a length begins, and the length; zero where the length is not whole."""
    number = shift = 0
    for place in range(at, len(data)):
        number |= (data[place] & 0x7F) << shift
        if data[place] < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return place + 1, number
        shift += 7
    return 0, 0
