"""Reading JSON from strangers: every field is checked for its type and its bound before anyone uses it."""

import base64
import enum
import re
from typing import Any, TypeVar, cast

import orjson

from wire.errors import BadMessage

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
ID_OR_NOTHING = re.compile(rf"(?:{ID.pattern})?")
INCIDENT = re.compile(r"(own-)?[0-9a-f]{32}")
HEX = re.compile(r"[0-9a-f]{1,64}")
KEY = re.compile(r"[A-Za-z0-9+/]{43}=")

Choice = TypeVar("Choice", bound=enum.Enum)

LONGEST_TEXT = 1024
LONGEST_LIST = 1024
LARGEST_NUMBER = 2**53


class Fields:
    """One JSON object. What it does not know it ignores; what it needs it checks."""

    def __init__(self, values: dict[str, Any], name: str) -> None:
        self._values = values
        self._name = name

    @classmethod
    def parse(cls, payload: bytes, name: str) -> "Fields":
        """The object in these bytes."""
        try:
            values: object = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise BadMessage(f"A {name} is not JSON: {error}.") from error
        return cls.of(values, name)

    @classmethod
    def of(cls, value: object, name: str) -> "Fields":
        """An object inside another."""
        if not isinstance(value, dict):
            raise BadMessage(f"A {name} is an object.")
        return cls(cast("dict[str, Any]", value), name)

    def text(self, key: str, form: re.Pattern[str] | None = None, *, default: str | None = None) -> str:
        """A bounded string, of a form where one is asked for."""
        value = self._values.get(key, default)
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise self._wrong(key, f"a text of up to {LONGEST_TEXT} characters")
        if form is not None and not form.fullmatch(value):
            raise self._wrong(key, f"of the form {form.pattern}")
        return value

    def optional_text(self, key: str, form: re.Pattern[str] | None = None) -> str | None:
        """A bounded string, or nothing."""
        return None if self._values.get(key) is None else self.text(key, form)

    def optional_bytes(self, key: str, *, most: int) -> bytes | None:
        """Bytes in base64, or nothing."""
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, str) and len(value) <= most * 2:
            try:
                raw = base64.b64decode(value, validate=True)
            except ValueError:
                raw = None
            if raw is not None and len(raw) <= most:
                return raw
        raise self._wrong(key, f"up to {most} bytes in base64")

    def number(self, key: str, *, least: int = 0, most: int = LARGEST_NUMBER, default: int | None = None) -> int:
        """A whole number within bounds."""
        value = self._values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(key, f"a whole number from {least} to {most}")
        return value

    def fraction(self, key: str) -> float | None:
        """A number from 0 to 1, or nothing."""
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise self._wrong(key, "a number from 0 to 1")
        return float(value)

    def one_of(self, key: str, choices: type[Choice], *, default: Choice | None = None) -> Choice:
        """One word of an enumeration."""
        value = self._values.get(key)
        if value is None and default is not None:
            return default
        try:
            return choices(value)
        except ValueError:
            raise self._wrong(key, f"one of {', '.join(str(each.value) for each in choices)}") from None

    def flag(self, key: str) -> bool:
        """Yes or no; no where it is not said."""
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def raw(self, key: str) -> object:
        """What stands there, whatever it is. The whole message has its bound already."""
        return self._values.get(key)

    def named(self, key: str, form: re.Pattern[str]) -> "dict[str, Fields]":
        """Objects by name, each name of one form; empty where there are none."""
        value = self._values.get(key, {})
        entries = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        if not isinstance(value, dict) or len(entries) > LONGEST_LIST or not all(map(form.fullmatch, entries)):
            raise self._wrong(key, f"up to {LONGEST_LIST} objects with names of the form {form.pattern}")
        return {name: Fields.of(each, f"{self._name}.{key}.{name}") for name, each in entries.items()}

    def list_of(self, key: str, *, needed: bool = False) -> list[object]:
        """A bounded list, empty where there is none and none is needed."""
        value = self._values.get(key, None if needed else [])
        if not isinstance(value, list) or len(cast("list[object]", value)) > LONGEST_LIST:
            raise self._wrong(key, f"a list of up to {LONGEST_LIST} entries")
        return cast("list[object]", value)

    def texts(self, key: str, form: re.Pattern[str]) -> tuple[str, ...]:
        """A bounded list of strings of one form."""
        values = self.list_of(key)
        texts = tuple(value for value in values if isinstance(value, str) and form.fullmatch(value))
        if len(texts) != len(values):
            raise self._wrong(key, f"a list of texts of the form {form.pattern}")
        return texts

    def inner(self, key: str) -> "Fields":
        """An object inside this one, empty where there is none."""
        return Fields.of(self._values.get(key, {}), f"{self._name}.{key}")

    def _wrong(self, key: str, expected: str) -> BadMessage:
        return BadMessage(f"A {self._name}'s {key!r} must be {expected}.")
