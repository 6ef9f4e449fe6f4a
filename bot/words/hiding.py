"""What people have hidden stays hidden: Zulip's spoilers, and what stands between two `||`, as other networks have it.

Fences count as Zulip counts them, since nobody else has spoilers between fences: one within another ends first, only a
line that is the same fence and nothing else ends it, and nothing counts within code.
"""

import re
from collections.abc import Iterator, Sequence

from bot.words.backticks import without_code
from bot.words.glyphs import one_line

HIDDEN = "▒▒▒"
RULE = re.compile(r"\|?(?: *:?-+:? *\|)+(?: *:?-+:? *)?")
"""The line below the head of a table."""
_FENCE = re.compile(
    r"(?P<fence>`{3,}+|~{3,}+)[ \t]*+"
    r"(?:\{?\.?(?P<kind>[a-zA-Z0-9_+,./#-]++)[ \t]*+(?P<title>[^ ~`][^~`]*+)?)?"
)
_SPOILER = "spoiler"
_HOLDS_MARKUP = frozenset({"quote", "quoted", _SPOILER})
_LINE_END = re.compile(r"\r\n|\r|\n")
_PAIR = re.compile(r"\|\||\n")


def without_hidden(said: str) -> str:
    """What somebody has said, with a sign in the place of what they have hidden."""
    if "||" not in said and _SPOILER not in said.lower():  # most words, and so they need not be taken apart
        return said
    lines = [*_without_spoilers(_LINE_END.split(said))]
    told: list[str] = []
    paragraph: list[str] = []
    in_tables = _tables_in([line for line, _ in lines])
    for number, (line, holds_markup) in enumerate(lines):
        if holds_markup and line.strip() and number not in in_tables:
            paragraph.append(line)
            continue
        told += [*_without_pairs(paragraph), line]
        paragraph = []
    return "\n".join([*told, *_without_pairs(paragraph)])


def _without_spoilers(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """What is to be seen, line by line, and whether markup counts in it."""
    fences = [("", "quote")]  # as if all stood in one that nothing ends
    hidden_from: int | None = None
    for line in lines:
        fence, kind = fences[-1]
        if fence and line.rstrip() == fence:
            fences.pop()
            if hidden_from is None:
                yield line, False
            elif hidden_from == len(fences):
                hidden_from = None
        elif kind in _HOLDS_MARKUP and (found := _FENCE.fullmatch(line)):
            new = (found["kind"] or "").lower()
            if hidden_from is None and new == _SPOILER:
                hidden_from = len(fences)
                yield _told_of(found["title"] or ""), True
            elif hidden_from is None:
                yield line, False
            fences.append((found["fence"], new))
        elif hidden_from is None:
            yield line, kind in _HOLDS_MARKUP


def _told_of(title: str) -> str:
    return f"**Spoiler**: {one_line(title).strip(' }')} {HIDDEN}"


def _tables_in(lines: Sequence[str]) -> set[int]:
    """The lines of all tables, where two `||` are an empty cell."""
    found: set[int] = set()
    for number, line in enumerate(lines):
        if "|" not in line:
            continue
        is_head = number + 1 < len(lines) and RULE.fullmatch(lines[number + 1].strip()) is not None
        if is_head or number - 1 in found:
            found.add(number)
    return found


def _without_pairs(paragraph: Sequence[str]) -> Sequence[str]:
    """Lines that stand together, without what stands between two `||`.

    In one line any two make a pair. Over several lines they must hug the words: a shell's `||` does not.
    """
    if not paragraph:
        return ()
    said = "\n".join(paragraph)
    seen = "\n".join(map(without_code, paragraph))
    pieces: list[str] = []
    at = 0
    for start, end in sorted(_pairs(seen)):
        if start >= at:
            pieces += [said[at:start], HIDDEN]
            at = end
    return "".join([*pieces, said[at:]]).split("\n")


def _pairs(seen: str) -> Iterator[tuple[int, int]]:
    hugs: re.Match[str] | None = None
    here: re.Match[str] | None = None
    for found in _PAIR.finditer(seen):
        if found[0] == "\n":
            here = None
        elif hugs is not None and found.start() > hugs.end() and _ends_hugging(seen, found):
            yield hugs.start(), found.end()
            hugs = here = None
        elif here is not None and found.start() > here.end():
            yield here.start(), found.end()
            hugs = None if hugs is here else hugs
            here = None
        else:
            here = found
            hugs = found if hugs is None and _begins_hugging(seen, found) else hugs


def _begins_hugging(seen: str, found: re.Match[str]) -> bool:
    before, after = _beside(seen, found)
    return not _is_inside(before) and _is_hugged(after)


def _ends_hugging(seen: str, found: re.Match[str]) -> bool:
    before, after = _beside(seen, found)
    return _is_hugged(before) and not _is_inside(after)


def _beside(seen: str, found: re.Match[str]) -> tuple[str, str]:
    return seen[max(0, found.start() - 1) : found.start()], seen[found.end() : found.end() + 1]


def _is_hugged(character: str) -> bool:
    return bool(character.strip()) and character != "|"


def _is_inside(character: str) -> bool:
    """Whether a sign next to this would stand within a word."""
    return character.isalnum() or character in ("_", "|")
