"""Leaving where nobody on the list is any more. Who is suspended may come back, and counts as there."""

import asyncio
from collections.abc import Callable
from urllib.parse import quote

import structlog
from nio import MatrixRoom, SyncResponse

from bot.words.errors import TocsinError
from bridges.matrix.connection import Connection
from bridges.matrix.patience import patiently

LONGEST_S = 300.0
"""How long one leave is tried. The next message there begins it anew."""

log = structlog.get_logger(__name__)


class Inhabited(Exception):
    """Somebody on the list has come into a room that was to be left."""


class Departures:
    """Looks at the rooms of each batch, and leaves beside the stream."""

    def __init__(self, connection: Connection, is_ours: Callable[[str], bool], beside: asyncio.TaskGroup) -> None:
        self._connection = connection
        self._is_ours = is_ours
        self._beside = beside
        self._under_way: set[str] = set()

    def look(self, response: SyncResponse) -> None:
        """Begin to leave the rooms of a batch where nobody on the list is, nor is invited."""
        for name in response.rooms.join:
            room = self._connection.client.rooms.get(name)
            if room is not None and name not in self._under_way and self._is_deserted(room):
                self._under_way.add(name)
                self._beside.create_task(self._leave(name), name=f"leave {name}")

    def _is_deserted(self, room: MatrixRoom) -> bool:
        me = self._connection.login.user
        return me in room.users and not any(map(self._is_ours, room.users.keys() - {me}))

    async def _unless_somebody_came(self, room: str, path: str) -> None:
        known = self._connection.client.rooms.get(room)
        if known is not None and not self._is_deserted(known):
            raise Inhabited
        await self._connection.request("POST", f"{path}/leave", {})

    async def _leave(self, room: str) -> None:
        path = f"/_matrix/client/v3/rooms/{quote(room, safe='')}"
        try:
            async with asyncio.timeout(LONGEST_S):
                await patiently(lambda: self._unless_somebody_came(room, path))
                await patiently(lambda: self._connection.request("POST", f"{path}/forget", {}))
        except Inhabited:
            log.info("somebody on the list is back; the bot stays", room=room)
        except (TimeoutError, TocsinError) as error:
            log.warning("a room where nobody on the list is cannot be left", room=room, error=str(error))
        else:
            log.info("left: nobody there is on the list", room=room)
        finally:
            self._under_way.discard(room)
