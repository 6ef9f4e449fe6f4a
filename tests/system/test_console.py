"""`tocsin chat` against a bot that runs: another user's process, a real socket, and no network that works."""

import asyncio
import contextlib
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a client as another user"),
    pytest.mark.skipif(sys.platform != "linux", reason="the console works on Linux only"),
]

PATIENCE = 30.0
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
DAEMON, BIN = 1, 2
CHAT = """
import os, sys
import typer
from rich.console import Console
from bot.words.document import document, progress, table
from bot.words.terminal import to_terminal
from bridges.console.chat import chat

# Another user may not be able to read this Python's own files: what is imported late is imported here.
shown = to_terminal(document(table(("a",), [("b",)]), progress(1)))
Console(file=open(os.devnull, "w"), force_terminal=True).print(shown)
user = int(sys.argv.pop(1))
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
typer.run(chat)
"""


class Bot:
    """A bot's own process, with nothing but a console."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config.toml"
        self.log = folder / "log"
        self._process: asyncio.subprocess.Process | None = None
        with socket.socket() as free:  # bound and not listening: nobody is ever there
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.config.write_text(
            f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n[console]\nsocket = "chat.sock"\n'
            '[people.alice]\nrole = "operator"\nconsole = ["daemon"]\n',
            encoding="utf-8",
        )
        self.config.chmod(0o644)

    async def start(self) -> None:
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "run", "-c", self.config, stdout=log, stderr=subprocess.PIPE
            )
        assert self._process.stderr
        seen = b""
        async with asyncio.timeout(PATIENCE):
            while b"chat.sock" not in (line := await self._process.stderr.readline()):
                assert line, seen.decode()
                seen += line
        self._reading = asyncio.create_task(self._process.stderr.read())

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        assert self._process
        if self._process.returncode is None:
            self._process.send_signal(how)
        async with asyncio.timeout(PATIENCE):
            await self._process.wait()
            await self._reading


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder that every user can enter; those of pytest let nobody in."""
    made = Path(tempfile.mkdtemp(prefix="console-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest_asyncio.fixture
async def bot(folder: Path) -> AsyncIterator[Bot]:
    bot = Bot(folder)
    await bot.start()
    yield bot
    await bot.stop()


def command(config: Path, *words: str, user: int = DAEMON) -> Sequence[str]:
    return (sys.executable, "-c", CHAT, str(user), "--config", str(config), *words)


async def chat(config: Path, *words: str, user: int = DAEMON, said: bytes = b"") -> tuple[int, str, str]:
    """Run it to its end. Returns its status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command(config, *words, user=user), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate(said)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


class Terminal:
    """`tocsin chat` at a terminal, with the test at the keys."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self._process = process
        self._master = master
        self._seen = ""

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, config: Path) -> AsyncGenerator["Terminal"]:
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        process = await asyncio.create_subprocess_exec(
            *command(config), stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm"}
        )
        try:
            yield cls(process, master)
            assert termios.tcgetattr(slave) == before
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            os.close(master)
            os.close(slave)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    async def shows(self, words: str) -> None:
        """Wait until the words come; what stood there before does not count."""
        there = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._master, there.set)
        try:
            async with asyncio.timeout(PATIENCE):
                while words not in self._seen:
                    await there.wait()
                    there.clear()
                    self._seen = COLOUR.sub("", self._seen + os.read(self._master, 4096).decode("utf-8", "replace"))
        except TimeoutError:
            pytest.fail(f"{words!r} does not come; what came: {self._seen!r}")
        finally:
            loop.remove_reader(self._master)
        self._seen = self._seen.partition(words)[2]

    def signal(self, how: signal.Signals) -> None:
        self._process.send_signal(how)

    async def ends(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return await self._process.wait()


async def test_a_word_on_the_command_line_is_answered(bot: Bot) -> None:
    status, out, err = await chat(bot.config, "whoami")
    assert (status, err) == (0, "")
    assert "alice" in out
    status, out, _ = await chat(bot.config, "!shutdown", "all")
    assert status == 0
    assert "everything" in out


async def test_the_lines_of_a_script_are_answered_one_after_the_other(bot: Bot) -> None:
    status, out, err = await chat(bot.config, said=b"!whoami\n\nnonsense\nwhoami")
    assert (status, err) == (0, "")
    assert out.count("alice") == 2
    assert out.index("alice") < out.index("nonsense") < out.rindex("alice")


async def test_who_may_not_talk_is_told_so_and_the_exit_status_too(bot: Bot) -> None:
    status, out, err = await chat(bot.config, "whoami", user=BIN)
    assert (status, out, err) == (1, "", "Error: This user may not talk here.\n")
    status, out, err = await chat(bot.config, "whoami", user=0)
    assert (status, out) == (1, "")
    assert "without sudo" in err


async def test_without_a_bot_a_sentence_says_what_to_do(bot: Bot) -> None:
    await bot.stop()
    status, out, err = await chat(bot.config, "whoami")
    assert (status, out) == (1, "")
    assert err.startswith("Error: There is no bot at ")
    await bot.start()
    await bot.stop(signal.SIGKILL)
    status, _, err = await chat(bot.config, "whoami")
    assert (status, "Nobody listens" in err) == (1, True)
    await bot.start()
    assert (await chat(bot.config, "whoami"))[0] == 0


async def test_a_folder_that_lets_nobody_in_is_named(folder: Path) -> None:
    (folder / "inner").mkdir(mode=0o700)
    other = folder / "other.toml"
    other.write_text('[console]\nsocket = "inner/chat.sock"\n', encoding="utf-8")
    other.chmod(0o644)
    status, _, err = await chat(other, "whoami")
    assert status == 1
    assert "You may not reach" in err


async def test_somebody_at_a_terminal_talks_until_ctrl_d(bot: Bot) -> None:
    async with Terminal.at(bot.config) as terminal:
        await terminal.shows("You are alice, operator.")
        await terminal.shows("alice")
        terminal.type("whami\x1b[D\x1b[D\x1b[Do\r")
        await terminal.shows("You are alice")
        terminal.type("\x1b[A\r")
        await terminal.shows("You are alice")
        terminal.type("\x04")
        assert await terminal.ends() == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_chat_that_is_ended_gives_the_terminal_back_as_it_was(bot: Bot, how: signal.Signals) -> None:
    async with Terminal.at(bot.config) as terminal:
        await terminal.shows("You are alice, operator.")
        terminal.signal(how)
        assert await terminal.ends() == 130


async def test_a_chat_outlives_the_bots_restart_and_says_again_what_had_no_answer(bot: Bot) -> None:
    async with Terminal.at(bot.config) as terminal:
        await terminal.shows("You are alice, operator.")
        await bot.stop(signal.SIGKILL)
        await terminal.shows("The bot is away.")
        terminal.type("whoami\r")
        await bot.start()
        await terminal.shows("The bot is back")
        await terminal.shows("You are alice")
        terminal.type("\x04")
        assert await terminal.ends() == 0
