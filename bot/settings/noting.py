"""Records which sections of the file are not what they were at the last start. What stands in them, it does not."""

import hashlib
from collections.abc import Iterator
from typing import cast

import orjson

from bot.settings.loading import NAMED, Settings
from bot.store import Tx, audit, keychain

ROLE = "configuration"
PEOPLE = "people"
MOST_NAMED = 300
"""Sections that an entry names. Beyond that it says how many there are."""


def note(tx: Tx, settings: Settings) -> None:
    """Compare the sections with those of the last start, and record which are new, changed or gone."""
    digests = dict(_digests(settings))
    new, gone = keychain.note_keys(tx, ROLE, digests)
    changed = sorted({*new, *gone})
    if not changed:
        return
    of_people = [each for each in changed if each.startswith(f"{PEOPLE}.")]
    others = [each for each in changed if each not in of_people]
    # Who is not listed any more is not named: they may have been forgotten.
    named = [person for person in settings.people.listed if f"{PEOPLE}.{person.name}" in of_people]
    audit.record(
        tx,
        "configuration changed",
        *(audit.about(person.name, section=f"{PEOPLE}.{person.name}") for person in named[:MOST_NAMED]),
        sections=others[:MOST_NAMED],
        count=len(changed),
        digest=digest(settings),
    )


def digest(settings: Settings) -> str:
    """The whole of it in a few letters, as the record has it."""
    return _digest([*sorted(_digests(settings))])


def _digests(settings: Settings) -> Iterator[tuple[str, str]]:
    for name, section in settings.file.content.items():
        if name in NAMED and isinstance(section, dict):
            for inner, part in cast("dict[str, object]", section).items():
                yield f"{name}.{inner}", _digest(part)
        else:
            yield name, _digest(section)


def _digest(part: object) -> str:
    return hashlib.sha256(orjson.dumps(part, option=orjson.OPT_SORT_KEYS)).hexdigest()
