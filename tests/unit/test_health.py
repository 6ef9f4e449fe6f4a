"""How the bot is, told over HTTP to its own machine: true, bounded, and for nobody else."""

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from bot import __version__, health
from bot.bridge import Health
from bot.desk.desk import Desk
from bot.fleet.claims import Claims
from bot.fleet.listener import Listener
from bot.health import MOST_CONNECTIONS, HealthServer
from bot.metrics import Parts, Pulse, exposition
from bot.outgoing import Outgoing
from bot.store import Store, Tx, inbox, outbox
from bot.supervisor import Supervisor
from bot.system import System
from bot.words.document import document
from bot.words.errors import SettingsError
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account
from tests.unit.talk import MATRIX, Talk
from wire.broker import Broker
from wire.messages import ROOT, Shown, State
from wire.mqtt import Link

HERE = Place("chat", "ops")


class Network:
    """A bridge to a network that is as the test says."""

    def __init__(self) -> None:
        self.now: Health | None = Health(ready=True, counts={"refused_messages": 7, "Not a name!": 1})

    def health(self) -> Health:
        if self.now is None:
            raise KeyError("inside")
        return self.now

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def send(self, post: Post, *, key: str) -> str:
        return f"{post.place}:{key}"


class Answer:
    """What came back."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *self.headers = head.decode().split("\r\n")
        self.status = int(first.split()[1]) if first else 0

    @property
    def lines(self) -> list[str]:
        return self.body.decode().splitlines()

    def value(self, name: str, **labels: str) -> float | None:
        """One sample of the metrics."""
        for family in text_string_to_metric_families(self.body.decode()):
            for sample in family.samples:
                if (sample.name, sample.labels) == (name, labels):
                    return sample.value
        return None


async def ask(server: HealthServer, raw: bytes, *, half: bool = False) -> Answer:
    """Say something on a connection of its own, and read until the other side hangs up. `half`: say nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                writer.write(raw)
                await writer.drain()
                if half:
                    writer.write_eof()
            try:
                return Answer(await reader.read())
            except ConnectionError:
                return Answer(b"")
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def get(server: HealthServer, path: str, *, host: str = "localhost", method: str = "GET") -> Answer:
    request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    return await ask(server, request.encode("latin-1"))


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def parts(system: System, network: Network) -> Parts:
    async def receive(_: object) -> None: ...

    link = Link(Broker("127.0.0.1", 1), "bot-test", receive=receive)
    listener = Listener(
        ROOT,
        system.bell,
        system.registry,
        claimed=Claims(system.store, (), queued=lambda: None),
        talk=system.jobs.hear,
        name="tocsin",
    )
    desk = Desk(system, queued=lambda: None)
    return Parts(system, desk, link, listener, Supervisor(), {"chat": network})


@pytest_asyncio.fixture
async def server(parts: Parts) -> AsyncIterator[HealthServer]:
    serving = HealthServer("127.0.0.1", 0, parts)
    running = asyncio.create_task(serving.run())
    async with asyncio.timeout(10):
        await serving.ready.wait()
    yield serving
    before = asyncio.current_task()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    left = [each for each in asyncio.all_tasks() - {before} if each.get_name().startswith("health")]
    assert left == []


async def test_it_is_alive(server: HealthServer) -> None:
    answer = await get(server, "/healthz")
    assert (answer.status, answer.lines[:2]) == (200, ["ok", f"tocsin {__version__}"])
    assert answer.lines[2].startswith("up ")
    assert "Cache-Control: no-store" in answer.headers


async def test_it_is_not_ready_while_the_broker_is_away_and_says_since_when(server: HealthServer) -> None:
    answer = await get(server, "/readyz")
    assert answer.status == 503
    bell, mqtt, chat, store, record, disk = answer.lines
    assert (bell, chat, store, record) == ("bell ready", "chat ready", "store ok", "record ok")
    assert re.fullmatch(r"mqtt away since \d\d:\d\d UTC", mqtt)
    assert disk.startswith("disk ")
    assert disk.endswith("% full")


@pytest.mark.parametrize(
    ("now", "line"),
    [
        (Health(ready=False, what="logs in"), "chat logs in"),
        (Health(ready=False), "chat not ready"),
        (Health(ready=False, what="says\nmqtt connected"), "chat says mqtt connected"),
        (None, "chat cannot say how it is (KeyError)"),
    ],
)
async def test_a_bridge_that_is_not_ready_says_why(
    server: HealthServer, network: Network, now: Health | None, line: str
) -> None:
    network.now = now
    answer = await get(server, "/readyz")
    assert answer.status == 503
    assert line in answer.lines


