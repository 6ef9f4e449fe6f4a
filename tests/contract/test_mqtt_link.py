"""What the link promises, on the brokers that our users will have."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from paho.mqtt.enums import MQTTProtocolVersion

from demo.broker import Kind, LocalBroker, mosquitto
from demo.process import unused_port
from wire import mqtt
from wire.connection import OVERHEAD
from wire.mqtt import Broker, Delivery, Link, NotSent, Refused, TooLarge, Unconfirmed, Will

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = 10.0
KINDS: tuple[Kind, ...] = ("mosquitto", "amqtt")
CONNACK = bytes.fromhex("2003000000")  # MQTT 5, accepted, no properties


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=KINDS)
async def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LocalBroker]:
    if request.param == "mosquitto" and mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mqtt, "GLANCE", 0.1)  # amqtt never answers MQTT 5; on the loopback that shows at once
        async with LocalBroker(tmp_path_factory.mktemp("broker"), kind=request.param) as local:
            yield local


@pytest.fixture
def only_mosquitto(broker: LocalBroker) -> LocalBroker:
    if broker.kind != "mosquitto":
        pytest.skip("amqtt has no such thing")
    return broker


class Inbox:
    """Keeps what arrives, for a test to wait for."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Delivery] = asyncio.Queue()

    def __call__(self, delivery: Delivery) -> None:
        """Takes one in."""
        self.queue.put_nowait(delivery)

    async def next(self) -> Delivery:
        """What has come first, or comes now."""
        async with asyncio.timeout(PATIENCE):
            return await self.queue.get()

    async def payloads(self, count: int) -> list[bytes]:
        """The next so many payloads."""
        return [(await self.next()).payload for _ in range(count)]


