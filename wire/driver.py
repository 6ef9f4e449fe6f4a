"""paho-mqtt on the event loop, without a thread. What paho raises ends one connection, never the program.

paho's own way to connect would stop the event loop for seconds, so it is given a socket that is connected
already. The hook for that is private to paho: the version is pinned, and a test watches it.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, cast

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

log = logging.getLogger(__name__)


class Client(paho.Client):
    """A client for one connection, over a socket that is connected already."""

    def __init__(self, connected: socket.socket, client_id: str, version: MQTTProtocolVersion) -> None:
        self._given_socket = connected
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=version,
            reconnect_on_failure=False,
            manual_ack=True,
        )

    def _create_socket(self) -> "paho.SocketLike":
        return cast("paho.SocketLike", self._given_socket)  # as paho itself treats a plain socket


class Driver:
    """Lets a client read when there is something to read, and write once a turn of the loop."""

    def __init__(self, client: Client, gave_up: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._client = client
        self._gave_up = gave_up
        self._gone = False
        client.on_socket_open = self._on_open
        client.on_socket_close = self._on_close
        client.on_socket_register_write = self._on_want_write
        client.on_socket_unregister_write = self._on_written

    def step(self, work: Callable[[], object]) -> None:
        """Lets paho work. What it raises, on whatever the broker sent, ends this connection and no more."""
        if self._gone:
            return
        try:
            work()
        except Exception as error:
            log.exception("A connection to a broker is given up")
            self.hang_up()
            self._gave_up(f"paho failed: {error!r}")

    def hang_up(self) -> None:
        """Closes the socket as it is. What paho has not written yet is lost."""
        self._gone = True
        self._client.on_socket_close = None
        self._client.on_socket_register_write = None
        self._client.on_socket_unregister_write = None
        sock = self._client.socket()
        if sock is not None:
            self._on_close(self._client, None, sock)
            sock.close()

    def _read(self) -> None:
        self.step(self._client.loop_read)

    def _flush(self) -> None:
        self.step(self._client.loop_write)
        sock = self._client.socket()
        if sock is not None and not self._gone and self._client.want_write():
            self._loop.add_writer(sock.fileno(), self._flush)

    def _on_open(self, _client: paho.Client, _data: Any, sock: "paho.SocketLike") -> None:
        self._loop.add_reader(sock.fileno(), self._read)

    def _on_close(self, _client: paho.Client, _data: Any, sock: "paho.SocketLike") -> None:
        self._loop.remove_reader(sock.fileno())
        self._loop.remove_writer(sock.fileno())

    def _on_want_write(self, _client: paho.Client, _data: Any, _sock: "paho.SocketLike") -> None:
        self._loop.call_soon(self._flush)  # all that is sent in this turn goes out together

    def _on_written(self, _client: paho.Client, _data: Any, sock: "paho.SocketLike") -> None:
        self._loop.remove_writer(sock.fileno())
