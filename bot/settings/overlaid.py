"""What was changed from chat, held against the file. The file wins, but for one thing: a revoked key stays revoked.

Nothing here changes what the file says. A file that lists a stop key may be older than its revocation, and says nothing
about it; who has stolen a key must not get it back by a restart. So there is no way to bring one back: a new one is
issued instead.
"""

import dataclasses
import enum
import re
from collections.abc import Iterable

from bot.settings.loading import Settings
from bot.store.overlay import Entry

KEY_ID = re.compile(r"[0-9a-f]{16}")


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
    """Whom it suspends, or does not. Empty where it is about nobody who is known."""
    stop_key: str = ""
    """The id of the stop key that it revokes. Empty where it is about none."""


def weigh(entries: Iterable[Entry], settings: Settings) -> tuple[Overlaid, ...]:
    """What becomes of each change. The one who runs the bot applies those that are APPLIED."""
    return tuple(_weighed(entry, settings) for entry in entries)


def _weighed(entry: Entry, settings: Settings) -> Overlaid:
    section, _, rest = entry.key.partition(".")
    name, _, field = rest.partition(".")
    if not isinstance(entry.value, bool):
        return Overlaid(entry, Effect.UNKNOWN)
    match section, field:
        case "people", "suspended" if settings.people.named(name) is not None:
            return Overlaid(entry, Effect.OVERRULED if settings.sets(entry.key) else Effect.APPLIED, person=name)
        case "stop_keys", "revoked" if entry.value and KEY_ID.fullmatch(name):  # gone from the file, it may come back
            return Overlaid(entry, Effect.APPLIED, stop_key=name)
        case _:
            return Overlaid(entry, Effect.UNKNOWN)
