"""What people do beside writing, with the same client: they react, take that back, and send files."""

from collections.abc import Mapping
from typing import Any

from nio.crypto import encrypt_attachment

from bridges.matrix.reading import changed, relation_of
from demo.operator import Operator


async def react(who: Operator, room: str, event: str, emoji: str) -> str:
    """Show something beside a message, as clients do: in clear. Returns the event of it."""
    relation = {"rel_type": "m.annotation", "event_id": event, "key": emoji}
    return await who.put(room, "m.reaction", {"m.relates_to": relation})


async def sees_reaction(who: Operator, room: str, event: str, emoji: str, by: str) -> str:
    """Wait until somebody shows something beside a message. Returns the event of it."""
    wanted = (room, event, emoji, by)
    return await who.sees(lambda where, each: _shown(where, each) == wanted, f"{emoji} of {by} beside {event}")


def count_reactions(who: Operator, room: str, event: str, emoji: str, by: str) -> int:
    """How often it was shown so far."""
    return sum(_shown(where, each) == (room, event, emoji, by) for where, each in who.seen)


def _shown(room: str, event: Any) -> tuple[object, ...]:
    """What is shown where beside what, and by whom; nothing of all this where the event is no reaction."""
    relation = relation_of(event.source)
    is_one = event.source.get("type") == "m.reaction"
    return (room, relation.get("event_id"), relation.get("key"), event.source.get("sender")) if is_one else ()


async def sees_removal(who: Operator, room: str, event: str) -> None:
    """Wait until something is taken back."""

    def is_it(where: str, each: Any) -> bool:
        change = changed(each)
        return where == room and change is not None and change.removed and change.event == event

    await who.sees(is_it, f"the end of {event}")


async def upload(who: Operator, data: bytes, media_type: str) -> str:
    """Have the homeserver keep a file."""
    return await who.connection.put_file(data, media_type)


async def sealed(who: Operator, data: bytes) -> dict[str, Any]:
    """A file that lies encrypted on the homeserver, as an event says it."""
    cipher, opens = encrypt_attachment(data)
    return {**opens, "url": await upload(who, cipher, "application/octet-stream")}


def content(
    name: str,
    data: bytes,
    where: Mapping[str, Any],
    *,
    kind: str = "m.file",
    type_: str = "text/plain",
    caption: str = "",
) -> dict[str, Any]:
    """What an event of a file says."""
    info = {"mimetype": type_, "size": len(data)}
    return {"msgtype": kind, "body": caption or name, "filename": name, "info": info, **where}


async def send_file(
    who: Operator, room: str, name: str, data: bytes, *, relates: Mapping[str, Any] | None = None, **more: str
) -> str:
    """Send a file into an encrypted room, as clients do, and return its event."""
    said = content(name, data, {"file": await sealed(who, data), **(relates or {})}, **more)
    return await who.say(room, said.pop("body"), **said)
