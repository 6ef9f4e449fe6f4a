"""From a word that somebody typed to the value that a shape asks for. Reading raises UsageError and nothing else.

A word may be read in several ways: the first that the shape takes counts. What the shape says nothing about is a text,
as it was typed.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import cast

import orjson

from bot.desk import quantities
from bot.desk.grammar import nearest
from bot.desk.kinds import LONGEST_LIST
from bot.desk.shapes import ANYTHING, JSON, NUMERIC, Fault, Shape, shown, write
from bot.desk.split import Quoted, bare_or_quoted
from bot.words.errors import UsageError
from bot.words.glyphs import LONGEST_QUOTED, one_line, quoted

_SWITCH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_QUOTATION = tuple("\"'“”„‘’")
_LONGEST_LABEL = 40
_HOW = {
    "array": "A list is typed with commas, such as a,b,c. [] has nothing in it.",
    "object": """An object is typed as JSON in quotes, such as '{"key": 1}'.""",
    "number": "A number is typed as 0.5, 20% or 1e6, without commas.",
    "integer": "A number is typed as 1000, 100k or 1e6, without commas.",
    "boolean": "Type yes or no.",
}


def fill(shape: Shape, words: Sequence[str], where: str, patience: Iterator[int]) -> JSON:
    """The value that these words are for one argument. Raises UsageError."""
    if len(words) > 1 and "array" not in shape.wanted:
        raise UsageError(f"{where} is given twice.")
    fault = Fault(where, shape)
    try:
        for value in _readings(shape, words[0], patience) if len(words) == 1 else _lists(shape, words, patience):
            found = shape.fault(value, where, patience)
            if found is None:
                return value
            fault = found if fault.where == where else fault
    except UsageError as error:
        raise UsageError(f"{where}: {error.what}", hint=error.hint) from error
    raise _refusal(fault, where, words[0])


def is_flag(shape: Shape) -> bool:
    """Whether it is nothing but true or false, so that its name alone says it."""
    return "boolean" in shape.wanted <= {"boolean", "null"}


def label(shape: Shape) -> str:
    """What a usage calls it."""
    leaves = [each for each in shape.leaves if each.wanted - {"null"}]
    chosen = next((each.choices for each in leaves if each.choices is not None), None)
    if chosen is not None:
        words = "|".join(written(each) for each in itertools.islice(chosen.values(), _LONGEST_LABEL))
        return words if len(words) <= _LONGEST_LABEL else "choice"
    if "array" in shape.wanted:
        items = next((each.items for each in leaves if each.items is not None), ANYTHING)
        return "…" if "array" in items.wanted else f"{label(items)},…"
    for kind, word in (("object", "json"), ("string", "text"), ("boolean", "yes|no")):
        if kind in shape.wanted:
            return word
    return "number" if NUMERIC & shape.wanted else "value"


def written(value: JSON) -> str:
    """A value as one may type it, on one harmless line."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return write(value)
        case str():
            return bare_or_quoted(one_line(value), behind_key=True)
        case list() if value and all(isinstance(each, int | float) for each in cast("list[JSON]", value)):
            return ",".join(written(each) for each in cast("list[JSON]", value))
        case _:
            return bare_or_quoted(shown(value), behind_key=True)


def _readings(shape: Shape, word: str, patience: Iterator[int], *, inside: bool = False) -> Iterator[JSON]:
    """All that a word may be, the likeliest first. Inside a list commas part nothing any more."""
    wanted, text = shape.wanted, str(word)
    takes_text = "string" in wanted or not wanted
    same = shape.spellings.get(text.casefold(), ())
    if text in same or (isinstance(word, Quoted) and "string" in wanted):
        yield text
    if text == "null" and "null" in wanted:
        yield None
    if NUMERIC & wanted:
        yield from _numbers(text, wanted)
    if "boolean" in wanted and text.lower() in _SWITCH:
        yield _SWITCH[text.lower()]
    parsed = _json(text)
    if isinstance(parsed, list | dict):
        yield parsed
    if "array" in wanted and not takes_text and not inside:
        yield from _lists(shape, [word], patience)
    if len(same) == 1:
        yield same[0]
    yield text


def _numbers(text: str, wanted: frozenset[str]) -> Iterator[JSON]:
    for read in (quantities.whole, quantities.fraction) if "number" in wanted else (quantities.whole,):
        try:
            yield read(text)
        except UsageError:  # another reading may do
            continue
    parsed = _json(text)
    if isinstance(parsed, int | float) and not isinstance(parsed, bool):
        yield parsed  # larger than people type


def _lists(shape: Shape, words: Sequence[str], patience: Iterator[int]) -> Iterator[list[JSON]]:
    """The words as one list, for each list that the shape may be."""
    for leaf in shape.leaves:
        if "array" in leaf.wanted and not leaf.options:
            yield [entry for word in words for entry in _entries(leaf.items or ANYTHING, word, patience)]


def _entries(items: Shape, word: str, patience: Iterator[int]) -> list[JSON]:
    parsed = _json(word)
    if isinstance(parsed, dict) and ("object" in items.wanted or not items.wanted):
        return [parsed]
    if isinstance(parsed, list):
        return cast("list[JSON]", parsed)
    parts = [part.strip() for part in word.split(",")]
    if len(parts) > LONGEST_LIST:
        raise UsageError(f"{quoted(word)} has {len(parts)} entries: at most {LONGEST_LIST}.")
    if not all(parts):
        raise UsageError(f"{quoted(word)} has an empty entry.", hint=_HOW["array"])
    if any(part.startswith(_QUOTATION) for part in parts):
        raise UsageError(f"{quoted(word)} has a quotation in it.", hint='The quotes stand around the whole: "a,b c".')
    return [_entry(items, part, patience) for part in parts]


def _entry(items: Shape, part: str, patience: Iterator[int]) -> JSON:
    """What cannot be read stays as it was typed: whoever holds the list against the shape says which entry it was."""
    readings = _readings(items, part, patience, inside=True)
    return next((value for value in readings if items.fault(value, "", patience) is None), part)


def _json(text: str) -> JSON:
    if text[:1] not in set("{[-0123456789"):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _refusal(fault: Fault, where: str, word: str) -> UsageError:
    shape, is_inside = fault.shape, fault.where != where
    what = fault.what if is_inside else f"{where} must be {shape.says}, not {quoted(word)}."
    typed = fault.given if is_inside and isinstance(fault.given, str) else word
    choices = itertools.chain.from_iterable(shape.spellings.values())
    near = nearest(typed, (each for each in choices if len(each) <= LONGEST_QUOTED))
    if near is not None and not fault.is_missing:
        return UsageError(what, hint=f"Did you mean {quoted(near)}?")
    hints = [how for kind, how in _HOW.items() if kind in shape.wanted and shape.choices is None]
    return UsageError(what, hint="".join(hints[:1]))
