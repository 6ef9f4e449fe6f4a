"""A document in Zulip's Markdown. No word from outside becomes a mention, a link, a poll or any other markup.

Zulip knows no escape: a backslash is shown, and escapes nothing. So a character that makes markup by itself gives way
to its likeness, and where two or more must stand together, a zero-width space comes between. Code is left alone, since
nothing is markup in it.
"""

import itertools
import re

from bot.words import gauge, glyphs
from bot.words.document import Code, Document, Items, Picture, Progress, Shown, Span, Style, Table, Text, shown

_APART = "\u200b"
_LIKENESS = str.maketrans({"*": "\u2217", "`": "\u02cb"})
_PIPE, _PIPE_LIKENESS = "|", "\u2223"
_URL = re.compile(r"(https?://(?:[A-Za-z0-9./?=%_+,:@#!~-]|&(?=\w+=))*[A-Za-z0-9/])")
"""No character in it can begin markup that reaches beyond it, so an address stays as it is."""
_TOGETHER = re.compile(
    r"[@#](?=_?$)"  # a mention or a channel, with the bold words that follow
    r"|:(?=[\w+-]+:)(?!\d\d:)"  # emoji, but no time of day
    r"|&(?=#?\w+;)"  # an entity: it could name a character that was taken out
    r"|\](?=[(\[])"  # a link
    r"|\$(?=\$)|~(?=~)"  # LaTeX, struck words, a fence
    r"|<(?=time:)"
    r"|\\$"  # it would take the backtick after it out of the markup
)
_BEGINS = re.compile(r"\d+[.)]|[\W_]")
"""What may begin a heading, a quote, a list, a rule, a table, or a command such as /me and /poll."""
_NO_CODE = frozenset({"quote", "quoted", "math", "spoiler"})
"""Fences with these names hold markup."""


def to_zulip(document: Document) -> str:
    """The whole document, blocks apart by an empty line."""
    return "\n\n".join(said for block in document.blocks if (said := _block(shown(block))))


def _block(block: Shown) -> str:
    match block:
        case Text():
            return _line(block.spans)
        case Items():
            return "\n".join(f"- {_line(entry.spans) or _APART}" for entry in block.entries)
        case Table():
            return _table(block)
        case Code():
            return _fenced(block)
        case Progress():
            return _progress(block)
        case Picture():
            return f"Picture: {_plain(glyphs.one_line(block.alt))}"


def _line(spans: tuple[Span, ...]) -> str:
    """A paragraph of its own, that begins nothing else."""
    line = _words(spans).strip()
    return _APART + line if _BEGINS.match(line) and not _begins_set(spans) else line


def _begins_set(spans: tuple[Span, ...]) -> bool:
    """Whether the first sign of the line is markup of ours."""
    first = next((span for span in spans if glyphs.one_line(span.text).strip()), None)
    return first is not None and first.style is not Style.PLAIN


def _words(spans: tuple[Span, ...]) -> str:
    """Runs of one style. Zulip has no colours, so neighbours in two tones are one run."""
    shown = (span for span in spans if glyphs.one_line(span.text))  # what shows nothing parts nothing
    runs = [
        _set(glyphs.one_line("".join(span.text for span in run)), style)
        for style, run in itertools.groupby(shown, key=lambda span: span.style)
    ]
    joined = ""
    for run in filter(None, runs):
        joined += _APART + run if joined.endswith(("*", "`")) and run.startswith(("*", "`")) else run
    return joined


def _set(text: str, style: Style) -> str:
    core = text.strip()
    if style is Style.PLAIN or not core:
        return _plain(text)
    before, after = text[: text.index(core)], text[text.index(core) + len(core) :]
    return before + (f"**{_plain(core)}**" if style is Style.STRONG else _mono(core)) + after


def _plain(text: str) -> str:
    pieces = _URL.split(text)
    for i in range(0, len(pieces), 2):
        pieces[i] = _TOGETHER.sub(lambda found: found[0] + _APART, pieces[i].translate(_LIKENESS))
    return "".join(pieces)


def _mono(text: str) -> str:
    """As it is, between more backticks than it has anywhere in a row."""
    ticks = "`" * (_longest_run(text) + 1)
    head = " " if text.startswith("`") else ""
    tail = " " if text.endswith(("`", "\\")) else ""
    return f"{ticks}{head}{text}{tail}{ticks}"


def _fenced(block: Code) -> str:
    lines = glyphs.lines(block.text)
    fence = "`" * max(3, _longest_run("\n".join(lines)) + 1)  # of what is shown: what hid in it is gone
    # Without a name it would take the realm's default, which may be no code at all.
    language = block.language if block.language and block.language.lower() not in _NO_CODE else "text"
    return "\n".join([fence + language, *lines, fence])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _table(block: Table) -> str:
    if not block.head:
        return ""
    head = [_cell(Span(cell)) for cell in block.head]
    rows = [[_cell(cell) for cell in row] for row in block.rows]
    return "\n".join(_row(row) for row in [head, ["---"] * len(head), *rows])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(span: Span) -> str:
    """A pipe may stand in code, but not where backticks or backslashes make Zulip lose count."""
    if span.style is not Style.MONO or "`" in span.text or "\\" in span.text:
        span = Span(span.text.replace(_PIPE, _PIPE_LIKENESS), span.style)
    return _words((span,)).strip()


def _progress(block: Progress) -> str:
    bar = "".join(gauge.bar(block))
    label = _line((Span(block.label),))
    return f"{label}{chr(10) if label else ''}`{bar}` **{gauge.percent(block)}**{gauge.left(block)}"
