"""What stands in a payload, read and written. Whoever has published it, it is read, or it is one `Odd` and no more."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import cast

import orjson

from bot.words.document import Block, Document, Span, Style, Text, Tone
from bot.words.glyphs import cut, lines, one_line
from bot.words.message import Lane, Post
from bot.words.plain import to_plain
from bot.words.talk import GOES_ON, LONGEST, LONGEST_NAME
from bridges.mqtt.topics import id_in

LARGEST = 64 * 1024
LONGEST_ID = 200
LONGEST_TEXT = 15_000
"""Of what we publish. In bytes it is four times as long at most."""
NAMELESS = "somebody"
ORIGIN = "tocsin/"
OWN = "tocsin-"
"""With this every id of a bot's begins, so that one that comes back without its origin is known as well."""
HEAD = re.compile(
    r" \((?P<network>[^\s(),]+)(?: (?P<account>[^(),]+))?(?:, in (?P<topic>[^(),]+))?"
    r"(?P<unproven>, unproven)?(?:, (?P<at>\d[^(),]*))?\): "
)
"""What `bot/words/talk.py` puts between a name and the words. Nothing in it that somebody chose has its signs."""
EARLIEST_MS = 10**12
"""In 2001. What is less is in seconds, or of a clock that was never set."""


class Odd(Exception):
    """A payload that nobody can take in. It quotes nothing of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """What somebody has published."""

    text: str
    who: str = NAMELESS
    id: str = ""
    """Empty where the payload has none."""
    replies_to: str = ""
    edits: str = ""
    sent_ms: int = 0
    """When it was said, as its writer says. Nothing where nobody says it, or not so that it can be so."""
    of_a_bot: bool = False
    """It is of a bot like this one, or of this very one. Nothing of theirs is passed on, so nothing goes round."""


def read(payload: bytes) -> Heard:
    """What a payload says: an object of JSON, or plain text. Raises Odd."""
    if len(payload) > LARGEST:
        raise Odd("it is too large")
    try:
        words = payload.decode()
    except UnicodeDecodeError:
        raise Odd("it is not UTF-8") from None
    if not words.lstrip().startswith("{"):
        return Heard(_words(words))
    try:
        fields: object = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise Odd("it begins like JSON and is none") from None
    if not isinstance(fields, dict):
        raise Odd("it is no object")
    return _heard(cast("Mapping[str, object]", fields))


def _heard(fields: Mapping[str, object]) -> Heard:
    id_, edits = _id(fields, "id"), _id(fields, "edits")
    origin = _text(fields, "origin") or ""
    text = _text(fields, "text")
    if text is None:
        raise Odd("it has no text")
    return Heard(
        text="" if edits and not text.strip() else _words(text),
        who=cut(one_line(_text(fields, "from") or "").strip(), LONGEST_NAME) or NAMELESS,
        id=id_,
        replies_to=_id(fields, "replies_to"),
        edits=edits,
        sent_ms=_sent_ms(fields.get("sent_ms")),
        of_a_bot=origin.startswith(ORIGIN) or id_.startswith(OWN),
    )


def _text(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise Odd(f"{name} is no text")
    return value


def _sent_ms(value: object) -> int:
    """An odd time is none, and so is `true`, which is 1. The words count all the same."""
    return value if isinstance(value, int) and value >= EARLIEST_MS else 0


def _id(fields: Mapping[str, object], name: str) -> str:
    found = _text(fields, name) or ""
    if len(found) > LONGEST_ID or not found.isprintable():
        raise Odd(f"{name} is not up to {LONGEST_ID} printable characters")
    return found


def _words(text: str) -> str:
    """Harmless on a screen and in a database, and no longer than is passed on."""
    words = "\n".join(lines(cut(text, LONGEST))).strip()
    if not words:
        raise Odd("it says nothing")
    return words


def written(post: Post, key: str, bot: str, sent_ms: int) -> bytes:
    """A post as it is published. The same key is the same id."""
    said = _apart(post) or _Said(to_plain(post.document))
    fields: dict[str, object] = {
        "id": id_of(key),
        "origin": ORIGIN + bot,
        **said.sender,
        "text": cut(said.text, LONGEST_TEXT),
        "sent_ms": sent_ms,
    }
    if post.edits:
        fields["edits"] = id_in(post.edits)
    if post.reply_to and (answered := id_in(post.reply_to)):
        fields["replies_to"] = answered
    return orjson.dumps(fields)


def id_of(key: str) -> str:
    """What a post under this key is called in its payload."""
    return OWN + hashlib.sha256(key.encode()).hexdigest()[:32]


@dataclasses.dataclass(frozen=True, slots=True)
class _Said:
    """What is said, and by whom where that is somebody else than the bot."""

    text: str
    sender: Mapping[str, object] = dataclasses.field(default_factory=dict[str, object])


def _apart(post: Post) -> _Said | None:
    """What somebody wrote elsewhere, without the name in front of it."""
    if post.lane is not Lane.TALK or not post.document.blocks:
        return None
    first, *more = post.document.blocks
    match first:
        case Text((Span(name, Style.STRONG, Tone.QUIET), Span(head), *spans)) if found := HEAD.fullmatch(head):
            words = Document((*([Text(tuple(spans))] if spans else []), *map(_alone, more)))
            return _Said(to_plain(words), {"from": one_line(name), **_marks(found)})
        case _:
            return None


def _marks(head: re.Match[str]) -> dict[str, object]:
    """What stands behind the name. Where an account does, the name is its writer's own choice, and proves nothing."""
    is_unproven = head["unproven"] or head["account"]
    named = {each: head[each] for each in ("network", "account", "topic", "at") if head[each]}
    return {**named, "unproven": True} if is_unproven else {**named}


def _alone(block: Block) -> Block:
    """A paragraph without the sign that no other speaker is meant: here each payload has one."""
    match block:
        case Text((Span(text), *spans)) if text == GOES_ON:
            return Text(tuple(spans))
        case _:
            return block
