"""A handler's signature as a command's grammar and its help. Compiled once; binding raises UsageError and nothing else.

    <word>  key=value  --key value  --key=value  --flag  --no-flag  -- what follows is no option

A positional-only parameter is filled by its place, a keyword-only one by its key, an ordinary one by either. `*rest`
takes the words that are left, `**more` the keys that nobody else takes. In a key `-` is the same as `_`. The long
dashes that phones make of `--` count as it in front of a key; alone they are words. Where a command takes no keys at
all, whatever looks like one is a word.
"""

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter
from typing import Any

from bot.desk.grammar import nearest
from bot.desk.kinds import FREE, YES_OR_NO, Kind, Names, kind_of
from bot.desk.split import LONGEST_LINE, Quoted, bare_or_quoted, split
from bot.words.errors import UsageError
from bot.words.glyphs import quoted

LONGEST_KEY = 64

_KEY = re.compile(r"[A-Za-z_][\w-]*")
_OPTION = re.compile(r"(--|[–—])?([A-Za-z_][\w-]*)(?:=(.*))?", re.DOTALL)
_DASHES = "-–—"
_LONGEST_SHOWN = 40  # a default that is longer says less than its kind

_BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_KEY = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


HIDDEN = "…"


@dataclasses.dataclass(frozen=True, slots=True)
class Bound:
    """What a command is called with. What was left out is left to the handler's defaults."""

    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    text: str
    """The same arguments, however they were typed: one canonical line, which binds to the same values again."""
    recorded: str
    """The same without what is somebody's own words: those stand in no record."""


@dataclasses.dataclass(slots=True)
class _Line:
    """The line that is written of what was typed."""

    words: list[str] = dataclasses.field(default_factory=list[str])
    recorded: list[str] = dataclasses.field(default_factory=list[str])

    def add(self, kind: Kind[Any], words: str) -> None:
        self.words.append(words)
        self.recorded.append(HIDDEN if kind.label == FREE else words)


@dataclasses.dataclass(frozen=True, slots=True)
class _Slot:
    """One parameter."""

    name: str
    shown: str
    """Its name as one types it."""
    kind: Kind[Any]
    needed: bool
    keyed: bool
    placed: bool

    @property
    def flag(self) -> bool:
        return self.keyed and self.kind is YES_OR_NO


