"""What somebody means who names an id, a number or a person."""

import re

from bot.settings import Settings
from bot.store.reporting import Whom
from bot.store.searching import Found, Progress, Record, Sought, unseen
from bot.words.errors import UsageError
from bot.words.glyphs import quoted
from bot.words.people import People
from wire.envelope import PublicKey

SHORTEST = 6
"""Of an id, what one has to type at least."""
BEGINNING = 12
"""Of ids that begin alike, so much is shown."""
MOST_SHOWN = 5
LARGEST = 2**63 - 1
_NUMBER = re.compile(r"#?([0-9]{1,18})")
_ID = re.compile(r"[0-9a-z-]{6,64}")


def meant(record: Record, word: str, progress: Progress = unseen) -> Found | list[Found]:
    """The entry of this number; or all under the id that begins so, oldest first."""
    number = _NUMBER.fullmatch(word)
    one = record.one(int(number[1])) if number else None
    under = _under(record, word.lower(), progress) if _ID.fullmatch(word.lower()) else []
    if one and under:
        raise UsageError(
            f"{quoted(word)} is the number of an entry, and an id begins so.",
            hint=f"Type #{word} for the entry, or more of the id: {under[0].id[:BEGINNING]}",
        )
    if one:
        return one
    if under:
        return under
    if number:
        raise UsageError(f"There is no entry {quoted(word)}.", hint=f"The newest is {record.last}.")
    if len(word) < SHORTEST:
        raise UsageError(f"{quoted(word)} is too short.", hint=f"Give {SHORTEST} characters of an id at least.")
    raise UsageError(f"Nothing is recorded under an id that begins with {quoted(word)}.")


def _under(record: Record, beginning: str, progress: Progress) -> list[Found]:
    found = list(record.oldest_first(Sought(id=beginning), progress))
    ids = list(dict.fromkeys(each.id for each in found))
    if len(ids) > 1:
        shown = ", ".join(each[:BEGINNING] for each in ids[:MOST_SHOWN])
        more = f" and {len(ids) - MOST_SHOWN} more" if len(ids) > MOST_SHOWN else ""
        raise UsageError(f"{len(ids)} ids begin with {quoted(beginning)}: {shown}{more}.", hint="Type more of it.")
    return found


def owners(people: People, record: Record, word: str) -> frozenset[str]:
    """Under which names somebody stands in the record: a listed person, or who was recorded once."""
    person = people.named(word)
    if person is not None:
        return frozenset({person.name, *map(str, person.accounts)})
    if word in record.owners:
        return frozenset({word})
    raise nobody(word)


def nobody(word: str) -> UsageError:
    """There is nobody of whom anything is known."""
    return UsageError(
        f"The configuration lists nobody called {quoted(word)}, and nothing of them is recorded.",
        hint="Name a person of the configuration, or an account such as matrix:@olga:example.org.",
    )


def whom(settings: Settings, word: str) -> Whom:
    """By what somebody is known: a listed person with all that the file says of them, else a name or an account."""
    person = settings.people.named(word)
    if person is None:
        return Whom(word, frozenset({word} if ":" in word else ()))
    keys = [key for key, name in settings.stop_keys.items() if name == person.name]
    ids = frozenset(PublicKey.parse(key).id for key in keys)
    return Whom(person.name, frozenset(map(str, person.accounts)), ids)
