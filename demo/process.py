"""A child process that cannot outlive us: not after Ctrl-C, not after an error, on Linux not after `kill -9`.

It never touches a process that it did not start. The kernel's leash holds the child itself; what the child
starts is ended with it by `stop` and `kill` only.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

LEASH = Path(__file__).with_name("leash.py")
TAIL = 4096
POLL = 0.02

Started = TypeVar("Started")


class ProcessError(Exception):
    """A child process died early or did not come up."""

    def __init__(self, what: str, log: str) -> None:
        super().__init__(f"{what} It said last:\n{log}" if log else f"{what} It said nothing.")
        self.log = log

    @property
    def address_in_use(self) -> bool:
        """Whether it died because somebody else has its port."""
        return "address already in use" in self.log.lower()


class Process:
    """A program, its log file, and its end. Start it from the main thread: the leash is that of a thread."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        name: str = "",
    ) -> None:
        self.command = [str(each) for each in command]
        self.log = log
        self.name = name or Path(self.command[0]).name
        self._env = env
        self._child: asyncio.subprocess.Process | None = None
        self._began = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """The process id of the running program."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.returncode is None

    async def start(self) -> None:
        """Starts it. Its log is appended to."""
        if self.alive:
            raise RuntimeError(f"{self.name} runs already")
        leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid())]
        with self.log.open("ab") as log:
            self._began = log.tell()
            self._child = await asyncio.create_subprocess_exec(
                *leash,
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                start_new_session=True,
            )

    async def stop(self, grace: float = 5.0) -> None:
        """Asks it to end, waits, and kills what is left of it and of its children."""
        if self._child is None:
            return
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self._child.wait()
        except TimeoutError:
            pass
        finally:
            self._signal(signal.SIGKILL)
        await self._child.wait()
        self._child = None

    async def kill(self) -> None:
        """Kills it as a power cut would."""
        self._signal(signal.SIGKILL)
        await self._running().wait()
        self._child = None

    async def wait(self) -> int:
        """Waits for its end and returns its exit status."""
        return await self._running().wait()

    async def until(self, up: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
        """Waits until `up` says so. It asks often, and fails at once when the program dies."""
        try:
            async with asyncio.timeout(seconds):
                while not await up():
                    self.check()
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise ProcessError(f"{self.name} did not come up within {seconds:g} s.", self.tail()) from None
        self.check()

    def check(self) -> None:
        """Raises when the program has died, with what it said last."""
        if not self.alive:
            status = "" if self._child is None else f" with status {self._child.returncode}"
            raise ProcessError(f"{self.name} ended{status}.", self.tail())

    def said(self, text: str) -> bool:
        """Whether it said this since it was started."""
        return text in self._read(self._began)

    def tail(self) -> str:
        """What it said last since it was started."""
        return self._read(max(self._began, self.log.stat().st_size - TAIL)).strip()

    def _read(self, start: int) -> str:
        with self.log.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")

    def _running(self) -> asyncio.subprocess.Process:
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._child

    def _signal(self, which: signal.Signals) -> None:
        # The whole group, so that children of the child end, too, also when it died before them.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._running().pid, which)


def unused_port() -> int:
    """A port that nobody has at this moment. Another may take it in the next, hence `on_unused_port`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def on_unused_port(start: Callable[[int], Awaitable[Started]], *, attempts: int = 5) -> Started:
    """Starts a server on a port that is free, on another one when somebody was faster."""
    for left in range(attempts - 1, -1, -1):
        try:
            return await start(unused_port())
        except ProcessError as error:
            if not left or not error.address_in_use:
                raise
    raise ValueError("at least one attempt is needed")