@contextlib.asynccontextmanager
async def linked(
    where: Broker,
    client_id: str,
    *filters: str,
    receive: Callable[[Delivery], Awaitable[None] | None] = lambda _: None,
    on_connect: Callable[[], Awaitable[None] | None] | None = None,
    will: Callable[[], Will] | None = None,
    largest: int = mqtt.LARGEST,
) -> AsyncGenerator[Link, None]:
    link = Link(where, client_id, receive=receive, on_connect=on_connect, will=will, largest=largest, draw=lambda: 0.1)
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
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncGenerator[Broker, None]:
    """A broker that misbehaves as no real one does on demand."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield Broker("127.0.0.1", server.sockets[0].getsockname()[1])


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def packet(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(2)
    return head + await reader.readexactly(head[1])


async def test_a_retained_birth_is_received_by_who_comes_later(broker: LocalBroker) -> None:
    inbox = Inbox()
    async with linked(broker.address, "early") as early:
        await early.publish("t1/birth", b"hello", qos=1, retain=True)
    async with linked(broker.address, "late", "t1/#", receive=inbox) as late:
        assert await inbox.next() == Delivery("t1/birth", b"hello", 1, retain=True)
        # amqtt would show it to every client that comes later, whatever they subscribe.
        await late.publish("t1/birth", b"", qos=1, retain=True)


async def test_a_topic_can_be_subscribed_while_connected(broker: LocalBroker) -> None:
    inbox = Inbox()
    async with linked(broker.address, "both", receive=inbox) as link:
        await link.subscribe("t2/x", 1)
        await link.publish("t2/x", b"1", qos=1)
        await link.publish("t2/x", b"2")
        assert sorted(await inbox.payloads(2)) == [b"1", b"2"]


async def test_what_others_publish_can_be_heard_without_ones_own(broker: LocalBroker) -> None:
    inbox = Inbox()
    async with linked(broker.address, "both", receive=inbox) as link, linked(broker.address, "other") as other:
        await link.subscribe("t9/others", others_only=True)
        await link.subscribe("t9/end", 1)
        await link.publish("t9/others", b"own", qos=1)
        await other.publish("t9/others", b"another's", qos=1)
        await other.publish("t9/end", b"end", qos=1)
        knows = broker.kind == "mosquitto"  # where the broker cannot part them it is not asked
        assert await inbox.payloads(2 if knows else 1) == ([b"another's", b"end"] if knows else [b"end"])


async def test_mqtt_5_is_spoken_where_the_broker_knows_it_and_3_1_1_where_not(broker: LocalBroker) -> None:
    async with linked(broker.address, "version") as link:
        new = broker.kind == "mosquitto"
        assert link.version == (MQTTProtocolVersion.MQTTv5 if new else MQTTProtocolVersion.MQTTv311)


async def test_a_message_is_acknowledged_only_when_its_handler_is_done(only_mosquitto: LocalBroker) -> None:
    inbox, done = Inbox(), asyncio.Event()

    async def receive(delivery: Delivery) -> None:
        inbox(delivery)
        if delivery.qos:
            await done.wait()

    async with (
        linked(only_mosquitto.address, "slow", "t3/#", receive=receive),
        linked(only_mosquitto.address, "quick") as quick,
    ):
        for n in range(65):
            await quick.publish("t3/x", b"%d" % n, qos=1)
        await quick.publish("t3/x", b"marker")
        # The broker leaves 64 with us unacknowledged, then holds back. QoS 0 passes by.
        assert await inbox.payloads(65) == [*(b"%d" % n for n in range(64)), b"marker"]
        assert inbox.queue.empty()
        done.set()
        assert await inbox.payloads(1) == [b"64"]


async def test_a_handler_that_fails_is_counted_and_does_not_block_what_follows(broker: LocalBroker) -> None:
    inbox = Inbox()

    async def fail_later(delivery: Delivery) -> None:
        inbox(delivery)
        raise ValueError("on purpose")

    def receive(delivery: Delivery) -> Awaitable[None] | None:
        if delivery.payload == b"99":
            inbox(delivery)
            raise ValueError("at once")
        return fail_later(delivery)

    async with linked(broker.address, "failing", "t4/#", receive=receive) as link:
        await asyncio.gather(*(link.publish("t4/x", b"%d" % n, qos=1) for n in range(100)))
        assert sorted(await inbox.payloads(100), key=int) == [b"%d" % n for n in range(100)]
        assert (link.counts.handler_failures, link.counts.reconnects) == (100, 0)


async def test_a_slow_handler_does_not_hold_up_the_next_message(broker: LocalBroker) -> None:
    stop = asyncio.Event()

    async def receive(delivery: Delivery) -> None:
        if delivery.payload == b"stop":
            stop.set()
        async with asyncio.timeout(PATIENCE):
            await stop.wait()

    async with linked(broker.address, "busy", "t5/#", receive=receive) as link:
        await link.publish("t5/x", b"work", qos=1)
        await link.publish("t5/x", b"stop", qos=1)
        async with asyncio.timeout(PATIENCE):
            await stop.wait()


async def test_a_thousand_messages_at_once_are_all_confirmed_and_arrive(broker: LocalBroker) -> None:
    inbox = Inbox()
    async with linked(broker.address, "burst", "t6/#", receive=inbox) as link:
        await asyncio.gather(*(link.publish("t6/x", b"%d" % n, qos=1) for n in range(1000)))
        assert await inbox.payloads(1000) == [b"%d" % n for n in range(1000)]


async def test_after_a_restart_of_the_broker_the_link_subscribes_again_and_greets(broker: LocalBroker) -> None:
    inbox, greetings = Inbox(), asyncio.Queue[str]()

    async def greet() -> None:
        await link.publish("t7/birth", b"born", qos=1)
        greetings.put_nowait("hello")

    link = Link(broker.address, "back", receive=inbox, on_connect=greet, draw=lambda: 0.1)
    await link.subscribe("t7/#", 1)
    async with asyncio.TaskGroup() as group, asyncio.timeout(PATIENCE):
        run = group.create_task(link.run())
        await greetings.get()
        assert await inbox.payloads(1) == [b"born"]
        await broker.kill()
        await broker.start()
        await greetings.get()
        assert await inbox.payloads(1) == [b"born"]
        await link.publish("t7/x", b"again", qos=1)
        assert await inbox.payloads(1) == [b"again"]
        assert link.counts.reconnects == 1
        run.cancel()


async def test_what_is_published_without_a_connection_is_refused_or_dropped() -> None:
    link = Link(Broker("127.0.0.1", unused_port()), "nowhere", receive=lambda _: None)
    with pytest.raises(NotSent, match="no connection"):
        await link.publish("x", b"", qos=1)
    await link.publish("x", b"")
    assert link.counts.dropped == 1


async def test_what_was_published_in_an_outage_does_not_go_out_later(only_mosquitto: LocalBroker) -> None:
    broker, inbox, greetings = only_mosquitto, Inbox(), asyncio.Queue[None]()
    async with linked(
        broker.address, "stale", "t8/#", receive=inbox, on_connect=lambda: greetings.put_nowait(None)
    ) as link:
        await greetings.get()
        os.kill(broker.process.pid, signal.SIGSTOP)  # frozen: it takes the bytes and never answers
        stale = asyncio.create_task(link.publish("t8/x", b"stale", qos=1))
        await link.publish("t8/x", b"stale")
        await broker.kill()
        with pytest.raises(Unconfirmed):
            async with asyncio.timeout(PATIENCE):
                await stale
        await link.publish("t8/x", b"stale")
        with pytest.raises(NotSent):
            await link.publish("t8/x", b"stale", qos=1)
        await broker.start()
        async with asyncio.timeout(PATIENCE):
            await greetings.get()
        await link.publish("t8/x", b"fresh", qos=1)
        assert await inbox.payloads(1) == [b"fresh"]
        assert link.counts.dropped == 1


async def test_the_will_speaks_when_the_link_breaks_and_not_after_a_goodbye(broker: LocalBroker) -> None:
    inbox, sessions = Inbox(), iter((b"first", b"second"))
    drawn: list[bytes] = []

    def will() -> Will:
        drawn.append(next(sessions, b"another"))
        return Will("t9/state", drawn[-1], qos=1)

    async with linked(broker.address, "watcher", "t9/#", receive=inbox) as watcher:
        async with linked(broker.address, "polite", will=will):
            pass
        await watcher.publish("t9/marker", b"marker", qos=1)
        assert await inbox.payloads(1) == [b"marker"]
        async with linked(broker.address, "rude", will=will) as rude:
            rude.abandon()
        assert await inbox.payloads(1) == [drawn[-1]]


async def test_what_is_too_large_is_dropped_counted_and_acknowledged(broker: LocalBroker) -> None:
    inbox = Inbox()
    async with (
        linked(broker.address, "careful", "t10/#", receive=inbox) as careful,
        linked(broker.address, "generous", largest=2 * mqtt.LARGEST) as generous,
    ):
        with pytest.raises(TooLarge):
            await careful.publish("t10/x", bytes(mqtt.LARGEST + 1))
        for _ in range(3):
            await generous.publish("t10/x", bytes(mqtt.LARGEST + 1), qos=1)
        await generous.publish("t10/x", bytes(mqtt.LARGEST), qos=1)
        assert len((await inbox.next()).payload) == mqtt.LARGEST
        assert (careful.counts.too_large, careful.counts.reconnects) == (3, 0)


async def test_two_links_leave_no_task_and_no_socket(broker: LocalBroker) -> None:
    files, tasks = open_files(), asyncio.all_tasks()

    async def receive(_: Delivery) -> None:
        await asyncio.Event().wait()

    async with linked(broker.address, "one", "t11/#", receive=receive), linked(broker.address, "two") as two:
        await two.publish("t11/x", b"never done", qos=1)
        waiting = asyncio.create_task(two.publish("t11/y", b"cancelled", qos=1))
        waiting.cancel()
    await asyncio.wait([waiting])
    assert asyncio.all_tasks() == tasks
    assert open_files() == files


async def test_a_link_that_was_cancelled_can_be_run_again(broker: LocalBroker) -> None:
    taken, tasks = asyncio.Event(), asyncio.all_tasks()
    inbox = Inbox()

    async def receive(delivery: Delivery) -> None:
        inbox(delivery)
        taken.set()
        if delivery.payload == b"never done":
            await asyncio.Event().wait()

    link = Link(broker.address, "again", receive=receive, draw=lambda: 0.1)
    await link.subscribe("t13/x", 1)
    for payloads in ([b"never done"], [b"once", b"more"]):
        taken.clear()
        run = asyncio.create_task(link.run())
        async with asyncio.timeout(PATIENCE):
            await link.ready()
            for each in payloads:
                await link.publish("t13/x", each, qos=1)
            await taken.wait()
            assert await inbox.payloads(len(payloads)) == payloads
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled()
        assert not link.connected
    assert asyncio.all_tasks() == tasks


async def test_what_handlers_held_when_the_link_was_cancelled_is_free_at_the_next_run(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = b"x" * 100
    monkeypatch.setattr(mqtt, "HELD", 2 * (len(payload) + OVERHEAD))  # QoS 0 may hold half of it: one message
    inbox = Inbox()

    def receive(delivery: Delivery) -> Awaitable[None]:
        inbox(delivery)
        run.cancel()  # what waits for the answer is cancelled before its first line
        return asyncio.get_running_loop().create_future()

    link = Link(broker.address, "held", receive=receive, draw=lambda: 0.1)
    await link.subscribe("t14/x")
    for _ in range(2):
        run = asyncio.create_task(link.run())
        async with asyncio.timeout(PATIENCE):
            await link.ready()
            await link.publish("t14/x", payload)
            assert await inbox.payloads(1) == [payload]
            await asyncio.wait([run])


async def test_the_loop_is_never_blocked_by_connecting(broker: LocalBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    # paho itself connects with this blocking call. When paho loses the hook that we use instead, this test says so.
    def blocking(*_: object, **__: object) -> socket.socket:
        raise AssertionError("a blocking connect")

    monkeypatch.setattr(socket, "create_connection", blocking)
    async with linked(broker.address, "hook") as link:
        await link.publish("t12/x", b"", qos=1)


async def test_a_link_that_is_cancelled_before_the_broker_answers_leaves_nothing() -> None:
    tasks, came, gone = asyncio.all_tasks(), asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await packet(reader)
        came.set()
        await reader.read()
        gone.set()

    async with scripted(silent) as where, asyncio.timeout(PATIENCE):
        run = asyncio.create_task(Link(where, "early", receive=lambda _: None).run())
        await came.wait()
        run.cancel()
        await gone.wait()
        await asyncio.wait([run])
    assert asyncio.all_tasks() <= tasks | {asyncio.current_task()}


async def test_a_refused_topic_is_told_and_the_link_stays() -> None:
    async def strict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(CONNACK)
        while asked := await packet(reader):
            if asked[0] != 0x82:
                return
            writer.write(b"\x90\x04" + asked[2:4] + b"\x00\x87")

    async with scripted(strict) as where, linked(where, "strict", "secret/#") as link:
        assert link.refused == {"secret/#": "Not authorized"}
        with pytest.raises(Refused, match="also-secret: Not authorized"):
            await link.subscribe("also-secret")
        assert link.connected


async def test_nonsense_from_the_broker_ends_the_connection_and_not_the_link() -> None:
    nonsense = [
        bytes.fromhex("3001ff"),  # a message that is too short to be one
        bytes.fromhex("30ffffffff7f"),  # a length that no message may have
        bytes.fromhex("f000"),  # a packet that only we could send
    ]
    left = len(nonsense)
    good = asyncio.Event()

    async def mad(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        await packet(reader)
        writer.write(CONNACK)
        if left:
            left -= 1
            writer.write(nonsense[left])
        else:
            good.set()
        await reader.read()  # until the link hangs up

    async with scripted(mad) as where, linked(where, "patient") as link:
        async with asyncio.timeout(PATIENCE):
            await good.wait()
            await link.ready()
        assert link.counts.reconnects == len(nonsense)


async def test_a_wrong_password_is_told_in_a_clear_sentence(caplog: pytest.LogCaptureFixture) -> None:
    told = asyncio.Event()

    async def locked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(bytes.fromhex("2003008600"))
        await reader.read()
        told.set()

    async with scripted(locked) as where, asyncio.timeout(PATIENCE):
        run = asyncio.create_task(Link(where, "guest", receive=lambda _: None).run())
        await told.wait()
        run.cancel()
        await asyncio.wait([run])
    assert "Bad user name or password. Check user name" in caplog.text
