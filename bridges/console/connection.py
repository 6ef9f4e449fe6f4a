"""One client at the socket. What waits to be read by it is bounded: who does not read is cut off, and delays nobody."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator

from bot.words.people import Account
from bridges.console.lines import MOST_FROM_CLIENT, BadLine, FromBot, FromClient, from_client, to_line
from bridges.console.peer import Peer

MOST_UNREAD = 1024 * 1024
"""Bytes that may wait for a client when something more is said to it."""
LAST_WORDS_S = 2.0
MOST_AT_ONCE = 16
"""Lines of one client that the disk has not taken yet."""


class Connection:
    """A client of a listed user."""

    def __init__(
        self, peer: Peer, account: Account, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.peer = peer
        self.account = account
        self.slots = asyncio.Semaphore(MOST_AT_ONCE)
        self.was_cut = False
        self._reader = reader
        self._writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, sock: socket.socket, peer: Peer, account: Account) -> AsyncGenerator["Connection"]:
        """The connection over an accepted socket, which belongs to it from now on, until the block ends."""
        own = socket.socket(fileno=sock.detach())
        reader, writer = await asyncio.open_unix_connection(sock=own, limit=MOST_FROM_CLIENT)
        try:
            yield cls(peer, account, reader, writer)
            writer.close()
            with contextlib.suppress(OSError):  # it went away, or does not read its last words
                async with asyncio.timeout(LAST_WORDS_S):
                    await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def read(self) -> FromClient | None:
        """The next line, or nothing at the end. A line that nothing ended was not said. Raises BadLine."""
        try:
            return from_client(await self._reader.readuntil(b"\n"))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except asyncio.LimitOverrunError as error:
            raise BadLine(f"A line is longer than {MOST_FROM_CLIENT} bytes.") from error

    def tell(self, said: FromBot) -> None:
        """Say something to the client; it is never waited for."""
        self.tell_line(to_line(said))

    def tell_line(self, line: bytes) -> None:
        """Send a line that is made already."""
        if self._writer.transport.get_write_buffer_size() > MOST_UNREAD:
            self.was_cut = True
            self._writer.transport.abort()
        elif not self._writer.is_closing():
            self._writer.write(line)

    def close(self) -> None:
        """End it, once the client has read what was said. It is not waited for."""
        self._writer.close()
