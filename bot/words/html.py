"""A document as the HTML that Matrix clients allow. All that comes from outside is escaped."""

import html

from bot.words.document import Block, Document, Items, Span, Style, Table, Text, Tone

COLOURS = {Tone.GOOD: "#218a43", Tone.WARN: "#b56a00", Tone.BAD: "#dd3b42", Tone.QUIET: "#747d87"}
"""Each reads at 4 to 1 or better on white and on a dark theme. No colour says what the words beside it do not say."""


def to_html(document: Document) -> str:
    """The whole document."""
    return "".join(_block(block) for block in document.blocks)


def _block(block: Block) -> str:
    match block:
        case Text():
            return f"<p>{_line(block.spans)}</p>"
        case Items():
            entries = "".join(f"<li>{_line(entry.spans)}</li>" for entry in block.entries)
            return f"<ul>{entries}</ul>"
        case Table():
            return _table(block)


def _table(block: Table) -> str:
    head = ""
    if any(block.head):
        head = "<thead><tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in block.head) + "</tr></thead>"
    rows = "".join("<tr>" + "".join(f"<td>{_span(cell)}</td>" for cell in row) + "</tr>" for row in block.rows)
    return f"<table>{head}<tbody>{rows}</tbody></table>"


def _line(spans: tuple[Span, ...]) -> str:
    return "".join(_span(span) for span in spans)


def _span(span: Span) -> str:
    text = html.escape(span.text)
    if span.style is Style.STRONG:
        text = f"<strong>{text}</strong>"
    elif span.style is Style.MONO:
        text = f"<code>{text}</code>"
    colour = COLOURS.get(span.tone)
    return text if colour is None else f'<font color="{colour}" data-mx-color="{colour}">{text}</font>'
