"""Which thread a message stands in, so that its answer stands there too. The homeserver can see that: it is asked."""

import collections
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bridges.matrix.connection import Connection, Denied
from bridges.matrix.reading import relation_of, thread_in

MOST_KNOWN = 10_000


class Threads:
    """What was seen lately is known, the rest is asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._root_of: collections.OrderedDict[str, str | None] = collections.OrderedDict()

    def note(self, event: str, source: Mapping[str, Any]) -> None:
        """An event has come."""
        self._root_of[event] = thread_in(relation_of(source)) or None
        if len(self._root_of) > MOST_KNOWN:
            self._root_of.popitem(last=False)

    async def root(self, room: str, event: str) -> str | None:
        """The event that its thread begins with; nothing where it stands in none, or is gone."""
        if event not in self._root_of:
            path = f"/_matrix/client/v3/rooms/{quote(room, safe='')}/event/{quote(event, safe='')}"
            try:
                self.note(event, await self._connection.request("GET", path))
            except Denied:
                return None
        return self._root_of[event]
