"""Which room is meant: by its id, by an alias such as `#ops:example.org`, or by its name where one is called so."""

from urllib.parse import quote

from bot.words.errors import NetworkError
from bridges.matrix.connection import Connection, Denied
from bridges.matrix.reading import is_name


async def find(connection: Connection, called: str) -> str:
    """The id of a room. Raises NetworkError where none or several may be meant."""
    if called.startswith("!"):
        return called
    if called.startswith("#"):
        return await _by_alias(connection, called)
    found = sorted(name for name, room in connection.client.rooms.items() if room.name == called)
    if len(found) == 1:
        return found[0]
    if found:
        raise NetworkError(f"{len(found)} rooms are called {called}.", hint=f"Name one by its id: {', '.join(found)}.")
    raise NetworkError(f"The bot is in no room that is called {called}.", hint="Invite it there.")


async def _by_alias(connection: Connection, alias: str) -> str:
    try:
        answer = await connection.request("GET", f"/_matrix/client/v3/directory/room/{quote(alias, safe='')}")
    except Denied as denied:
        raise NetworkError(f"There is no room {alias}: {denied.what}") from denied
    room = answer.get("room_id")
    if not is_name(room):
        raise NetworkError(f"The homeserver names no room for {alias}.")
    return room
