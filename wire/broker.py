"""Where the broker is, who we are there, and what it says when we are gone. No password is ever shown."""

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Literal

QoS = Literal[0, 1]


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and who we are there."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    async def dial(self) -> socket.socket:
        """A connected socket that does not block, to the first address that answers."""
        loop = asyncio.get_running_loop()
        failure = OSError(f"{self.host} has no address")
        addresses = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_connect(sock, address)
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failure


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we are gone without a goodbye."""

    topic: str
    payload: bytes
    qos: QoS = 0
    retain: bool = False
