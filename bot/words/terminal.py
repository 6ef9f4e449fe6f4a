"""A document for a terminal, as what rich prints. It measures with our own width, so that it aligns as plain text does.

The colours are those of the rooms: each reads on a dark and on a light background, and says nothing that the words
beside it do not say, so that a terminal without colour loses nothing.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.style import Style as Look
from rich.text import Text as Line

from bot.words import gauge, glyphs
from bot.words.document import Code, Document, Items, Picture, Progress, Shown, Span, Style, Table, Text, Tone, shown
from bot.words.html import COLOURS

TYPED = "#1583a0"
"""For what is typed, and for ids. It reads like the others."""
QUIET = Look(color=COLOURS[Tone.QUIET])
GAP = 2
INDENT = 4
NARROWEST = 12
"""A column keeps its words whole up to so many cells. Where that cannot be, each row is shown by itself."""

_Cell = tuple[str, Look]


def to_terminal(document: Document) -> RenderableType:
    """The whole document, blocks apart by an empty line."""
    lines: list[RenderableType] = []
    for block in map(shown, document.blocks):
        lines += [Line(), _block(block)] if lines else [_block(block)]
    return Group(*lines)


def _block(block: Shown) -> RenderableType:
    match block:
        case Text():
            return _line(block.spans)
        case Items():
            return Group(*(_Hung(_line(entry.spans)) for entry in block.entries))
        case Table():
            return _table(block)
        case Code():
            return Padding(Line("\n".join(glyphs.lines(block.text)), overflow="fold"), (0, 0, 0, INDENT))
        case Progress():
            return _progress(block)
        case Picture():
            return Line.assemble(("Picture: ", QUIET), glyphs.one_line(block.alt))


def _line(spans: Sequence[Span]) -> Line:
    return Line.assemble(*((glyphs.one_line(span.text), _look(span)) for span in spans))


def _look(span: Span) -> Look:
    colour = COLOURS.get(span.tone, TYPED if span.style is Style.MONO else None)
    return Look(color=colour, bold=span.style is Style.STRONG or None)


def _progress(block: Progress) -> RenderableType:
    full, rest = gauge.bar(block)
    bar = Line.assemble(full, (rest, QUIET), (f" {gauge.percent(block)}", "bold"), (gauge.left(block), QUIET))
    return Group(Line(glyphs.one_line(block.label)), bar) if block.label else bar


@dataclasses.dataclass(frozen=True, slots=True)
class _Hung:
    """An entry of a list: its second line begins below the first word, not below the bullet."""

    entry: Line

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        folded = self.entry.wrap(console, max(1, options.max_width - GAP))
        for i, line in enumerate(folded or [self.entry]):
            yield Line.assemble(("  " if i else "• "), line)


def _table(block: Table) -> "_Grid":
    head = [(glyphs.one_line(cell), QUIET) for cell in block.head] if any(block.head) else None
    rows = [[(glyphs.one_line(cell.text), _look(cell)) for cell in row] for row in block.rows]
    return _Grid(head, rows)


@dataclasses.dataclass(frozen=True, slots=True)
class _Grid:
    """A table that takes the width it gets: as it is, with folded cells, or row by row."""

    head: list[_Cell] | None
    rows: list[list[_Cell]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        rows = [self.head, *self.rows] if self.head else self.rows
        if not rows or not rows[0]:
            return
        room = options.max_width
        widths = _fitted(rows, room)
        if widths is not None:
            for row in rows:
                yield from _folded(row, widths)
            return
        for i, row in enumerate(self.rows):
            if i:
                yield Line()
            yield from self._alone(row, room)

    def _alone(self, row: list[_Cell], room: int) -> Iterator[Line]:
        """One row as a list of what stands in it, each under its head."""
        pairs = [list(pair) for pair in zip(self.head or [("", QUIET)] * len(row), row, strict=True)]
        label = min(max(glyphs.width(head) for (head, _), _ in pairs), max(1, room // 3))
        for pair in pairs:
            if self.head:
                yield from _folded(pair, [label, max(1, room - label - GAP)])
            else:
                yield from _folded(pair[1:], [room])


def _fitted(rows: list[list[_Cell]], room: int) -> list[int] | None:
    """How wide each column may be. None where words would be torn that need not be."""
    columns = [[text for text, _ in column] for column in zip(*rows, strict=True)]
    wanted = [max(map(glyphs.width, column)) for column in columns]
    free = room - GAP * (len(columns) - 1)
    if sum(wanted) <= free:
        return wanted
    least = [min(NARROWEST, max(map(_longest_word, column))) for column in columns]
    if sum(least) > free:
        return None
    # The widest columns give first: all that are wider than a level come down to it.
    level = max(level for level in range(free + 1) if sum(_at(level, wanted, least)) <= free)
    return _at(level, wanted, least)


def _at(level: int, wanted: list[int], least: list[int]) -> list[int]:
    return [min(want, max(needs, level)) for want, needs in zip(wanted, least, strict=True)]


def _longest_word(text: str) -> int:
    return max(map(glyphs.width, text.split(" ")))


def _folded(row: list[_Cell], widths: list[int]) -> Iterator[Line]:
    """One row on as many lines as its longest cell needs."""
    cells = [glyphs.fold(text, cells) for (text, _), cells in zip(row, widths, strict=True)]
    for i in range(max(map(len, cells))):
        line = Line(no_wrap=True, overflow="ignore")
        for (_, look), folded, width in zip(row, cells, widths, strict=True):
            line.append(glyphs.pad(folded[i] if i < len(folded) else "", width), look)
            line.append(" " * GAP)
        line.rstrip()
        yield line
