"""What the link does when the network or the broker breaks in ways that are hard to see."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from paho.mqtt import client as paho

from demo.broker import Doors, LocalBroker, mosquitto
from demo.certificates import Authority
from tests.faults.proxy import Proxy
from wire import connection, driver, mqtt
from wire.driver import Client
from wire.mqtt import Broker, Delivery, Link, NotSent, Refused, Tls, Unconfirmed
from wire.stream import CALLS

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = 20.0
WAYS = ("in clear", "TLS")
AT_MOST_3 = bytes.fromhex("2006000003210003")  # the same, with a Receive Maximum of 3
CONNACK = bytes.fromhex("2003000000")  # MQTT 5, accepted, no properties
SMALL = bytes.fromhex("300400017400")  # "" on the topic t
NUMBERS = 65_535  # that a broker and its client have for messages
TAKEN_OVER = bytes.fromhex("e0028e00")  # DISCONNECT: session taken over


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=WAYS)
async def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LocalBroker]:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    folder = tmp_path_factory.mktemp("broker")
    doors, address = Doors(), Broker("127.0.0.1", 0)
    if request.param == "TLS":
        authority = Authority.made(folder)
        shown = authority.certify("broker", "127.0.0.1")
        doors, address = Doors(shown.certificate, shown.key), Broker("127.0.0.1", 0, tls=Tls(authority.file))
    async with LocalBroker(folder, kind="mosquitto", doors=doors, address=address) as local:
        yield local


@pytest.fixture
def in_clear(broker: LocalBroker) -> LocalBroker:
    if broker.address.tls is not None:
        pytest.skip("the proxy cannot read what is encrypted")
    return broker


@contextlib.asynccontextmanager
async def linked(
    where: Broker,
    client_id: str,
    *filters: str,
    receive: Callable[[Delivery], Awaitable[None] | None] = lambda _: None,
    on_connect: Callable[[], None] | None = None,
    draw: Callable[[], float] = lambda: 0.1,
) -> AsyncGenerator[Link, None]:
    link = Link(where, client_id, receive=receive, on_connect=on_connect, draw=draw)
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


@contextlib.asynccontextmanager
async def scripted(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], *, connack: bytes = CONNACK
) -> AsyncGenerator[Broker, None]:
    """A broker that misbehaves as no real one does on demand."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await packet(reader)
            writer.write(connack)
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield Broker("127.0.0.1", server.sockets[0].getsockname()[1])


async def packet(reader: asyncio.StreamReader) -> bytes:
    """A small one, whole."""
    head = await reader.readexactly(2)
    return head + await reader.readexactly(head[1])


async def test_a_connection_that_has_gone_silent_is_noticed_and_made_anew(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "KEEPALIVE", 1)
    monkeypatch.setattr(connection, "PATIENCE", 1.0)
    greetings: asyncio.Queue[None] = asyncio.Queue()
    noticed = asyncio.Event()

    def draw() -> float:  # asked for once a connection is over
        noticed.set()
        return 0.1

    async with (
        Proxy(broker.address) as proxy,
        linked(proxy.address, "silent", on_connect=lambda: greetings.put_nowait(None), draw=draw) as link,
        asyncio.timeout(PATIENCE),
    ):
        await greetings.get()
        proxy.freeze()
        waiting = asyncio.create_task(link.publish("silent/x", b"lost?", qos=1))
        await noticed.wait()
        assert "Keep alive timeout" in caplog.text
        with pytest.raises(Unconfirmed):
            await waiting
        proxy.thaw()
        await greetings.get()
        await link.publish("silent/x", b"", qos=1)


async def test_a_message_whose_acknowledgement_is_lost_is_sent_twice_and_only_its_payload_tells(
    in_clear: LocalBroker,
) -> None:
    inbox: asyncio.Queue[Delivery] = asyncio.Queue()
    async with (
        Proxy(in_clear.address) as proxy,
        linked(in_clear.address, "reader", "twice/#", receive=inbox.put_nowait),
        linked(proxy.address, "sender") as sender,
        asyncio.timeout(PATIENCE),
    ):
        proxy.drop_acks = True
        waiting = asyncio.create_task(sender.publish("twice/x", b"id-1", qos=1))
        first = await inbox.get()
        await proxy.has_dropped.wait()
        assert not waiting.done()
        proxy.cut()
        with pytest.raises(Unconfirmed, match="may have been published or not"):
            await waiting
        assert proxy.dropped == 1
        proxy.drop_acks = False
        await sender.ready()
        await sender.publish("twice/x", b"id-1", qos=1)
        assert await inbox.get() == first


