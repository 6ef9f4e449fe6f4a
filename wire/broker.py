"""Where the broker is, who we are there, and what it says when we are gone. No password is ever shown."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from wire.fields import Fields
from wire.stream import Stream
from wire.tls import PIECE, Session, Tls

QoS = Literal[0, 1]


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, who we are there, and how it proves who it is. Without `tls` everybody on the way reads."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None

    @classmethod
    def parse(cls, fields: Fields, folder: Path) -> Self:
        """As a file in this folder says it, that a component or a stop key came with."""
        return cls(
            fields.text("host"),
            fields.number("port", least=1, most=65535),
            fields.optional_text("username"),
            fields.optional_text("password"),
            None if fields.raw("tls") is None else Tls.parse(fields.inner("tls"), folder),
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def to_json(self) -> dict[str, object]:
        """What `parse` reads."""
        tls = {} if self.tls is None else {"tls": self.tls.to_json()}
        return {"host": self.host, "port": self.port, "username": self.username, "password": self.password, **tls}

    async def dial(self, *, listen: float = 0.0) -> Stream:
        """A connected stream, to the first address that answers; with TLS, once the broker has proved who it is.

        In TLS 1.3 the broker judges our certificate when all seems done, and what we had sent by then can wash its
        reason away. So one can listen for some seconds before anything is sent.
        """
        session = None if self.tls is None else await self.tls.open(self.host, str(self))
        sock = await self._connected()
        try:
            if session is not None:
                await self._shake_hands(sock, session)
                await self._listen(sock, session, listen)
        except BaseException:
            sock.close()
            raise
        return Stream(sock, session)

    async def _connected(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        failure = OSError(f"{self.host} has no address")
        try:
            addresses = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except ValueError as error:
            raise OSError(f"{self.host!r} is not the name of a host: {error}") from error
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

    async def _shake_hands(self, sock: socket.socket, session: Session) -> None:
        loop = asyncio.get_running_loop()
        received = None
        done = False
        while not done:
            try:
                done = session.shake_hands(received)
            finally:  # where it failed, the broker is told why
                with contextlib.suppress(ConnectionError):  # reading will say so
                    await loop.sock_sendall(sock, session.outgoing())
            if not done:
                received = await self._heard(sock)

    async def _listen(self, sock: socket.socket, session: Session, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                session.decrypt(await self._heard(sock))
        except TimeoutError:
            return
        if session.failure is not None:
            raise session.failure

    async def _heard(self, sock: socket.socket) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(sock, PIECE)
        except ConnectionError:
            return b""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a topic is listened to."""

    qos: QoS = 0
    others_only: bool = False
    """Nothing that we publish ourselves comes back. Only MQTT 5 can do that; where the broker cannot, we do not ask."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we are gone without a goodbye."""

    topic: str
    payload: bytes
    qos: QoS = 0
    retain: bool = False
