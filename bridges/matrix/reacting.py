"""What people show beside messages, as it comes. It comes in clear from encrypted rooms too, and proves nothing."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from bot.words.glyphs import one_line
from bot.words.message import Place, Reaction
from bot.words.people import Account
from bridges.matrix.reading import NETWORK, Arrived, content_of, is_name, is_passed_on, relation_of

KIND = "m.reaction"
ANNOTATES = "m.annotation"
LONGEST = 64
"""Characters. A family of four is eleven."""
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f")
"""The flags of parts of countries are written with what is unseen anywhere else."""
_OWN = re.compile(r"mxc://")
_CODE = re.compile(r":?([\w+-]{1,62}):?")
_NAMED = re.compile(r":[\w+-]{1,62}:")
_KEYCAP = "\u20e3"
_NOT_SYMBOLS = "\u203c\u2049\u2139\u3030"
"""Emoji whose class is another: two signs of exclamation, one and a question, an `i`, a wavy line."""


log = structlog.get_logger(__name__)


class _Odd(ValueError):
    """Somebody shows what nobody should see."""


def reactions_in(events: Iterable[Arrived], me: str) -> tuple[list[Reaction], int]:
    """What others show beside messages, and how much of it is odd and passed over."""
    found: list[Reaction] = []
    odd = 0
    for event, room in events:
        try:
            reaction = _reaction(event.source, room.room_id, me)
        except Exception as error:  # noqa: BLE001 - whatever a stranger has found
            odd += 1
            log.warning("an odd reaction is passed over", room=room.room_id, error=type(error).__name__)
        else:
            found += [] if reaction is None else [reaction]
    return found, odd


def _reaction(source: Mapping[str, Any], room: str, me: str) -> Reaction | None:
    relation = relation_of(source)
    if source.get("type") != KIND or relation.get("rel_type") != ANNOTATES:
        return None
    own, by, about = source.get("event_id"), source.get("sender"), relation.get("event_id")
    if by == me or is_passed_on(source):
        return None
    emoji = _shown(relation.get("key"), content_of(source).get("shortcode"))
    if not (emoji and is_name(own) and is_name(by) and is_name(about)):
        raise _Odd
    return Reaction(Place(NETWORK, room), about, Account(NETWORK, by), emoji, own)


def _shown(key: object, code: object) -> str:
    """The key, or the name of what is a picture of somebody's own; empty for what would hide something, or say it."""
    if isinstance(key, str) and _OWN.match(key):
        named = _CODE.fullmatch(code) if isinstance(code, str) else None
        return f":{named[1]}:" if named else ""
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST:
        return ""
    plain = _FLAG.sub("\U0001f3f4", key)
    return key if _NAMED.fullmatch(key) or (_is_sign(plain) and one_line(plain) == plain) else ""


def _is_sign(plain: str) -> bool:
    """Whether it holds a symbol, and nothing that words are made of. What has no class yet is an emoji of next year."""
    kinds = [_kind(each) for each in plain]
    return any(kind in {"S", "Cn"} for kind in kinds) and not any(kind in {"L", "Z"} for kind in kinds)


def _kind(character: str) -> str:
    if character in _NOT_SYMBOLS or character == _KEYCAP:
        return "S"
    kind = unicodedata.category(character)
    return kind if kind == "Cn" else kind[0]