@dataclasses.dataclass(slots=True)
class _Sorted:
    """What was typed, by where it goes and not read yet. It is filled while the words are looked through."""

    words: list[str]
    keyed: dict[str, str]
    more: dict[str, str]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """The grammar of one command."""

    usage: str
    """How it is typed, in one short line."""
    _placed: tuple[_Slot, ...] = dataclasses.field(repr=False)
    _keyed: Mapping[str, _Slot] = dataclasses.field(repr=False)
    """By the parameter's name."""
    _negated: Mapping[str, _Slot] = dataclasses.field(repr=False)
    """The flags, by `no_` and the parameter's name."""
    _rest: _Slot | None = dataclasses.field(repr=False)
    _more: _Slot | None = dataclasses.field(repr=False)
    _call: str | None = dataclasses.field(repr=False)
    """The name of the call's own parameter, where a key of that name would collide with it."""

    @classmethod
    def of(cls, name: str, handler: Callable[..., object]) -> "Signature":
        """Compile a handler's signature. TypeError where no line could ever fill it."""
        try:
            hints = typing.get_type_hints(handler, include_extras=True)
            first, *parameters = inspect.signature(handler).parameters.values()
        except (NameError, TypeError, ValueError, AttributeError, SyntaxError) as error:
            raise TypeError(f"The command {name!r} has a handler without a usable signature: {error}.") from error
        if first.kind not in _BY_PLACE:
            raise TypeError(f"The command {name!r} has a handler whose first parameter does not take the call.")
        slots = [(_slot(name, parameter, hints), parameter) for parameter in parameters]
        by_key = {slot.name: slot for slot, _ in slots if slot.keyed}
        negated = {f"no_{slot.name}": slot for slot in by_key.values() if slot.flag}
        for taken in negated.keys() & by_key.keys():
            raise TypeError(f"The command {name!r} has {taken!r} twice: as a parameter, and as a flag's opposite.")
        return cls(
            usage=" ".join((f"!{name}", *(_usage(slot, parameter) for slot, parameter in slots))),
            _placed=tuple(slot for slot, _ in slots if slot.placed),
            _keyed=by_key,
            _negated=negated,
            _rest=next((slot for slot, each in slots if each.kind is Parameter.VAR_POSITIONAL), None),
            _more=next((slot for slot, each in slots if each.kind is Parameter.VAR_KEYWORD), None),
            _call=None if first.kind is Parameter.POSITIONAL_ONLY else first.name,
        )

    def bind(self, rest: str, names: Names) -> Bound:
        """The arguments in what follows a command's name."""
        try:
            return self._read(self._sort(split(rest)), names)
        except UsageError as error:
            raise UsageError(error.what, hint=f"Usage: {self.usage}") from error

    def _read(self, typed: _Sorted, names: Names) -> Bound:
        keyed = self._places(typed)
        args: list[object] = []
        kwargs: dict[str, object] = {}
        line = _Line()
        by_place = len(typed.words) > len(self._placed)  # words of the rest need all places before them filled
        for slot, word in zip(self._placed, typed.words, strict=False):
            value = _value(slot.shown, slot.kind, word, names)
            args.append(value)
            if slot.needed or by_place or not slot.keyed:
                line.add(slot.kind, bare_or_quoted(slot.kind.write(value)))
            else:  # who reads the line knows what the value is for
                line.add(slot.kind, _written(slot.shown, slot.kind, value))
        if self._rest is not None:
            for word in typed.words[len(self._placed) :]:
                value = _value(self._rest.shown, self._rest.kind, word, names)
                args.append(value)
                line.add(self._rest.kind, bare_or_quoted(self._rest.kind.write(value)))
        for name, slot in self._keyed.items():
            if name in keyed:
                value = kwargs[name] = _value(slot.shown, slot.kind, keyed[name], names)
                line.add(slot.kind, _written(slot.shown, slot.kind, value))
        if self._more is not None:
            for name in sorted(typed.more):
                value = kwargs[name] = _value(name, self._more.kind, typed.more[name], names)
                line.add(self._more.kind, f"{name}={bare_or_quoted(self._more.kind.write(value), behind_key=True)}")
        text = " ".join(line.words)
        if len(text) > LONGEST_LINE:  # 1e18 takes more room when it is written out
            raise UsageError(f"The line is too long: written out it may have {LONGEST_LINE} characters.")
        return Bound(tuple(args), kwargs, text, " ".join(line.recorded))

    def _places(self, typed: _Sorted) -> dict[str, str]:
        """Fill the places from keys too, as far as they go without a gap. Returns the keys that are left."""
        words, keyed = typed.words, typed.keyed
        if len(words) > len(self._placed) and self._rest is None:
            raise UsageError(f"{quoted(words[len(self._placed)])} is one word too many.")
        for index, slot in enumerate(self._placed):
            by_word, by_key = index < len(words), slot.name in keyed
            if by_word and by_key:
                raise UsageError(f"{quoted(slot.shown)} is given twice: {quoted(words[index])} stands in its place.")
            if by_key and index == len(words):
                words.append(keyed.pop(slot.name))
            if slot.needed and not by_word and not by_key:
                how = ": type it without a key." if slot.name in typed.more else "."
                raise UsageError(f"{quoted(slot.shown)} is missing{how}")
        for slot in self._keyed.values():
            if slot.needed and not slot.placed and slot.name not in keyed:
                raise UsageError(f"{quoted(slot.shown)} is missing: add {slot.shown}=….")
        return keyed

    def _sort(self, words: list[str]) -> _Sorted:
        typed = _Sorted([], {}, {})
        left = iter(words)
        for word in left:
            if isinstance(word, Quoted):
                typed.words.append(str(word))
            elif "=" not in word and word[0] not in _DASHES:
                typed.words.append(word)
            elif word == "--":
                typed.words.extend(map(str, left))
            else:
                self._sort_option(word, left, typed)
        return typed

    def _sort_option(self, text: str, left: Iterator[str], typed: _Sorted) -> None:
        match = _OPTION.fullmatch(text)
        if match is None:
            if text.startswith("--") and self._has_keys:
                raise UsageError(f"{quoted(text)} is no option: put quotes around it if it is a word.")
            typed.words.append(text)  # a negative number, a dash, something with an = in it
            return
        dashes, key, value = match.groups()
        name = key.replace("-", "_")
        slot = self._keyed.get(name)
        if slot is None and dashes is not None and (slot := self._negated.get(name)) is not None:
            if value is not None:
                raise UsageError(f"{quoted(text)} takes no value: leave out what begins with =.")
            name, value = slot.name, "no"
        if slot is None and (self._more is None or name == self._call or len(key) > LONGEST_KEY):
            if not self._has_keys and all(each.name != name for each in self._placed):
                typed.words.append(text)
                return
            raise self._unknown(text, key, name)
        if value is None:
            value = "yes" if slot is not None and slot.flag else _next_value(text, left)
        target = typed.more if slot is None else typed.keyed
        if name in target:
            raise UsageError(f"{quoted(key)} is given twice.")
        target[name] = value

    @property
    def _has_keys(self) -> bool:
        """Whether there are options at all. Where there are none, what looks like one is a word."""
        return bool(self._keyed) or self._more is not None

    def _unknown(self, text: str, key: str, name: str) -> UsageError:
        """Say of a key that nobody takes what may have been meant."""
        if len(key) > LONGEST_KEY:
            return UsageError(f"{quoted(key)} is too long for a key: at most {LONGEST_KEY} characters.")
        if any(slot.name == name and not slot.keyed for slot in self._placed):
            return UsageError(f"{quoted(text)}: {key} has its place, and is typed without a key.")
        if name == self._call and self._more is not None:
            return UsageError(f"{quoted(key)} cannot be a key here.")
        dashed = text[0] in _DASHES
        negated = [f"no-{slot.shown}" for slot in self._negated.values()] if dashed else []
        near = nearest(key, [*(slot.shown for slot in self._keyed.values()), *negated])
        if near is not None:
            meant = f"--{near}" if dashed else f"{near}=…"
            return UsageError(f"{quoted(text)} is not known here. Did you mean {meant}?")
        return UsageError(f"{quoted(text)} is not known here: put quotes around it if it is a word.")


