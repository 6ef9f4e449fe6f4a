"""What the bot goes by, key by key, and where each value comes from. A secret is shown as where it is kept."""

import time
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import cast

from pydantic import BaseModel

from bot.bridge import find_plugins
from bot.settings.file import Key
from bot.settings.loading import Settings
from bot.settings.mistakes import SECRET, key
from bot.settings.overlaid import Effect, Overlaid
from bot.words.document import Document, Span, Tone, document, mono, table, text
from bot.words.times import clock

NOTHING = "–"
FILE = Span("file")
DEFAULT = Span("default", tone=Tone.QUIET)

Row = tuple[Span, Span, Span]


def effective(settings: Settings, changes: Iterable[Overlaid]) -> Document:
    """Everything in one table."""
    by_key = {each.entry.key: each for each in changes}
    rows = [row for path, part in settings.parts.items() for row in _section(settings, path, part, by_key)]
    absent = sorted({"health", *find_plugins()} - {path[0] for path in settings.parts})
    rows += [(mono(key((name,))), Span("off", tone=Tone.QUIET), DEFAULT) for name in absent]
    rows += [
        (
            mono(each.entry.key),
            Span(_shown(each.entry.value)),
            Span(_by(each) if each.stop_key else f"{_by(each)}, {each.effect.value}", tone=Tone.WARN),
        )
        for each in by_key.values()
        if each.effect is Effect.UNKNOWN or each.stop_key  # the file has no line for either
    ]
    whole = text(
        "In force by ", mono(str(settings.file.path.absolute())), ". Its paths are seen from the folder it is in."
    )
    return document(whole, table(("key", "value", "from"), rows))


def values(settings: Settings) -> dict[Key, tuple[object, Span]]:
    """Each key with its value, and as it may be shown."""
    return {
        (*path, name): (value, _value(name, value, settings.file.folder))
        for path, part in settings.parts.items()
        for name, value in _fields(part).items()
    }


def _fields(part: BaseModel) -> dict[str, object]:
    return {name: getattr(part, name) for name in type(part).model_fields} | (part.model_extra or {})


def _section(settings: Settings, path: Key, part: BaseModel, changes: Mapping[str, Overlaid]) -> Iterator[Row]:
    for name, value in _fields(part).items():
        change = changes.get(".".join((*path, name)))
        shown = mono(key((*path, name)))
        in_the_file = name in part.model_fields_set
        if change is not None and change.effect is Effect.APPLIED:
            yield shown, Span(_shown(change.entry.value)), Span(_by(change), tone=Tone.WARN)
            continue
        yield shown, _value(name, value, settings.file.folder), FILE if in_the_file else DEFAULT
        if change is not None and change.effect is Effect.OVERRULED:
            told = Span(f"{_by(change)}, {change.effect.value}", tone=Tone.QUIET)
            yield shown, Span(_shown(change.entry.value), tone=Tone.QUIET), told


def _value(name: str, value: object, folder: Path) -> Span:
    if value is None or value in ((), [], {}, frozenset()):
        return Span(NOTHING, tone=Tone.QUIET)
    if SECRET.search(name):
        if isinstance(value, Path):
            return Span(f"file {_shown(value, folder)}")
        return Span(f"environment {value}" if name.endswith("_env") else "***")
    return Span(_shown(value, folder))


def _shown(value: object, folder: Path = Path("/")) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Path():
            return str(value.relative_to(folder) if value.is_relative_to(folder) else value)
        case list() | tuple():
            return ", ".join(_shown(each, folder) for each in cast("list[object]", value))
        case dict():
            entries = cast("dict[object, object]", value)
            return ", ".join(f"{name} = {entry}" for name, entry in entries.items())
        case AbstractSet():
            return ", ".join(sorted(map(str, cast("AbstractSet[object]", value))))
        case _:
            return str(value)


def _by(change: Overlaid) -> str:
    return f"chat (by {change.entry.by}, {clock(change.entry.at, time.time())})"
