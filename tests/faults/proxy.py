"""A wire between a client and a broker, that breaks when a test says so.

It knows MQTT just enough to lose an acknowledgement, and it never changes a byte of what it passes on.
"""

import asyncio
import dataclasses
import socket
from collections.abc import Iterator
from typing import Self

from wire.broker import Broker

PIECE = 64 * 1024
PUBACK = 0x40


class Proxy:
    """A client connects to `address` and reaches the broker behind, for as long as nothing is broken.

    Frozen, it takes and passes nothing, not even an end: what is on its way is held back and not lost.
    """

    def __init__(self, behind: Broker) -> None:
        self._behind = behind
        self.address = dataclasses.replace(behind, port=0)
        """The broker's own, but for the port. A name in it must lead to this machine."""
        self.drop_acks = False
        """Whether no PUBACK passes, either way. What is encrypted passes all the same."""
        self.dropped = 0
        """Acknowledgements that are lost."""
        self.has_dropped = asyncio.Event()
        self.connections = 0
        """How many there have been."""
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks = asyncio.TaskGroup()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._accepting: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._listener.setblocking(False)
        self.address = dataclasses.replace(self._behind, port=self._listener.getsockname()[1])
        await self._tasks.__aenter__()
        self._accepting = self._tasks.create_task(self._accept())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._accepting.cancel()
        self.cut()
        self._flows.set()
        await self._tasks.__aexit__(None, None, None)
        self._listener.close()

    def freeze(self) -> None:
        """Go silent, as a network does whose cable is out."""
        self._flows.clear()

    def thaw(self) -> None:
        """Go on, with all that was held back."""
        self._flows.set()

    def cut(self) -> None:
        """End all connections at once, without a goodbye. New ones are let in."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            self._tasks.create_task(self._serve(client))

    async def _serve(self, client: socket.socket) -> None:
        near = await asyncio.open_connection(sock=client)
        self.connections += 1
        try:
            self._writers.add(near[1])
            far = await asyncio.open_connection(self._behind.host, self._behind.port)
        except OSError:
            near[1].transport.abort()
            self._writers.discard(near[1])
            return
        self._writers.add(far[1])
        try:
            async with asyncio.TaskGroup() as both:
                up = both.create_task(self._pass(near[0], far[1]))
                down = both.create_task(self._pass(far[0], near[1]))
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
                for each in (near[1], far[1]):
                    each.close()
                up.cancel()
                down.cancel()
        finally:
            for each in (near[1], far[1]):
                each.close()
                self._writers.discard(each)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = bytearray()
        try:
            while piece := await reader.read(PIECE):
                await self._flows.wait()
                if self._behind.tls is not None:
                    writer.write(piece)
                else:
                    held += piece
                    for packet in _whole(held):
                        if packet[0] & 0xF0 == PUBACK and self.drop_acks:
                            self.dropped += 1
                            self.has_dropped.set()
                        else:
                            writer.write(packet)
                await writer.drain()
        except ConnectionError:
            pass
        await self._flows.wait()


def _whole(held: bytearray) -> Iterator[bytes]:
    """The packets that are there as a whole. They are taken out."""
    while size := _size(held):
        packet = bytes(held[:size])
        del held[:size]
        yield packet


def _size(held: bytearray) -> int:
    """How long the first packet is, or 0 where that cannot be said yet, or the rest of it is missing."""
    length = 0
    for place, digit in enumerate(held[1:5]):
        length |= (digit & 0x7F) << 7 * place
        if not digit & 0x80:
            size = 2 + place + length
            return size if size <= len(held) else 0
    return 0
