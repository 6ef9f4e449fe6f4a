"""What Tocsin says, before any network gives it a form. Each network renders it; a document knows no markup."""

import dataclasses
import enum
from collections.abc import Iterable


class Tone(enum.StrEnum):
    """What a word means at a glance. Renderers give it a colour where there is one."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


class Style(enum.StrEnum):
    """How a word is set."""

    PLAIN = "plain"
    STRONG = "strong"
    MONO = "mono"


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A run of words in one style and one tone."""

    text: str
    style: Style = Style.PLAIN
    tone: Tone = Tone.PLAIN


Words = str | Span


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """One paragraph."""

    spans: tuple[Span, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head. Every row is as long as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[Span, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"a row of {len(row)} cells under a head of {len(self.head)}")


@dataclasses.dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    entries: tuple[Text, ...]


Block = Text | Table | Items


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """Blocks, one below the other."""

    blocks: tuple[Block, ...]


def strong(text: str, tone: Tone = Tone.PLAIN) -> Span:
    """Words that carry the message."""
    return Span(text, Style.STRONG, tone)


def mono(text: str, tone: Tone = Tone.PLAIN) -> Span:
    """Words to be typed, or ids."""
    return Span(text, Style.MONO, tone)


def text(*words: Words) -> Text:
    """A paragraph of plain and set words."""
    return Text(tuple(_span(word) for word in words))


def table(head: Iterable[str], rows: Iterable[Iterable[Words]]) -> Table:
    """A table of plain and set words."""
    return Table(tuple(head), tuple(tuple(_span(cell) for cell in row) for row in rows))


def document(*blocks: Block | Words) -> Document:
    """A document of blocks; bare words become a paragraph of their own."""
    return Document(tuple(text(block) if isinstance(block, str | Span) else block for block in blocks))


def _span(word: Words) -> Span:
    return Span(word) if isinstance(word, str) else word
