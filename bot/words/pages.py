"""A document cut into pages that a network takes. No word is lost, none is said twice, and none changes its place.

A cut falls between blocks, rows, entries or lines; a table has its head on each page. Only what is larger than a page
by itself is cut inside, between words where it can be. A table whose head fills half a page is told in paragraphs.
"""

import bisect
import dataclasses
from collections.abc import Callable, Sequence, Sized

from bot.words import glyphs
from bot.words.document import Code, Document, Items, Picture, Progress, Shown, Span, Style, Table, Text, shown
from bot.words.plain import to_plain

FARTHER = 4
"""How many times as many blocks are tried next."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bound:
    """How large a page may be. A page that is too small for one character gets one character all the same."""

    rows: int
    """Lines of the plain text, empty ones too."""
    characters: int
    """The length of what `render` makes of a page."""
    render: Callable[[Document], Sized] = to_plain
    """What the network is sent: text where it counts characters, bytes where it counts bytes."""

    def __post_init__(self) -> None:
        if self.rows < 1 or self.characters < 1:
            raise ValueError(f"a page of {self.rows} rows and {self.characters} characters holds nothing")

    def holds(self, *blocks: Shown) -> bool:
        """Whether they fit on one page."""
        # Each unit but the first begins a line. So what is far too long is known without being rendered.
        if sum(_units(block) - 1 for block in blocks) >= self.rows:
            return False
        page = Document(blocks)
        plain = to_plain(page)
        sent = plain if self.render is to_plain else self.render(page)
        return len(sent) <= self.characters and plain.count("\n") < self.rows


def split(document: Document, bound: Bound) -> tuple[Document, Document | None]:
    """The first page, and what comes after it."""
    waiting = [shown(block) for block in document.blocks]
    page: list[Shown] = []
    while waiting and not page:
        whole = _whole(waiting, bound)
        page, waiting = waiting[:whole], waiting[whole:]
        if waiting:
            taken, rest = _cut(waiting[0], _Page(bound, tuple(page)))
            page += taken
            waiting[:1] = rest
    return Document(tuple(page)), Document(tuple(waiting)) if waiting else None


def _whole(blocks: Sequence[Shown], bound: Bound) -> int:
    """How many of the first fit. Few are tried before many: so nothing far larger than a page is ever rendered."""
    known, more = 0, 1
    while bound.holds(*blocks[:more]):
        if more == len(blocks):
            return more
        known, more = more, min(more * FARTHER, len(blocks))
    between = range(known + 1, more)
    return known + bisect.bisect_left(between, 1, key=lambda number: not bound.holds(*blocks[:number]))


@dataclasses.dataclass(frozen=True, slots=True)
class _Page:
    """A page that is being filled."""

    bound: Bound
    blocks: tuple[Shown, ...]

    def holds(self, block: Shown) -> bool:
        return self.bound.holds(*self.blocks, block)

    def most(self, count: int, part: Callable[[int], Shown]) -> int:
        """How many, of `count`, fit in one part. Never more than there are characters or rows on a page."""
        tried = range(1, min(count, max(self.bound.characters, self.bound.rows)) + 1)
        return bisect.bisect_left(tried, 1, key=lambda number: not self.holds(part(number)))


def _cut(block: Shown, page: _Page) -> tuple[Sequence[Shown], Sequence[Shown]]:
    """What of a block that does not fit goes on this page, and what comes after that."""
    units = _units(block)
    fit = page.most(units - 1, lambda count: _slice(block, 0, count))
    if fit:
        return [_slice(block, 0, fit)], [_slice(block, fit, units)]
    if page.blocks:
        return [], [block]
    if isinstance(block, Table) and not _has_room(block, page.bound):
        return [], _paragraphs(block)
    words = _words(block)
    if words:
        first, rest = _halves(block, _seam(block, words, page))
        return [first], [rest] if rest else []
    return [_slice(block, 0, 1)], [_slice(block, 1, units)] if units > 1 else []


def _units(block: Shown) -> int:
    """How many parts it has that can stand on different pages."""
    match block:
        case Table():
            return len(block.rows)
        case Items():
            return len(block.entries)
        case Code():
            return block.text.count("\n") + 1
        case Text() | Progress() | Picture():
            return 1


def _slice(block: Shown, start: int, end: int) -> Shown:
    """These of its parts."""
    match block:
        case Table():
            return Table(block.head, block.rows[start:end])
        case Items():
            return Items(block.entries[start:end])
        case Code():
            return Code("\n".join(block.text.split("\n")[start:end]), block.language)
        case Text() | Progress() | Picture():
            return block


def _words(block: Shown) -> str:
    """What can be cut in its first part."""
    match block:
        case Text():
            return _said(block.spans)
        case Table():
            return _said(block.rows[0]) if block.rows else ""
        case Items():
            return _said(block.entries[0].spans) if block.entries else ""
        case Code():
            return block.text.partition("\n")[0]
        case Progress():
            return block.label
        case Picture():
            return block.alt


def _said(spans: Sequence[Span]) -> str:
    return "".join(span.text for span in spans)


def _halves(block: Shown, length: int) -> tuple[Shown, Shown | None]:
    """The first part cut after so many characters, and what comes then. A bar stays with the last of its words."""
    match block:
        case Text():
            first, rest = map(_full, _parted(block.spans, length))
            return Text(first), Text(rest) if rest else None
        case Table():
            first, rest = _parted(block.rows[0], length)
            rows = (*([rest] if _said(rest) else []), *block.rows[1:])
            return Table(block.head, (first,)), Table(block.head, rows) if rows else None
        case Items():
            first, rest = map(_full, _parted(block.entries[0].spans, length))
            entries = (*([Text(rest)] if rest else []), *block.entries[1:])
            return Items((Text(first),)), Items(entries) if entries else None
        case Code():
            first, rest = block.text[:length], block.text[length:]
            return Code(first, block.language), Code(rest.removeprefix("\n"), block.language) if rest else None
        case Progress():
            return Text((Span(block.label[:length]),)), dataclasses.replace(block, label=block.label[length:])
        case Picture():
            return Text((Span(block.alt[:length]),)), dataclasses.replace(block, alt=block.alt[length:])


def _parted(spans: Sequence[Span], length: int) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Spans cut after so many characters. As many on each side, so that a row stays a row."""
    first: list[Span] = []
    rest: list[Span] = []
    for span in spans:
        first.append(dataclasses.replace(span, text=span.text[:length]))
        rest.append(dataclasses.replace(span, text=span.text[length:]))
        length = max(0, length - len(span.text))
    return tuple(first), tuple(rest)


