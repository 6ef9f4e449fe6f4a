"""The chat's end of the socket, against a bot's end that the test plays line by line."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.words.document import Document, document
from bot.words.errors import NetworkError, Refused, TocsinError, Unreachable, UsageError
from bot.words.plain import to_plain
from bridges.console import client as client_module
from bridges.console.client import MOST_UNANSWERED, Chat, Said
from bridges.console.lines import Closed, FromBot, Hello, NotTaken, Posted, Taken, event_of, to_line

PATIENCE = 10.0
HELLO = Hello("ann", "alice", "operator", "1.0")


class Face:
    """Writes down what a person would see."""

    def __init__(self) -> None:
        self.seen: asyncio.Queue[str] = asyncio.Queue()

    def met(self, hello: Hello) -> None:
        self.seen.put_nowait(f"met {hello.person}")

    def lost(self) -> None:
        self.seen.put_nowait("lost")

    def refused(self, said: Said, why: str) -> None:
        self.seen.put_nowait(f"refused {said.text}: {why}")

    def show(self, post: Posted, answers: Said | None) -> None:
        self.seen.put_nowait(f"{answers.text if answers else 'news'}: {to_plain(post.document)}")

    async def next(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self.seen.get()


class BotsEnd:
    """One connection as the bot sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def tell(self, *lines: FromBot) -> None:
        for line in lines:
            self.writer.write(to_line(line))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self._reader.readuntil(b"\n"))