async def test_a_link_whose_acknowledgements_are_lost_gets_no_message_from_before_the_cut(
    in_clear: LocalBroker,
) -> None:
    inbox: asyncio.Queue[Delivery] = asyncio.Queue()
    greetings: asyncio.Queue[None] = asyncio.Queue()
    async with (
        Proxy(in_clear.address) as proxy,
        linked(
            proxy.address,
            "deaf",
            "old/#",
            receive=inbox.put_nowait,
            on_connect=lambda: greetings.put_nowait(None),
        ),
        linked(in_clear.address, "sender") as sender,
        asyncio.timeout(PATIENCE),
    ):
        await greetings.get()
        proxy.drop_acks = True
        await sender.publish("old/x", b"old", qos=1)
        assert (await inbox.get()).payload == b"old"
        proxy.cut()
        await greetings.get()  # on_connect comes after the subscriptions are answered
        await sender.publish("old/x", b"new", qos=1)
        assert (await inbox.get()).payload == b"new"


class Drawn(float):
    """What a link draws to shorten its wait by. It notes how long the wait would be at most."""

    waits: list[float]

    def __rmul__(self, longest: float) -> float:
        self.waits.append(longest)
        return longest * float(self)


async def test_two_links_with_one_name_take_over_ever_more_seldom(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "SHORTEST_WAIT", 0.01)
    drawn = [Drawn(1.0), Drawn(1.0)]
    enough = asyncio.Event()

    def draw(each: Drawn) -> float:
        if min(len(each.waits) for each in drawn) >= 4:
            enough.set()
        return each

    async with asyncio.TaskGroup() as group, asyncio.timeout(PATIENCE):
        runs: list[asyncio.Task[None]] = []
        for each in drawn:
            each.waits = []
            link = Link(broker.address, "twin", receive=lambda _: None, draw=functools.partial(draw, each))
            runs.append(group.create_task(link.run()))
        await enough.wait()
        for run in runs:
            run.cancel()
    for each in drawn:
        assert each.waits[:4] == [0.01, 0.02, 0.04, 0.08]


async def test_the_reason_that_the_broker_gives_before_it_hangs_up_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def rude(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN_OVER)
        await writer.drain()

    over = asyncio.Event()

    def draw() -> float:
        over.set()
        return 1.0

    async with scripted(rude) as where, asyncio.timeout(PATIENCE):
        run = asyncio.create_task(Link(where, "told", receive=lambda _: None, draw=draw).run())
        await over.wait()
        run.cancel()
        await asyncio.wait([run])
    assert "is lost: Session taken over" in caplog.text


async def test_no_more_messages_are_on_their_way_than_the_broker_wants() -> None:
    on_their_way: asyncio.Queue[bytes] = asyncio.Queue()
    go_on = asyncio.Event()

    async def narrow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = [await packet(reader) for _ in range(4)]
        for each in seen:
            on_their_way.put_nowait(each)
        await go_on.wait()
        writer.write(b"\x40\x02" + seen[0][5:7])
        on_their_way.put_nowait(await packet(reader))
        await reader.read()

    async with (
        scripted(narrow, connack=AT_MOST_3) as where,
        linked(where, "narrow") as link,
        asyncio.timeout(PATIENCE),
    ):
        waiting = [asyncio.create_task(link.publish("t", b"%d" % n, qos=1)) for n in range(5)]
        await asyncio.sleep(0)  # they all have begun
        await link.publish("t", b"marker")
        seen = [await on_their_way.get() for _ in range(4)]
        assert [each[-1:] for each in seen] == [b"0", b"1", b"2", b"r"]
        go_on.set()
        assert (await on_their_way.get())[-1:] == b"3"
        await waiting[0]
    for each in waiting[1:]:
        with pytest.raises((Unconfirmed, NotSent)):
            await each


async def test_what_the_broker_does_not_let_us_publish_is_told() -> None:
    async def strict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await packet(reader)
        writer.write(b"\x40\x03" + said[5:7] + b"\x87")
        await reader.read()

    async with scripted(strict) as where, linked(where, "denied") as link, asyncio.timeout(PATIENCE):
        with pytest.raises(Refused, match=r"refuses t: Not authorized\. Check its access rules."):
            await link.publish("t", b"x", qos=1)
        assert link.connected


async def test_a_broker_that_takes_nothing_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNSENT", 2 * mqtt.LARGEST)
    leave = asyncio.Event()

    async def frozen(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await leave.wait()

    async with scripted(frozen) as where:
        async with linked(where, "piling") as link, asyncio.timeout(PATIENCE):
            while not link.counts.dropped:
                await link.publish("t", bytes(mqtt.LARGEST))
                await asyncio.sleep(0)  # the loop sends what the network still takes
            before = link.counts.dropped
            await link.publish("t", bytes(mqtt.LARGEST))
            assert link.counts.dropped == before + 1
        leave.set()


async def test_a_message_that_nobody_acknowledges_is_not_confirmed_by_one_with_its_number() -> None:
    """Both kinds are numbered together, and paho begins anew after 65,535."""

    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 20):
            pass

    async with scripted(mute) as where, linked(where, "mute") as link, asyncio.timeout(PATIENCE):
        waiting = asyncio.create_task(link.publish("t", b"a stop", qos=1))
        await asyncio.sleep(0)  # it has begun
        for number in range(NUMBERS):
            await link.publish("t", b"a lease")
            if number % 500 == 0:
                await asyncio.sleep(0)  # the loop sends them
        with pytest.raises(Unconfirmed, match="may have been published or not"):
            await waiting