async def test_a_part_that_waits_to_be_started_again_is_named(server: HealthServer, parts: Parts) -> None:
    parts.supervisor.resting["desk"] = "KeyError"
    answer = await get(server, "/readyz")
    assert answer.status == 503
    assert "desk broke (KeyError) and is started again" in answer.lines


async def test_a_database_that_hangs_is_told_and_holds_nothing_up(
    server: HealthServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DISK_MAY_TAKE_S", 0.0)
    go_on = threading.Event()

    def hang(_: Tx) -> None:
        go_on.wait(10)

    hanging = asyncio.create_task(store.read(hang))
    await asyncio.sleep(0)
    try:
        ready, metrics, alive = [await get(server, path) for path in ("/readyz", "/metrics", "/healthz")]
    finally:
        go_on.set()
        await hanging
    assert "store does not answer within 0 s" in ready.lines
    assert (ready.status, metrics.status, alive.status) == (503, 200, 200)
    assert metrics.value("tocsin_store_answers") == 0
    assert metrics.value("tocsin_disk_used_ratio") is None
    assert metrics.value("tocsin_incidents_open") == 0


async def test_a_database_that_refuses_is_told(server: HealthServer, store: Store) -> None:
    await store.write(lambda tx: tx.execute("DROP TABLE outbox"))
    answer = await get(server, "/readyz")
    assert answer.status == 503
    assert any(line.startswith("store The database did not take it") for line in answer.lines)


async def test_the_metrics_are_what_the_parts_say(
    server: HealthServer, parts: Parts, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.link.counts.dropped = 3
    parts.listener.refused = 4
    monkeypatch.setattr(type(parts.system.bell), "withheld", 5)
    parts.listener.hearing.overrun = 6
    for shown, nonce in ((Shown.BUSY, "0a"), (Shown.HELD, "0b")):
        parts.system.registry.heard(State("walker", "5e", nonce, None, shown), spare_s=2.5)
    parts.supervisor.restarts["desk"] = 2
    talk = Talk(store)
    await talk.says("hello")
    await talk.says("a secret", MATRIX)
    assert isinstance(parts.channels, dict)
    parts.channels.update(talk.channels.counts)
    message = Message(HERE, Account("chat", "carol"), "$1", "!status", Standing.ATTESTED, "phone", 0, 0.0)

    def write(tx: Tx) -> None:
        inbox.accept(tx, "chat", [message], "cursor")
        for lane in (Lane.ANSWER, Lane.ANSWER, Lane.STOP):
            outbox.queue(tx, Post(HERE, document("words"), lane))

    await store.write(write)
    answer = await get(server, "/metrics")
    assert answer.status == 200
    assert {
        "refused": answer.value("tocsin_mqtt_refused_messages_total"),
        "dropped": answer.value("tocsin_mqtt_dropped_total"),
        "withheld": answer.value("tocsin_leases_withheld_total"),
        "restarts": answer.value("tocsin_part_restarts_total", part="desk"),
        "bridge": answer.value("tocsin_bridge_refused_messages_total", network="chat"),
        "inbox": answer.value("tocsin_inbox_messages", network="chat"),
        "answers": answer.value("tocsin_outbox_posts", network="chat", lane="answer"),
        "stops": answer.value("tocsin_outbox_posts", network="chat", lane="stop"),
        "held": answer.value("tocsin_components", state="held"),
        "came to be held": answer.value("tocsin_components_held_total"),
        "spare": answer.value("tocsin_lease_spare_seconds"),
        "overrun": answer.value("tocsin_statements_dropped_total"),
        "connected": answer.value("tocsin_mqtt_connected"),
        "bell": answer.value("tocsin_bell_ready"),
        "passed on": answer.value("tocsin_channel_messages_total", result="passed_on"),
        "kept back": answer.value("tocsin_channel_messages_total", result="kept_back"),
        "version": answer.value("tocsin_info", version=__version__),
    } == {
        "refused": 4,
        "dropped": 3,
        "withheld": 5,
        "restarts": 2,
        "bridge": 7,
        "inbox": 1,
        "answers": 2,
        "stops": 1,
        "held": 1,
        "came to be held": 1,
        "spare": 2.5,
        "overrun": 6,
        "connected": 0,
        "bell": 1,
        "passed on": 4,
        "kept back": 2,
        "version": 1,
    }
    commits = answer.value("tocsin_store_commits_total")
    assert commits is not None
    assert commits >= 1
    assert answer.value("tocsin_outbox_oldest_seconds", network="chat", lane="answer") is not None
    assert "words" not in answer.body.decode()


async def test_the_posts_that_went_out_are_counted(
    server: HealthServer, parts: Parts, store: Store, network: Network
) -> None:
    assert isinstance(parts.system.ways_out, dict)
    way_out = parts.system.ways_out["chat"] = Outgoing("chat", network, store)
    await store.write(lambda tx: outbox.queue(tx, Post(HERE, document("words"), Lane.ANSWER)))
    running = asyncio.create_task(way_out.run())
    await way_out.until_idle()
    answer = await get(server, "/metrics")
    running.cancel()
    await asyncio.wait([running])
    assert answer.value("tocsin_posts_sent_total", network="chat") == 1
    assert answer.value("tocsin_posts_failed_total", network="chat") == 0


async def test_no_metric_is_there_twice_and_each_says_what_it_is(parts: Parts) -> None:
    text = exposition(parts, Pulse(1.0, 0.0), None).decode()
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert all(family.documentation.endswith(".") for family in families)
    assert all(name.startswith("tocsin") for name in names)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example", "", "[::2]"],
)
async def test_a_name_that_is_not_this_machine_gets_nothing(server: HealthServer, host: str) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        answer = await get(server, path, host=host)
        assert (answer.status, answer.lines) == (403, ["Forbidden"])


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "127.0.0.1", "127.9.9.9:1", "[::1]", "[::1]:9000"])
async def test_every_name_of_this_machine_is_answered(server: HealthServer, host: str) -> None:
    assert (await get(server, "/healthz", host=host)).status == 200


