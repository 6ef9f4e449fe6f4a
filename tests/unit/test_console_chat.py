"""`tocsin chat` by script: what it prints where, how it ends, and how little of the bot it needs."""

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bot.words.document import document, strong, text
from bot.words.errors import Refused, SettingsError, TocsinError, UsageError
from bridges.console import talking
from bridges.console.chat import socket_of
from bridges.console.lines import FromBot, Hello, NotTaken, Posted, Taken, event_of, to_line
from bridges.console.talking import by_script, lines_of

Answer = Callable[[str, str], tuple[FromBot, ...]]


@contextlib.asynccontextmanager
async def answering(path: Path, answer: Answer) -> AsyncGenerator[None]:
    """A bot's end that answers each line as the test says."""
    writers: list[asyncio.StreamWriter] = []

    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(to_line(Hello("ann", "alice", "operator", "1.0")))
        while line := await reader.readline():
            content = json.loads(line)
            if "say" in content:
                writer.writelines(map(to_line, answer(content["id"], content["say"])))
        writer.close()

    server = await asyncio.start_unix_server(come, str(path))
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


def post(words: str, name: str = "", number: int = 0) -> Posted:
    reply_to = event_of("ann", name) if name else None
    return Posted(f"{number:032x}", document(text(strong(words))), 1, reply_to, None)


async def each(*lines: str) -> AsyncIterator[str]:
    for line in lines:
        yield line


async def script(path: Path, *lines: str) -> tuple[str, str, list[TocsinError]]:
    out, rest = Console(file=io.StringIO(), width=20), Console(file=io.StringIO(), width=20)
    wrong = await by_script(path, each(*lines), out, rest)
    assert isinstance(out.file, io.StringIO)
    assert isinstance(rest.file, io.StringIO)
    return out.file.getvalue(), rest.file.getvalue(), wrong


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("chat.sock")


async def test_answers_go_to_one_stream_and_everything_else_to_the_other(path: Path) -> None:
    numbers = iter(range(100))

    def answer(name: str, line: str) -> tuple[FromBot, ...]:
        return post("[news]", "", next(numbers)), Taken(name), post(f"a long answer to {line}", name, next(numbers))

    async with answering(path, answer):
        out, rest, wrong = await script(path, "one", "two")
    assert out == "a long answer to one\na long answer to two\n"
    assert rest == "[news]\n[news]\n"
    assert wrong == []


async def test_what_goes_wrong_with_one_line_is_told_and_the_next_is_said_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talking, "ANSWER_WITHIN_S", 0.05)

    def answer(name: str, line: str) -> tuple[FromBot, ...]:
        match line:
            case "full":
                return (NotTaken(name, "The disk is full."),)
            case "lost":
                return (Taken(name),)
            case _:
                return (post("done", name),)

    async with answering(path, answer):
        out, _, wrong = await script(path, "full", "lost", "x" * 60_000, "good")
    assert out == "done\n"
    assert [type(error).__name__ for error in wrong] == ["Refused", "Unreachable", "UsageError"]
    assert isinstance(wrong[0], Refused)
    assert "No answer to 'lost'" in str(wrong[1])


async def test_a_pipe_is_read_line_by_line_as_it_comes() -> None:
    source, end = os.pipe()
    lines = lines_of(source)
    os.write(end, b"one\n\n  \ntw")
    assert await anext(lines) == "one"
    waiting = asyncio.ensure_future(anext(lines))
    os.write(end, b"o\r\n\xff\nlast")
    assert await waiting == "two"
    os.close(end)
    assert [line async for line in lines] == ["\N{REPLACEMENT CHARACTER}", "last"]
    os.close(source)


async def test_a_file_is_read_too(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(5_000)]
    (tmp_path / "script").write_text("\n".join(lines), encoding="utf-8")
    with (tmp_path / "script").open("rb") as file:
        assert [line async for line in lines_of(file.fileno())] == lines


async def test_a_line_without_end_is_not_read_without_end() -> None:
    source = os.open("/dev/zero", os.O_RDONLY)
    with pytest.raises(UsageError, match="too long"):
        _ = [line async for line in lines_of(source)]
    os.close(source)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        (b"\xff", "is not TOML"),
        (b"[console", "is not TOML"),
        (b"[matrix]", "has no [console]"),
        (b"console = 3", "cannot be used"),
        (b"[console]", "cannot be used: socket"),
        (b"[console]\nsocket = 3", "cannot be used: socket"),
        (b"[console]\nsocket = '%b'" % (b"x" * 120), "107 at most"),
        (b"[console]\nsocket = 'a'\nsockets = 'b'", "cannot be used: sockets"),
    ],
)
def test_a_configuration_that_names_no_socket_is_told(tmp_path: Path, content: bytes | None, told: str) -> None:
    config = tmp_path / "config.toml"
    if content is not None:
        config.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        socket_of(config)
    assert told in str(raised.value)


def test_only_its_own_section_of_the_configuration_counts(path: Path) -> None:
    Path("config.toml").write_text('[mqtt]\nport = "none"\n[console]\nsocket = "chat.sock"', encoding="utf-8")
    assert socket_of(Path("config.toml")) == Path.cwd() / path


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_configuration_names_a_socket_or_is_told(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    config = tmp_path_factory.getbasetemp() / "config.toml"
    config.write_text(content, encoding="utf-8")
    with contextlib.suppress(SettingsError):
        socket_of(config)


def test_the_chat_imports_little_of_the_bot_and_nothing_of_a_network() -> None:
    code = "import sys, bridges.console.chat; print(*sorted(sys.modules))"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    found = subprocess.run(  # noqa: S603 - our own Python
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=plain
    ).stdout.split()
    ours = {name for name in found if name.partition(".")[0] in ("bot", "wire", "commands", "bridges")}
    assert {name for name in ours if not name.startswith(("bot.words", "bridges.console"))} == {
        "bot",
        "bot.paths",
        "bridges",
    }
    assert not {"nio", "aiohttp", "sqlite3", "structlog"} & set(found)


def test_the_bridge_is_found_by_its_entry_point() -> None:
    code = "from bot.bridge import find_plugins; print(find_plugins()['console']().settings.__name__)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own Python
    assert found.stdout == "ConsoleSettings\n"