async def test_a_flood_does_not_keep_the_rest_of_the_program_waiting() -> None:
    messages, turns, taken = 5000, 0, 0
    most = before = 0
    done = asyncio.Event()

    def receive(_: Delivery) -> None:
        nonlocal taken
        taken += 1
        if taken == messages:
            done.set()

    def turn() -> None:  # once in each turn of the loop, as anything else that wants to work
        nonlocal turns, before, most
        turns += 1
        most, before = max(most, taken - before), taken
        if not done.is_set():
            asyncio.get_running_loop().call_soon(turn)

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SMALL * messages)
        await reader.read()

    async with scripted(flood) as where:
        turn()
        async with linked(where, "flooded", receive=receive), asyncio.timeout(PATIENCE):
            await done.wait()
    assert 1 < most <= CALLS // 3
    assert turns > messages // CALLS


async def test_under_a_steady_stream_the_link_rests_until_somebody_waits_for_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "CLOSE_S", float("inf"))
    monkeypatch.setattr(driver, "REST_S", 3600.0)
    received = 0
    read, one_more = asyncio.Event(), asyncio.Event()

    def receive(_: Delivery) -> None:
        nonlocal received
        received += 1
        read.set()

    async def steady(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while received <= driver.MANY:
            read.clear()
            writer.write(SMALL)
            await read.wait()
        writer.write(SMALL)
        one_more.set()
        said = await packet(reader)
        writer.write(b"\x40\x02" + said[5:7])
        await reader.read()

    async with scripted(steady) as where, linked(where, "rests", receive=receive) as link, asyncio.timeout(PATIENCE):
        await one_more.wait()
        for _ in range(100):
            await asyncio.sleep(0)  # it would be read by now
        at_rest = received
        await link.publish("t", b"x", qos=1)
        assert (at_rest, received) == (driver.MANY + 1, driver.MANY + 2)


async def test_what_comes_in_a_rest_is_read_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "CLOSE_S", float("inf"))
    monkeypatch.setattr(driver, "MANY", 3)
    inbox: asyncio.Queue[Delivery] = asyncio.Queue()

    async def steady(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(10):
            writer.write(SMALL)
            said = await packet(reader)
            assert said[-1:] == b"x"
        await reader.read()

    async with (
        scripted(steady) as where,
        linked(where, "wakes", receive=inbox.put_nowait) as link,
        asyncio.timeout(PATIENCE),
    ):
        for _ in range(10):
            await inbox.get()
            await link.publish("t", b"x")


async def test_a_packet_without_measure_ends_the_connection_before_it_fills_the_memory(
    caplog: pytest.LogCaptureFixture,
) -> None:
    over = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes.fromhex("30ffffff7f"))  # 268 million bytes are to come
        await reader.read()

    def draw() -> float:
        over.set()
        return 1.0

    async with scripted(endless) as where, asyncio.timeout(PATIENCE):
        run = asyncio.create_task(Link(where, "bounded", receive=lambda _: None, draw=draw).run())
        await over.wait()
        run.cancel()
        await asyncio.wait([run])
    assert "it sent a packet of more than 16777216 bytes" in caplog.text


async def test_a_paho_that_does_not_ask_us_for_the_connection_is_refused_and_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Client, "_create_socket", paho.Client._create_socket)  # pyright: ignore[reportPrivateUsage]
    said: asyncio.Queue[bytes] = asyncio.Queue()
    over = asyncio.Event()

    def draw() -> float:
        over.set()
        return 1.0

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.put_nowait(await reader.read())
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server, asyncio.timeout(PATIENCE):
        where = Broker("127.0.0.1", server.sockets[0].getsockname()[1], "me", "secret")
        run = asyncio.create_task(Link(where, "other-paho", receive=lambda _: None, draw=draw).run())
        await over.wait()
        run.cancel()
        await asyncio.wait([run])
        assert [await said.get(), await said.get()] == [b"", b""]
    assert "Install one from 2.1 to below 2.3." in caplog.text


async def test_a_host_with_an_impossible_name_is_told_and_the_link_goes_on_trying(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tried: asyncio.Queue[None] = asyncio.Queue()

    def draw() -> float:
        tried.put_nowait(None)
        return 0.0

    run = asyncio.create_task(Link(Broker("x" * 70 + ".org", 1), "lost", receive=lambda _: None, draw=draw).run())
    async with asyncio.timeout(PATIENCE):
        for _ in range(2):
            await tried.get()
    run.cancel()
    await asyncio.wait([run])
    assert "is not the name of a host" in caplog.text
