"""The console with a real socket, a real database and the real desk: who is let in, and that nothing gets lost.

A client is another user, as the kernel sees it. Only root can be one for a moment, so most of this needs root.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import resource
import shutil
import socket
import stat
import tempfile
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.bridge import Office
from bot.desk import desk as desk_module
from bot.desk.desk import Desk
from bot.identities import Identities
from bot.intake import Intake
from bot.outgoing import Outgoing
from bot.store import Store, audit, inbox
from bot.system import System
from bot.words.document import Document, document
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane, Place, Post, Standing
from bot.words.people import Account, People, Person, Role
from bridges.console import bridge as bridge_module
from bridges.console.bridge import MOST_CONNECTIONS, MOST_OF_ONE_USER, ConsoleBridge
from bridges.console.connection import MOST_AT_ONCE, MOST_UNREAD
from bridges.console.lines import MOST_FROM_CLIENT
from bridges.console.settings import ConsoleSettings
from wire.messages import ROOT

PATIENCE = 10.0
DAEMON, BIN, NAMELESS = 1, 2, 54_321
OVERFLOW = int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii"))

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a moment")


@pytest.fixture
def people() -> People:
    """Two users of this machine, and one who has no name here."""
    return People(
        (
            Person("alice", Role.OPERATOR, frozenset({Account("console", "daemon")})),
            Person("bob", Role.VIEWER, frozenset({Account("console", f"uid:{NAMELESS}")})),
        )
    )


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder that every user can enter; those of pytest let nobody in."""
    made = Path(tempfile.mkdtemp(prefix="console-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@dataclasses.dataclass(frozen=True, slots=True)
class Bot:
    """A bot with a console and nothing else."""

    bridge: ConsoleBridge
    path: Path
    store: Store
    people: People

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; each look lets the bot go on."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await self.store.read(lambda _: None)

    def counted(self, name: str) -> int:
        return self.bridge.health().counts[name]


@contextlib.asynccontextmanager
async def running(*works: Any) -> AsyncGenerator[None]:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(ended, asyncio.CancelledError), ended


@pytest_asyncio.fixture
async def bot(system: System, store: Store, people: People, folder: Path) -> AsyncIterator[Bot]:
    outs: dict[str, Outgoing] = {}

    def queued() -> None:
        outs["console"].wake()

    def back(place: Place) -> None:
        outs["console"].back(place)

    system = dataclasses.replace(system, ways_out=outs)
    desk = Desk(system, queued=queued)
    intake = Intake("console", store, desk, system.approvals, system.plans, queued=queued)
    office = Office(folder, people, store, intake, Identities(store, People()), back=back)
    bridge = ConsoleBridge(ConsoleSettings(socket=folder / "chat.sock"), office)
    outs["console"] = Outgoing("console", bridge, store)
    async with running(bridge.run(), desk.run(), outs["console"].run()):
        bot = Bot(bridge, folder / "chat.sock", store, people)
        await bot.until(lambda: bridge.health().ready)
        yield bot


@contextlib.contextmanager
def as_user(uid: int) -> Generator[None]:
    """Be another user for a moment. Nothing may be awaited in it."""
    before = os.geteuid()
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(before)


class Client:
    """A client made of nothing but a socket and JSON."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, path: Path, uid: int = DAEMON) -> AsyncGenerator["Client"]:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with as_user(uid):
            sock.connect(str(path))
        sock.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=sock, limit=2**24)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def read(self) -> Mapping[str, Any]:
        """The next line; empty at the end."""
        async with asyncio.timeout(PATIENCE):
            try:
                line = await self._reader.readline()
            except ConnectionResetError:  # it was closed with something of ours unread
                line = b""
        return json.loads(line) if line else {}

    async def until(self, name: str) -> Any:
        """The next line of a kind."""
        while name not in (line := await self.read()):
            assert line, f"the connection ended before a line of kind {name}"
        return line[name]

    async def ended(self) -> None:
        while await self.read():
            pass

    def stop_reading(self) -> None:
        transport = self.writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()

    def write(self, **line: object) -> None:
        self.writer.write(json.dumps(line).encode() + b"\n")

    def say(self, text: str, number: int = 0) -> str:
        self.write(say=text, id=f"{number:032x}")
        return f"{number:032x}"

    async def post(self) -> Mapping[str, Any]:
        post = await self.until("post")
        self.write(heard=post["key"])
        return post


def words(post: Mapping[str, Any]) -> str:
    return "".join(span["text"] for block in post["document"]["blocks"] for span in block.get("spans", ()))


def post_to(user: str, said: Document | str = "news") -> Post:
    return Post(Place("console", user), document(said) if isinstance(said, str) else said, Lane.ALERT)


@needs_root
async def test_a_listed_user_is_greeted_and_answered_without_a_prefix(bot: Bot) -> None:
    async with Client.of(bot.path) as client:
        hello = await client.until("hello")
        assert (hello["account"], hello["person"], hello["role"]) == ("daemon", "alice", "operator")
        name = client.say("whoami")
        assert await client.until("taken") == name
        post = await client.post()
        assert post["reply_to"] == f"daemon-{name}"
        assert "alice" in json.dumps(post["document"])
        await bot.until(lambda: bot.bridge.health().counts["connections"] == 1)


@needs_root
async def test_a_user_without_a_name_is_known_by_its_number(bot: Bot) -> None:
    async with Client.of(bot.path, NAMELESS) as client:
        assert (await client.until("hello"))["person"] == "bob"


@needs_root
async def test_what_was_said_is_a_message_from_the_user_that_the_kernel_names(bot: Bot) -> None:
    async with Client.of(bot.path) as client:
        client.write(say="...", id="f" * 32, age_s=30)
        await client.until("taken")
    row = await bot.store.read(
        lambda tx: tx.execute(
            "SELECT account, place, standing, device, addressed, age_s, received * 1000 - sent_ms FROM inbox"
        ).fetchone()
    )
    assert row[:6] == ("daemon", "daemon", Standing.LOCAL, f"pid {os.getpid()}", 1, 30.0)
    assert row[6] >= 30_000


@needs_root
async def test_a_stop_from_the_console_goes_out(bot: Bot, published: list[tuple[str, bytes]]) -> None:
    async with Client.of(bot.path) as client:
        client.say("shutdown all")
        post = await client.post()
        assert post["lane"] == Lane.STOP
    assert {topic for topic, _ in published} == {f"{ROOT}/stop/all"}


@needs_root
async def test_a_client_may_say_as_much_as_it_likes_one_after_the_other(bot: Bot) -> None:
    async with Client.of(bot.path) as client:
        for number in range(3 * MOST_AT_ONCE):
            client.say("...", number)
        assert [int(await client.until("taken"), 16) for _ in range(3 * MOST_AT_ONCE)] == [*range(3 * MOST_AT_ONCE)]


@needs_root
async def test_the_same_line_said_again_is_taken_again_and_run_once(bot: Bot) -> None:
    async with Client.of(bot.path) as client:
        client.say("whoami")
        await client.post()
    async with Client.of(bot.path) as client:
        client.say("whoami")
        await client.until("taken")
        client.say("help", 1)
        assert (await client.post())["reply_to"].endswith("1")
    assert await bot.store.read(lambda tx: tx.execute("SELECT count(*) FROM inbox").fetchone()) == (2,)


@needs_root
async def test_the_same_id_of_two_users_is_two_messages(bot: Bot) -> None:
    for uid in (DAEMON, NAMELESS):
        async with Client.of(bot.path, uid) as client:
            client.say("whoami")
            await client.post()
    assert await bot.store.read(lambda tx: tx.execute("SELECT count(*) FROM inbox").fetchone()) == (2,)


async def test_the_bots_own_user_is_shut_out_with_the_reason(bot: Bot) -> None:
    with structlog.testing.capture_logs() as logs:
        async with Client.of(bot.path, os.geteuid()) as client:
            assert "may not talk here" in (await client.read())["closed"]
            assert await client.read() == {}
    assert [entry["uid"] for entry in logs if entry["event"] == "refused at the console"] == [os.geteuid()]
    assert bot.counted("refused_connections") == 1


@needs_root
async def test_a_user_of_another_namespace_is_shut_out(bot: Bot) -> None:
    async with Client.of(bot.path, OVERFLOW) as client:
        assert "namespace" in (await client.read())["closed"]
        assert await client.read() == {}


@needs_root
async def test_a_user_who_is_not_listed_learns_nothing_and_leaves_nothing(bot: Bot) -> None:
    async with Client.of(bot.path, BIN) as client:
        client.say("shutdown all")
        assert await client.read() == {"closed": "This user may not talk here."}
        assert await client.read() == {}
    assert await bot.store.read(inbox.open_rows) == []
    await bot.until(lambda: bot.counted("refused_connections") == 1)


@needs_root
async def test_who_is_suspended_is_shown_out_and_hears_nothing_more(bot: Bot) -> None:
    async with Client.of(bot.path) as client:
        await client.until("hello")
        bot.people.suspend("alice")
        assert await client.until("closed") == "This user may not talk here."
        await client.ended()
    with pytest.raises(Unreachable, match="suspended"):
        await bot.bridge.send(post_to("daemon"), key="0" * 32)
    async with Client.of(bot.path) as client:
        assert "closed" in await client.read()
    bot.people.resume("alice")
    async with Client.of(bot.path) as client:
        assert "hello" in await client.read()
    assert await bot.store.read(inbox.open_rows) == []


@needs_root
@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xfe\x00\n",
        b'{"say": "hay"}\n',
        b"[" * 20_000 + b"\n",
        b"x" * (MOST_FROM_CLIENT + 1),
        b"x" * (3 * MOST_FROM_CLIENT) + b"\n",
    ],
)
async def test_garbage_is_answered_with_what_is_wrong_and_ends_the_connection(bot: Bot, garbage: bytes) -> None:
    async with Client.of(bot.path) as client, Client.of(bot.path) as other:
        client.writer.write(garbage)
        assert (await client.until("closed")).startswith("A line")
        await client.ended()
        other.say("whoami")
        await other.post()
    assert bot.counted("bad_lines") == 1


@needs_root
async def test_a_line_that_nothing_ended_was_not_said(bot: Bot) -> None:
    async with Client.of(bot.path) as client:
        await client.until("hello")
        client.writer.write(b'{"say": "shutdown all", "id": "%b"}' % (b"0" * 32))
        client.writer.write_eof()
        await client.ended()
    assert await bot.store.read(lambda tx: tx.execute("SELECT count(*) FROM inbox").fetchone()) == (0,)


@needs_root
async def test_one_user_may_open_so_many_chats_and_no_more(bot: Bot) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(MOST_OF_ONE_USER):
            client = await stack.enter_async_context(Client.of(bot.path))
            await client.until("hello")
        full = await stack.enter_async_context(Client.of(bot.path))
        assert "Close one first" in (await full.read())["closed"]
        other = await stack.enter_async_context(Client.of(bot.path, NAMELESS))
        assert "hello" in await other.read()
    async with Client.of(bot.path) as client:
        await client.until("hello")


@needs_root
async def test_all_together_may_open_so_many_chats_and_no_more(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_module, "MOST_CONNECTIONS", 2)
    assert MOST_CONNECTIONS > 2
    async with Client.of(bot.path) as one, Client.of(bot.path) as two:
        await one.until("hello")
        await two.until("hello")
        async with Client.of(bot.path, NAMELESS) as three:
            assert "Too many" in (await three.read())["closed"]


@needs_root
async def test_where_no_file_is_left_a_guest_waits_until_there_is_one(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_module, "NO_FILE_LEFT_S", 0.001)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with structlog.testing.capture_logs() as logs, socket.socket(socket.AF_UNIX) as guest:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
            with as_user(DAEMON):
                guest.connect(str(bot.path))
            await bot.until(lambda: any(entry["event"] == "nobody can be let in" for entry in logs))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        await bot.until(lambda: bot.counted("connections") == 1)
    async with Client.of(bot.path) as client:
        await client.until("hello")


@needs_root
async def test_a_post_is_sent_once_one_client_has_shown_it(bot: Bot) -> None:
    async with Client.of(bot.path) as one, Client.of(bot.path) as two:
        await one.until("hello")
        await two.until("hello")
        sending = asyncio.create_task(bot.bridge.send(post_to("daemon"), key="a" * 32))
        assert words(await one.until("post")) == "news"
        assert words(await two.until("post")) == "news"
        two.write(heard="b" * 32)
        two.say("help")
        await two.until("taken")
        assert not sending.done()
        two.write(heard="a" * 32)
        assert await sending == "a" * 32


@needs_root
async def test_nobody_else_can_say_that_a_post_was_shown(bot: Bot) -> None:
    async with Client.of(bot.path) as alice, Client.of(bot.path, NAMELESS) as bob:
        await alice.until("hello")
        await bob.until("hello")
        sending = asyncio.create_task(bot.bridge.send(post_to("daemon"), key="a" * 32))
        await alice.until("post")
        bob.write(heard="a" * 32)
        bob.say("help")
        await bob.until("taken")
        assert not sending.done()
        alice.write(heard="a" * 32)
        await sending


@needs_root
async def test_a_post_to_somebody_who_has_no_chat_open_waits_in_the_outbox(bot: Bot) -> None:
    with pytest.raises(Unreachable, match="no chat open"):
        await bot.bridge.send(post_to("daemon"), key="a" * 32)


async def test_a_post_to_somebody_who_is_not_listed_is_never_sent(bot: Bot) -> None:
    with pytest.raises(NetworkError, match="not listed") as raised:
        await bot.bridge.send(post_to("bin"), key="a" * 32)
    assert not isinstance(raised.value, Unreachable)


@needs_root
async def test_a_client_that_shows_nothing_leaves_the_post_waiting(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_module, "ANSWER_WITHIN_S", 0.01)
    async with Client.of(bot.path) as client:
        await client.until("hello")
        for _ in range(2):
            with pytest.raises(Unreachable, match="has shown this"):
                await bot.bridge.send(post_to("daemon"), key="a" * 32)
            assert (await client.until("post"))["key"] == "a" * 32


@needs_root
async def test_a_client_that_comes_back_gets_the_post_that_is_on_its_way(bot: Bot) -> None:
    async with Client.of(bot.path) as client:
        await client.until("hello")
        sending = asyncio.create_task(bot.bridge.send(post_to("daemon"), key="a" * 32))
        await client.until("post")
    async with Client.of(bot.path) as client:
        await client.post()
        assert await sending == "a" * 32


@needs_root
async def test_a_post_that_edits_says_which_and_goes_by_its_name(bot: Bot) -> None:
    async with Client.of(bot.path) as client:
        await client.until("hello")
        edit = dataclasses.replace(post_to("daemon"), edits="e" * 32)
        sending = asyncio.create_task(bot.bridge.send(edit, key="a" * 32))
        assert (await client.post())["edits"] == "e" * 32
        assert await sending == "e" * 32


@needs_root
async def test_a_post_of_any_size_is_bounded(bot: Bot) -> None:
    with pytest.raises(NetworkError, match="bytes long"):
        await bot.bridge.send(post_to("daemon", "x" * 9_000_000), key="a" * 32)


@needs_root
async def test_who_does_not_read_is_cut_off_and_delays_nobody(bot: Bot) -> None:
    async with Client.of(bot.path) as deaf, Client.of(bot.path) as other:
        await other.until("hello")
        await bot.until(lambda: bot.counted("connections") == 2)
        deaf.stop_reading()
        sent = 0
        while not bot.counted("cut_connections"):
            sending = asyncio.create_task(bot.bridge.send(post_to("daemon", "x" * MOST_UNREAD), key=f"{sent:032x}"))
            await other.post()
            await sending
            sent += 1
            assert sent < 20


@needs_root
async def test_a_disk_that_takes_nothing_keeps_nobody_from_reading_and_stopping(
    bot: Bot, published: list[tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Client.of(bot.path) as client:
        client.say("whoami")
        await client.post()

        def fill(tx: Any) -> None:
            (pages,) = tx.execute("PRAGMA page_count").fetchone()
            tx.execute(f"PRAGMA max_page_count = {pages}")

        await bot.store.write(fill)
        with structlog.testing.capture_logs():
            for number, line, answer in (
                (1, "whoami", "You are"),
                (2, "maintenance walker for 10m", "Not run: it cannot be recorded. The database did not take it"),
                (3, "shutdown all", "STOPPING"),
            ):
                assert published == []
                client.say(line + " " * 60_000, number)
                await client.until("taken")
                assert answer in str(await client.post())
            monkeypatch.setattr(desk_module, "MOST_APART", 0)
            name = client.say("whoami" + " " * 60_000, 4)
            refused = await client.read()
        assert refused["refused"] == name
        assert "disk is full" in refused["why"]
        assert refused["why"].endswith("If this was a stop, it goes out all the same.")
        assert {topic for topic, _ in published} == {f"{ROOT}/stop/all"}
        assert bot.counted("lines_not_taken") == 1

        await bot.store.write(lambda tx: tx.execute("PRAGMA max_page_count = 1000000"))
        async with asyncio.timeout(PATIENCE):
            while (
                len(found := [each for each in await bot.store.read(audit.everything) if each.fields.get("late")]) < 3
            ):
                await bot.store.read(lambda _: None)
    by_command = {each.fields["command"]: each.fields for each in found}
    assert {name: fields["result"] for name, fields in by_command.items()} == {
        "whoami": "done",
        "maintenance": "refused: no record",
        "shutdown": "done",
    }
    ids = [each.fields["id"] for each in await bot.store.read(audit.everything) if each.kind == "intent"]
    assert ids == [by_command["shutdown"]["id"]], "the intent of the stop alone, and once"


@needs_root
async def test_a_line_that_hangs_at_the_disk_holds_up_nothing_else(
    bot: Bot, store: Store, hang_disk: Callable[[Store], AbstractAsyncContextManager[threading.Event]]
) -> None:
    async with Client.of(bot.path) as client:
        await client.until("hello")
        async with hang_disk(store):
            client.say("whoami", 1)
            sending = asyncio.create_task(bot.bridge.send(post_to("daemon"), key="a" * 32))
            await client.post()
            await sending
        await client.until("taken")


@needs_root
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.lists(st.binary(max_size=300), max_size=5))
async def test_no_bytes_on_the_socket_end_the_bridge(bot: Bot, garbage: list[bytes]) -> None:
    with structlog.testing.capture_logs():
        async with Client.of(bot.path) as client:
            for piece in (*garbage, b"\n\n"):
                client.writer.write(piece)
            await client.ended()
    assert bot.bridge.health().ready


async def test_the_socket_is_open_to_all_and_gone_at_the_end(bot: Bot) -> None:
    mode = bot.path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o666


async def test_a_bridge_that_was_cancelled_can_run_again_and_leaves_nothing(
    store: Store, people: People, system: System, folder: Path
) -> None:
    path = folder / "chat.sock"
    intake = Intake(
        "console", store, Desk(system, queued=lambda: None), system.approvals, system.plans, queued=lambda: None
    )
    bridge = ConsoleBridge(
        ConsoleSettings(socket=path),
        Office(folder, people, store, intake, Identities(store, People()), back=lambda _: None),
    )
    tasks = asyncio.all_tasks()
    for _ in range(2):
        sending = asyncio.create_task(bridge.send(post_to("daemon"), key="a" * 32))  # it waits until `run` is ready
        assert not bridge.health().ready
        async with running(bridge.run()):
            with pytest.raises(Unreachable):
                await sending
            assert bridge.health().ready
            reader, writer = await asyncio.open_unix_connection(str(path))
            assert b"closed" in await reader.readline()
            writer.close()
        assert not path.exists()
        assert not bridge.health().ready
    assert asyncio.all_tasks() == tasks


async def test_many_who_knock_at_once_leave_everybody_else_their_turn(bot: Bot) -> None:
    before = bot.counted("connections")
    turns: list[int] = []
    with contextlib.ExitStack() as stack:
        for _ in range(40):  # all wait at the door before the loop turns again
            knock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            knock.setblocking(False)
            knock.connect(str(bot.path))
        while bot.counted("connections") - before < 40:
            turns.append(bot.counted("connections") - before)
            await asyncio.sleep(0)
    assert len([count for count in turns if 0 < count < 40]) > 5
