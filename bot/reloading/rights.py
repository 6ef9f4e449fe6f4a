"""What of a configuration can change while the bot runs: who may do what, and where the bot speaks of itself."""

import dataclasses
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from bot.channels import Channel
from bot.desk.catalogue import Wish
from bot.settings import Effect, Settings
from bot.settings.overlaid import Overlaid
from bot.settings.sections import PersonSettings
from bot.words.message import Place
from bot.words.people import Person


@dataclasses.dataclass(frozen=True, slots=True)
class Rights:
    """As they are at one moment."""

    people: tuple[Person, ...]
    suspended: frozenset[str]
    stop_keys: Mapping[str, str]
    """Whose each is, by its public half."""
    revoked: frozenset[str]
    """Ids of stop keys that count no more, whatever is listed."""
    run_from: frozenset[str]
    commands: Mapping[str, Wish]
    alarms: tuple[Place, ...]
    channels: tuple[Channel, ...]

    @classmethod
    def of(cls, settings: Settings, suspended: frozenset[str], changes: Iterable[Overlaid]) -> "Rights":
        """Those of a file, with what was changed from chat."""
        return cls(
            people=settings.people.listed,
            suspended=suspended,
            stop_keys=settings.stop_keys,
            revoked=frozenset(each.stop_key for each in changes if each.stop_key),
            run_from=settings.bot.run_from,
            commands=settings.commands,
            alarms=settings.bot.alarms,
            channels=settings.channels,
        )

    def at_most(self, other: "Rights") -> "Rights":
        """These, without what the others do not give, too. What is asked of commands stays as it is."""
        theirs = {person.name: person for person in other.people}
        return dataclasses.replace(
            self,
            people=tuple(_lesser(mine, theirs[mine.name]) for mine in self.people if mine.name in theirs),
            suspended=self.suspended | other.suspended,
            stop_keys={key: who for key, who in self.stop_keys.items() if other.stop_keys.get(key) == who},
            revoked=self.revoked | other.revoked,
            run_from=self.run_from & other.run_from,
            channels=tuple(closer for mine in self.channels if (closer := _closer(mine, other.channels)).places),
        )

    @property
    def able(self) -> list[str]:
        """Those who may do anything at all."""
        return [person.name for person in self.people if person.accounts and person.name not in self.suspended]

    def powerless(self, names: Iterable[str]) -> list[str]:
        """Those among them who may do nothing at all any more."""
        able = frozenset(self.able)
        return [name for name in names if name not in able]


def _lesser(one: Person, other: Person) -> Person:
    return dataclasses.replace(one, role=min(one.role, other.role), accounts=one.accounts & other.accounts)


def _closer(mine: Channel, theirs: Iterable[Channel]) -> Channel:
    """With no place that has left the conversation, whatever its name is by then. It is never more open than theirs."""
    same = max(theirs, key=lambda each: (len(_shared(mine, each)), each.name == mine.name), default=Channel("", ()))
    passes = {**mine.passes, **same.passes}
    for place in mine.passes.keys() & same.passes.keys():
        passes[place] = tuple(each for each in mine.passes[place] if each in same.passes[place])
    return dataclasses.replace(
        mine,
        places=_shared(mine, same),
        share_encrypted=mine.share_encrypted and same.share_encrypted,
        only_hear=mine.only_hear | same.only_hear,
        only_speak=mine.only_speak | same.only_speak,
        passes=passes,
    )


def _shared(mine: Channel, theirs: Channel) -> tuple[Place, ...]:
    return tuple(place for place in mine.places if place in theirs.places)


def suspended(
    settings: Settings, changes: Iterable[Overlaid], now: AbstractSet[str], by_file: AbstractSet[str]
) -> frozenset[str]:
    """Who is suspended by a new file and from chat.

    Who is so now, and not by a file that was taken, is so from chat: that may not be on disk yet.
    """
    from_chat = {each.person for each in changes if each.effect is Effect.APPLIED and each.person and each.entry.value}
    a_moment_ago = {name for name in now - by_file if not settings.sets(f"people.{name}.suspended")}
    return (suspended_by_file(settings) | from_chat | a_moment_ago) & {each.name for each in settings.people.listed}


def suspended_by_file(settings: Settings) -> frozenset[str]:
    """Whom the file itself suspends."""
    return frozenset(
        path[1] for path, part in settings.parts.items() if isinstance(part, PersonSettings) and part.suspended
    )
