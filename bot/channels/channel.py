"""Which places are one conversation: as the configuration says, and as people have linked them from chat."""

import dataclasses
import fnmatch
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from bot.store.links import Link
from bot.words.message import Place
from wire.work import Severity

LITERAL = str.maketrans({"[": "[[]", "?": "[?]"})
"""A star alone stands for something else than itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Channel:
    """Places that are one conversation."""

    name: str
    places: tuple[Place, ...]
    alerts: Severity | None = None
    """Which alerts of components are told there: of at least this severity."""
    share_encrypted: bool = False
    """Whether what is said in an encrypted room is passed on to places that are not."""
    only_hear: frozenset[Place] = frozenset()
    """What is said there is not passed on."""
    only_speak: frozenset[Place] = frozenset()
    """Nothing is brought there."""
    passes: Mapping[Place, tuple[str, ...]] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    """Of what is said in a place, only what matches one of these goes on: `*` stands for any words."""

    def gives(self, place: Place, words: str) -> bool:
        """Whether what is said there goes on."""
        if place in self.only_hear:
            return False
        wanted = self.passes.get(place)
        said = words.lower()
        return wanted is None or any(fnmatch.fnmatchcase(said, each.lower().translate(LITERAL)) for each in wanted)

    def takers(self, origin: Place) -> list[Place]:
        """Where that is brought which is said in one of its places."""
        if origin in self.only_hear:
            return []
        return [place for place in self.places if place != origin and place not in self.only_speak]


def merged(filed: Iterable[Channel], links: Iterable[Link]) -> tuple[Channel, ...]:
    """All channels. Where the file has a place, what was linked from chat counts no more."""
    channels = {channel.name: channel for channel in filed}
    kept = set(channels)
    held = {place for channel in channels.values() for place in channel.places}
    for link in links:
        if link.place not in held:
            channel = channels.get(link.channel, Channel(link.channel, ()))
            channels[link.channel] = dataclasses.replace(channel, places=(*channel.places, link.place))
            held.add(link.place)
    return tuple(each for each in channels.values() if each.name in kept or len(each.places) > 1)
