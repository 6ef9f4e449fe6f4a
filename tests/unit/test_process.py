"""A child process ends when it should, and with us whatever happens."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from demo.process import LEASH, Process, ProcessError, on_unused_port, unused_port

PATIENCE = 10.0
ROOT = LEASH.parent.parent
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
SERVER = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    print("up", flush=True)
    server.accept()
"""
PARENT = """
import asyncio, sys
from pathlib import Path
from demo.process import Process

async def main() -> None:
    async with Process(["sh", "-c", "echo up; exec sleep 60"], Path(sys.argv[1])) as child:
        async def up() -> bool:
            return child.said("up")

        await child.until(up, seconds=10)
        print(child.pid, flush=True)
        await child.wait()

asyncio.run(main())
"""


async def ended(pidfd: int) -> None:
    """Waits for the end of a process that need not be ours."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(pidfd, over.set)
    try:
        async with asyncio.timeout(PATIENCE):
            await over.wait()
    finally:
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)


def python(code: str, log: Path) -> Process:
    return Process([sys.executable, "-c", code], log, name="child")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "child.log"


async def test_what_the_child_says_is_in_its_log(log: Path) -> None:
    child = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", log)
    await child.start()
    assert await child.wait() == 3
    assert set(child.tail().split()) == {"out", "err"}
    await child.stop()


async def test_a_child_that_dies_early_is_an_error_with_its_last_words(log: Path) -> None:
    async def never() -> bool:
        return False

    async with python("print('words of an earlier run')", log) as child:
        await child.wait()
    async with python("raise SystemExit('no disk')", log) as child:
        with pytest.raises(ProcessError, match=r"child ended with status 1. It said last:\nno disk$"):
            await child.until(never, seconds=PATIENCE)


async def test_a_child_that_does_not_come_up_is_an_error(log: Path) -> None:
    async def never() -> bool:
        return False

    async with Process(["sleep", "60"], log) as child:
        with pytest.raises(ProcessError, match=r"sleep did not come up within 0.05 s. It said nothing."):
            await child.until(never, seconds=0.05)


async def test_a_program_that_is_not_there_is_an_error(log: Path) -> None:
    async with Process(["no-such-program"], log) as child:
        assert await child.wait() == 1
        with pytest.raises(ProcessError, match="no-such-program: No such file or directory"):
            child.check()


async def test_a_child_that_will_not_end_is_killed(log: Path) -> None:
    child = python(STUBBORN, log)

    async def up() -> bool:
        return child.said("up")

    await child.start()
    await child.until(up, seconds=PATIENCE)
    pidfd = os.pidfd_open(child.pid)
    await child.stop(grace=0.05)
    await ended(pidfd)
    assert not child.alive


async def test_what_the_child_started_ends_with_it(log: Path) -> None:
    child = Process(["sh", "-c", "sleep 60 & echo $!; wait"], log)

    async def up() -> bool:
        return child.said("\n")

    await child.start()
    await child.until(up, seconds=PATIENCE)
    grandchild = os.pidfd_open(int(child.tail()))
    await child.stop()
    await ended(grandchild)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the leash")
async def test_the_child_dies_when_its_parent_is_killed(log: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        str(log),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    async with asyncio.timeout(PATIENCE):
        child = os.pidfd_open(int(await parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await ended(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the leash")
async def test_the_child_does_not_start_when_its_parent_is_gone_already(log: Path) -> None:
    child = Process(["sleep", "60"], log)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)  # who asked is not who is the parent now
        await child.start()
    assert await child.wait() == 1
    assert child.said("the parent died first")
    await child.stop()


async def test_a_port_that_somebody_took_meanwhile_is_given_up_for_another(log: Path) -> None:
    tried: list[int] = []

    async def start(port: int) -> Process:
        tried.append(port)
        with socket.socket() as thief:
            if len(tried) == 1:
                thief.bind(("127.0.0.1", port))
                thief.listen()
            child = Process([sys.executable, "-c", SERVER, str(port)], log, name="server")

            async def up() -> bool:
                return child.said("up")

            await child.start()
            try:
                await child.until(up, seconds=PATIENCE)
            except ProcessError:
                await child.stop()
                raise
        return child

    server = await on_unused_port(start)
    await server.stop()
    assert len(set(tried)) == 2


async def test_another_error_of_a_server_is_not_tried_again() -> None:
    tried: list[int] = []

    async def start(port: int) -> None:
        tried.append(port)
        raise ProcessError("server ended.", "no disk")

    with pytest.raises(ProcessError, match="no disk"):
        await on_unused_port(start)
    assert len(tried) == 1


def test_an_unused_port_can_be_used() -> None:
    with socket.create_server(("127.0.0.1", unused_port())):
        pass
