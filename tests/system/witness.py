"""Who sees the marks that a bot leaves while others talk to it, and chooses the moment at which it is killed."""

import asyncio
import collections
import contextlib
import os
import random
from collections.abc import AsyncGenerator, Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Self

from demo.broker import ROOT
from demo.operator import Operator
from tests.system.mark_command import WITNESS

PLUGIN = "[tocsin.commands]\nmark = tests.system.mark_command:mark\n"
QUESTIONS = ("!mark", "!mark", "!mark", "!whoami", "!help")
AT_ONCE = 3
"""What one person says before the first of it is answered. In a life of the bot nobody comes near the desk's limits."""
PATIENCE_S = 120.0


class Moment(Enum):
    """What has just happened when the bot is killed."""

    SAID = auto()
    """Somebody's client has sent a command."""
    BEGUN = auto()
    """A mark is left, and the bot does not know it yet."""
    SEEN = auto()
    """The bot is being told that its mark was seen: now it writes that down, and answers."""
    ANSWERED = auto()
    """Somebody reads an answer."""
    STARTED = auto()
    """The bot has found the broker, and reads what it missed in its rooms."""


class Fate:
    """Counts what happens, and holds the one at which the bot is to be killed until that is done."""

    def __init__(self) -> None:
        self._chosen: Moment | None = None
        self._left = 0
        self._come = asyncio.Event()
        self._over = asyncio.Event()

    async def befalls(self, moment: Moment, number: int) -> None:
        """Wait until something has happened so often from now on."""
        self._chosen, self._left = moment, number
        self._come, self._over = asyncio.Event(), asyncio.Event()
        async with asyncio.timeout(PATIENCE_S):
            await self._come.wait()

    def is_done(self) -> None:
        """Whatever was held goes on."""
        self._over.set()

    async def passes(self, moment: Moment) -> None:
        """It happens."""
        if moment is not self._chosen:
            return
        self._left -= 1
        if self._left == 0:
            self._chosen = None
            self._come.set()
            await self._over.wait()


class Witness:
    """Sees each mark, whoever leaves it and however often."""

    def __init__(self, fate: Fate) -> None:
        self.fate = fate
        self.seen: collections.Counter[str] = collections.Counter()
        """How often there was a mark for an event."""

    @classmethod
    @contextlib.asynccontextmanager
    async def there(cls, folder: Path) -> AsyncGenerator[tuple[Self, Mapping[str, str]]]:
        """A witness until the block ends, and the variables for a bot that shall know the command."""
        info = folder / "mark-0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mark\nVersion: 0\n")
        (info / "entry_points.txt").write_text(PLUGIN)
        witness = cls(Fate())
        async with await asyncio.start_server(witness._look, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            yield witness, {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", WITNESS: str(port)}

    async def _look(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            event = (await reader.readline()).decode().strip()
            self.seen[event] += 1
            await self.fate.passes(Moment.BEGUN)
            writer.write(b"seen\n")
            await writer.drain()
            await self.fate.passes(Moment.SEEN)
        writer.close()


async def talk(who: Operator, room: str, fate: Fate, draw: random.Random, enough: asyncio.Event) -> dict[str, str]:
    """Give one command after the other, until it is enough and all are answered. Returns the events and the words."""
    asked: dict[str, str] = {}
    slots = asyncio.Semaphore(AT_ONCE)

    async def hear(event: str) -> None:
        await who.answer_to(event, within=PATIENCE_S)
        slots.release()
        await fate.passes(Moment.ANSWERED)

    async with asyncio.TaskGroup() as answers:
        while True:
            await slots.acquire()
            if enough.is_set():
                return asked
            words = draw.choice(QUESTIONS)
            event = await who.say(room, words)
            asked[event] = words
            answers.create_task(hear(event))
            await fate.passes(Moment.SAID)