class Bot:
    """A socket that the test answers at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._came: asyncio.Queue[BotsEnd] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self._ends: list[BotsEnd] = []

    async def start(self) -> None:
        async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._ends.append(BotsEnd(reader, writer))
            self._came.put_nowait(self._ends[-1])

        self._server = await asyncio.start_unix_server(come, str(self.path))

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        while self._ends:
            writer = self._ends.pop().writer
            writer.transport.abort()
            writer.close()
        await self._server.wait_closed()
        self.path.unlink(missing_ok=True)

    async def comes(self) -> BotsEnd:
        async with asyncio.timeout(PATIENCE):
            return await self._came.get()


@pytest_asyncio.fixture
async def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    monkeypatch.chdir(tmp_path)
    bot = Bot(Path("chat.sock"))
    await bot.start()
    yield bot
    await bot.stop()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def face() -> Face:
    return Face()


@contextlib.asynccontextmanager
async def running(chat: Chat) -> AsyncGenerator[None]:
    task = asyncio.create_task(chat.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def error_of(chat: Chat) -> TocsinError:
    with pytest.raises(TocsinError) as raised:
        async with asyncio.timeout(PATIENCE):
            await chat.run()
    return raised.value


def post(said: Document | str, key: str = "a" * 32, reply_to: str | None = None) -> Posted:
    return Posted(key, document(said) if isinstance(said, str) else said, 1, reply_to, None)


async def test_a_line_is_said_and_its_answer_is_shown_and_confirmed(bot: Bot, face: Face) -> None:
    chat = Chat(bot.path, face)
    async with running(chat):
        end = await bot.comes()
        end.tell(HELLO)
        assert await face.next() == "met alice"
        said = chat.say("status")
        assert await end.hear() == {"say": "status", "id": said.id, "age_s": 0.0}
        end.tell(Taken(said.id), post("all well", reply_to=event_of("ann", said.id)))
        assert await face.next() == "status: all well"
        assert await end.hear() == {"heard": "a" * 32}


async def test_only_the_first_answer_to_a_line_answers_it(bot: Bot, face: Face) -> None:
    chat = Chat(bot.path, face)
    async with running(chat):
        end = await bot.comes()
        end.tell(HELLO)
        said = chat.say("shutdown all")
        event = event_of("ann", said.id)
        end.tell(
            post("STOPPING", "a" * 32, event), post("STOPPED", "b" * 32, event), post("hay", "c" * 32, "elsewhere")
        )
        assert [await face.next() for _ in range(4)] == [
            "met alice",
            "shutdown all: STOPPING",
            "news: STOPPED",
            "news: hay",
        ]


async def test_a_post_that_comes_again_is_confirmed_again_and_shown_once(bot: Bot, face: Face) -> None:
    async with running(Chat(bot.path, face)):
        end = await bot.comes()
        end.tell(HELLO, post("news"), post("news"), post("more", "b" * 32))
        assert [(await end.hear())["heard"][0] for _ in range(3)] == ["a", "a", "b"]
        assert [await face.next() for _ in range(3)] == ["met alice", "news: news", "news: more"]


async def test_after_a_restart_what_has_no_answer_is_said_again_with_its_age(
    bot: Bot, face: Face, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 0.001)
    chat = Chat(bot.path, face, clock=clock)
    async with running(chat):
        end = await bot.comes()
        end.tell(HELLO)
        answered, taken = chat.say("one"), chat.say("two")
        end.tell(Taken(answered.id), post("1", reply_to=event_of("ann", answered.id)), Taken(taken.id))
        assert [await face.next() for _ in range(2)] == ["met alice", "one: 1"]
        await bot.stop()
        assert await face.next() == "lost"
        clock.now += 5
        away = chat.say("three")
        clock.now += 60
        await bot.start()
        end = await bot.comes()
        end.tell(HELLO)
        assert await face.next() == "met alice"
        assert await end.hear() == {"say": "two", "id": taken.id, "age_s": 65.0}
        assert await end.hear() == {"say": "three", "id": away.id, "age_s": 60.0}
        end.tell(post("2", "b" * 32, event_of("ann", taken.id)))
        assert await face.next() == "two: 2"


async def test_a_bot_that_stays_away_for_long_is_looked_for_again_and_again(
    bot: Bot, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 0.0001)
    monkeypatch.setattr(client_module, "LONGEST_WAIT_S", 0.001)
    async with running(Chat(bot.path, face)):
        for _ in range(3):
            end = await bot.comes()
            end.tell(HELLO)
            assert await face.next() == "met alice"
            await bot.stop()
            assert await face.next() == "lost"
            await bot.start()
            (await bot.comes()).writer.transport.abort()  # not yet ready: it ends before its hello


async def test_a_line_that_was_refused_is_told_and_not_said_again(bot: Bot, face: Face) -> None:
    chat = Chat(bot.path, face)
    async with running(chat):
        end = await bot.comes()
        end.tell(HELLO)
        await face.next()
        said = chat.say("status")
        end.tell(NotTaken(said.id, "The disk is full."), NotTaken(said.id, "twice"), post("news"))
        assert await face.next() == "refused status: The disk is full."
        assert await face.next() == "news: news"


async def test_who_is_shut_out_hears_why_and_does_not_try_again(bot: Bot, face: Face) -> None:
    running = asyncio.create_task(error_of(Chat(bot.path, face)))
    (await bot.comes()).tell(Closed("This user may not talk here."))
    error = await running
    assert isinstance(error, Refused)
    assert str(error) == "This user may not talk here."


async def test_who_is_shut_out_later_hears_why_too(bot: Bot, face: Face) -> None:
    running = asyncio.create_task(error_of(Chat(bot.path, face)))
    (await bot.comes()).tell(HELLO, Closed("This user may not talk here."))
    assert isinstance(await running, Refused)


@pytest.mark.parametrize("line", [b"HTTP/1.1 400 Bad Request\r\n", b'{"new": 1}\n', b'{"post": {"key": "a"}}\n'])
async def test_what_this_version_does_not_know_ends_the_chat_with_a_sentence(bot: Bot, face: Face, line: bytes) -> None:
    running = asyncio.create_task(error_of(Chat(bot.path, face)))
    end = await bot.comes()
    end.tell(HELLO)
    end.writer.write(line)
    error = await running
    assert isinstance(error, NetworkError)
    assert error.hint == "Start this chat again."


async def test_where_no_bot_is_the_error_says_what_to_do(tmp_path: Path, face: Face) -> None:
    error = await error_of(Chat(tmp_path / "none.sock", face))
    assert isinstance(error, Unreachable)
    assert "There is no bot at" in error.what
    assert "Start it" in error.hint


async def test_where_a_bot_died_the_error_says_what_to_do(bot: Bot, face: Face) -> None:
    (tmp := bot.path.with_name("dead.sock")).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as dead:  # its file stays behind
        dead.bind(str(tmp))
    assert "Nobody listens" in (await error_of(Chat(tmp, face))).what


async def test_a_bot_that_says_nothing_is_not_waited_for_without_end(
    bot: Bot, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "HELLO_WITHIN_S", 0.01)
    assert "does not answer" in (await error_of(Chat(bot.path, face))).what


async def test_a_bot_that_ends_before_its_hello_is_an_error_at_first(bot: Bot, face: Face) -> None:
    running = asyncio.create_task(error_of(Chat(bot.path, face)))
    (await bot.comes()).writer.transport.abort()
    assert "ended the connection" in (await running).what


async def test_a_line_that_is_too_long_is_not_said(bot: Bot, face: Face) -> None:
    with pytest.raises(UsageError):
        Chat(bot.path, face).say("x" * 60_000)


async def test_only_so_many_lines_wait_for_an_answer(bot: Bot, face: Face) -> None:
    chat = Chat(bot.path, face)
    said = [chat.say(str(number)) for number in range(MOST_UNANSWERED)]
    with pytest.raises(UsageError, match="Not said"):
        chat.say("!shutdown all")
    async with running(chat):
        end = await bot.comes()
        end.tell(HELLO)
        assert (await end.hear())["id"] == said[0].id
