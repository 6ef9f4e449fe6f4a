"""What of a Matrix event is a message of a person. Edits, notices, reactions and redactions never are."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, cast

from nio import Event, MatrixRoom, RoomMessageText

COMMON_NAME = re.compile(r"\w")


@dataclasses.dataclass(frozen=True, slots=True)
class Spoken:
    """The words of a message, without what the client added."""

    text: str
    addressed: bool


def spoken(event: Event, room: MatrixRoom, me: str) -> Spoken | None:
    """What somebody else said here, or nothing."""
    if event.sender == me or not isinstance(event, RoomMessageText):
        return None
    relation = relation_of(event)
    if relation.get("rel_type") == "m.replace" or "m.new_content" in event.source["content"]:
        return None
    text = _without_quote(event.body) if "m.in_reply_to" in relation else event.body
    rest = _after_name(text, _names(room, me))
    alone = sum(not user.invited for user in room.users.values()) == 2  # noqa: PLR2004 - the bot and one person
    words = text.strip() if rest is None else rest
    # Half a surrogate pair is valid JSON and no text: no database takes it.
    return Spoken(words.encode(errors="replace").decode(), addressed=alone or rest is not None)


def relation_of(event: Event) -> Mapping[str, Any]:
    """How an event relates to another one; empty where it does not."""
    relation = event.source["content"].get("m.relates_to")
    return cast("Mapping[str, Any]", relation) if isinstance(relation, dict) else {}


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
