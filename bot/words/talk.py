"""What people write, as the bot passes it on: who, where, and the words as a document that calls and hides nobody."""

import dataclasses
import functools
import re
from collections.abc import Sequence

import orjson

from bot.words import markup
from bot.words.document import OCTETS, Document, Enclosed, Span, Table, Text, Tone, size_of, strong, text
from bot.words.glyphs import cut, one_line
from bot.words.hiding import without_hidden
from bot.words.html import to_html
from bot.words.markup import NameOf, Written
from bot.words.plain import to_plain

LONGEST, MOST_BYTES = 8_000, 16_000
"""In characters, and in the bytes of words and HTML: an edit holds both twice, and Matrix takes 64 KiB, encrypted."""
SURELY_SHORT = 500
"""So many characters are never too many bytes, but in a table, which fills up its cells."""
LARGEST_FILE = 10 * 1024 * 1024
PASSED_AS_THEY_ARE = re.compile(
    r"(image/(png|jpeg|gif|webp)|audio/[a-z0-9.+-]+|video/[a-z0-9.+-]+|text/plain|application/pdf)"
)
"""What no app runs as a program, whatever is in it."""
LONGEST_NAME = 80
NO_MARKS = str.maketrans(dict.fromkeys("():", " "))
"""What stands around the marks behind a name is in no name that somebody chose."""
NO_BRACKETS = str.maketrans(dict.fromkeys("()", " "))
"""Nor in an account that stands for a name: on some networks that is their own choice, too."""
IN_BRACKETS = str.maketrans(dict.fromkeys("(),", " "))
"""Between them a comma parts the marks: in what somebody chose there is none."""
NOT_SEEN = "?"
"""In the place of what was chosen so that nothing of it is seen. That there is something is a mark as well."""
GOES_ON = "│ "
"""Before each line but the first, where nothing else stands there: none can pass for another speaker's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Speaker:
    """Whoever has said it, as others see them."""

    name: str
    network: str
    account: str = ""
    """Where the name is their own choice: what nobody can choose."""
    is_proven: bool = True
    at: str = ""
    """When, where it was not just now."""
    topic: str = ""
    """In which topic, where nothing else shows that."""


def passed_on(speaker: Speaker, said: str, name_of: NameOf = lambda _: "") -> Document:
    """Who said it, where, and the words. A name that nothing proves is marked so."""
    head = _head(speaker)
    said = without_hidden(said)  # before it is cut: nobody sees that half a spoiler is one
    longest = min(LONGEST, len(said))
    if len(said) <= SURELY_SHORT and "|" not in said:
        return _said(head, markup.read(said, name_of))
    while _bytes(words := _said(head, markup.read(cut(said, longest), name_of))) > MOST_BYTES:
        longest = longest * 3 // 4
    return words


@functools.lru_cache(maxsize=256)  # whoever speaks goes on speaking
def _head(speaker: Speaker) -> tuple[Span, Span]:
    """What stands before somebody's words."""
    where = f"{speaker.network} {_mark(speaker.account)}".strip()
    topic = _mark(speaker.topic.translate(NO_MARKS))
    where = f"{where}, in {topic}" if topic else where
    marks = ", ".join(filter(None, (where, "" if speaker.is_proven else "unproven", speaker.at)))
    name = cut(one_line(speaker.name).translate(NO_MARKS if speaker.account else NO_BRACKETS), LONGEST_NAME)
    return strong(name if name.strip() else "somebody", Tone.QUIET), Span(f" ({marks}): ")


def _mark(chosen: str) -> str:
    """What somebody chose, as one mark among others: it passes for none of them, and is there where it is chosen."""
    mark = cut(" ".join(one_line(chosen).translate(IN_BRACKETS).split()), LONGEST_NAME)
    return mark or (NOT_SEEN if chosen else "")


def _bytes(words: Document) -> int:
    return len(orjson.dumps([to_plain(words), to_html(words)]))


def _said(head: Sequence[Span], blocks: Sequence[Written]) -> Document:
    if blocks and isinstance(blocks[0], Text):
        return Document((Text((*head, *blocks[0].spans)), *map(_going_on, blocks[1:])))
    return Document((Text((*head,)), *map(_going_on, blocks)))


def _going_on(block: Written) -> Written:
    match block:
        case Text():
            return text(GOES_ON, *block.spans)
        case Table(head, rows):
            return Table((GOES_ON + head[0], *head[1:]), tuple((_marked(first), *rest) for first, *rest in rows))
        case _:
            return block


def _marked(cell: Span) -> Span:
    return dataclasses.replace(cell, text=GOES_ON + cell.text)


def as_passed_on(file: Enclosed) -> Enclosed | Text:
    """A file as it goes on: under a name that leads nowhere, and of a type that nobody runs. A large one stays."""
    name = cut(one_line(file.name).replace("/", "_").replace("\\", "_").strip(". "), LONGEST_NAME) or "file"
    if not 0 < file.size <= LARGEST_FILE:
        return text(f"(The file {name} is not passed on: {size_of(file.size)}, and {size_of(LARGEST_FILE)} may be.)")
    type_ = file.type if PASSED_AS_THEY_ARE.fullmatch(file.type) else OCTETS
    return dataclasses.replace(file, name=name, type=type_)