def _value(shown: str, kind: Kind[Any], word: str, names: Names) -> object:
    try:
        return kind.read(word, names)
    except UsageError as error:
        raise UsageError(f"{shown}: {error.what}") from error


def _written(shown: str, kind: Kind[Any], value: object) -> str:
    """A value with its key, or as a flag."""
    if kind is YES_OR_NO:
        return f"--{shown}" if value else f"--no-{shown}"
    return f"{shown}={bare_or_quoted(kind.write(value), behind_key=True)}"


def _next_value(option: str, left: Iterator[str]) -> str:
    word = next(left, None)
    if word is not None and (isinstance(word, Quoted) or not _looks_like_an_option(word)):
        return str(word)
    raise UsageError(f"{quoted(option)} needs a value, such as {quoted(option)[1:-1]}=….")


def _looks_like_an_option(text: str) -> bool:
    match = _OPTION.fullmatch(text)
    return text.startswith("--") or (match is not None and match[1] is not None)


def _slot(command: str, parameter: Parameter, hints: Mapping[str, Any]) -> _Slot:
    what = f"The command {command!r} cannot fill its parameter {parameter.name!r}"
    if parameter.name not in hints:
        raise TypeError(f"{what}: it has no annotation.")
    try:
        kind = kind_of(hints[parameter.name])
    except TypeError as error:
        raise TypeError(f"{what}: {error}.") from error
    default, keyed = parameter.default, parameter.kind in _BY_KEY
    if default is not Parameter.empty and default is not None and not isinstance(default, kind.holds):
        raise TypeError(f"{what}: its default {default!r} is of another type.")
    if keyed and _KEY.fullmatch(parameter.name) is None:
        raise TypeError(f"{what}: nobody can type that name as a key.")
    return _Slot(
        name=parameter.name,
        shown=parameter.name[:1] + parameter.name[1:].replace("_", "-"),  # no key begins with a -
        kind=kind,
        needed=default is Parameter.empty and parameter.kind in (*_BY_PLACE, Parameter.KEYWORD_ONLY),
        keyed=keyed,
        placed=parameter.kind in _BY_PLACE,
    )


def _usage(slot: _Slot, parameter: Parameter) -> str:
    """How one parameter is typed."""
    label, shown = slot.kind.label, slot.shown
    match parameter.kind:
        case Parameter.VAR_POSITIONAL:
            return f"[{shown} …]"
        case Parameter.VAR_KEYWORD:
            return "[key=value …]"
        case Parameter.KEYWORD_ONLY if slot.needed:
            return f"{shown}=<{label}>"
        case _ if slot.flag and not slot.needed:
            return f"[--no-{shown}]" if parameter.default else f"[--{shown}]"
        case Parameter.KEYWORD_ONLY:
            nothing = parameter.default in (None, "", (), [])
            typed = f"{shown}=<{label}>" if nothing else _written(shown, slot.kind, parameter.default)
            return f"[{typed}]" if len(typed) <= _LONGEST_SHOWN else f"[{shown}=<{label}>]"
        case _:
            several = ",…" if label.endswith(",…") else ""
            word = f"{shown}:{label}" if "|" in label else f"{shown}{several}"
            typed = f"<{word}>" if slot.needed else f"[{word}]"
            return label if slot.name.startswith("_") else typed  # `_for: Literal["for"]` is there to be read only
