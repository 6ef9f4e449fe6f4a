"""What of a Matrix event is a message of a person, and what it changes. An edit or a redaction never is a message."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypeGuard, cast

from nio import BadEvent, Event, MatrixRoom, RoomMessageText, UnknownBadEvent

COMMON_NAME = re.compile(r"\w")
LONGEST_NAME = 255
"""Bytes, of any name in Matrix."""


@dataclasses.dataclass(frozen=True, slots=True)
class Spoken:
    """The words of a message, without what the client added."""

    text: str
    addressed: bool


def spoken(event: Event, room: MatrixRoom, me: str) -> Spoken | None:
    """What somebody else said here, or nothing."""
    if event.sender == me or not isinstance(event, RoomMessageText):
        return None
    relation = relation_of(event.source)
    if relation.get("rel_type") == "m.replace" or "m.new_content" in event.source["content"]:
        return None
    text = _without_quote(event.body) if "m.in_reply_to" in relation else event.body
    rest = _after_name(text, _names(room, me))
    alone = sum(not user.invited for user in room.users.values()) == 2  # noqa: PLR2004 - the bot and one person
    words = text.strip() if rest is None else rest
    # Half a surrogate pair is valid JSON and no text: no database takes it.
    return Spoken(words.encode(errors="replace").decode(), addressed=alone or rest is not None)


@dataclasses.dataclass(frozen=True, slots=True)
class Changed:
    """An event that another one edits, or takes back."""

    event: str
    by: str
    removed: bool


def changed(event: Event | BadEvent | UnknownBadEvent) -> Changed | None:
    """Which event this one changes. It counts also where nobody can read into what, or where the library finds it odd.

    Who may take back what, the homeserver has looked at; what comes encrypted it has not seen, and takes nothing back.
    """
    source = event.source
    by = source.get("sender")
    if source.get("type") != "m.room.redaction":
        relation = relation_of(source)
        target, removed = relation.get("event_id"), False
        if relation.get("rel_type") != "m.replace":
            return None
    elif event.decrypted:
        return None
    else:  # newer rooms have it within, and older homeservers only there
        target, removed = source.get("redacts", _content_of(source).get("redacts")), True
    return Changed(target, by, removed) if is_name(target) and is_name(by) else None


def is_name(value: object) -> TypeGuard[str]:
    """Whether this can name an event, a room or a user. Half a surrogate pair is valid JSON and no text."""
    return (
        isinstance(value, str) and 0 < len(value.encode(errors="surrogatepass")) <= LONGEST_NAME and value.isprintable()
    )


def relation_of(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """How an event relates to another one; empty where it does not."""
    relation = _content_of(source).get("m.relates_to")
    return cast("Mapping[str, Any]", relation) if isinstance(relation, dict) else {}


def _content_of(source: Mapping[str, Any]) -> Mapping[str, Any]:
    content = source.get("content")
    return cast("Mapping[str, Any]", content) if isinstance(content, dict) else {}


def _names(room: MatrixRoom, me: str) -> tuple[str, ...]:
    """What the bot is called: whole account, local part, display name. The longest comes first."""
    user = room.users.get(me)
    names = {me.removeprefix("@"), me[1:].partition(":")[0], (user.display_name if user else None) or ""}
    return tuple(sorted((name for name in names if COMMON_NAME.search(name)), key=len, reverse=True))


def _after_name(text: str, names: tuple[str, ...]) -> str | None:
    """The text after the bot's name: `@name text`, `name: text` or `name, text`. A bare name addresses nobody."""
    called = "|".join(re.escape(name) for name in names)
    found = re.match(rf"\s*(?:@(?:{called})(?:[:,]\s*|\s+|$)|(?:{called})(?:[:,]\s+|[:,]$))", text, re.IGNORECASE)
    return None if found is None else text[found.end() :].strip()


def _without_quote(body: str) -> str:
    """A reply without the lines that quote what it answers."""
    if not body.startswith("> <"):
        return body
    lines = body.split("\n")
    first = next((number for number, line in enumerate(lines) if not line.startswith(">")), len(lines))
    return "\n".join(lines[first:]).strip()
