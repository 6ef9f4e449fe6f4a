"""From a message to the command that it asks for. No text of any kind raises, and chat talk never becomes a command."""

import dataclasses
import difflib
import re
from collections.abc import Iterable

_COMMAND = r"([A-Za-z][\w-]{0,62})[!.,:;]*(?:\s+(.*))?"  # who is in a hurry writes `!stop! all`
_PREFIXED = re.compile(rf"\s*(?:!|//?){_COMMAND}\s*", re.DOTALL)
_BARE = re.compile(rf"\s*(?:!|//?)?{_COMMAND}\s*", re.DOTALL)

_STOP_ALL = re.compile(r"\s*(?:STOP|HALT)\s+(?:ALL|EVERYTHING)[!.]*\s*")
_STOP_AMONG_WORDS = re.compile(r"(?:^|\s)[!/]{1,2}(?:stop|halt|shutdown)\b", re.IGNORECASE)
_STOP = re.compile(r"\W*(?:stop|halt|shut\s?down)(?:\s+(?:all|everything|now|it))*\W*", re.IGNORECASE)

_LONGEST_MISTYPED = 64
"""What is longer is compared by how it begins."""


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A line that asks for a command."""

    name: str
    rest: str
    """What follows the name, as it was typed. `bot/desk/signature.py` reads it."""


def parse(text: str, *, addressed: bool) -> Line | None:
    """The command in a text, if there is one. A prefix is needed unless the bot itself is spoken to.

    The one exception is a whole message that is STOP ALL, HALT ALL or STOP EVERYTHING, in capital letters.
    """
    if _STOP_ALL.fullmatch(text) is not None:
        return Line("stop", "all")
    match = (_BARE if addressed else _PREFIXED).fullmatch(text)
    return None if match is None else Line(match[1].lower(), match[2] or "")


def sounds_like_a_stop(text: str) -> bool:
    """Whether somebody who gave no command may have meant one to stop: `stop all`, `!!halt`, `fire! !stop all`."""
    return _STOP.fullmatch(text) is not None or _STOP_AMONG_WORDS.search(text) is not None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """What somebody may have meant, whatever the case of its letters."""
    folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(word[:_LONGEST_MISTYPED].casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None
