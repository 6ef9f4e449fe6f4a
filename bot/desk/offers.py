"""What a component's birth offers, as something that people type. Whatever a stranger's birth holds, nothing raises.

    <word>  key=value  --key value  --key=value  --flag  --no-flag  -- what follows is no option

Words without a key fill what must be given, in the order that the usage shows. A list is typed with commas, or its key
several times; an object as JSON. In a key `-` is the same as `_`. What is left out is left to the component's defaults.
"""

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import orjson

from bot.desk.filling import fill, is_flag, label, written
from bot.desk.grammar import nearest
from bot.desk.schemas import properties_of, shape_of
from bot.desk.shapes import ANYTHING, JSON, Shape, harmless, patience
from bot.desk.signature import LONGEST_KEY
from bot.desk.split import Quoted
from bot.words.document import Block, Document, Span, Tone, document, mono, table, text
from bot.words.errors import UsageError
from bot.words.glyphs import cut, hides_something, quoted
from wire.birth import Birth, Danger, Offer
from wire.work import LARGEST_ARGUMENTS

LONGEST_USAGE = 240
LONGEST_CANONICAL = 900
LONGEST_CELL = 120
MOST_ROWS = 40
_LONGEST_DEFAULT = 40
_MOST_NAMED = 12
_KEY = re.compile(r"[^\W\d][\w.-]*")
_PLAIN_KEY = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_TONES = {Danger.NONE: Tone.QUIET, Danger.CAUTION: Tone.WARN, Danger.HIGH: Tone.BAD}


