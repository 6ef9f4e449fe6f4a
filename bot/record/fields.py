"""What an entry says, field by field, as a table. It knows no database: a proof is shown with it, too."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.words.document import Span, Table, Tone, Words, strong, table

IN_ITS_HEAD = frozenset({"kind", "at", "session"})
SHUT = "cannot be opened"

Boxes = Sequence[tuple[str, Mapping[str, Any] | None]]
"""Of whom each box is, and what is in it; nothing where it stays shut."""


def fields_of(plain: Mapping[str, Any], boxes: Boxes) -> Table:
    """All fields, those that are about nobody first. What stands above them stands not here."""
    rows: list[tuple[Words, ...]] = [
        ("", _name(name), said(value)) for name, value in sorted(plain.items()) if name not in IN_ITS_HEAD
    ]
    for owner, fields in boxes:
        inside = [(_name(name), said(value)) for name, value in sorted(fields.items())] if fields else [("", SHUT)]
        rows += [(strong(owner) if i == 0 else "", *each) for i, each in enumerate(inside)]
    return table(("of whom" if boxes else "", "field", "value"), rows)


def said(value: Any) -> str:
    """A value as people read it."""
    match value:
        case None | "" | []:
            return "–"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        case _:
            return str(value)


def _name(name: str) -> Span:
    return Span(name, tone=Tone.QUIET)
