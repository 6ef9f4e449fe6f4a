"""paho-mqtt on the event loop, without a thread. What paho raises ends one connection, never the program.

paho's own way to connect would stop the event loop for seconds, and knows only its own TLS, so it is given a stream
that is connected already. The hook for that is private to paho: the version is pinned. Where the hook is gone, nothing
is sent: there is no other way that neither blocks nor might speak in clear.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from wire.errors import WireError
from wire.stream import Stream

log = logging.getLogger(__name__)

REST_S = 0.02
"""Where many messages come one by one they are read together, so often: to wake up for each costs a fifth more."""
CLOSE_S = 2 * REST_S
MANY = 200
"""Reads that follow each other closely before there is a rest. A burst never comes to so many."""


class WrongPaho(WireError):
    """This version of paho-mqtt does not take our stream."""


class Client(paho.Client):
    """A client for one connection, over a stream that is connected already."""

    def __init__(self, connected: Stream, client_id: str, version: MQTTProtocolVersion, *, stays: bool = False) -> None:
        self._given_stream = connected
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if version == MQTTProtocolVersion.MQTTv5 else not stays,
            protocol=version,
            reconnect_on_failure=False,
            manual_ack=True,
        )

    def _create_socket(self) -> "paho.SocketLike":
        return cast("paho.SocketLike", self._given_stream)  # as paho itself treats a plain socket


class Driver:
    """Lets a client read when there is something to read, and write once a turn of the loop.

    Under a steady stream it rests after each read, unless somebody waits for an answer.
    """

    def __init__(self, client: Client, stream: Stream, gave_up: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._client = client
        self._stream = stream
        self._gave_up = gave_up
        self._gone = False
        self._goes_on = False
        self._read_at = 0.0
        self._close_reads = 0
        self._rest: asyncio.TimerHandle | None = None
        client.on_socket_open = self._on_open
        client.on_socket_close = self._on_close
        client.on_socket_register_write = self._on_want_write

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
        """Closes the stream as it is. What paho has not written yet is lost."""
        if self._gone:
            return
        self._gone = True
        self._client.on_socket_close = None
        self._client.on_socket_register_write = None
        sock = self._client.socket()
        if sock is not None:
            self._on_close(self._client, None, sock)
            sock.close()
        self._stream.close()

    def hurry(self) -> None:
        """Somebody waits for an answer: there is no rest now, nor soon."""
        self._close_reads = 0
        self._end_rest()

    @property
    def _open(self) -> bool:
        return not self._gone and self._client.socket() is not None

    def _on_readable(self) -> None:
        if self._goes_on:
            return
        now = self._loop.time()
        self._close_reads = self._close_reads + 1 if now - self._read_at <= CLOSE_S else 0
        self._read_at = now
        self._read()
        if self._open and self._close_reads > MANY and not self._goes_on:
            self._loop.remove_reader(self._stream.fileno())
            self._rest = self._loop.call_later(REST_S, self._end_rest)

    def _end_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
            self._loop.add_reader(self._stream.fileno(), self._on_readable)

    def _read(self) -> None:
        """Lets paho read for one turn. A flood must not keep everybody else waiting."""
        self._goes_on = False
        if self._open:
            self._stream.fill()
            self.step(self._take)
        if self._open:
            if self._stream.unsent:
                self._flush()  # TLS has something of its own to say
            if self._stream.readable or self._stream.deaf:
                self._read_on()

    def _take(self) -> None:
        while self._open and self._stream.readable and self._stream.allowed:
            self._client.loop_read()

    def _read_on(self) -> None:
        if not self._goes_on:
            self._goes_on = True
            self._loop.call_soon(self._read)

    def _flush(self) -> None:
        self.step(self._send)

    def _send(self) -> None:
        if not self._open:
            return
        self._client.loop_write()
        if not self._open:  # that was the goodbye
            return
        self._stream.flush()
        if self._stream.deaf:
            self._loop.remove_writer(self._stream.fileno())
            self._read_on()  # the broker may have said why, before it hung up
        elif self._stream.unsent or self._client.want_write():
            self._loop.add_writer(self._stream.fileno(), self._flush)
        else:
            self._loop.remove_writer(self._stream.fileno())

    def _on_open(self, _client: paho.Client, _data: Any, sock: "paho.SocketLike") -> None:
        if cast("object", sock) is not self._stream:
            self.hang_up()
            raise WrongPaho("This version of paho-mqtt opens its own connections. Install one from 2.1 to below 2.3.")
        self._loop.add_reader(sock.fileno(), self._on_readable)

    def _on_close(self, _client: paho.Client, _data: Any, sock: "paho.SocketLike") -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        self._loop.remove_reader(sock.fileno())
        self._loop.remove_writer(sock.fileno())

    def _on_want_write(self, _client: paho.Client, _data: Any, _sock: "paho.SocketLike") -> None:
        self._loop.call_soon(self._flush)  # all that is sent in this turn goes out together
