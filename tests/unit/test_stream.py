"""The bytes under paho: all of them, in their order, in any pieces; never too many at once, and never a wait."""

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.certificates import Authority
from wire.stream import CALLS, LARGEST, ROOM, Stream
from wire.tls import PIECE, Session, Tls

MESSAGES = st.lists(st.binary(min_size=1, max_size=3000), max_size=20)


class Far:
    """The other end of a stream, with TLS where it has a session."""

    def __init__(self, authority: Authority | None) -> None:
        near, self.sock = socket.socketpair()
        for each in (near, self.sock):
            each.setblocking(False)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls: ssl.SSLObject | None = None
        session = None
        if authority is not None:
            shown = authority.certify("broker", "localhost")
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(shown.certificate, shown.key)
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
            session = Session(Tls(authority.file).context(), "localhost", "localhost:8883")
            self._shake_hands(session)
        self.stream = Stream(near, session)

    def _shake_hands(self, session: Session) -> None:
        assert self.tls is not None
        received, done = None, False
        while not done:
            done = session.shake_hands(received)
            self.incoming.write(session.outgoing())
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            received = self.outgoing.read()
        if received:
            assert session.decrypt(received) == b""

    def say(self, data: bytes) -> None:
        """Sends it, as far as the network takes it, which is all of what these tests send."""
        if self.tls is not None and data:
            self.tls.write(data)
            data = self.outgoing.read()
        if data:
            assert self.sock.send(data) == len(data)

    def hear(self) -> bytes:
        """All that has come."""
        heard = bytearray()
        try:
            while piece := self.sock.recv(PIECE):
                heard += piece
        except BlockingIOError:
            pass
        if self.tls is None:
            return bytes(heard)
        self.incoming.write(heard)
        clear = bytearray()
        try:
            while piece := self.tls.read(PIECE):
                clear += piece
        except ssl.SSLWantReadError:
            pass
        return bytes(clear)

    def close(self) -> None:
        self.stream.close()
        self.sock.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=["in clear", "TLS"])
def trust(request: pytest.FixtureRequest, authority: Authority) -> Authority | None:
    """Whom to believe, where there is TLS."""
    return authority if request.param == "TLS" else None


@pytest.fixture
def far(trust: Authority | None) -> Iterator[Far]:
    there = Far(trust)
    yield there
    there.close()


def taken(stream: Stream, most: int = PIECE) -> bytes:
    """What paho gets in one turn."""
    stream.fill()
    got = bytearray()
    while stream.readable and stream.allowed and (piece := stream.recv(most)):
        got += piece
    return bytes(got)


@given(messages=MESSAGES, most=st.integers(1, 5000))
@settings(deadline=None, max_examples=50)
def test_what_comes_is_read_whole_and_in_order_however_little_is_asked_for(
    trust: Authority | None, messages: list[bytes], most: int
) -> None:
    far = Far(trust)
    try:
        for each in messages:
            far.say(each)
        expected, got = b"".join(messages), b""
        while len(got) < len(expected):
            turn = taken(far.stream, most)
            assert turn
            got += turn
        assert got == expected
        assert not far.stream.readable
    finally:
        far.close()


@given(messages=MESSAGES)
@settings(deadline=None, max_examples=50)
def test_what_is_written_in_one_turn_goes_out_together_and_in_order(
    trust: Authority | None, messages: list[bytes]
) -> None:
    far = Far(trust)
    try:
        for each in messages:
            assert far.stream.send(each) == len(each)
        assert far.hear() == b""
        far.stream.flush()
        assert far.hear() == b"".join(messages)
        assert far.stream.unsent == 0
    finally:
        far.close()


def test_one_turn_ends_while_there_is_more(far: Far) -> None:
    far.say(bytes(2 * CALLS))
    assert len(taken(far.stream, 1)) == CALLS
    assert far.stream.readable
    with pytest.raises(BlockingIOError):
        far.stream.recv(1)
    assert len(taken(far.stream, 1)) == CALLS
    assert not far.stream.readable


def test_nothing_more_is_read_from_the_network_before_all_is_taken(far: Far) -> None:
    far.say(b"first")
    far.stream.fill()
    far.say(b"second")
    far.stream.fill()
    assert far.stream.recv(100) == b"first"
    assert taken(far.stream) == b"second"


