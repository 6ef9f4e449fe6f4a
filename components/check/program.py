"""The component that is judged, as a process of its own. Nothing that was started here is left running."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from components.check.rule import CannotJudge

TAIL = 2000
GRACE_S = 3.0


class Program:
    """A command, what it has said, and its end. It is started in a process group of its own and ended with it."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.command = tuple(command)
        self.changed = asyncio.Event()
        """Set when it has ended."""
        self._log = log
        self._child: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.returncode is None

    @property
    def began(self) -> bool:
        """Whether it was started, and not ended by us."""
        return self._child is not None

    async def start(self) -> None:
        """Start it. What it says is added to its log."""
        try:
            with self._log.open("ab") as log:
                self._child = await asyncio.create_subprocess_exec(
                    *self.command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            reason = f"{self.command[0]} cannot be started: {error.strerror}."
            raise CannotJudge(f"{reason} Name the component's command after '--'.") from error
        self._watch = asyncio.create_task(self._wait(self._child))

    async def kill(self) -> None:
        """End it as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask it to end, wait, and kill what is left."""
        if self._child is None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self._child.wait()
        await self._end(signal.SIGKILL)

    def last_words(self) -> str:
        """How it ended, and what it said last."""
        status = "" if self._child is None or self._child.returncode is None else f" (status {self._child.returncode})"
        with contextlib.suppress(OSError), self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - TAIL))
            said = log.read().decode(errors="replace").strip()
            if said:
                return f"the program ended{status}, and said last: {said.splitlines()[-1]}"
        return f"the program ended{status} and said nothing"

    async def _wait(self, child: asyncio.subprocess.Process) -> None:
        await child.wait()
        self.changed.set()

    async def _end(self, which: signal.Signals) -> None:
        if self._child is None:
            return
        self._signal(which)
        await self._child.wait()
        if self._watch is not None:
            await self._watch
        self._child = None
        self.changed.clear()

    def _signal(self, which: signal.Signals) -> None:
        # The whole group, also where its first process has ended before the others.
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, which)
