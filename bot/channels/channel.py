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
    wholes: tuple[Place, ...] = dataclasses.field(init=False, compare=False)
    """Those of its places that are all topics of something."""
    spoken_at: tuple[Place, ...] = dataclasses.field(init=False, compare=False)
    """Where something is said that is of no topic."""

    def __post_init__(self) -> None:
        wholes = tuple(place for place in self.places if place.is_whole)
        object.__setattr__(self, "wholes", wholes)
        object.__setattr__(self, "spoken_at", tuple(map(self._main, self.places)) if wholes else self.places)

    @property
    def main(self) -> str:
        """The topic in which that is said which is of none."""
        return self.name.lower()

    def _main(self, place: Place) -> Place:
        return place.with_topic(self.main) if place.is_whole else place

    def entry(self, place: Place) -> Place | None:
        """That of its places which a place is, or is a topic of."""
        if not self.wholes or place in self.places:
            return place if place in self.places else None
        return next((whole for whole in self.wholes if whole.topic_of(place) is not None), None)

    def gives(self, place: Place, words: str) -> bool:
        """Whether what is said there goes on."""
        place = self.entry(place) or place
        if place in self.only_hear:
            return False
        wanted = self.passes.get(place)
        said = words.lower()
        return wanted is None or any(fnmatch.fnmatchcase(said, each.lower().translate(LITERAL)) for each in wanted)

    def takers(self, origin: Place) -> list[Place]:
        """Where that is brought which is said in one of its places."""
        entry = self.entry(origin)
        if entry is None or entry in self.only_hear:
            return []
        return [place for place in self.places if place != entry and place not in self.only_speak]

    def takes(self, origin: Place, place: Place) -> bool:
        """Whether what is said in the one is brought to the other."""
        return self.entry(place) in self.takers(origin)

    def overlaps(self, place: Place) -> bool:
        """Whether a place is a topic of one of these, or one of these a topic of it: words would come there twice."""
        return any(each.topic_of(place) is not None or place.topic_of(each) is not None for each in self.places)

    def called(self, names: Mapping[Place, Place]) -> "Channel":
        """The same, with its places as they are called now."""
        if names.keys().isdisjoint(self.places):
            return self
        return dataclasses.replace(
            self,
            places=tuple(names.get(place, place) for place in self.places),
            only_hear=frozenset(names.get(place, place) for place in self.only_hear),
            only_speak=frozenset(names.get(place, place) for place in self.only_speak),
            passes={names.get(place, place): wanted for place, wanted in self.passes.items()},
        )


def merged(filed: Iterable[Channel], links: Iterable[Link]) -> tuple[Channel, ...]:
    """All channels. Where the file has a place, what was linked from chat counts no more."""
    channels = {channel.name: channel for channel in filed}
    kept = set(channels)
    held = {place for channel in channels.values() for place in channel.places}
    for link in links:
        channel = channels.get(link.channel, Channel(link.channel, ()))
        if link.place not in held and not channel.overlaps(link.place):
            channels[link.channel] = dataclasses.replace(channel, places=(*channel.places, link.place))
            held.add(link.place)
    return tuple(each for each in channels.values() if each.name in kept or len(each.places) > 1)
