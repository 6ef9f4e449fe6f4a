"""What people write, markup and all, as a document. Zulip and most Matrix clients take the same signs.

What is not known here stays as it was typed, and every renderer makes it harmless. No mention calls anybody, an address
is always seen, and what somebody has hidden is not read at all.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from bot.words import backticks
from bot.words.document import Code, Items, Span, Style, Table, Text, Tone, table
from bot.words.glyphs import cut, one_line
from bot.words.hiding import RULE, without_hidden

MOST_LINES = 200
MOST_CELLS = 12
LONGEST_CALLED = 100
QUOTE = "» "

NameOf = Callable[[str], str]
"""How a person is called here, by the id of their account; empty where nobody knows."""
Written = Text | Code | Items | Table

_FENCE = re.compile(r"[ ]{0,3}(```++|~~~++)([^`\n]*+)")
_ENTRY = re.compile(r"[ ]{0,3}[-*+•] +(\S.*+)")
_ACCOUNT = r"(?:\d{1,15}|@[^\s*|:]{1,254}:[^\s*|]{1,254})"
"""As Zulip numbers people, and as Matrix names them."""
_CALLED = rf"[^*|\n]{{1,{LONGEST_CALLED}}}"
_MENTION = re.compile(rf"@_?\*\*(?P<called>{_CALLED})\|(?P<account>{_ACCOUNT})\*\*")
"""One that says an account. It may stand within something else: in bold words, in a cell of a table."""
_INLINE = re.compile(
    r"`(?P<mono>[^`\n]{1,500})`"
    rf"|@_?\*\*(?P<called>{_CALLED})(?:\|(?P<account>{_ACCOUNT}))?\*\*"
    r"|#\*\*(?P<channel>[^*\n]{1,200})\*\*"
    rf"|\*\*(?P<strong>(?:@_?\*\*{_CALLED}\|{_ACCOUNT}\*\*|[^*\n]){{1,500}}+)\*\*"
    r"|\[(?P<words>[^\[\]\n]{1,300})\]\((?P<address>[^()\s]{1,1000})\)"
)


def read(said: str, name_of: NameOf = lambda _: "") -> list[Written]:
    """A paragraph for each line, and lists, tables and code as what they are."""
    lines = without_hidden(said).splitlines()
    return [*_blocks([*lines[:MOST_LINES], *(["…"] if len(lines) > MOST_LINES else [])], name_of)]


def without_code(said: str) -> str:
    """As many words, in as many lines, with nothing but backticks where code stands."""
    lines, whole = said.splitlines(), said.splitlines(keepends=True)
    pieces: list[str] = []
    at = 0
    while at < len(lines):
        pieces.append(backticks.without_code(whole[at]))
        at += 1
        if found := _FENCE.fullmatch(lines[at - 1]):
            end = _end_of_fence(lines, at, found[1])
            is_code = not _is_quote(found[2])
            for line, long in zip(lines[at:end], whole[at:end], strict=True):
                pieces.append("`" * len(line) + long[len(line) :] if is_code else backticks.without_code(long))
            pieces += whole[end : end + 1]
            at = end + 1
    return "".join(pieces)


def _blocks(lines: Sequence[str], name_of: NameOf) -> Iterator[Written]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if found := _FENCE.fullmatch(line):
            end = _end_of_fence(lines, at + 1, found[1])
            yield from _fenced(found[2].strip(), lines[at + 1 : end], name_of)
            at = end + 1
        elif _ENTRY.fullmatch(line):
            end = next((number for number in range(at, len(lines)) if not _ENTRY.fullmatch(lines[number])), len(lines))
            found_entries = [_ENTRY.fullmatch(each) for each in lines[at:end]]
            yield Items(tuple(Text(_spans(each[1], name_of)) for each in found_entries if each))
            at = end
        elif "|" in line and at + 1 < len(lines) and (found_table := _table(lines, at, name_of)):
            whole, at = found_table
            yield whole
        else:
            at += 1
            if line.lstrip().startswith(">"):
                yield _quote(line.lstrip(" >"), name_of)
            elif line.strip():
                yield Text(_spans(line, name_of))


def _end_of_fence(lines: Sequence[str], begin: int, fence: str) -> int:
    """Where the line stands that ends it; behind all of them where none does."""
    ends = (
        number
        for number in range(begin, len(lines))
        if (line := lines[number].strip()).startswith(fence) and not line.strip(fence[0])
    )
    return next(ends, len(lines))


def _fenced(what: str, lines: Sequence[str], name_of: NameOf) -> Iterator[Written]:
    if _is_quote(what):
        yield from (_quote(line, name_of) for line in lines if line.strip())
    else:
        yield Code("\n".join(lines))


def _is_quote(fence: str) -> bool:
    return fence.strip().partition(" ")[0].lower() in ("quote", "quoted")


def _quote(line: str, name_of: NameOf) -> Text:
    return Text((Span(QUOTE, tone=Tone.QUIET), *_spans(line, name_of)))


def _table(lines: Sequence[str], at: int, name_of: NameOf) -> tuple[Table, int] | None:
    """A table that begins here, and where it ends."""
    head = _cells(lines[at])
    if not 1 < len(head) <= MOST_CELLS or not RULE.fullmatch(lines[at + 1].strip()):
        return None
    end = at + 2
    rows: list[list[Span]] = []
    while end < len(lines) and "|" in lines[end]:
        cells = [*_cells(lines[end])[: len(head)]]
        rows.append([_cell(each, name_of) for each in (*cells, *[""] * (len(head) - len(cells)))])
        end += 1
    return table([_cell(each, name_of).text for each in head], rows), end


def _cells(line: str) -> list[str]:
    """What stands in each. The sign in a mention parts none: a line end stands for it meanwhile, as no line has one."""
    whole = _MENTION.sub(lambda found: found[0].replace("|", "\n"), line.strip())
    return [cell.strip().replace("\n", "|") for cell in whole.removeprefix("|").removesuffix("|").split("|")]


def _cell(words: str, name_of: NameOf) -> Span:
    return Span("".join(span.text for span in _spans(words, name_of)))


def _spans(line: str, name_of: NameOf) -> tuple[Span, ...]:
    spans: list[Span] = []
    at = 0
    line = one_line(line).strip()
    for found in _INLINE.finditer(line):
        spans += [Span(line[at : found.start()])] if found.start() > at else []
        spans.append(_set(found, name_of))
        at = found.end()
    return (*spans, *([Span(line[at:])] if at < len(line) or not spans else []))


def _set(found: re.Match[str], name_of: NameOf) -> Span:
    what, words = found.lastgroup, found[0]
    match what:
        case "mono":
            return Span(found["mono"], Style.MONO)
        case "strong":
            words = _MENTION.sub(lambda within: _named(within, name_of), found["strong"])
            return Span(cut(words, 1_400), Style.STRONG)
        case "called" | "account":
            words = _named(found, name_of)
        case "channel":
            words = f"#{found['channel']}"
        case _:
            shown, address = found["words"], found["address"]
            words = address if shown == address else f"{shown} ({address})"
    return Span(cut(words, 1_400))


def _named(found: re.Match[str], name_of: NameOf) -> str:
    return f"@{(name_of(found['account']) if found['account'] else '') or found['called']}"
