"""The link over TLS, and with a password: who is let in, who is not, and what its operator is told."""

import asyncio
import contextlib
import dataclasses
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from paho.mqtt.enums import MQTTProtocolVersion

from demo.broker import Doors, LocalBroker, mosquitto
from demo.certificates import Authority, Certificate
from tests.faults.proxy import Proxy
from wire import mqtt
from wire.broker import Wish
from wire.connection import Connection
from wire.mqtt import Broker, Delivery, Link, Refused, Tls, Untrusted, Will

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed"),
]

PATIENCE = 10.0
WAYS = ("in clear", "TLS")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def client(authority: Authority) -> Certificate:
    return authority.certify("client")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def broker(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalBroker]:
    async with serving(tmp_path_factory.mktemp("broker"), authority, authority.certify("broker", "localhost")) as local:
        yield local


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def strict(
    authority: Authority, client: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LocalBroker]:
    """It lets nobody in without a certificate."""
    shown = authority.certify("strict", "localhost")
    doors = Doors(shown.certificate, shown.key, clients_ca=authority.file)
    proof = Broker("localhost", 0, tls=Tls(authority.file, client.certificate, client.key))
    async with LocalBroker(tmp_path_factory.mktemp("strict"), kind="mosquitto", doors=doors, address=proof) as local:
        yield local


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=WAYS)
async def locked(
    request: pytest.FixtureRequest, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LocalBroker]:
    """It asks for a password."""
    shown = authority.certify("locked", "localhost") if request.param == "TLS" else None
    doors = Doors(shown and shown.certificate, shown and shown.key, people=(("walker", "open sesame"),))
    tls = Tls(authority.file) if shown else None
    proof = Broker("localhost", 0, "walker", "open sesame", tls)
    async with LocalBroker(tmp_path_factory.mktemp("locked"), kind="mosquitto", doors=doors, address=proof) as local:
        yield local


@contextlib.asynccontextmanager
async def serving(folder: Path, authority: Authority, shown: Certificate) -> AsyncGenerator[LocalBroker, None]:
    doors = Doors(shown.certificate, shown.key)
    proof = Broker("localhost", 0, tls=Tls(authority.file))
    async with LocalBroker(folder, kind="mosquitto", doors=doors, address=proof) as local:
        yield local


@contextlib.asynccontextmanager
async def linked(
    where: Broker,
    client_id: str,
    *filters: str,
    receive: Callable[[Delivery], None] = lambda _: None,
    on_connect: Callable[[], None] | None = None,
    will: Callable[[], Will] | None = None,
) -> AsyncGenerator[Link, None]:
    link = Link(where, client_id, receive=receive, on_connect=on_connect, will=will, draw=lambda: 0.1)
    for each in filters:
        await link.subscribe(each, 1)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(link.run())
        try:
            async with asyncio.timeout(PATIENCE):
                await link.ready()
            yield link
        finally:
            run.cancel()


async def told(where: Broker, version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5) -> str:
    """What is said of an attempt that must fail."""
    with pytest.raises((Untrusted, Refused)) as caught:
        await Connection.open(where, "refused", version, None, lambda _, __: None, PATIENCE)
    return str(caught.value)


async def warned(where: Broker, caplog: pytest.LogCaptureFixture) -> str:
    """What a link logs that does not come in."""
    failed = asyncio.Event()

    def draw() -> float:  # asked for once an attempt has failed
        failed.set()
        return 1.0

    run = asyncio.create_task(Link(where, "refused", receive=lambda _: None, draw=draw).run())
    async with asyncio.timeout(PATIENCE):
        await failed.wait()
    run.cancel()
    await asyncio.wait([run])
    return caplog.text


async def test_mqtt_5_is_spoken_over_tls(broker: LocalBroker) -> None:
    inbox: asyncio.Queue[Delivery] = asyncio.Queue()
    async with linked(broker.address, "five", "five/#", receive=inbox.put_nowait) as link, asyncio.timeout(PATIENCE):
        assert link.version == MQTTProtocolVersion.MQTTv5
        await link.publish("five/x", b"hello", qos=1)
        assert (await inbox.get()).payload == b"hello"


