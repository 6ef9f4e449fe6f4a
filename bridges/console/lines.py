"""The lines on the console's socket: one JSON object each, both ways. No bytes raise anything but BadLine."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import orjson

from bot.words import packed
from bot.words.document import Document

MOST_FROM_CLIENT = 64 * 1024
"""Bytes of a line that a client may send."""
MOST_FROM_BOT = 8 * 1024 * 1024
"""Bytes of a line that the bot sends: a document may hold a picture."""
OLDEST_S = 30 * 86_400.0
"""What a client may say of a line's age."""

_ID = re.compile(r"[0-9a-f]{32}")


class BadLine(Exception):
    """A line that is none of ours. It says what is wrong, in a sentence."""


@dataclasses.dataclass(frozen=True, slots=True)
class Say:
    """Somebody typed a line."""

    id: str
    """Random, and the same when it is said again."""
    text: str
    age_s: float = 0.0
    """How long ago it was typed: a line that waited for the bot must not pass for a fresh one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """A post was shown."""

    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Hello:
    """Who is there, at both ends."""

    account: str
    person: str
    role: str
    version: str


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """A line is on the bot's disk."""

    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class NotTaken:
    """A line is not on the bot's disk."""

    id: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Posted:
    """The bot says something."""

    key: str
    document: Document
    lane: int
    reply_to: str | None
    edits: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Closed:
    """The last line: why there is no more."""

    why: str


FromClient: TypeAlias = Say | Heard
FromBot: TypeAlias = Hello | Taken | NotTaken | Posted | Closed


def event_of(account: str, line: str) -> str:
    """What a line is called in the inbox: the id that its client drew, under the account that the kernel names."""
    return f"{account}-{line}"


def from_client(line: bytes) -> FromClient:
    """What a client sent. What it does not know of a line it passes over."""
    match _object(line):
        case {"say": str(text), "id": str(name), **more} if _ID.fullmatch(name):
            return Say(name, text, _age(more.get("age_s", 0.0)))
        case {"say": _}:
            raise BadLine("A line needs a text and an id of 32 hexadecimal digits.")
        case {"heard": str(key)} if _ID.fullmatch(key):
            return Heard(key)
        case _:
            raise BadLine("A line is either said or heard.")


def from_bot(line: bytes) -> FromBot:
    """What the bot sent."""
    match _object(line):
        case {"hello": {"account": str(account), "person": str(person), "role": str(role), "version": str(version)}}:
            return Hello(account, person, role, version)
        case {"taken": str(name)}:
            return Taken(name)
        case {"refused": str(name), "why": str(why)}:
            return NotTaken(name, why)
        case {"closed": str(why)}:
            return Closed(why)
        case {"post": {"key": str(key), "document": document, "lane": int(lane), **more}}:
            return Posted(key, _document(document), lane, _text_or_none(more, "reply_to"), _text_or_none(more, "edits"))
        case _:
            raise BadLine("The bot says something that this chat does not know. Are both of the same version?")


def to_line(said: FromClient | FromBot) -> bytes:
    """The bytes of a line, with its end. Raises ValueError for what is no document."""
    content: dict[str, object]
    match said:
        case Say():
            content = {"say": said.text, "id": said.id, "age_s": said.age_s}
        case Heard():
            content = {"heard": said.key}
        case Hello():
            content = {"hello": dataclasses.asdict(said)}
        case Taken():
            content = {"taken": said.id}
        case NotTaken():
            content = {"refused": said.id, "why": said.why}
        case Closed():
            content = {"closed": said.why}
        case Posted():
            document = orjson.Fragment(packed.dump(said.document))
            more = {"lane": said.lane, "reply_to": said.reply_to, "edits": said.edits}
            content = {"post": {"key": said.key, "document": document, **more}}
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadLine("A line must be one JSON object in UTF-8.") from error
    if not isinstance(content, dict):
        raise BadLine("A line must be one JSON object in UTF-8.")
    return cast("dict[str, Any]", content)


def _age(age: object) -> float:
    if isinstance(age, bool) or not isinstance(age, int | float) or not 0 <= age <= OLDEST_S:
        raise BadLine("A line's age is a number of seconds, up to 30 days.")
    return float(age)


def _document(content: object) -> Document:
    try:
        return packed.load(orjson.dumps(content))
    except (ValueError, orjson.JSONEncodeError) as error:
        raise BadLine("The bot says something that this chat cannot show. Are both of the same version?") from error


def _text_or_none(content: Mapping[str, object], name: str) -> str | None:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise BadLine(f"The bot's {name} is no text.")
    return value
