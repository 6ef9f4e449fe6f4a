"""What the HTML of a message hides, its plain words show: most apps repeat there whatever the writer has hidden.

Whom it names is read here, too. Only HTML of one meaning is read; of any other that hides something no word is
repeated, and it names nobody. Nothing here is read twice:
the parser of the standard library takes a minute for 64 KiB of tags that nobody has closed.
"""

import html
import re
from collections.abc import Mapping
from typing import Any

from bot.words.hiding import HIDDEN
from bridges.matrix.mentions import SITE, Named, Shown, is_name, mention, user_of, with_mentions

MARK = "data-mx-spoiler"
_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z0-9-]*+)"
    r"(?P<more>(?:\s++[a-zA-Z_:][\w:.-]*+(?:=(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'<>=`]++))?+)*+)\s*+/?>"
)
_ATTRIBUTE = re.compile(r"([a-zA-Z_:][\w:.-]*+)(?:=(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'<>=`]++)))?+")
_VOID = frozenset({"area", "br", "col", "hr", "img", "input", "wbr"})
_LINES = frozenset({"blockquote", "br", "div", "hr", "li", "ol", "p", "pre", "table", "tr", "ul"})
_CODE = frozenset({"code", "pre"})
_QUOTED = "mx-reply"


def as_read(content: Mapping[str, Any], said: str) -> str:
    """What people read in the place of plain words: without what is hidden, and with whom they name.

    Nothing where that is the words themselves.
    """
    return without_spoilers(content) or with_mentions(said, _shown(content))


def without_spoilers(content: Mapping[str, Any]) -> str:
    """What an event says, with a sign in the place of what it hides; nothing where it hides nothing."""
    formatted = content.get("formatted_body")
    if not isinstance(formatted, str) or MARK not in formatted.lower():
        return ""
    try:
        return _Reader(formatted).words()
    except ValueError:
        return HIDDEN


def _shown(content: Mapping[str, Any]) -> Shown:
    formatted = content.get("formatted_body")
    if not isinstance(formatted, str) or SITE not in formatted:
        return Shown()
    try:
        return _Reader(formatted).shown()
    except ValueError:
        return Shown()


class _Reader:
    """Reads one message. Raises ValueError where it could mean several things."""

    def __init__(self, formatted: str) -> None:
        self._formatted = formatted
        self._told: list[str] = []
        self._within: list[str] = []
        """The tags that are open since nothing is told any more."""
        self._people: list[tuple[int, int, str]] = []
        """Which of what is told are somebody's name, and whose."""
        self._link: tuple[int, str] | None = None
        """A link that is open: where it begins, and to whom it leads."""
        self._codes = 0
        """How many tags of code are open: in code nobody is named."""

    def words(self) -> str:
        """What it says, with a sign in the place of what is hidden."""
        self._read()
        pieces: list[str] = []
        at = 0
        for start, end, user in self._people:
            before = "".join(self._told[at:start]).removesuffix("@")  # the mention has its own
            pieces += [before, mention("".join(self._told[start:end]), user)]
            at = end
        lines = "".join([*pieces, *self._told[at:]]).split("\n")
        return "\n".join(line for each in lines if (line := each.strip())) or HIDDEN

    def shown(self) -> Shown:
        """The same where nothing is hidden, and where in it somebody is named."""
        self._read()
        people: list[Named] = []
        at = length = 0
        for start, end, user in self._people:
            length += sum(map(len, self._told[at:start]))
            name = "".join(self._told[start:end])
            begin = length + len(name) - len(name.lstrip())
            people.append(Named(begin, begin + len(name.strip()), user))
            at, length = end, length + len(name)
        return Shown("".join(self._told), tuple(people))

    def _read(self) -> None:
        at = 0
        while (begin := self._formatted.find("<", at)) >= 0:
            self._tell(html.unescape(self._formatted[at:begin]))
            tag = _TAG.match(self._formatted, begin)
            if tag is None:
                raise ValueError("odd HTML")
            if tag["end"]:
                self._end(tag["name"].lower())
            else:
                self._begin(tag["name"].lower(), _attributes(tag["more"]))
            at = tag.end()
        self._tell(html.unescape(self._formatted[at:]))

    def _begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in _LINES:
            self._tell("\n")
        if name in _VOID:
            self._tell(attributes.get("alt", ""))
        elif self._within or name == _QUOTED:
            self._within.append(name)
        elif MARK in attributes:
            reason = attributes[MARK].strip()
            self._tell(f"{reason}: {HIDDEN}" if reason else HIDDEN)
            self._within.append(name)
            self._link = None  # who is named in it is hidden, too
        elif name == "a":
            user = "" if self._codes else user_of(attributes.get("href", ""))
            self._link = (len(self._told), user) if user else None
        elif name in _CODE:
            self._codes += 1

    def _end(self, name: str) -> None:
        if not self._within:
            if name == "a":
                self._end_link()
            elif name in _CODE:
                self._codes = max(0, self._codes - 1)
            self._tell("\n" if name in _LINES else "")
        elif self._within[-1] == name:
            self._within.pop()
        elif name not in _VOID:
            raise ValueError("odd HTML")

    def _end_link(self) -> None:
        if self._link is not None:
            start, user = self._link
            self._link = None
            if is_name("".join(self._told[start:]).strip()):
                self._people.append((start, len(self._told), user))

    def _tell(self, words: str) -> None:
        if not self._within:
            self._told.append(words)


def _attributes(more: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(more):
        found.setdefault(name.lower(), html.unescape("".join(values)))
    return found