async def test_mqtt_3_1_1_is_spoken_over_tls(broker: LocalBroker) -> None:
    taken: asyncio.Queue[bytes] = asyncio.Queue()
    connection = await Connection.open(
        broker.address,
        "three",
        MQTTProtocolVersion.MQTTv311,
        None,
        lambda _, message: taken.put_nowait(bytes(message.payload)),
        PATIENCE,
    )
    tending = asyncio.create_task(connection.tend())
    try:
        async with asyncio.timeout(PATIENCE):
            assert await connection.subscribe([("three/#", Wish())]) == {}
            await connection.publish("three/x", b"hello", 1, retain=False)
            assert await taken.get() == b"hello"
    finally:
        connection.close(goodbye=True)
        await tending


async def test_large_payloads_go_both_ways_over_tls(broker: LocalBroker) -> None:
    inbox: asyncio.Queue[Delivery] = asyncio.Queue()
    payloads = [bytes([n]) * mqtt.LARGEST for n in range(8)]
    async with linked(broker.address, "large", "large/#", receive=inbox.put_nowait) as link, asyncio.timeout(PATIENCE):
        await asyncio.gather(*(link.publish("large/x", each, qos=1) for each in payloads))
        assert [(await inbox.get()).payload for _ in payloads] == payloads


async def test_a_thousand_messages_at_once_arrive_in_their_order_over_tls(broker: LocalBroker) -> None:
    inbox: asyncio.Queue[Delivery] = asyncio.Queue()
    async with linked(broker.address, "many", "many/#", receive=inbox.put_nowait) as link, asyncio.timeout(PATIENCE):
        await asyncio.gather(*(link.publish("many/x", b"%d" % n, qos=1) for n in range(1000)))
        assert [int((await inbox.get()).payload) for _ in range(1000)] == list(range(1000))


async def test_over_tls_the_will_speaks_when_the_link_breaks_and_not_after_a_goodbye(broker: LocalBroker) -> None:
    inbox: asyncio.Queue[Delivery] = asyncio.Queue()

    def will() -> Will:
        return Will("will/x", b"gone", qos=1)

    async with linked(broker.address, "heir", "will/#", receive=inbox.put_nowait) as heir, asyncio.timeout(PATIENCE):
        async with linked(broker.address, "polite", will=will):
            pass
        await heir.publish("will/marker", b"marker", qos=1)
        assert (await inbox.get()).payload == b"marker"
        async with linked(broker.address, "rude", will=will) as rude:
            rude.abandon()
        assert (await inbox.get()).payload == b"gone"


async def test_the_link_comes_back_over_tls_after_a_cut_and_after_a_restart_of_the_broker(broker: LocalBroker) -> None:
    greetings: asyncio.Queue[None] = asyncio.Queue()
    async with (
        Proxy(broker.address) as proxy,
        linked(proxy.address, "back", on_connect=lambda: greetings.put_nowait(None)) as link,
        asyncio.timeout(PATIENCE),
    ):
        await greetings.get()
        proxy.cut()
        await greetings.get()
        await broker.kill()
        await broker.start()
        await greetings.get()
        await link.ready()
        await link.publish("back/x", b"", qos=1)
        assert link.counts.reconnects == 2


async def test_a_broker_that_nobody_we_know_speaks_for_is_refused(broker: LocalBroker, tmp_path: Path) -> None:
    other = Authority.made(tmp_path, "other")
    for tls in (Tls(other.file), Tls()):
        words = await told(dataclasses.replace(broker.address, tls=tls))
        assert "a certificate from nobody we know. Name the file of its certificate authority" in words


async def test_a_broker_with_a_certificate_for_another_name_is_refused(broker: LocalBroker) -> None:
    words = await told(dataclasses.replace(broker.address, host="127.0.0.1"))
    assert "a certificate for another name. Use a name that stands in it" in words


async def test_a_broker_by_its_number_is_believed_where_its_certificate_says_so(
    authority: Authority, tmp_path: Path
) -> None:
    shown = authority.certify("numbered", "127.0.0.1")
    doors = Doors(shown.certificate, shown.key)
    proof = Broker("127.0.0.1", 0, tls=Tls(authority.file))
    async with (
        LocalBroker(tmp_path, kind="mosquitto", doors=doors, address=proof) as local,
        linked(local.address, "by-number") as link,
    ):
        assert link.connected


async def test_a_broker_whose_certificate_has_expired_is_refused(authority: Authority, tmp_path: Path) -> None:
    shown = authority.certify("old", "localhost", days=-1)
    broker = await old_broker(tmp_path, shown)
    async with broker:
        words = await told(dataclasses.replace(broker.address, tls=Tls(authority.file)))
    assert "a certificate that has expired. Renew it there" in words


