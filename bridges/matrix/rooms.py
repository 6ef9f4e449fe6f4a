"""Which room is meant: by its id, by an alias such as `#ops:example.org`, or by its name where one is called so."""

from urllib.parse import quote

from bot.words.errors import NetworkError, Unreachable
from bridges.matrix.connection import Connection, Denied
from bridges.matrix.reading import is_name
from bridges.matrix.session import Asks


class Rooms:
    """Finds rooms. What a name has meant once it means as long as the bot is in that room.

    Anybody who is listed can bring the bot into another room of that name.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._named: dict[str, str] = {}

    async def find(self, called: str) -> str:
        """The id of a room. Raises NetworkError where there is none, Unreachable where several may be meant."""
        if called.startswith("!"):
            return called
        if called.startswith("#"):
            return await by_alias(self._connection, called)
        rooms = self._connection.client.rooms
        if self._named.get(called) in rooms:
            return self._named[called]
        found = sorted(name for name, room in rooms.items() if room.name == called)
        if not found:
            raise NetworkError(f"The bot is in no room that is called {called}.", hint="Invite it there.")
        if len(found) > 1:
            raise Unreachable(
                f"{len(found)} rooms are called {called}.", hint=f"Name one by its id: {', '.join(found)}."
            )
        self._named[called] = found[0]
        return found[0]


async def by_alias(asks: Asks, alias: str) -> str:
    """The id of the room that an alias means now. Raises NetworkError where there is none."""
    try:
        answer = await asks.request("GET", f"/_matrix/client/v3/directory/room/{quote(alias, safe='')}")
    except Denied as denied:
        raise NetworkError(f"There is no room {alias}: {denied.what}") from denied
    room = answer.get("room_id")
    if not is_name(room):
        raise NetworkError(f"The homeserver names no room for {alias}.")
    return room
