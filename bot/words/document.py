"""What Tocsin says, before any network gives it a form. Each network renders it; a document knows no markup."""

import dataclasses
import enum
import re
from collections.abc import Iterable
from typing import ClassVar

from bot.words.glyphs import quoted

MEDIA_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
"""Pictures that hold no script. SVG does, so it is not among them."""
MOST_BYTES = 4 * 1024 * 1024
MOST_PIXELS = 16_384
"""To a side."""
OCTETS = "application/octet-stream"
LONGEST_S = 10.0**9
"""Some thirty years: nothing that we report on takes longer."""
LANGUAGE = re.compile(r"[A-Za-z0-9+#_.-]{0,32}")


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


@dataclasses.dataclass(frozen=True, slots=True)
class Code:
    """Lines that stand as they are: a log, a piece of a file."""

    text: str
    language: str = ""
    """For colours where a network has them: `python`, `json`."""

    def __post_init__(self) -> None:
        if LANGUAGE.fullmatch(self.language) is None:
            raise ValueError(f"{quoted(self.language)} is no name of a language")


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far something has come."""

    done: float
    """From 0 to 1."""
    label: str = ""
    eta_s: float | None = None
    """How long it will take from now on. None where nobody can tell."""

    def __post_init__(self) -> None:
        if not 0 <= self.done <= 1:
            raise ValueError(f"{self.done} is not between 0 and 1")
        if self.eta_s is not None and not 0 <= self.eta_s <= LONGEST_S:
            raise ValueError(f"{self.eta_s} s is no time that something takes")


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A picture, and the words that stand for it where none can be shown. The bridge sends it."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"ser_json_bytes": "base64", "val_json_bytes": "base64"}
    """Any bytes come back from the store as they were."""

    alt: str
    media_type: str
    data: bytes = dataclasses.field(repr=False)
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.media_type not in MEDIA_TYPES:
            raise ValueError(f"{quoted(self.media_type)} is none of {', '.join(sorted(MEDIA_TYPES))}")
        if not 0 < len(self.data) <= MOST_BYTES:
            raise ValueError(f"a picture of {len(self.data)} bytes, where 1 to {MOST_BYTES} are taken")
        for side in (self.width, self.height):
            if not 0 < side <= MOST_PIXELS:
                raise ValueError(f"a picture {side} pixels wide or high, where 1 to {MOST_PIXELS} are taken")


@dataclasses.dataclass(frozen=True, slots=True)
class Enclosed:
    """A file that somebody has sent, where its network keeps it. It is brought when it is to be sent on."""

    network: str
    reference: str
    """What its bridge finds and opens it by."""
    name: str
    size: int
    type: str = OCTETS


@dataclasses.dataclass(frozen=True, slots=True)
class Brought:
    """The same with what is in it. It is on its way, and never stored."""

    file: Enclosed
    content: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Reacts:
    """What somebody shows beside a message instead of an answer, or shows no more. It is all that a post holds."""

    emoji: str
    gone: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class TakenBack:
    """What was said here before is taken back. It is all that a post holds."""

    taken_back: bool


Shown = Text | Table | Items | Code | Progress | Picture
"""What every network has a form for."""
Block = Shown | Enclosed | Brought | Reacts | TakenBack
"""No two have a field in common that both must have, so a stored one is read as what it was. Keep it so."""


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


def code(text: str, language: str = "") -> Code:
    """Lines that stand as they are."""
    return Code(text, language)


def progress(done: float, label: str = "", *, eta_s: float | None = None) -> Progress:
    """A bar with its label in front of it."""
    return Progress(done, label, eta_s)


def picture(alt: str, media_type: str, data: bytes, *, width: int, height: int) -> Picture:
    """A picture with the words that stand for it."""
    return Picture(alt, media_type, data, width, height)


def shown(block: Block) -> Shown:
    """A block, or the words that stand for it where a network has no form for it."""
    match block:
        case Enclosed():  # how large it is, nobody has looked
            return text("File: ", block.name)
        case Brought():
            return text("File: ", block.file.name, Span(f", {size_of(block.file.size)}", tone=Tone.QUIET))
        case Reacts():  # its words are somebody's, and no network names them: they must not pass for the bot's
            return text(f"Reaction: {block.emoji} is taken back" if block.gone else f"Reaction: {block.emoji}")
        case TakenBack():
            return text("(taken back)")
        case _:
            return block


def size_of(size: int) -> str:
    """How large something is, for people."""
    for unit, bytes_ in (("MB", 1_000_000), ("kB", 1_000)):
        if size >= bytes_:
            return f"{size / bytes_:.1f} {unit}"
    return f"{size} bytes"


def document(*blocks: Block | Words) -> Document:
    """A document of blocks; bare words become a paragraph of their own."""
    return Document(tuple(text(block) if isinstance(block, str | Span) else block for block in blocks))


def _span(word: Words) -> Span:
    return Span(word) if isinstance(word, str) else word
