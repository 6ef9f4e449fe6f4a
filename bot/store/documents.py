"""What lies in the database of a post's words: how they begin, and that they are gone where they are not kept."""

from bot.words.glyphs import cut
from bot.words.packed import load
from bot.words.plain import to_plain

FIRST_WORDS = 120
GONE = b""
"""What stands where the words of a post are not kept any more."""


def first_words(stored: bytes) -> str:
    """What a document begins with, in one short line."""
    if stored == GONE:
        return "words gone"
    try:
        words = " ".join(to_plain(load(stored)).split())
    except ValueError:
        return "words that this version cannot read"
    return cut(words, FIRST_WORDS) or "no words"
