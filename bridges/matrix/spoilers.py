"""What the HTML of a message hides, its plain words show: most apps repeat there whatever the writer has hidden.

Only HTML of one meaning is read; of any other that hides something no word is repeated. Nothing here is read twice:
the parser of the standard library takes a minute for 64 KiB of tags that nobody has closed.
"""

import html
import re
from collections.abc import Mapping
from typing import Any

from bot.words.hiding import HIDDEN

MARK = "data-mx-spoiler"
_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z0-9-]*+)"
    r"(?P<more>(?:\s++[a-zA-Z_:][\w:.-]*+(?:=(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'<>=`]++))?+)*+)\s*+/?>"
)
_ATTRIBUTE = re.compile(r"([a-zA-Z_:][\w:.-]*+)(?:=(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'<>=`]++)))?+")
_VOID = frozenset({"area", "br", "col", "hr", "img", "input", "wbr"})
_LINES = frozenset({"blockquote", "br", "div", "hr", "li", "ol", "p", "pre", "table", "tr", "ul"})
_QUOTED = "mx-reply"


def without_spoilers(content: Mapping[str, Any]) -> str:
    """What an event says, with a sign in the place of what it hides; nothing where it hides nothing."""
    formatted = content.get("formatted_body")
    if not isinstance(formatted, str) or MARK not in formatted.lower():
        return ""
    try:
        return _Reader(formatted).words()
    except ValueError:
        return HIDDEN


class _Reader:
    """Reads one message. Raises ValueError where it could mean several things."""

    def __init__(self, formatted: str) -> None:
        self._formatted = formatted
        self._told: list[str] = []
        self._within: list[str] = []
        """The tags that are open since nothing is told any more."""

    def words(self) -> str:
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
        lines = "".join(self._told).split("\n")
        return "\n".join(line for each in lines if (line := each.strip())) or HIDDEN

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

    def _end(self, name: str) -> None:
        if not self._within:
            self._tell("\n" if name in _LINES else "")
        elif self._within[-1] == name:
            self._within.pop()
        elif name not in _VOID:
            raise ValueError("odd HTML")

    def _tell(self, words: str) -> None:
        if not self._within:
            self._told.append(words)


def _attributes(more: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(more):
        found.setdefault(name.lower(), html.unescape("".join(values)))
    return found
