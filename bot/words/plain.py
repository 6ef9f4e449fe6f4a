"""A document as plain text: for terminals without colour, and for clients that show no HTML."""

from bot.words.document import Block, Document, Items, Span, Table, Text


def to_plain(document: Document) -> str:
    """The whole document, blocks apart by an empty line."""
    return "\n\n".join(_block(block) for block in document.blocks)


def _block(block: Block) -> str:
    match block:
        case Text():
            return _line(block.spans)
        case Items():
            return "\n".join(f"• {_line(entry.spans)}" for entry in block.entries)
        case Table():
            return _table(block)


def _line(spans: tuple[Span, ...]) -> str:
    return "".join(span.text for span in spans)


def _table(block: Table) -> str:
    rows = [[cell.text for cell in row] for row in block.rows]
    if any(block.head):
        rows.insert(0, list(block.head))
    widths = [max(len(row[column]) for row in rows) for column in range(len(block.head))] if rows else []
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
