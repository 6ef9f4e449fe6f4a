"""Shows that the bot is at work: it types, while a command runs for longer than a moment.

It is a courtesy. It never holds up an answer, and when the server does not take it nobody is told.
"""

import asyncio
import contextlib
import dataclasses
import math
from collections.abc import Generator

import structlog

from bot.words.errors import TocsinError
from bot.words.message import Lane, Message
from bridges.zulip.answers import Json
from bridges.zulip.api import Api
from bridges.zulip.places import Direct, Places

log = structlog.get_logger(__name__)

PACE_S = 1.0
"""So long something runs before the bot is shown typing."""
TYPING_AGAIN_S = 10.0
"""Zulip's apps forget it after 15 s."""


@dataclasses.dataclass(slots=True)
class _Work:
    """What runs for a place."""

    count: int = 0


class Attention:
    """The bot's signs of life, one task for each place where something runs."""

    def __init__(self, api: Api, places: Places, pace_s: float = PACE_S) -> None:
        self._api = api
        self._places = places
        self._pace_s = pace_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._works: dict[str, _Work] = {}

    @contextlib.contextmanager
    def on(self, message: Message) -> Generator[None]:
        """A command is worked on, until the block ends."""
        place = message.place.id
        work = self._works.get(place)
        if work is None:
            work = self._works[place] = _Work()
            task = asyncio.create_task(self._show(message, work), name=f"attention in {place}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        work.count += 1
        try:
            yield
        finally:
            work.count -= 1

    def close(self) -> None:
        """Show nothing any more."""
        for task in self._tasks:
            task.cancel()

    async def _show(self, message: Message, work: _Work) -> None:
        clock = asyncio.get_running_loop().time
        typed = -math.inf
        try:
            await asyncio.sleep(self._pace_s)
            while work.count:
                if clock() - typed > TYPING_AGAIN_S:
                    typed = clock()
                    await self._tell(message, "start")
                await asyncio.sleep(self._pace_s)
            if typed > 0:
                await self._tell(message, "stop")
        finally:
            del self._works[message.place.id]

    async def _tell(self, message: Message, op: str) -> None:
        try:
            target = await self._places.find(message.place, Lane.WITNESS)
            form: Json = {"op": op, "type": "direct", "to": [*target.people]} if isinstance(target, Direct) else {}
            if not isinstance(target, Direct):
                form = {"op": op, "type": "stream", "stream_id": target.channel, "topic": target.name}
            await self._api.typing(form)
        except TocsinError as error:
            log.debug("a sign of life is not shown", error=str(error))
