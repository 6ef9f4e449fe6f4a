"""The demo as a stranger runs it: as a process of its own, with nothing left behind when it ends."""

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

WITHIN_S = 90


@contextlib.asynccontextmanager
async def demo(*arguments: str, env: dict[str, str] | None = None) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "demo", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"COLUMNS": "100"} | (env or {}),
    )  # fmt: skip
    try:
        async with asyncio.timeout(WITHIN_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def read_until(process: asyncio.subprocess.Process, words: str) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        if words in line.decode():
            return
    pytest.fail(f"the demo never said {words!r}")


def processes(folder: Path) -> dict[int, str]:
    """All processes that name this folder, and their command lines."""
    found: dict[int, str] = {}
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in command and each.parent.name != str(os.getpid()):
                found[int(each.parent.name)] = command
    return found


def left_running(folder: Path) -> list[str]:
    """The command lines of all processes that name this folder."""
    return list(processes(folder).values())


async def gone(folder: Path) -> None:
    """Wait until the kernel has ended what it still ends."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(10):
        for pid in processes(folder):
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                ended, watch = asyncio.Event(), os.pidfd_open(pid)
                loop.add_reader(watch, ended.set)
                await ended.wait()
                loop.remove_reader(watch)
                os.close(watch)
    assert left_running(folder) == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc, which this system has not")
class TestWithProcesses:
    @pytest.mark.parametrize("broker", ["mosquitto", pytest.param("amqtt", marks=pytest.mark.soak)])
    async def test_the_tour_is_green_and_leaves_its_folder_and_no_process(self, tmp_path: Path, broker: str) -> None:
        folder = tmp_path / "world"
        async with demo("--tour", "--dir", str(folder), "--broker", broker) as process:
            output, _ = await process.communicate()
        text = output.decode()
        assert process.returncode == 0, text
        assert "The tour is green" in text
        assert re.search(r"STOPPED everything: 1 of 1 confirmed it", text)
        with contextlib.closing(sqlite3.connect(folder / "bot" / "state" / "tocsin.db")) as database:
            (waiting,) = database.execute("SELECT count(*) FROM outbox WHERE state <> 'sent'").fetchone()
            (undone,) = database.execute("SELECT count(*) FROM inbox WHERE state <> 'done'").fetchone()
        assert (waiting, undone) == (0, 0)
        assert left_running(folder) == []

    @pytest.mark.parametrize(
        ("how", "moment"),
        [
            pytest.param(signal.SIGINT, "Starting a homeserver", marks=pytest.mark.soak),
            (signal.SIGTERM, "Starting a homeserver"),
            (signal.SIGINT, "Meeting"),
        ],
    )
    async def test_a_signal_at_any_moment_leaves_no_process(
        self, tmp_path: Path, how: signal.Signals, moment: str
    ) -> None:
        async with demo("--dir", str(tmp_path / "world")) as process:
            await read_until(process, moment)
            process.send_signal(how)
            assert await process.wait() == 130
        assert left_running(tmp_path) == []

    async def test_a_kill_leaves_no_process(self, tmp_path: Path) -> None:
        async with demo("--dir", str(tmp_path / "world")) as process:
            await read_until(process, "Meeting")
            assert len(left_running(tmp_path)) >= 5  # it itself, homeserver, broker, component, bot
            process.kill()
            await process.wait()
            await gone(tmp_path)

    async def test_an_error_ends_it_with_a_reason_and_leaves_no_process(self, tmp_path: Path) -> None:
        broken = tmp_path / "bin" / "mosquitto"
        broken.parent.mkdir()
        broken.write_text("#!/bin/sh\necho no broker today >&2\nexit 3\n")
        broken.chmod(0o755)
        path = f"{broken.parent}{os.pathsep}{os.environ['PATH']}"
        async with demo("--tour", "--dir", str(tmp_path / "world"), env={"PATH": path}) as process:
            output, _ = await process.communicate()
        assert process.returncode == 1
        assert "no broker today" in output.decode()
        assert "Traceback" not in output.decode()
        assert left_running(tmp_path) == []


async def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    async with demo("--dir", str(tmp_path)) as process:
        output, _ = await process.communicate()
    assert process.returncode == 2
    assert "is not an empty folder" in output.decode()


async def test_one_types_as_alice_in_the_terminal(tmp_path: Path) -> None:
    async with demo("--dir", str(tmp_path / "world")) as process:
        await read_until(process, "Ready")
        assert process.stdin is not None
        process.stdin.write(b"!whoami\n")
        await read_until(process, "You are alice.")
        process.stdin.close()
        assert await process.wait() == 0
