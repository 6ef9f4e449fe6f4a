"""A document as the HTML that Matrix clients allow. All that comes from outside is escaped."""

import html

from bot.words import gauge, glyphs
from bot.words.document import Code, Document, Items, Picture, Progress, Shown, Span, Style, Table, Text, Tone, shown

COLOURS = {Tone.GOOD: "#218c42", Tone.WARN: "#b56a00", Tone.BAD: "#dd3b42", Tone.QUIET: "#747d87"}
"""Each reads at 4 to 1 or better on white and on a dark theme. No colour says what the words beside it do not say."""


def to_html(document: Document) -> str:
    """The whole document."""
    return "".join(_block(shown(block)) for block in document.blocks)


def _block(block: Shown) -> str:
    match block:
        case Text():
            return f"<p>{_line(block.spans)}</p>"
        case Items():
            entries = "".join(f"<li>{_line(entry.spans)}</li>" for entry in block.entries)
            return f"<ul>{entries}</ul>"
        case Table():
            return _table(block)
        case Code():
            language = f' class="language-{html.escape(block.language)}"' if block.language else ""
            return f"<pre><code{language}>{html.escape(chr(10).join(glyphs.lines(block.text)))}\n</code></pre>"
        case Progress():
            return f"<p>{_progress(block)}</p>"
        case Picture():
            return f"<p>{_span(Span('Picture: ', tone=Tone.QUIET))}{_words(block.alt)}</p>"


def _table(block: Table) -> str:
    head = ""
    if any(block.head):
        head = "<thead><tr>" + "".join(f"<th>{_words(cell)}</th>" for cell in block.head) + "</tr></thead>"
    rows = "".join("<tr>" + "".join(f"<td>{_span(cell)}</td>" for cell in row) + "</tr>" for row in block.rows)
    return f"<table>{head}<tbody>{rows}</tbody></table>"


def _progress(block: Progress) -> str:
    full, rest = gauge.bar(block)
    bar = full + (_span(Span(rest, tone=Tone.QUIET)) if rest else "")
    label = f"{_words(block.label)}<br/>" if block.label else ""
    return f"{label}{bar} <strong>{gauge.percent(block)}</strong>{_span(Span(gauge.left(block), tone=Tone.QUIET))}"


def _line(spans: tuple[Span, ...]) -> str:
    return "".join(_span(span) for span in spans)


def _span(span: Span) -> str:
    text = _words(span.text)
    if not text:
        return ""
    if span.style is Style.STRONG:
        text = f"<strong>{text}</strong>"
    elif span.style is Style.MONO:
        text = f"<code>{text}</code>"
    colour = COLOURS.get(span.tone)
    return text if colour is None else f'<font color="{colour}" data-mx-color="{colour}">{text}</font>'


def _words(text: str) -> str:
    return html.escape(glyphs.one_line(text))