@pytest.mark.parametrize("extra", ["", "Host: localhost\r\nHost: evil.example\r\n"])
async def test_a_request_without_one_name_gets_nothing(server: HealthServer, extra: str) -> None:
    answer = await ask(server, f"GET /healthz HTTP/1.0\r\n{extra}\r\n".encode())
    assert answer.status in {400, 403}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
async def test_nothing_can_be_changed(server: HealthServer, method: str) -> None:
    assert (await get(server, "/healthz", method=method)).status == 405


async def test_head_says_how_it_is_without_words(server: HealthServer) -> None:
    answer = await get(server, "/readyz", method="HEAD")
    assert (answer.status, answer.body) == (503, b"")


@pytest.mark.parametrize("path", ["/", "/metrics/", "//metrics", "/../etc/passwd", "/healthz%2f", "/HEALTHZ"])
async def test_there_is_nothing_else(server: HealthServer, path: str) -> None:
    answer = await get(server, path)
    assert answer.status == 404


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 500 + b"\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
async def test_what_is_too_large_is_refused(server: HealthServer, raw: bytes) -> None:
    assert (await ask(server, raw)).status in {400, 413, 431}
    assert (await get(server, "/healthz")).status == 200


@given(raw=st.binary(max_size=300) | st.text(max_size=100).map(lambda text: f"GET {text} HTTP/1.1\r\n\r\n".encode()))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_no_bytes_break_it(server: HealthServer, raw: bytes) -> None:
    await ask(server, raw, half=True)
    assert (await get(server, "/healthz")).status == 200


async def test_connections_are_bounded_and_a_silent_one_does_not_stay(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(MOST_CONNECTIONS)]
    try:
        assert (await get(server, "/healthz")).status == 0
    finally:
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
    async with asyncio.timeout(10):
        while (await get(server, "/healthz")).status != 200:
            pass
    monkeypatch.setattr(health, "LONGEST_CONNECTION_S", 0.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


async def test_a_port_that_is_taken_is_told_as_a_mistake_in_the_file(parts: Parts) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"Health cannot be served at 127.0.0.1:{port}: .*in use.*\[health\]"):
            await HealthServer("127.0.0.1", port, parts).run()


async def test_a_loop_that_is_kept_waiting_shows(parts: Parts) -> None:
    now, beats = 0.0, asyncio.Queue[None]()

    async def pause(seconds: float) -> None:
        nonlocal now
        now += seconds + (0.25 if beats.empty() else 0.0)
        await beats.put(None)
        if beats.qsize() > 1:
            await asyncio.get_running_loop().create_future()

    serving = HealthServer("127.0.0.1", 0, parts, clock=lambda: now, pause=pause)
    running = asyncio.create_task(serving.run())
    async with asyncio.timeout(10):
        await serving.ready.wait()
    answer = await get(serving, "/metrics")
    running.cancel()
    await asyncio.wait([running])
    assert answer.value("tocsin_event_loop_lag_seconds") == 0.25
