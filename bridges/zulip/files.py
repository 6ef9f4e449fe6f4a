"""Files that people put into what they say: in the text stands a link to where the server keeps one.

A reference leads to a file of this server, and nowhere else on it.
"""

import dataclasses
import functools
import mimetypes
import re
from collections.abc import Sequence
from urllib.parse import unquote

from bot.words.backticks import without_code
from bot.words.document import OCTETS, Enclosed
from bot.words.glyphs import one_line
from bot.words.talk import LARGEST_FILE

MOST_FILES = 10
"""Of one message. Links to more stay in the text."""
SIGN = "\U0001f4ce"
"""Stands before a file's name where a text begins with one: a name is no command."""
_FENCE = re.compile(r"[ ]{0,3}(```++|~~~++)[^`]*+")
_AT = r"/user_uploads/[0-9]{1,9}(?:/[\w.~%-]{1,300}){1,5}"
_KEPT = re.compile(_AT)
_types = mimetypes.MimeTypes()


def is_kept(reference: str) -> bool:
    """Whether it is the path of a file that somebody put there."""
    steps = [unquote(step) for step in reference.split("/")]
    return bool(_KEPT.fullmatch(reference)) and not any(step in (".", "..") or "/" in step for step in steps)


def enclosed_in(text: str, site: str, network: str) -> tuple[str, tuple[Enclosed, ...]]:
    """A text without its links to files, and the files. Where a link stood among words now stands a name."""
    taken = _Links(text.strip(), site, network)
    return taken.text, tuple(taken.files.values())


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    """What a line is without its links."""

    named: str
    """With names in their places."""
    begins: bool = False
    """It begins with one."""
    is_alone: bool = False
    """Nothing else stands there."""


class _Links:
    """The links of one text. Code is left as it is."""

    def __init__(self, text: str, site: str, network: str) -> None:
        self._network = network
        self._links = _links(site)
        self.files: dict[str, Enclosed] = {}
        self.text = self._without(text.split("\n"))

    def _without(self, text: Sequence[str]) -> str:
        lines: list[str] = []
        alone: list[str] = []  # links before all else; they stay where words follow, so that those are no command
        fence: str | None = None
        begins_with_one = False
        for number, line in enumerate(text):
            opens = _FENCE.fullmatch(line)
            if fence is not None or opens:
                fence = (opens[1] if opens else None) if fence is None else None if line.strip() == fence else fence
                lines.append(line)
                continue
            found = self._line(line)
            begins_with_one |= number == 0 and found.begins
            if not found.is_alone:
                lines.append(found.named)
            elif not any(lines):
                alone.append(found.named)
        if not any(line.strip() for line in lines):
            return ""
        said = "\n".join([*alone, *lines]).strip()
        return f"{SIGN} {said}" if begins_with_one else said

    def _line(self, line: str) -> _Line:
        pieces: list[str] = []
        between: list[str] = []
        at = 0
        for link in self._links.finditer(without_code(line)):
            name = self._taken(link, line)
            if name is not None:
                between.append(line[at : link.start()])
                pieces += [between[-1], name]
                at = link.end()
        rest = line[at:]
        return _Line(
            "".join([*pieces, rest]),
            begins=bool(between) and not between[0],
            is_alone=bool(between) and not "".join([*between, rest]).strip(),
        )

    def _taken(self, link: re.Match[str], line: str) -> str | None:
        """What stands for a link to a file; nothing where it stays."""
        path = link["path"] or link["bare"]
        if not is_kept(path) or (path not in self.files and len(self.files) == MOST_FILES):
            return None
        own = one_line(unquote(path.rpartition("/")[2])).strip() or "file"
        kind = _types.guess_type(own, strict=False)[0] or OCTETS
        self.files[path] = Enclosed(self._network, path, own, LARGEST_FILE, kind)
        start, end = link.span("name")
        return line[start:end].strip() or own


@functools.lru_cache(maxsize=8)
def _links(site: str) -> re.Pattern[str]:
    address = re.escape(site) if site else "(?!)"
    link = rf"!?\[(?P<name>[^\[\]\n]{{0,200}})\]\((?:{address})?(?P<path>{_AT})\)"
    return re.compile(rf"{link}|{address}(?P<bare>{_AT})")