async def old_broker(folder: Path, shown: Certificate) -> LocalBroker:
    """Its own proof cannot come in, so that it is only looked whether it listens."""

    class Unproven(LocalBroker):
        async def ready(self) -> None:
            await self.process.until(self._listens, seconds=PATIENCE)

    return Unproven(folder, kind="mosquitto", doors=Doors(shown.certificate, shown.key), address=Broker("localhost", 0))


async def test_with_a_client_certificate_one_comes_in(strict: LocalBroker) -> None:
    async with linked(strict.address, "known") as link, asyncio.timeout(PATIENCE):
        await link.publish("known/x", b"", qos=1)
        assert link.connected


async def test_without_a_client_certificate_one_is_told_to_name_one(
    strict: LocalBroker, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    words = await warned(dataclasses.replace(strict.address, tls=Tls(authority.file)), caplog)
    assert "asks for a client certificate. Name it, and its key." in words


async def test_a_client_certificate_of_a_stranger_is_refused(
    strict: LocalBroker, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = Authority.made(tmp_path, "stranger").certify("client")
    tls = Tls(authority.file, stranger.certificate, stranger.key)
    assert "our client certificate. Have" in await warned(dataclasses.replace(strict.address, tls=tls), caplog)


async def test_a_client_certificate_that_was_renewed_counts_at_the_next_connect(
    strict: LocalBroker, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    own = authority.certify("renewed", days=-1)
    where = dataclasses.replace(strict.address, tls=Tls(authority.file, own.certificate, own.key))
    assert "finds our client certificate expired. Have it renewed." in await warned(where, caplog)
    authority.certify("renewed")
    async with linked(where, "renewed") as link:
        assert link.connected


def records(sent: bytes) -> int:
    """How many pieces of TLS these are."""
    return 1 + records(sent[5 + int.from_bytes(sent[3:5]) :]) if sent else 0


async def test_who_hung_up_on_mqtt_5_has_time_to_refuse_our_certificate_before_anything_else_is_sent(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    shown = authority.certify("hasty", "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.file)
    context.load_cert_chain(shown.certificate, shown.key)
    context.verify_mode = ssl.CERT_REQUIRED
    connections = 0
    unread: asyncio.Queue[bytes] = asyncio.Queue()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        refused = False
        while not refused:
            incoming.write(await reader.read(65536))
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
            except ssl.SSLError:
                refused = True
        if connections == 1:  # its reason is lost on the way
            writer.transport.abort()
            return
        writer.write(outgoing.read())
        unread.put_nowait(incoming.read() + await reader.read())
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        where = Broker("localhost", server.sockets[0].getsockname()[1], tls=Tls(authority.file))
        words = await warned(where, caplog)
        async with asyncio.timeout(PATIENCE):
            assert records(await unread.get()) == 1  # the end of our handshake, which the server has not looked at
    assert "asks for a client certificate" in words


async def test_tls_on_a_port_without_it_is_told_and_sends_nothing_in_clear(tmp_path: Path) -> None:
    async with LocalBroker(tmp_path, kind="mosquitto") as plain:
        where = dataclasses.replace(plain.address, tls=Tls(), username="me", password="secret")  # noqa: S106 - the test's own
        assert "for TLS" in await told(where)
    said = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.extend(await reader.read(65536))
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        said.extend(await reader.read())
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        words = await told(Broker("127.0.0.1", port, "me", "secret", Tls()))
    assert "does not speak TLS on this port" in words
    assert b"secret" not in said
    assert b"MQTT" not in said


async def test_a_broker_that_never_ends_the_handshake_does_not_hold_the_loop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes the connection and says nothing
        port: int = silent.getsockname()[1]
        opening = asyncio.create_task(told(Broker("127.0.0.1", port, tls=Tls())))
        for _ in range(100):  # the loop turns
            await asyncio.sleep(0)
        assert not opening.done()
        opening.cancel()
        await asyncio.wait([opening])


async def test_the_right_password_lets_one_in(locked: LocalBroker) -> None:
    async with linked(locked.address, "walker") as link, asyncio.timeout(PATIENCE):
        await link.publish("walker/x", b"", qos=1)
        assert link.connected


@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311])
@pytest.mark.parametrize("password", ["wrong", None])
async def test_a_wrong_password_is_refused_in_a_clear_sentence(
    locked: LocalBroker, version: MQTTProtocolVersion, password: str | None
) -> None:
    words = await told(dataclasses.replace(locked.address, password=password), version)
    assert "refuses the connection" in words
    assert "Check user name, password and the broker's access rules." in words
    assert "wrong" not in words
