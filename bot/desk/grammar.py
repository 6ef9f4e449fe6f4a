"""From a line of text to a command's name and its words. No text of any kind raises anything but UsageError."""

import dataclasses
import difflib
import re
import shlex
from collections.abc import Iterable

from bot.words.errors import UsageError

_COMMAND = r"([A-Za-z][\w-]{0,62})[!.,:;]*(?:\s+(.*))?"  # who is in a hurry writes `!stop! all`
_PREFIXED = re.compile(rf"\s*(?:!|//?){_COMMAND}\s*", re.DOTALL)
_BARE = re.compile(rf"\s*(?:!|//?)?{_COMMAND}\s*", re.DOTALL)

_STOP = re.compile(r"\W*(?:stop|halt|shut\s?down)(?:\s+(?:all|everything|now|it))*\W*", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A line that asks for a command."""

    name: str
    rest: str

    def words(self) -> list[str]:
        """What follows the name; quotes keep words together."""
        try:
            return shlex.split(self.rest)
        except ValueError as error:
            raise UsageError("A quotation mark or a backslash stands alone.", hint="Leave it out.") from error


def parse(text: str, *, addressed: bool) -> Line | None:
    """The command in a text, if there is one. A prefix is needed unless the bot itself is spoken to."""
    match = (_BARE if addressed else _PREFIXED).fullmatch(text)
    return None if match is None else Line(match[1].lower(), match[2] or "")


def sounds_like_a_stop(text: str) -> bool:
    """Whether somebody who gave no command may have meant one to stop: `STOP ALL`, `! stop`, `!!halt everything`."""
    return _STOP.fullmatch(text) is not None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """What somebody may have meant."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None
