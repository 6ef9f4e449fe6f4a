"""Emoji as people see them, and as Zulip writes them: the numbers of the characters, without variation selectors."""

import re
import unicodedata

SELECTOR = "\ufe0f"
"""Behind a sign that may be shown as a letter, it says that the emoji is meant."""
KEYCAP, JOINER = "\u20e3", "\u200d"
CODE = re.compile(r"[0-9a-f]{2,6}(?:-[0-9a-f]{2,6}){0,15}")
NAME = re.compile(r":([0-9a-z .+_-]{1,100}):")
"""A picture of a server's own, as it is written in a text."""
_TAGS = range(0xE0020, 0xE0080)
_FLAGS = range(0x1F1E6, 0x1F200)
_LETTERS_THAT_ARE_WIDE = frozenset("\U0001f202\U0001f237\u3030\u303d\u3297\u3299")
_NO_SIGN = frozenset({"Cc", "Cs", "Cf", "Zs", "Zl", "Zp"})


def shown_as(code: str, name: str, *, is_character: bool) -> str | None:
    """The emoji as people know it, also elsewhere; nothing where a server means none."""
    if not is_character:
        called = f":{name}:"
        return called if NAME.fullmatch(called) else None
    if not CODE.fullmatch(code):
        return None
    numbers = [int(each, 16) for each in code.split("-")]
    if not all(number <= 0x10FFFF and _may_be_part(chr(number)) for number in numbers):  # noqa: PLR2004 - the last one
        return None
    return "".join(map(_full, map(chr, numbers)))


def code_of(emoji: str) -> str:
    """How Zulip writes an emoji."""
    return "-".join(f"{ord(each):04x}" for each in emoji if each != SELECTOR)


def bare(code: str) -> str:
    """One way to write a code."""
    return "-".join(each for each in code.split("-") if each != "fe0f")


def _may_be_part(character: str) -> bool:
    return (
        character == JOINER or ord(character) in _TAGS or unicodedata.category(character) not in _NO_SIGN
    ) and character != SELECTOR


def _full(character: str) -> str:
    """With the selector where it could be taken for a letter. What is wider than a letter is none."""
    if character in (JOINER, KEYCAP) or ord(character) in _TAGS or ord(character) in _FLAGS:
        return character
    is_known = unicodedata.category(character) != "Cn"  # newer emoji are unknown here, and none is a letter
    is_wide = unicodedata.east_asian_width(character) == "W" and character not in _LETTERS_THAT_ARE_WIDE
    return character if is_wide or not is_known else character + SELECTOR
