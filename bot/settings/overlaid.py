"""What was changed from chat, held against the file. The file wins: nothing here changes what it says."""

import dataclasses
import enum
from collections.abc import Iterable

from bot.settings.loading import Settings
from bot.store.overlay import Entry


class Effect(enum.Enum):
    """What becomes of a change."""

    APPLIED = "applied"
    OVERRULED = "overruled by the file"
    UNKNOWN = "about nothing that the file has"


@dataclasses.dataclass(frozen=True, slots=True)
class Overlaid:
    """One change, and what becomes of it."""

    entry: Entry
    effect: Effect
    person: str = ""
    """Whom it suspends, or does not. Empty where it is about nothing that is known."""


def weigh(entries: Iterable[Entry], settings: Settings) -> tuple[Overlaid, ...]:
    """What becomes of each change. The one who runs the bot applies those that are APPLIED."""
    return tuple(_weighed(entry, settings) for entry in entries)


def _weighed(entry: Entry, settings: Settings) -> Overlaid:
    section, _, rest = entry.key.partition(".")
    name, _, field = rest.partition(".")
    if (section, field) != ("people", "suspended") or settings.people.named(name) is None:
        return Overlaid(entry, Effect.UNKNOWN)
    if not isinstance(entry.value, bool):
        return Overlaid(entry, Effect.UNKNOWN)
    return Overlaid(entry, Effect.OVERRULED if settings.sets(entry.key) else Effect.APPLIED, name)
