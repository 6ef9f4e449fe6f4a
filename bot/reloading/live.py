"""The parts that hold rights, each changed where it stands: whoever looks at one sees what counts now."""

import copy
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import overload

from bot.channels import Channels
from bot.desk.authority import Authority, Demand, Verdict
from bot.desk.catalogue import Catalogue, Wish
from bot.desk.command import Command
from bot.reloading.rights import Rights
from bot.settings import Settings
from bot.settings.overlaid import Overlaid
from bot.stopkeys import StopKeys
from bot.words.message import Place, Standing
from bot.words.people import People, Person


class Places(Sequence[Place]):
    """Places that are other ones after a reload. Whoever holds them looks each time."""

    def __init__(self, places: Iterable[Place]) -> None:
        self.now = tuple(places)

    def __len__(self) -> int:
        return len(self.now)

    @overload
    def __getitem__(self, index: int) -> Place: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Place, ...]: ...
    def __getitem__(self, index: int | slice) -> Place | tuple[Place, ...]:
        return self.now[index]


class LiveAuthority(Authority):
    """Judges everybody by the role that they have now, also where an older picture of them is asked about."""

    def __init__(self, people: People, run_from: frozenset[str]) -> None:
        super().__init__(run_from)
        self._people = people

    def judge(self, person: Person, standing: Standing, network: str, demand: Demand) -> Verdict:
        """Whether this person may do this from where they stand."""
        return super().judge(self._people.named(person.name) or person, standing, network, demand)

    def let_run_from(self, networks: frozenset[str]) -> None:
        """From now on these are the networks whose named accounts may run something."""
        Authority.__init__(self, networks)


class LiveCatalogue(Catalogue):
    """The same commands, of which more or less is asked after a reload."""

    def __init__(self, commands: tuple[Command, ...], wishes: Mapping[str, Wish] | None = None) -> None:
        super().__init__(commands, wishes)
        self._unasked = commands

    def wish(self, wishes: Mapping[str, Wish]) -> None:
        """From now on this is asked of commands, beyond what they ask by themselves."""
        Catalogue.__init__(self, self._unasked, wishes)


class LiveStopKeys(StopKeys):
    """Stop keys of which the file lists others after a reload. What was revoked stays so."""

    @classmethod
    def of(cls, settings: Settings, changes: Iterable[Overlaid]) -> "LiveStopKeys":
        """Those of a configuration, without what was revoked from chat."""
        return cls(settings.stop_keys, settings.people, (each.stop_key for each in changes if each.stop_key))

    def list_anew(self, listed: Mapping[str, str], revoked: Iterable[str]) -> None:
        """From now on these are listed."""
        StopKeys.__init__(self, listed, self._people, self._revoked.union(revoked))


class Live:
    """All of them. A new kind of section that can change while the bot runs is applied in `take`."""

    def __init__(self, settings: Settings, stop_keys: LiveStopKeys) -> None:
        self.started = settings
        self.settings = copy.copy(settings)
        """What parts are made from. Who takes its places of alarms for a tuple only goes through them, each time."""
        self.alarms = Places(settings.bot.alarms)
        self.settings.bot = settings.bot.model_copy(update={"alarms": self.alarms})
        self.people = settings.people
        self.authority = LiveAuthority(settings.people, settings.bot.run_from)
        self.catalogue = LiveCatalogue.installed(settings.commands)
        self.stop_keys = stop_keys
        self.channels = Channels(
            settings.channels, settings.people, is_encrypted=settings.is_encrypted, is_threaded=settings.is_threaded
        )
        self._taken = Rights.of(settings, frozenset(), ())

    def take(self, rights: Rights) -> None:
        """From now on these count, everywhere at once: nothing is awaited in here."""
        self._taken = rights
        self.authority.let_run_from(rights.run_from)
        self.catalogue.wish(rights.commands)
        self.stop_keys.list_anew(rights.stop_keys, rights.revoked)
        self.alarms.now = rights.alarms
        self.channels.take(rights.channels)
        self.people.replace(rights.people, rights.suspended)  # the last: it tells who watches

    @property
    def rights(self) -> Rights:
        """What counts now, also of what was said in chat since."""
        names = (each.name for each in self.people.listed)
        return dataclasses.replace(
            self._taken, suspended=frozenset(name for name in names if self.people.is_suspended(name))
        )