def test_where_nothing_has_come_paho_is_told_to_come_back(far: Far) -> None:
    far.stream.fill()
    assert not far.stream.readable
    with pytest.raises(BlockingIOError):
        far.stream.recv(1)


def test_a_network_that_takes_nothing_holds_paho_back_and_loses_nothing(far: Far) -> None:
    sent = 0
    while far.stream.unsent < ROOM:
        sent += far.stream.send(b"%07d\n" % sent * 1000)
        far.stream.flush()
    with pytest.raises(BlockingIOError):
        far.stream.send(b"more")
    assert ROOM <= far.stream.unsent < ROOM + 16 * 1024
    heard = bytearray()
    while far.stream.unsent:
        heard += far.hear()
        far.stream.flush()
    heard += far.hear()
    assert len(heard) == sent
    assert heard[:8] == b"0000000\n"
    assert heard == b"".join(b"%07d\n" % at * 1000 for at in range(0, sent, 8000))


def test_the_end_comes_after_all_that_came_before_it(far: Far) -> None:
    far.say(b"last words")
    far.sock.close()
    assert taken(far.stream) == b"last words"
    far.stream.fill()
    assert far.stream.readable
    assert far.stream.recv(1) == b""
    assert far.stream.recv(1) == b""


def test_a_goodbye_that_was_written_goes_out_at_the_end(far: Far) -> None:
    far.stream.send(b"goodbye")
    far.stream.close()
    assert far.hear() == b"goodbye"
    assert far.stream.fileno() < 0
    far.stream.close()


def test_what_the_broker_said_before_it_hung_up_is_read_though_nothing_can_be_sent(far: Far) -> None:
    far.say(b"this is why")
    far.sock.close()
    far.stream.send(b"too late")
    far.stream.flush()
    assert far.stream.deaf
    assert far.stream.unsent == 0
    assert taken(far.stream) == b"this is why"
    far.stream.fill()
    assert far.stream.readable
    assert far.stream.recv(1) == b""
    assert isinstance(far.stream.failure, OSError)


def test_a_broker_that_hears_nothing_and_says_nothing_is_at_its_end(far: Far) -> None:
    far.sock.shutdown(socket.SHUT_RD)
    far.stream.send(b"too late")
    far.stream.flush()
    assert far.stream.deaf
    far.stream.fill()
    assert far.stream.recv(1) == b""


def test_a_packet_without_measure_ends_it(far: Far) -> None:
    far.say(b"x")
    far.stream.fill()
    with pytest.raises(ConnectionAbortedError):
        far.stream.recv(LARGEST + 1)
    assert "more than 16777216 bytes" in str(far.stream.failure)


@given(nonsense=st.binary(min_size=5, max_size=200).filter(lambda each: each[0] not in range(20, 25)))
@settings(deadline=None, max_examples=50)
def test_nonsense_in_the_middle_of_tls_ends_it_with_a_sentence(authority: Authority, nonsense: bytes) -> None:
    far = Far(authority)
    try:
        far.say(b"sense")
        far.sock.send(nonsense)
        assert taken(far.stream) == b"sense"
        far.stream.fill()
        assert far.stream.recv(1) == b""
        assert str(far.stream.failure).startswith("The broker at localhost:8883 ")
        far.stream.send(b"more")
        far.stream.flush()
    finally:
        far.close()


def test_a_broker_that_says_goodbye_in_tls_is_at_its_end(authority: Authority) -> None:
    far = Far(authority)
    assert far.tls is not None
    with pytest.raises(ssl.SSLWantReadError):
        far.tls.unwrap()
    far.sock.send(far.outgoing.read())
    far.stream.fill()
    assert far.stream.recv(1) == b""
    assert far.stream.failure is None
    far.close()


def test_nothing_of_what_is_written_travels_in_clear(authority: Authority) -> None:
    far = Far(authority)
    far.stream.send(b"a secret that must not be seen")
    far.stream.flush()
    said = far.sock.recv(PIECE)
    assert said
    assert b"secret" not in said
    far.close()
