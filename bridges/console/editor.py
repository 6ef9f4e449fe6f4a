"""The line that somebody is typing, as pure code: bytes of a keyboard go in, finished lines come out.

Nothing that is pasted ends a line, so that no paste runs a command.
"""

import codecs
import enum
import re
from collections.abc import Callable, Iterator, Mapping

from bot.words import glyphs

LONGEST = 4096
"""Characters in a line; what is typed beyond it is not taken."""
MOST_KEPT = 500
"""Lines that the arrows bring back."""
LONGEST_KEY = 32

_KEY = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[ -~]|\x1b[^\x1b\[O]|[^\x1b]", re.DOTALL)
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?")
_WORD_LEFT = re.compile(r"\S+\s*\Z")
_WORD_RIGHT = re.compile(r"\s*\S+")
_PASTE, _PASTED = "\x1b[200~", "\x1b[201~"
_CUT_OFF = "…"


class Key(enum.Enum):
    """What the editor leaves to others."""

    END = enum.auto()
    CLEAR = enum.auto()


class Editor:
    """One line, its cursor, and the lines before it."""

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self._kept: list[str] = []
        self._place = 0
        self._draft = ""
        self._pasting = False
        self._pending = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._acts = self._bound()

    def feed(self, data: bytes) -> Iterator[str | Key]:
        """Take what the keyboard sent. Yields each line that is finished, and each key that is not ours."""
        self._pending += self._decoder.decode(data)
        for key in self._keys():
            if key in (_PASTE, _PASTED):
                self._pasting = key == _PASTE
            elif self._pasting:
                self._insert(key if key.isprintable() else " ")
            elif key in ("\r", "\n"):
                yield self._finish()
            elif key == "\x0c":
                yield Key.CLEAR
            elif key == "\x04" and not self.text:
                yield Key.END
            elif key in self._acts:
                self._acts[key]()
            elif len(key) == 1 and key.isprintable():
                self._insert(key)

    def view(self, cells: int) -> tuple[str, int]:
        """What fits into so many cells, and in which of them the cursor is. Where not all fits, a mark says so."""
        before, after = self.text[: self.cursor], self.text[self.cursor :]
        room = max(cells - 1, 0)  # the cursor may stand behind the last character
        if glyphs.width(self.text) > room:
            before = _last(before, room * 3 // 4 if after else room)
            after = _first(after, room - glyphs.width(before))
        return before + after, glyphs.width(before)

    def _bound(self) -> Mapping[str, Callable[[], None]]:
        """What each key does: those of a terminal, and those that a shell has taught people."""
        acts: tuple[tuple[Callable[[], None], tuple[str, ...]], ...] = (
            (lambda: self._move(self.cursor - 1), ("\x1b[D", "\x1bOD", "\x02")),
            (lambda: self._move(self.cursor + 1), ("\x1b[C", "\x1bOC", "\x06")),
            (lambda: self._move(0), ("\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\x01")),
            (lambda: self._move(len(self.text)), ("\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "\x05")),
            (lambda: self._move(self._word_left()), ("\x1b[1;5D", "\x1b[1;3D", "\x1bb")),
            (lambda: self._move(self._word_right()), ("\x1b[1;5C", "\x1b[1;3C", "\x1bf")),
            (lambda: self._cut(self.cursor - 1, self.cursor), ("\x7f", "\x08")),
            (lambda: self._cut(self.cursor, self.cursor + 1), ("\x1b[3~", "\x04")),
            (lambda: self._cut(self._word_left(), self.cursor), ("\x17", "\x1b\x7f")),
            (lambda: self._cut(0, self.cursor), ("\x15",)),
            (lambda: self._cut(self.cursor, len(self.text)), ("\x0b",)),
            (lambda: self._recall(-1), ("\x1b[A", "\x1bOA", "\x10")),
            (lambda: self._recall(+1), ("\x1b[B", "\x1bOB", "\x0e")),
        )
        return {key: act for act, keys in acts for key in keys}

    def _keys(self) -> Iterator[str]:
        while self._pending:
            match = _KEY.match(self._pending)
            if match is not None:
                self._pending = self._pending[match.end() :]
                yield match[0]
            elif _BEGUN.fullmatch(self._pending) and len(self._pending) < LONGEST_KEY:
                return  # the rest of the key is on its way
            else:
                self._pending = self._pending[1:]

    def _insert(self, typed: str) -> None:
        if len(self.text) < LONGEST:
            self.text = self.text[: self.cursor] + typed + self.text[self.cursor :]
            self._move(self.cursor + len(typed))

    def _finish(self) -> str:
        line = self.text
        if line.strip() and self._kept[-1:] != [line]:
            self._kept = [*self._kept, line][-MOST_KEPT:]
        self._place = len(self._kept)
        self._set("")
        return line

    def _set(self, text: str) -> None:
        self.text = text
        self.cursor = len(text)

    def _recall(self, step: int) -> None:
        place = min(max(0, self._place + step), len(self._kept))
        if place == self._place:
            return
        if self._place == len(self._kept):
            self._draft = self.text
        self._place = place
        self._set(self._draft if place == len(self._kept) else self._kept[place])

    def _move(self, to: int) -> None:
        self.cursor = min(max(0, to), len(self.text))

    def _cut(self, begin: int, end: int) -> None:
        begin = max(0, begin)
        self.text = self.text[:begin] + self.text[end:]
        self.cursor = begin

    def _word_left(self) -> int:
        found = _WORD_LEFT.search(self.text[: self.cursor])
        return found.start() if found else 0

    def _word_right(self) -> int:
        found = _WORD_RIGHT.match(self.text, self.cursor)
        return found.end() if found else len(self.text)


def _last(text: str, cells: int) -> str:
    """The end of a text, in at most so many cells."""
    if glyphs.width(text) <= cells:
        return text
    begin, free = len(text), cells - 1
    while begin and glyphs.width(text[begin - 1]) <= free:
        begin -= 1
        free -= glyphs.width(text[begin])
    return _CUT_OFF + text[begin:] if cells > 0 else ""


def _first(text: str, cells: int) -> str:
    """The beginning of a text, in at most so many cells."""
    if glyphs.width(text) <= cells:
        return text
    end, free = 0, cells - 1
    while glyphs.width(text[end]) <= free:
        free -= glyphs.width(text[end])
        end += 1
    return text[:end] + _CUT_OFF if cells > 0 else ""
