"""Files that people put into what they say: in the text stands a link to where the server keeps one.

A reference leads to a file of this server, and nowhere else on it.
"""

import functools
import mimetypes
import re
from urllib.parse import unquote

from bot.words.document import OCTETS, Enclosed
from bot.words.talk import LARGEST_FILE

MOST_FILES = 10
"""Of one message. Links to more stay in the text."""
SIGN = "\U0001f4ce"
"""Stands before a file's name where a text begins with one: a name is no command."""
_FENCE = re.compile(r"[ ]{0,3}(```+|~~~+)[^`\n]*$")
_AT = r"/user_uploads/[0-9]{1,9}(?:/[\w.~%-]{1,300}){1,5}"
_KEPT = re.compile(_AT)
_CODE = r"(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"
_types = mimetypes.MimeTypes()


def is_kept(reference: str) -> bool:
    """Whether it is the path of a file that somebody put there."""
    steps = [unquote(step) for step in reference.split("/")]
    return bool(_KEPT.fullmatch(reference)) and not any(step in (".", "..") or "/" in step for step in steps)


def enclosed_in(text: str, site: str, network: str) -> tuple[str, tuple[Enclosed, ...]]:
    """A text without its links to files, and the files. Where a link stood among words now stands a name."""
    taken = _Links(text.strip(), site, network)
    return taken.text, tuple(taken.files.values())


class _Links:
    """The links of one text. Code is left as it is."""

    def __init__(self, text: str, site: str, network: str) -> None:
        self._network = network
        self._links = _links(site)
        self.files: dict[str, Enclosed] = {}
        first = self._links.match(text)
        self._begins_with_one = first is not None and self._name_of(first) != first[0]
        self.text = self._without(text)

    def _without(self, text: str) -> str:
        lines: list[str] = []
        alone: list[str] = []  # links before all else; they stay where words follow, so that those are no command
        fence: str | None = None
        for line in text.split("\n"):
            opens = _FENCE.match(line)
            if fence is not None or opens:
                fence = (opens[1] if opens else None) if fence is None else None if line.strip() == fence else fence
                lines.append(line)
            elif not self._is_all_links(line):
                lines.append(self._links.sub(self._name_of, line))
            elif not any(lines):
                alone.append(self._links.sub(self._name_of, line))
        if not any(line.strip() for line in lines):
            return ""
        said = "\n".join([*alone, *lines]).strip()
        return f"{SIGN} {said}" if self._begins_with_one else said

    def _is_all_links(self, text: str) -> bool:
        rest = self._links.sub(lambda found: "" if self._name_of(found) != found[0] else found[0], text)
        return rest != text and not rest.strip()

    def _name_of(self, found: re.Match[str]) -> str:
        path = found["path"] or found["bare"]
        if path is None or not is_kept(path) or (path not in self.files and len(self.files) == MOST_FILES):
            return found[0]
        own = unquote(path.rpartition("/")[2])
        kind = _types.guess_type(own, strict=False)[0] or OCTETS
        self.files[path] = Enclosed(self._network, path, own, LARGEST_FILE, kind)
        return (found["name"] or "").strip() or own


@functools.lru_cache(maxsize=8)
def _links(site: str) -> re.Pattern[str]:
    address = re.escape(site) if site else "(?!)"
    link = rf"!?\[(?P<name>[^\[\]\n]{{0,200}})\]\((?:{address})?(?P<path>{_AT})\)"
    return re.compile(rf"{_CODE}|{link}|{address}(?P<bare>{_AT})")
