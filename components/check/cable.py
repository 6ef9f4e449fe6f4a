"""The cable between the component and its broker, to be cut and mended. It changes no byte."""

import asyncio
import contextlib
from typing import Self

from wire.broker import Broker

PIECE = 64 * 1024


class Cable:
    """A relay on this machine. While it is cut, nobody gets through."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    @property
    def port(self) -> int:
        """Where the component connects, on the loopback interface."""
        if self._server is None:
            raise RuntimeError("the cable is not laid")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        """Break what goes through, and let nothing through any more."""
        self._cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let new connections through."""
        self._cut = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection(self._broker.host, self._broker.port)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(back)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._relay(reader, back))
                tasks.create_task(self._relay(there, writer))
        finally:
            self._writers -= {writer, back}

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                writer.write(piece)
                await writer.drain()
        writer.close()  # with what it holds: a goodbye must arrive
