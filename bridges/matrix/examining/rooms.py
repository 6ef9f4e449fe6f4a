"""The rooms that the bot is in: whether it can speak there, and whether anybody is there whom it hears."""

from collections.abc import Container, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

from bot.findings import Findings, good, hint, warn
from bot.words.errors import Unreachable
from bot.words.glyphs import quoted
from bot.words.people import Account as Holder
from bot.words.people import People
from bridges.matrix.connection import Denied
from bridges.matrix.reading import NETWORK
from bridges.matrix.session import Session

MOST_ROOMS = 200
"""So many are looked at: two questions for each."""


async def rooms(session: Session, people: People, in_clear: Container[str] = ()) -> Findings:
    """A finding for each room with which something is wrong, and one for all the others.

    `in_clear` has the rooms that the file lets be unencrypted.
    """
    names = await joined_rooms(session)
    if not names:
        yield hint("rooms", "The bot is in no room.", "Invite it into an encrypted room, as somebody on the list.")
        return
    sound = 0
    for room in names[:MOST_ROOMS]:
        encrypted = await _state(session, room, "m.room.encryption") is not None
        members = (await session.request("GET", f"{_path(room)}/joined_members")).get("joined")
        inside = cast("Mapping[str, Any]", members) if isinstance(members, dict) else dict[str, Any]()
        known = any(people.owner_of(Holder(NETWORK, user)) for user in inside)
        as_said = encrypted != (room in in_clear)
        sound += encrypted and known and as_said
        if encrypted and known and as_said:
            continue
        named = await name_of(session, room)
        shown = f"{quoted(named)} ({room})" if named else room
        if not as_said and encrypted:
            what = f"{shown} is encrypted, and `unencrypted_rooms` names it: that changes nothing there."
            yield hint("room", what, "Take it out of that line in [matrix].")
        elif as_said and not encrypted:
            what = f"{shown} is not encrypted, as the file lets it be: its homeserver reads all that is said there."
            yield hint("room", what, "Send nothing there that not everybody may read, and no alarms.")
        elif not encrypted:
            what = f"{shown} is not encrypted: the bot says nothing there, and only a stop counts."
            yield warn("room", what, "Turn encryption on in the room's settings, or remove the bot from it.")
        if not known:
            what = f"Nobody on the list is in {shown}."
            yield warn("room", what, "Start the bot: it leaves by itself. Or ask somebody on the list to join.")
    looked_at = min(len(names), MOST_ROOMS)
    if sound == looked_at:
        yield good("rooms", f"{sound}, all encrypted, with somebody on the list in each.")
    if looked_at < len(names):
        what = f"The bot is in {len(names)} rooms; the first {MOST_ROOMS} were looked at."
        yield hint("rooms", what, "Remove it from those that nobody needs.")


async def joined_rooms(session: Session) -> list[str]:
    """The ids of the rooms that the bot is in."""
    joined = (await session.request("GET", "/_matrix/client/v3/joined_rooms")).get("joined_rooms")
    if not isinstance(joined, list):
        raise Unreachable("The homeserver does not say which rooms the bot is in.")
    return [each for each in cast("list[object]", joined) if isinstance(each, str)]


async def name_of(session: Session, room: str) -> str:
    """How a room is called; empty where it is not."""
    named = (await _state(session, room, "m.room.name") or {}).get("name")
    return named if isinstance(named, str) else ""


def _path(room: str) -> str:
    return f"/_matrix/client/v3/rooms/{quote(room, safe='')}"


async def _state(session: Session, room: str, kind: str) -> Mapping[str, Any] | None:
    try:
        return await session.request("GET", f"{_path(room)}/state/{kind}")
    except Denied as denied:
        if denied.status == HTTPStatus.NOT_FOUND:
            return None
        raise
