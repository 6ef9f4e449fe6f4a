"""What is wrong with a configuration, in words for the one who wrote it. The value of a secret is never among them."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.desk.grammar import nearest
from bot.words.document import Document, Span, Tone, document, mono, table
from bot.words.errors import SettingsError
from bot.words.glyphs import cut
from bot.words.plain import to_plain

MOST_TOLD = 100
LONGEST_VALUE = 60
LARGEST_NUMBER_BITS = 128
SECRET = re.compile(r"pass|secret|token|credential", re.IGNORECASE)
BARE = re.compile(r"[A-Za-z0-9_-]+")
IN_AN_ADDRESS = re.compile(r"[^/@\s]+:\S*@")
"""A name and a password before the name of a host."""

Path = tuple[str, ...]
"""Where something stands: `("people", "alice", "role")`."""

WORDS = {
    "missing": "is missing",
    "extra_forbidden": "there is no such key here",
    "string_type": "must be text in quotes",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must have another form ({pattern})",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number, without quotes",
    "int_parsing": "must be a whole number, without quotes",
    "int_parsing_size": "must be a smaller number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, without quotes",
    "float_parsing": "must be a number, without quotes",
    "finite_number": "must be a number that ends",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "multiple_of": "must be a multiple of {multiple_of}",
    "list_type": 'must be a list, such as ["one", "two"]',
    "tuple_type": 'must be a list, such as ["one", "two"]',
    "set_type": 'must be a list, such as ["one", "two"]',
    "frozen_set_type": 'must be a list, such as ["one", "two"]',
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "dict_type": "must be a section",
    "mapping_type": "must be a section",
    "model_type": "must be a section",
    "model_attributes_type": "must be a section",
    "dataclass_type": "must be a section",
    "path_type": "must be a path in quotes",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "url_type": "must be an address in quotes",
    "url_parsing": "must be an address, such as https://example.org",
    "url_scheme": "must be an address that begins with {expected_schemes}",
}
"""Our words for each kind of mistake that pydantic finds in what TOML can hold."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong."""

    path: Path
    what: str
    """What was expected there."""
    found: str = ""
    """What stands there instead, as it may be shown. Empty where there is nothing to show."""
    line: int | None = None

    def __str__(self) -> str:
        return f"{key(self.path)}: {self._words()}"

    def row(self) -> tuple[Span | str, ...]:
        """As a row of the table of all mistakes."""
        return (Span(f"line {self.line}" if self.line else "", tone=Tone.QUIET), mono(key(self.path)), self._words())

    def _words(self) -> str:
        return f"{self.what}; found {self.found}" if self.found else self.what


class Mistakes(SettingsError):
    """The file can be read and cannot be used."""

    def __init__(self, file: str, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda each: (each.line is None, each.line or 0)))
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        self.summary = f"{file} cannot be used: {count}."
        super().__init__(f"{self.summary}\n{to_plain(self.document())}")

    def document(self) -> Document:
        """All of them, for a terminal."""
        told = self.mistakes[:MOST_TOLD]
        rows = table(("", "", ""), (each.row() for each in told))
        left = len(self.mistakes) - len(told)
        return document(rows, f"And {left} more.") if left else document(rows)


def from_pydantic(error: Mapping[str, Any], section: Path) -> Mistake:
    """One of the mistakes that a section's model found."""
    path = (*section, *(part for part in error["loc"] if isinstance(part, str) and part != "[key]"))
    kind, context = error["type"], error.get("ctx", {})
    secret = SECRET.search(path[-1]) is not None
    if kind in ("value_error", "assertion_error"):
        what = str(context["error"])
    elif kind in WORDS:
        what = WORDS[kind].format_map(context)
    else:
        what = "cannot be used" if secret else str(error["msg"]).replace("Input should be", "must be", 1)
    unshown = secret or kind in ("missing", "extra_forbidden") or error["input"] is None
    return Mistake(path, what, "" if unshown else quoted(error["input"]))


def unknown(path: Path, known: Iterable[str], kind: str = "key") -> Mistake:
    """A name that is not one of those that there are."""
    written, names = path[-1], sorted(known)
    if SECRET.search(written) and (kept := [each for each in names if SECRET.search(each)]):
        return Mistake(path, f"there is no such {kind}, and no secret stands in this file; there is {', '.join(kept)}")
    near = next((each for each in names if sorted(each) == sorted(written)), None) or nearest(written, names)
    if near is not None:
        return Mistake(path, f"there is no such {kind}; did you mean {name(near)}?")
    return Mistake(path, f"there is no such {kind}; there is {', '.join(map(name, names))}")


def key(path: Path) -> str:
    """As it is written in the file: `commands."person suspend".role`."""
    return ".".join(map(name, path))


def name(part: str) -> str:
    """One part of a key, in quotes where TOML needs them."""
    return part if BARE.fullmatch(part) and len(part) <= LONGEST_VALUE else _in_quotes(part)


def quoted(value: object) -> str:
    """What stands in the file, short enough for a line. Of lists and sections only that they are."""
    match value:
        case str():
            return _in_quotes(IN_AN_ADDRESS.sub("***@", value))
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if value.bit_length() <= LARGEST_NUMBER_BITS else "a very large number"
        case dict():
            return "a section"
        case list():
            return "a list"
        case _:
            return _short(str(value))


def _in_quotes(text: str) -> str:
    return f'"{_short(text)}"'


def _short(text: str) -> str:
    """What nobody sees is shown by its number: it may be the mistake."""
    begins = text[: LONGEST_VALUE + 1]
    return cut(
        "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in begins),
        LONGEST_VALUE,
    )