def _full(spans: Sequence[Span]) -> tuple[Span, ...]:
    return tuple(span for span in spans if span.text)


def _seam(block: Shown, words: str, page: _Page) -> int:
    """After how many characters to cut: as many as fit; where it can be, after a blank and never within a sign."""
    fit = page.most(len(words), lambda length: _halves(block, length)[0])
    if fit in {0, len(words)}:
        return max(1, fit)
    blank = words.rfind(" ", fit // 2, fit)
    wished = blank + 1 if blank >= 0 else fit
    for seam in range(wished, max(0, wished - glyphs.LONGEST_SIGN), -1):
        if not glyphs.is_torn(words, seam) and page.holds(_halves(block, seam)[0]):
            return seam
    return fit


def _has_room(block: Table, bound: Bound) -> bool:
    """Whether half a page is left for a row below the head."""
    half = dataclasses.replace(bound, characters=(bound.characters + 1) // 2)
    return bool(block.rows) and half.holds(Table(block.head, (tuple(Span("") for _ in block.head),)))


def _paragraphs(block: Table) -> list[Shown]:
    """The table's words, row by row."""
    head = [Span(cell, Style.STRONG) for cell in block.head]
    rows = [head, *block.rows] if any(block.head) else block.rows
    return [Text(tuple(each for cell in row for each in (cell, Span("  ")))) for row in rows]
