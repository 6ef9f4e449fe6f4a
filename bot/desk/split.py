"""From what follows a command's name to its words, and back. It knows quotes and nothing else of what a word may mean.

Words stand apart by white space of any kind. A quote opens at the start of a word or right behind its first `=`, and
closes at the end of a word: the apostrophe of `don't` is a letter, inside quotes too. A backslash is a plain character:
who needs a quotation mark and a space behind it inside quotes takes the other quotes around them.
"""

import re

from bot.words.errors import UsageError
from bot.words.glyphs import quoted

LONGEST_LINE = 65_536
MOST_WORDS = 1_000

_MARKS = "\"'“”„‘’"
_WORD = re.compile(
    rf"""
    ( [^\s={_MARKS}][^\s=]*= | = )?       # what stands before the quotation
    (?: "(.*?)"(?!\S) | '(.*?)'(?!\S) | [“”„](.*?)[“”](?!\S) | [‘’](.*?)’(?!\S) )
    | (\S+)
    """,
    re.DOTALL | re.VERBOSE,
)
_PLAIN = 6  # the group of a word without quotes
_MARK = re.compile(f"[{_MARKS}]")
_OPENS = re.compile(rf"(?:[^={_MARKS}][^=]*=|=)?[{_MARKS}]")

_BARE_WORD = re.compile(rf"(?!--|[–—][A-Za-z_]|[{_MARKS}])[^\s=]+")
_BARE_VALUE = re.compile(rf"(?![{_MARKS}])\S+")
_QUOTES = (('"', '"', re.compile(r'"\s')), ("'", "'", re.compile(r"'\s")), ("“", "”", re.compile(r"[“”]\s")))


class Quoted(str):
    """A word that stood in quotes as a whole, so that it is never an option, whatever it looks like."""

    __slots__ = ()


def split(rest: str) -> list[str]:
    """The words of a line, without their quotes. Raises UsageError and nothing else."""
    if len(rest) > LONGEST_LINE:
        raise UsageError(f"The line is too long: it may have {LONGEST_LINE} characters.")
    if not rest.isascii():
        _check_whole(rest)
    words = rest.split() if _MARK.search(rest) is None else _split_quoted(rest)
    if len(words) > MOST_WORDS:
        raise UsageError(f"The line has too many words: it may have {MOST_WORDS}.")
    return words


def bare_or_quoted(text: str, *, behind_key: bool = False) -> str:
    """A text as `split` reads it as one plain word again, or as the value behind a `key=`."""
    if text.isalnum() or (_BARE_VALUE if behind_key else _BARE_WORD).fullmatch(text):
        return text
    for opening, closing, ends in _QUOTES:
        if ends.search(text) is None:
            return f"{opening}{text}{closing}"
    return f"‘{text}’"


def _split_quoted(rest: str) -> list[str]:
    words: list[str] = []
    for match in _WORD.finditer(rest):
        group = match.lastindex or _PLAIN
        text, head = match[group], match[1]
        if group != _PLAIN:
            words.append(Quoted(text) if head is None else head + text)
        elif _OPENS.match(text):
            raise UsageError(
                f"{quoted(text)} opens a quotation that does not end: close it at the end of a word, "
                "or leave the mark out."
            )
        else:
            words.append(text)
    return words


def _check_whole(rest: str) -> None:
    try:
        rest.encode()
    except UnicodeEncodeError as error:  # it could be neither stored nor shown
        raise UsageError(f"{quoted(rest[: error.start])} is followed by half a character.") from error
