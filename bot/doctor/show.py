"""How findings are shown: in a terminal folded and in colour, elsewhere a line each, or as JSON for programs.

What was found may repeat a server's words, so all of it is made harmless first.
"""

import itertools
from collections.abc import Iterator, Sequence

import orjson
from rich.console import Console
from rich.style import Style as Look
from rich.text import Text as Line

from bot.doctor import Found
from bot.findings import Finding, State
from bot.words import glyphs
from bot.words.document import Tone
from bot.words.html import COLOURS

LOOKS = {
    State.GOOD: Look(color=COLOURS[Tone.GOOD]),
    State.HINT: Look(color=COLOURS[Tone.QUIET]),
    State.WARN: Look(color=COLOURS[Tone.WARN], bold=True),
    State.BAD: Look(color=COLOURS[Tone.BAD], bold=True),
}
ABOUT = 16
"""Cells for what was looked at."""
INDENT = 2
NAMES = INDENT + len(State.GOOD) + 2
TEXT = NAMES + ABOUT + 2
"""Where the words begin."""
NARROWEST = 20
ARROW = "→ "


class Shown:
    """Shows one finding after the other."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._part = ""

    def show(self, found: Found) -> None:
        """Show it now."""
        if not self._console.is_terminal:
            self._console.file.write(f"{_plain(found)}\n")
            self._console.file.flush()
            return
        if found.part != self._part:
            if self._part:
                self._console.print()
            self._part = found.part
            self._console.print(Line(glyphs.one_line(found.part).capitalize(), "bold"))
        for line in _lines(found.finding, self._console.width):
            self._console.print(line, soft_wrap=True)

    def end(self, everything: Sequence[Found]) -> None:
        """Say how it is on the whole."""
        if self._console.is_terminal:
            self._console.print()
            self._console.print(Line(summary(everything), LOOKS[worst(everything)]))
        else:
            self._console.file.write(f"{summary(everything)}\n")


def worst(everything: Sequence[Found]) -> State:
    """How it is on the whole."""
    order = list(State)
    return max((each.finding.state for each in everything), key=order.index, default=State.GOOD)


def summary(everything: Sequence[Found]) -> str:
    """How many are bad, and how many are to be looked at."""
    states = [each.finding.state for each in everything]
    bad, warned = states.count(State.BAD), states.count(State.WARN)
    if not bad and not warned:
        return f"All is well: {states.count(State.GOOD)} good."
    counts = [f"{number} {word}" for number, word in ((bad, "bad"), (warned, "to be looked at")) if number]
    return f"{', '.join(counts)}, {states.count(State.GOOD)} good."


def to_json(everything: Sequence[Found]) -> str:
    """All of it, for programs: a list, one object for each finding."""
    rows = [
        {
            "part": each.part,
            "state": each.finding.state,
            "about": each.finding.about,
            "what": each.finding.what,
            "do": each.finding.do,
        }
        for each in everything
    ]
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode()


def _plain(found: Found) -> str:
    finding = found.finding
    cells = [f"{found.part:<8}", f"{finding.state:<4}", glyphs.pad(glyphs.one_line(finding.about), ABOUT)]
    return glyphs.one_line(f"{'  '.join(cells)}  {_whole(finding)}")


def _whole(finding: Finding) -> str:
    return f"{finding.what} {ARROW}{finding.do}" if finding.do else finding.what


def _lines(finding: Finding, width: int) -> Iterator[Line]:
    """The words in a column of their own, or, where there is no room for one, below."""
    look, beside = LOOKS[finding.state], width - TEXT >= NARROWEST
    indent = TEXT if beside else NAMES
    room = max(1, width - indent)
    about = glyphs.fold(glyphs.one_line(finding.about), ABOUT if beside else room)
    what = glyphs.fold(glyphs.one_line(finding.what), room)
    for i, (name, words) in enumerate(itertools.zip_longest(about, what if beside else (), fillvalue="")):
        line = Line(" " * INDENT)
        line.append(f"{finding.state if i == 0 else '':<{len(State.GOOD)}}", "" if i else look).append("  ")
        line.append(f"{glyphs.pad(name, ABOUT)}  {words}" if beside else name)
        line.rstrip()
        yield line
    if not beside:
        yield from (Line(" " * indent + words) for words in what)
    if finding.do:
        for i, words in enumerate(glyphs.fold(glyphs.one_line(finding.do), max(1, room - len(ARROW)))):
            yield Line(" " * indent).append(ARROW if i == 0 else " " * len(ARROW), look).append(words)
