"""Which place is in which channel now: by the file, by what was linked from chat, and by what places are called now."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bot.channels.channel import Channel, merged
from bot.store import Tx, links, moving
from bot.store.links import Link
from bot.words.message import Place


class Membership:
    """All channels and their places."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self.changed: Callable[[], None] = lambda: None
        """Called whenever they are others."""
        self.links: tuple[Link, ...] = ()
        self._names: Mapping[Place, Place] = {}
        self.take(channels)

    def take(self, channels: Sequence[Channel]) -> None:
        """From now on these are those of the configuration."""
        self._written = tuple(channels)
        self._settle()
        self.changed()

    def link(self, links: Iterable[Link]) -> None:
        """From now on these are linked from chat."""
        self.links = tuple(links)
        self._settle()
        self.changed()

    def call(self, names: Mapping[Place, Place]) -> None:
        """From now on these places of the configuration are called otherwise."""
        self._names = dict(names)
        self._settle()
        self.changed()

    def _settle(self) -> None:
        in_file = {place for channel in self._written for place in channel.places}
        names = {place: now for place, now in self._names.items() if place in in_file}
        # Where the file has the new name, too, it means what it says.
        while taken := [place for place, now in names.items() if now in in_file - names.keys()]:
            names = {place: now for place, now in names.items() if place not in taken}
        self._called: Mapping[Place, Place] = names
        self.filed = tuple(channel.called(names) for channel in self._written)
        self.all = self.would_be(self.links)
        # Others at once: the writer's thread may go through those of before.
        self._of: Mapping[Place, Channel] = {place: channel for channel in self.all for place in channel.places}
        self._with_wholes = tuple(channel for channel in self.all if channel.wholes)

    def recall(self, tx: Tx) -> None:
        """From now on it is as this commit has it: an earlier try may have been undone. Nobody is told of that here."""
        self.links = tuple(links.everything(tx))
        self._names = moving.names(tx)
        self._settle()

    def written(self, place: Place) -> Place | None:
        """How the configuration calls a place, where it has it."""
        name = next((name for name, now in self._called.items() if now == place), place)
        return name if any(name in channel.places for channel in self._written) else None

    def would_be(self, links: Iterable[Link]) -> tuple[Channel, ...]:
        """All of them, where these are linked from chat."""
        return merged(self.filed, links)

    def stale_names(self) -> list[Place]:
        """Places that are not in the file any more, or that it calls by the new name by now."""
        return [place for place in self._names if place not in self._called]

    def exactly(self, place: Place) -> Channel | None:
        """The channel that names a place itself."""
        return self._of.get(place)

    def of(self, place: Place) -> Channel | None:
        """The channel that a place is in, by itself or with all topics."""
        channel = self._of.get(place)
        if channel is not None or not self._with_wholes:
            return channel
        return next((each for each in self._with_wholes if each.entry(place) is not None), None)

    def brings(self, channel: Channel, origin: Place, place: Place) -> bool:
        """Whether a channel brings to a place what is said in another. A topic may be in a channel of its own."""
        return self.of(place) is channel and channel.takes(origin, place)

    def places_on(self, network: str) -> list[Place]:
        """The places of one network that are in a channel."""
        return [place for place in self._of if place.network == network]
