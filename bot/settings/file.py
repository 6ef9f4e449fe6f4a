"""The configuration file as TOML: what it says, and on which line. It does not know what any of it means."""

import dataclasses
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from bot.words import glyphs
from bot.words.errors import SettingsError

LARGEST = 1024 * 1024
PLACE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\\\n]*"|'[^'\n]*')"""
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
HEADER = re.compile(rf"[ \t]*\[\[?[ \t]*({_KEY})[ \t]*\]\]?[ \t]*(?:#.*)?")
ENTRY = re.compile(rf"[ \t]*({_KEY})[ \t]*=.*")

WORDS = {
    "Invalid value": "a value is expected here; text stands in quotes",
    "Invalid statement": "neither a section nor a key",
    "Illegal character": "a character that may not stand here",
    "Expected '=' after a key": "a key is followed by = and a value",
    "Expected newline or end of document": "something is left over after the value",
    "Expected ']' at the end of a table declaration": "the name of a section ends with ]",
    "Expected ']]' at the end of an array declaration": "the name of a section ends with ]]",
    "Cannot declare": "this section is there already",
    "Cannot redefine namespace": "this section is there already",
    "Found invalid character": "a character that may not stand here",
    "Cannot overwrite a value": "this key is there already",
    "Cannot mutate immutable namespace": "this section is closed: it was written in braces",
    "Duplicate inline table key": "this key is there already",
    "Unclosed array": "a list ends with ]",
    "Unclosed inline table": "a section in braces ends with }",
    "Unterminated string": "a text ends with a quote",
    "Unescaped '\\' in a string": "a backslash is written twice",
    "Invalid initial character for a key part": "a key is letters, digits, _ and -, or stands in quotes",
    "Invalid date or datetime": "there is no such date",
}
"""Our words for what tomllib says, by how it begins. What is not here is told as it is."""

Key = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file that is TOML."""

    path: Path
    content: Mapping[str, Any]
    lines: Mapping[Key, int]

    @property
    def folder(self) -> Path:
        """What the paths in the file are seen from."""
        return self.path.parent.absolute()

    @classmethod
    def read(cls, path: Path) -> "File":
        """Read it, bounded in size, or say what keeps it from being TOML."""
        try:
            with path.open("rb") as file:
                raw = file.read(LARGEST + 1)
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be read: {error.strerror}.", hint="Name the configuration file with --config FILE."
            ) from error
        if len(raw) > LARGEST:
            raise SettingsError(f"{path} is larger than {LARGEST // 1024} KiB.", hint="Is it the configuration file?")
        try:
            text = raw.decode("utf-8")
            content = tomllib.loads(text)
            return cls(path, content, _lines(text, content))
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise SettingsError(f"{path} is not TOML: line {line} is not text in UTF-8.") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path} is not TOML: {_where(str(error))}.") from error
        except RecursionError:
            raise SettingsError(f"{path} is not TOML that can be read: it is nested too deeply.") from None
        except ValueError as error:  # a number of thousands of digits
            raise SettingsError(f"{path} is not TOML that can be read: a number in it is too large.") from error

    def line_of(self, key: Key) -> int | None:
        """The line of a key; where it has none, that of what is in it or around it. None where nobody can say."""
        if key not in self.lines:
            inside = [line for each, line in self.lines.items() if each[: len(key)] == key]
            if inside:
                return min(inside)
        around = (self.lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in self.lines)
        return next(around, None)


def _where(words: str) -> str:
    found = PLACE.search(words)
    said = words[: found.start()] if found else words
    what = next((ours for theirs, ours in WORDS.items() if said.startswith(theirs)), glyphs.one_line(said))
    if found is None:
        return what
    return f"line {found['line']}, column {found['column']}: {what}" if found["line"] else f"at its end: {what}"


def _lines(text: str, content: Mapping[str, Any]) -> dict[Key, int]:
    """Where each key stands. Whatever is not certain is left out: a line may look like a key and be none."""
    if '"""' in text or "'''" in text:
        return {}
    found = list(_lines_like_keys(text))
    seen = Counter(key for key, _ in found)
    return {
        key: line
        for key, line in found
        if _is_in(content, key) and all(seen[key[:length]] <= 1 for length in range(1, len(key) + 1))
    }


def _lines_like_keys(text: str) -> Iterator[tuple[Key, int]]:
    section: Key = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := HEADER.fullmatch(line.rstrip("\r")):
            section = _parts(header[1])
            yield section, number
        elif entry := ENTRY.fullmatch(line.rstrip("\r")):
            yield (*section, *_parts(entry[1])), number


def _parts(dotted: str) -> Key:
    return tuple(each[1:-1] if each[0] in "\"'" else each for each in re.findall(_PART, dotted))


def _is_in(content: object, key: Key) -> bool:
    for part in key:
        if not isinstance(content, dict) or part not in content:
            return False
        content = cast("dict[str, object]", content)[part]
    return True
