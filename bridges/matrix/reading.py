"""What of a Matrix event is a message of a person, and what it changes. An edit or a redaction never is a message.

What is sealed, because its key is not here, may be one.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, cast

from nio import BadEvent, Event, MatrixRoom, RoomMessageText, UnknownBadEvent

from bot.bridge import Unreadable
from bot.words.document import Enclosed
from bot.words.message import Place
from bot.words.people import Account
from bridges.matrix.spoilers import as_read

NETWORK = "matrix"
THREAD = "m.thread"
LATEST_MS = 253_402_300_799_000
"""The end of the year 9999. An event of a later time was sent then."""
COMMON_NAME = re.compile(r"\w")
LONGEST_NAME = 255
"""Bytes, of any name in Matrix."""
ORIGIN: Mapping[str, str] = {"tocsin.origin": "tocsin"}
"""Stands in what a bot passes on but words, which are notices and no messages: no other bot passes it on again."""

AnyEvent = Event | BadEvent | UnknownBadEvent
"""What comes, however odd."""
Arrived = tuple[AnyEvent, MatrixRoom]


@dataclasses.dataclass(frozen=True, slots=True)
class Spoken:
    """The words of a message, without what the client added."""

    text: str
    addressed: bool
    replies_to: str = ""
    thread: str = ""
    files: tuple[Enclosed, ...] = ()
    caption: str = ""
    """What was said of the files, or the text as people read it: without what it hides, with whom it names. It
    commands nothing."""


def spoken(event: Event, room: MatrixRoom, me: str) -> Spoken | None:
    """What somebody else said here, or nothing."""
    if event.sender == me or not isinstance(event, RoomMessageText):
        return None
    if is_edit(event.source):
        return None
    relation = relation_of(event.source)
    text = without_quote(event.body) if "m.in_reply_to" in relation else event.body
    rest = _after_name(text, _names(room, me))
    alone = sum(not user.invited for user in room.users.values()) == 2  # noqa: PLR2004 - the bot and one person
    words = text.strip() if rest is None else rest
    return Spoken(
        as_text(words),
        addressed=alone or rest is not None,
        replies_to=answered(relation),
        thread=thread_in(relation),
        caption=as_text(as_read(content_of(event.source), words)),
    )


def as_text(value: object) -> str:
    """A string as a database takes it. Half a surrogate pair is valid JSON and no text."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def answered(relation: Mapping[str, Any]) -> str:
    """The event that one which relates so answers; empty where it answers none.

    What merely stands in a thread answers nobody, though apps that know no threads are told so.
    """
    if thread_in(relation) and relation.get("is_falling_back") is True:
        return ""
    event = within(relation, "m.in_reply_to").get("event_id")
    return event if is_name(event) else ""


def thread_in(relation: Mapping[str, Any]) -> str:
    """The event with which the thread begins in which one stands that relates so; empty where it stands in none."""
    event = relation.get("event_id")
    return event if relation.get("rel_type") == THREAD and is_name(event) else ""


def is_edit(source: Mapping[str, Any]) -> bool:
    """Whether an event takes the place of another one."""
    return relation_of(source).get("rel_type") == "m.replace" or "m.new_content" in content_of(source)


@dataclasses.dataclass(frozen=True, slots=True)
class Changed:
    """An event that another one edits, or takes back."""

    event: str
    by: str
    removed: bool


def changed(event: AnyEvent) -> Changed | None:
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
        target, removed = source.get("redacts", content_of(source).get("redacts")), True
    if not (is_name(target) and is_name(by)):
        return None
    return Changed(target, by, removed)


def new_words(event: AnyEvent) -> str:
    """What stands in the place of what an event edits, where that can be read and is words."""
    new = within(content_of(event.source), "m.new_content")
    body = as_text(new.get("body")) if isinstance(event, RoomMessageText) else ""
    return as_text(body and (as_read(new, body) or body)).strip()


def sealed(event: AnyEvent, room: MatrixRoom) -> Unreadable | None:
    """What is known of an event that nobody here can read and that may be a message.

    An edit never is one, and what was taken back has no words any more.
    """
    source = event.source
    taken_back = "redacted_because" in within(source, "unsigned")
    if event.decrypted or taken_back or source.get("type") != "m.room.encrypted":
        return None
    name, sender = source.get("event_id"), source.get("sender")
    if relation_of(source).get("rel_type") == "m.replace" or not (is_name(name) and is_name(sender)):
        return None
    device, sent = content_of(source).get("device_id"), source.get("origin_server_ts")
    return Unreadable(
        place=Place(NETWORK, room.room_id),
        account=Account(NETWORK, sender),
        device=device if is_name(device) else "",
        event=name,
        sent_ms=min(max(0, sent), LATEST_MS) if isinstance(sent, int) else 0,
    )


def own_events(events: Sequence[Arrived], me: str) -> Mapping[str, str]:
    """What the bot itself has said, by the keys with which it was sent: the homeserver tells them to its own device."""
    found: dict[str, str] = {}
    for event, _ in events:
        key, name = within(event.source, "unsigned").get("transaction_id"), event.source.get("event_id")
        if event.source.get("sender") == me and isinstance(key, str) and is_name(name):
            found[key] = name
    return found


def since_joining(events: Sequence[Arrived], me: str) -> Sequence[Arrived]:
    """Those of a room's events that came after the bot did. What is older was never said to it."""
    joins = [number for number, (event, _) in enumerate(events) if _is_joining(event.source, me)]
    return events[joins[-1] :] if joins else events


def before_joining(events: Sequence[Arrived], me: str) -> frozenset[str]:
    """The events of all rooms that are older than the bot's being there: nobody has said them to those here now."""
    rooms = {room.room_id for _, room in events}
    here = [[each for each in events if each[1].room_id == room] for room in rooms]
    return frozenset(
        str(event.source.get("event_id"))
        for each in here
        for event, _ in each[: len(each) - len(since_joining(each, me))]
    )


def _is_joining(source: Mapping[str, Any], user: str) -> bool:
    """Whether somebody comes in. A new name or picture of somebody who is in looks much the same."""
    if source.get("type") != "m.room.member" or source.get("state_key") != user:
        return False
    before = within(within(source, "unsigned"), "prev_content")
    return content_of(source).get("membership") == "join" and before.get("membership") != "join"


def is_name(value: object) -> TypeGuard[str]:
    """Whether this can name an event, a room or a user. Half a surrogate pair is valid JSON and no text."""
    return (
        isinstance(value, str) and 0 < len(value.encode(errors="surrogatepass")) <= LONGEST_NAME and value.isprintable()
    )


def relation_of(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """How an event relates to another one; empty where it does not."""
    return within(content_of(source), "m.relates_to")


def content_of(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an event says; empty where that is no object."""
    return within(source, "content")


def is_passed_on(source: Mapping[str, Any]) -> bool:
    """Whether a bot like this one has brought it from elsewhere."""
    return content_of(source).items() >= ORIGIN.items()


def within(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What stands under a name, where it is an object; else an empty one."""
    inner = source.get(name)
    return cast("Mapping[str, Any]", inner) if isinstance(inner, dict) else {}


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


def without_quote(body: str) -> str:
    """A reply without the lines that quote what it answers."""
    if not body.startswith("> <"):
        return body
    lines = body.split("\n")
    first = next((number for number, line in enumerate(lines) if not line.startswith(">")), len(lines))
    return "\n".join(lines[first:]).strip()