@dataclasses.dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command."""

    name: str
    shape: Shape
    is_needed: bool
    default: str = ""
    """As one may type it, where there is one that is short enough."""
    is_on: bool = False
    """It is true where nobody says that it is not."""
    about: str = ""

    @property
    def shown(self) -> str:
        """Its name, made harmless."""
        return harmless(self.name)

    @property
    def usage(self) -> str:
        """How it is typed."""
        kind = label(self.shape)
        if self.is_needed:
            return f"<{self.shown}:{kind}>" if "|" in kind else f"<{self.shown}{',…' * kind.endswith(',…')}>"
        if is_flag(self.shape):
            return f"[--no-{self.shown}]" if self.is_on else f"[--{self.shown}]"
        return f"[{self.shown}={self.default or f'<{kind}>'}]"


@dataclasses.dataclass(slots=True)
class _Typed:
    """What was typed, by where it goes and not read yet."""

    words: list[str] = dataclasses.field(default_factory=list[str])
    keyed: dict[str, list[str]] = dataclasses.field(default_factory=dict[str, list[str]])


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """What one command takes."""

    title: str
    arguments: tuple[Argument, ...]
    """Those that must be given stand first."""
    others: Shape | None
    """What arguments must be that it does not name. None where they may be anything."""
    is_closed: bool
    """It takes none that it does not name."""

    @classmethod
    def of(cls, offer: Offer) -> "Form":
        """From what a component offers. Never raises."""
        asked = dict(offer.input) if isinstance(cast("object", offer.input), Mapping) else {}
        shape, schemas = shape_of(asked), properties_of(asked)
        names = dict.fromkeys((*(each for each in shape.properties if each in shape.needed), *shape.needed))
        arguments = tuple(
            _argument(name, shape.properties.get(name, ANYTHING), schemas.get(name), is_needed=name in names)
            for name in dict.fromkeys((*names, *shape.properties))
        )
        return cls(harmless(offer.title, LONGEST_CELL), arguments, shape.others, shape.is_closed)

    def usage(self, prefix: str) -> str:
        """How it is typed, in one short line behind these words."""
        pieces = [each.usage for each in self.arguments]
        if not self.is_closed and not pieces:
            pieces = ["[key=value …]"]
        line = prefix
        for piece in pieces:
            if len(line) + len(piece) - len(prefix) > LONGEST_USAGE - 3:
                return f"{line} …"
            line = f"{line} {piece}".lstrip()
        return line

    def help(self) -> Document:
        """What each argument takes."""
        rows = [
            (
                mono(each.shown),
                cut(each.shape.says, LONGEST_CELL),
                "needed" if each.is_needed else each.default or "–",
                each.about or "–",
            )
            for each in self.arguments[:MOST_ROWS]
        ]
        blocks: list[Block] = [text(self.title)]
        if rows:
            blocks.append(table(("argument", "takes", "default", "what it is"), rows))
        if len(self.arguments) > MOST_ROWS:
            blocks.append(text(f"And {len(self.arguments) - MOST_ROWS} more."))
        if not rows and self.is_closed:
            blocks.append(text("It takes no arguments."))
        if not self.is_closed:
            blocks.append(text("Other arguments are passed on as ", mono("key=value"), "."))
        return document(*blocks)

    def read(self, words: Sequence[str]) -> dict[str, JSON]:
        """The arguments in what was typed. Raises UsageError and nothing else."""
        try:
            args = self._filled(self._sorted(words))
            _check_size(args)
        except UsageError as error:
            usage = self.usage("")
            hint = error.hint or (f"It takes: {usage}" if usage else "It takes no arguments.")
            raise UsageError(error.what, hint=hint) from error
        return args

    def _sorted(self, words: Sequence[str]) -> _Typed:
        if sum(map(len, words)) > LARGEST_ARGUMENTS:
            raise UsageError(f"The arguments are too long: at most {LARGEST_ARGUMENTS} characters.")
        typed = _Typed()
        left = iter(words)
        for word in left:
            if word == "--" and not isinstance(word, Quoted):
                typed.words.extend(left)
                break
            key, value = self._option(word, left)
            if key is None:
                typed.words.append(word)
            else:
                typed.keyed.setdefault(key, []).append(value)
        return typed

    def _option(self, word: str, left: Iterator[str]) -> tuple[str | None, str]:
        """The name of the argument that a word is for, and its value. No name where the word stands for itself."""
        dashed = _dashes(word)
        key, has_value, value = word[dashed:].partition("=")
        if isinstance(word, Quoted) or not (dashed or has_value):
            return None, word
        found = self._find(key)
        if found is None and dashed and key[:3] in ("no-", "no_"):
            found = self._find(key[3:])
            if found is not None and is_flag(found.shape):
                if has_value:
                    raise UsageError(f"{quoted(word)} takes no value: leave out what begins with =.")
                return found.name, "no"
            found = None
        if found is None and not dashed and _KEY.fullmatch(key) is None:
            return None, word
        if found is None and (self.is_closed or len(key) > LONGEST_KEY or _KEY.fullmatch(key) is None):
            raise self._unknown(word, key, dashed=bool(dashed))
        if has_value:
            return found.name if found else key, value
        if found is not None and is_flag(found.shape):
            return found.name, "yes"
        following = next(left, None)
        if following is None or (_dashes(following) and not isinstance(following, Quoted)):
            raise UsageError(f"{quoted(word)} needs a value, such as {quoted(word)[1:-1]}=….")
        return found.name if found else key, following

    def _find(self, key: str) -> Argument | None:
        folded = key.replace("-", "_")
        same = [each for each in self.arguments if each.name.replace("-", "_") == folded]
        exact = [each for each in same if each.name == key]
        if len(same) > 1 and not exact:
            names = " or ".join(each.shown for each in same[:_MOST_NAMED])
            raise UsageError(f"{quoted(key)} may be {names}: type it exactly.")
        return next(iter(exact or same), None)

    def _unknown(self, word: str, key: str, *, dashed: bool) -> UsageError:
        names = [each.name for each in self.arguments if len(each.name) <= LONGEST_KEY]
        near = nearest(key, names)
        if near is not None:
            meant = f"--{harmless(near)}" if dashed else f"{harmless(near)}=…"
            return UsageError(f"{quoted(key)} is no argument. Did you mean {meant}?")
        return UsageError(f"{quoted(word)} is no argument: put quotes around it if it is a word.")

    def _filled(self, typed: _Typed) -> dict[str, JSON]:
        needed = [each for each in self.arguments if each.is_needed]
        for each, word in zip(needed, typed.words, strict=False):
            if each.name in typed.keyed:
                raise UsageError(f"{each.shown} is given twice: {quoted(word)} stands in its place.")
            typed.keyed[each.name] = [word]
        if len(typed.words) > len(needed):
            raise UsageError(f"{quoted(typed.words[len(needed)])} is one word too many.")
        missing = [each for each in needed if each.name not in typed.keyed]
        if missing:
            told = "; ".join(f"{each.shown}, {each.shape.says}" for each in missing[:_MOST_NAMED])
            raise UsageError(f"Missing: {told}{'; …' if len(missing) > _MOST_NAMED else ''}.")
        known = {each.name: each.shape for each in self.arguments}
        left = patience()
        return {
            name: fill(known.get(name, self.others or ANYTHING), each, harmless(name), left)
            for name, each in typed.keyed.items()
        }


def nearest_command(birth: Birth, name: str) -> str | None:
    """The command of a component that somebody may have meant."""
    return nearest(name, birth.commands)


def offers(birth: Birth) -> Document:
    """All commands of a component."""
    rows = [
        (
            mono(Form.of(offer).usage(name)),
            harmless(offer.title, LONGEST_CELL),
            Span(str(offer.danger), tone=_TONES[offer.danger]),
            "a job" if offer.job else "–",
        )
        for name, offer in list(birth.commands.items())[:MOST_ROWS]
    ]
    if not rows:
        return document("It takes no commands.")
    more = len(birth.commands) - len(rows)
    blocks: list[Block] = [table(("command", "what it does", "danger", "job"), rows)]
    return document(*blocks, *([f"And {more} more."] if more else []))


def canonical(args: Mapping[str, JSON]) -> str:
    """The arguments on one line, in the order of their names. No two that differ look the same.

    What is too long is cut, and named by its digest. What nobody would see is written as its number.
    """
    line = " ".join(f"{_key(name)}={_visible(args[name])}" for name in sorted(args))
    if len(line) <= LONGEST_CANONICAL:
        return line
    digest = hashlib.sha256(line.encode()).hexdigest()
    return f"{line[:LONGEST_CANONICAL]}… ({len(line)} characters, SHA-256 {digest})"


def _argument(name: str, shape: Shape, schema: JSON, *, is_needed: bool) -> Argument:
    said = cast("dict[str, JSON]", schema) if isinstance(schema, dict) else {}
    words = [said[each] for each in ("title", "description") if isinstance(said.get(each), str) and said[each]]
    default = written(said["default"]) if "default" in said and said["default"] not in (None, "") else ""
    return Argument(
        name,
        shape,
        is_needed,
        default if len(default) <= _LONGEST_DEFAULT else "",
        said.get("default") is True,
        harmless(": ".join(words), LONGEST_CELL) if words else "",
    )


def _dashes(word: str) -> int:
    """How many characters in front of a key say that it is one. Phones make one long dash of two."""
    if word.startswith("--"):
        return 2
    return int(word[:1] in ("–", "—") and _KEY.match(word[1:]) is not None)


def _check_size(args: Mapping[str, JSON]) -> None:
    try:
        size = len(orjson.dumps(args))
    except TypeError as error:
        raise UsageError("The arguments are nested too deeply, or hold half a character.") from error
    if size > LARGEST_ARGUMENTS:
        raise UsageError(f"The arguments are too long: {size} bytes, where {LARGEST_ARGUMENTS} are taken.")


def _key(name: str) -> str:
    return name if _PLAIN_KEY.fullmatch(name) else _visible(name)


def _visible(value: JSON) -> str:
    line = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    if line.isascii() and line.isprintable():
        return line
    hidden = {each for each in line if not each.isprintable() or hides_something(each)}
    return "".join(each.encode("unicode_escape").decode() if each in hidden else each for each in line)
