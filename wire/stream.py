"""The bytes between paho and the broker: read and sent in large pieces, encrypted where the broker has TLS.

paho takes it for a socket. It never blocks, and it never holds more than its bounds say.
"""

import socket

from wire.tls import PIECE, Session, Untrusted

ROOM = 256 * 1024  # bytes from which on paho keeps its packets to itself, until some of them are gone
CALLS = 192  # times that paho may ask in one turn of the event loop, three for a packet
LARGEST = 16 * 1024 * 1024  # the rest of a packet; a broker of 3.1.1 cannot be told that we want no such thing


class Stream:
    """A connected socket, with a buffer on both ways. Once it failed, `failure` says why."""

    def __init__(self, sock: socket.socket, session: Session | None = None) -> None:
        self._sock = sock
        self._session = session
        self._received = b""
        self._taken = 0
        self._allowance = 0
        self._ended = False
        self._gathered: list[bytes | bytearray] = []
        self._gathered_bytes = 0
        self._unsent = bytearray()
        self.deaf = False
        """The broker hears nothing any more. What it had said before can still be read."""
        self.failure: OSError | Untrusted | None = None

    @property
    def readable(self) -> bool:
        """Whether there is something for paho, if only the end."""
        return self._ended or self._taken < len(self._received)

    @property
    def allowed(self) -> bool:
        """Whether paho may take more in this turn."""
        return self._allowance > 0

    @property
    def unsent(self) -> int:
        """Bytes that the network has not taken yet."""
        return self._gathered_bytes + len(self._unsent)

    def fill(self) -> None:
        """Begins a turn. Reads what the network has, where all that was read before is taken."""
        self._allowance = CALLS
        if self.readable:
            return
        try:
            received = self._sock.recv(PIECE)
        except BlockingIOError:
            self._ended = self.deaf
            return
        except OSError as error:
            self._fail(error)
            return
        self._ended = not received
        if self._session is not None:
            received = self._session.decrypt(received)
            self._unsent += self._session.outgoing()
            self._ended |= self._session.ended
            self.failure = self.failure or self._session.failure
        self._received, self._taken = received, 0

    def flush(self) -> None:
        """Sends what the network takes of all that was written."""
        try:
            self._encrypt()
            if self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError as error:
            self.failure = self.failure or error
            self.deaf = True
            self._gathered.clear()
            self._gathered_bytes = 0
            self._unsent.clear()

    def recv(self, most: int) -> bytes:
        """What paho asks for, from what was read. It is told to come back later where it may not go on now."""
        if most > LARGEST:
            error = ConnectionAbortedError(f"it sent a packet of more than {LARGEST} bytes")
            self._fail(error)
            raise error
        if self._allowance <= 0 or not self.readable:
            raise BlockingIOError
        self._allowance -= 1
        begin = self._taken
        piece = self._received[begin : begin + most]
        self._taken = begin + len(piece)
        return piece

    def send(self, data: bytes | bytearray) -> int:
        """Takes all of it, to be sent with what else is written in this turn; or nothing, where it holds enough."""
        if self.unsent >= ROOM:
            raise BlockingIOError
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        return len(data)

    def close(self) -> None:
        """Ends it. What was written goes out as far as the network takes it at once: the goodbye, above all."""
        if self._sock.fileno() < 0:
            return
        self.flush()
        if self._session is not None and not self.deaf:
            self._session.say_goodbye()
            self._unsent += self._session.outgoing()
            self.flush()
        self._sock.close()
        self._received, self._taken, self._ended = b"", 0, True

    def fileno(self) -> int:
        """The socket's number, for the event loop to watch; negative once it is closed."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """Does nothing: the socket never blocks. It is there because paho asks for it."""

    def _encrypt(self) -> None:
        if not self._gathered:
            return
        data = b"".join(self._gathered)
        self._gathered.clear()
        self._gathered_bytes = 0
        if self._session is None:
            self._unsent += data
        else:
            self._session.encrypt(data)
            self._unsent += self._session.outgoing()

    def _fail(self, error: OSError) -> None:
        self.failure = self.failure or error
        self._ended = True
