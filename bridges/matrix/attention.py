"""Shows in a room that the bot is at work: a read receipt when it takes a command, and that it types while that runs.

It is a courtesy. It never holds up an answer, and when the homeserver does not take it nobody is told.
"""

import asyncio
import collections
import contextlib
import dataclasses
import math
from collections.abc import Generator
from urllib.parse import quote

import structlog

from bot.words.errors import TocsinError
from bot.words.message import Message
from bridges.matrix.connection import Connection

log = structlog.get_logger(__name__)

PACE_S = 1.0
"""Between two receipts in a room; and so long something runs before the bot is shown typing."""
TYPING_MS = 30_000
TYPING_AGAIN_S = 20.0


@dataclasses.dataclass(slots=True)
class _Room:
    """What runs for a room."""

    works: int = 0
    taken: str = ""
    """The last message that was taken; empty when its receipt is out."""


class Attention:
    """The bot's signs of life, one task for each room where something runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tasks: set[asyncio.Task[None]] = set()
        self._rooms: collections.defaultdict[str, _Room] = collections.defaultdict(_Room)

    @contextlib.contextmanager
    def on(self, message: Message) -> Generator[None]:
        """A command is worked on, until the block ends."""
        place = message.place.id
        is_new = place not in self._rooms
        room = self._rooms[place]
        room.works += 1
        room.taken = message.event
        if is_new:
            task = asyncio.create_task(self._show(place, room), name=f"attention in {place}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            yield
        finally:
            room.works -= 1

    def close(self) -> None:
        """Show nothing any more."""
        for task in self._tasks:
            task.cancel()

    async def _show(self, place: str, room: _Room) -> None:
        clock = asyncio.get_running_loop().time
        typed = -math.inf
        try:
            while room.works or room.taken or typed > 0:
                if room.taken:
                    event, room.taken = room.taken, ""
                    await self._tell("POST", f"{_path(place)}/receipt/m.read/{quote(event, safe='')}", {})
                await asyncio.sleep(PACE_S)
                if room.works and clock() - typed > TYPING_AGAIN_S:
                    typed = clock()
                    await self._tell("PUT", self._typing(place), {"typing": True, "timeout": TYPING_MS})
                elif not room.works and typed > 0:
                    typed = -math.inf
                    await self._tell("PUT", self._typing(place), {"typing": False})
        finally:
            del self._rooms[place]

    def _typing(self, place: str) -> str:
        return f"{_path(place)}/typing/{quote(self._connection.login.user, safe='')}"

    async def _tell(self, method: str, path: str, body: dict[str, object]) -> None:
        try:
            await self._connection.request(method, path, body)
        except TocsinError as error:
            log.debug("a sign of life is not shown", error=str(error))


def _path(room: str) -> str:
    return f"/_matrix/client/v3/rooms/{quote(room, safe='')}"
