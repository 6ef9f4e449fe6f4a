"""Documents as JSON of their shape, as they lie in the database and go over a socket. What is none is never guessed."""

import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import orjson

from bot.words.document import Block, Document, Span, Style, Table, Text, Tone

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_STYLES, _TONES = tuple(Style), tuple(Tone)  # by names of ours: a member is slow to reach through its class
_PLAIN, _TONELESS = Style.PLAIN, Tone.PLAIN


def dump(document: Document) -> bytes:
    """A document as it is stored, without what is plain anyway. Raises ValueError for what is no document."""
    try:
        return orjson.dumps({"blocks": [_block(block) for block in document.blocks]})
    except (TypeError, AttributeError):  # a block that is rare, or wrong: pydantic knows, and takes twice as long
        return _documents().dump_json(_documents().validate_python(document), exclude_defaults=True, warnings="error")


def load(stored: bytes) -> Document:
    """A document as it was. Raises ValueError where another version has stored what this one cannot read."""
    return _documents().validate_json(stored)


@functools.cache
def _documents() -> "TypeAdapter[Document]":
    """Made when the first one is read: making it takes longer, and more memory, than the rest of this package."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - see above

    return TypeAdapter(Document)


def _block(block: Block) -> Mapping[str, object]:
    """What most answers are made of: paragraphs and tables."""
    if type(block) is Text:
        return {"spans": _spans(block.spans)}
    if type(block) is Table:
        return {"head": block.head, "rows": [_spans(row) for row in block.rows]}
    raise TypeError


def _spans(spans: Iterable[Span]) -> list[Mapping[str, object]]:
    return [
        {"text": span.text}
        if span.style is _PLAIN and span.tone is _TONELESS and type(span.text) is str
        else {"text": span.text, "style": span.style, "tone": span.tone}
        if span.style in _STYLES and span.tone in _TONES and type(span.text) is str
        else _no_span()
        for span in spans
    ]


def _no_span() -> Mapping[str, object]:
    raise TypeError
