"""All that is held about one person, as a document to read and as JSON for programs. Nobody's key is ever in it."""

import datetime as dt
from collections.abc import Mapping, Sequence

import orjson

from bot.record import showing
from bot.store.reporting import AUDIT, TABLES, Cell, Row, Whom
from bot.store.searching import Found
from bot.words.document import Block, Document, Items, Span, Text, Tone, mono, strong, table, text

ELSEWHERE = (
    "This is what the database holds. The configuration lists people and their accounts, a network's own folder knows"
    " their devices, and what was sent to a network is kept there."
)
MOMENTS = frozenset(
    {
        "at",
        "received",
        "queued",
        "ended",
        "opened",
        "over",
        "since",
        "verified",
        "made",
        "expires",
        "until",
        "due",
        "raised",
        "cleared",
    }
)
"""Columns in seconds since 1970."""


def to_document(whom: Whom, entries: Sequence[Found], held: Mapping[str, Sequence[Row]]) -> Document:
    """All of it to read."""
    known = [f" Known by {', '.join(sorted(whom.accounts))}."] if whom.accounts else []
    counts = [(AUDIT, len(entries)), *((name, len(rows)) for name, rows in held.items())]
    blocks: list[Block] = [
        text(strong(whom.name), ": all that the database holds.", *known),
        table(("table", "rows"), [(mono(name), str(count)) for name, count in counts]),
    ]
    for name, rows in held.items():
        if rows:
            blocks += [text(strong(name)), Items(tuple(_line(row) for row in rows))]
    if entries:
        blocks.append(text(strong(AUDIT), ", entry by entry"))
    for each in entries:
        blocks += showing.whole(each)
    blocks.append(text(Span(ELSEWHERE, tone=Tone.QUIET)))
    return Document(tuple(blocks))


def to_json(whom: Whom, entries: Sequence[Found], held: Mapping[str, Sequence[Row]]) -> str:
    """All of it for programs, with what each other table holds instead of people."""
    report = {
        "person": whom.name,
        "accounts": sorted(whom.accounts),
        "tables": {AUDIT: list(map(showing.exported, entries)), **held},
        "of_nobody": {name: what for name, what in TABLES.items() if isinstance(what, str) and name != AUDIT},
    }
    return orjson.dumps(report, option=orjson.OPT_INDENT_2).decode()


def _line(row: Row) -> Text:
    """A row on one line: what is empty is left out."""
    words: list[str | Span] = []
    for name, value in row.items():
        if value not in (None, "", 0):
            words += [", " if words else "", Span(f"{name} ", tone=Tone.QUIET), _said(name, value)]
    return text(*words)


def _said(name: str, value: Cell) -> str:
    if name in MOMENTS and isinstance(value, float):
        return dt.datetime.fromtimestamp(value, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return ", ".join(value) if isinstance(value, list) else str(value)
