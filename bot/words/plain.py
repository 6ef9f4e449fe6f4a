"""A document as plain text: for terminals without colour, and for clients that show no HTML."""

from bot.words import gauge, glyphs
from bot.words.document import Code, Document, Items, Picture, Progress, Shown, Span, Table, Text, shown


def to_plain(document: Document) -> str:
    """The whole document, blocks apart by an empty line."""
    return "\n\n".join(said for block in document.blocks if (said := _block(shown(block))))


def _block(block: Shown) -> str:
    match block:
        case Text():
            return _line(block.spans)
        case Items():
            return "\n".join(f"• {_line(entry.spans)}" for entry in block.entries)
        case Table():
            return _table(block)
        case Code():
            return "\n".join(f"    {line}".rstrip() for line in glyphs.lines(block.text))
        case Progress():
            return _progress(block)
        case Picture():
            return f"[picture: {glyphs.one_line(block.alt)}]"


def _line(spans: tuple[Span, ...]) -> str:
    return glyphs.one_line("".join(span.text for span in spans))


def _table(block: Table) -> str:
    rows = [[glyphs.one_line(cell.text) for cell in row] for row in block.rows]
    if any(block.head):
        rows.insert(0, [glyphs.one_line(cell) for cell in block.head])
    widths = [max(map(glyphs.width, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(glyphs.pad(cell, cells) for cell, cells in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _progress(block: Progress) -> str:
    bar = "".join(gauge.bar(block))
    label = f"{glyphs.one_line(block.label)}\n" if block.label else ""
    return f"{label}{bar} {gauge.percent(block)}{gauge.left(block)}"
