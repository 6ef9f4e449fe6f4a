"""Places that are linked from chat: on disk and in the record before they count, and told wherever they are heard."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence

import structlog

from bot.channels.announcing import stays
from bot.channels.channel import Channel
from bot.channels.channels import Channels
from bot.store import Store, Tx, audit, links, moving, outbox
from bot.store.links import Link
from bot.words.document import Text, Tone, document, strong, text
from bot.words.errors import Refused, StoreError, UsageError
from bot.words.message import Lane, Place, Post
from bot.words.people import Person

MOST_PLACES = 50
NAME = "linked-{}"

log = structlog.get_logger(__name__)


class Linking:
    """Links places, and parts them."""

    def __init__(self, channels: Channels, mistake: Callable[[Place], str] = lambda _: "") -> None:
        self._channels = channels
        self._mistake = mistake
        self._changing = asyncio.Lock()

    async def read(self, store: Store) -> None:
        """What was linked before this start, and what places are called by now."""
        self._channels.link(await store.read(links.everything))
        self._channels.call(await store.read(moving.names))
        stale = self._channels.stale_names()
        if stale:
            await store.write(lambda tx: moving.forget_names(tx, stale))
            self._channels.call(await store.read(moving.names))

    async def link(self, store: Store, here: Place, there: Place, person: Person) -> Channel:
        """Make one conversation of two places. Raises Refused where that cannot be."""
        if here == there:
            raise UsageError("A place cannot be linked to itself.", hint="!channels shows which are linked.")
        for place in (there, here):
            if wrong := self._mistake(place):
                raise UsageError(f"{place} {wrong}.", hint="A place is a network and a place on it: zulip:5/lab")
        async with self._changing:
            new = self._new_links(here, there, person)
            places = {each.place for each in new}
            kept = [each for each in self._channels.links if each.place not in places]  # an older one may rest
            now = self._channels.would_be((*kept, *new))
            channel = next(each for each in now if there in each.places)
            told = text(strong("Linked", Tone.WARN), f" by {person.name}: what is said in one place of the channel ")
            told = text(*told.spans, f"{channel.name} is said in the others: {', '.join(map(str, channel.places))}.")

            before = self._channels.all

            def write(tx: Tx) -> None:
                self._surely_as(before)
                for each in new:
                    links.put(tx, each)
                self._note(tx, "linked", channel.name, [each.place for each in new], person)
                _tell(tx, channel, told, *self.told_of_kept_back(channel))
                self._channels.announce(tx, now)  # before a word leaves a room

            await store.write(write)
            await self._take(store)
            return channel

    async def unlink(self, store: Store, place: Place, person: Person) -> Channel:
        """Part a place from its channel. Raises Refused where it was not linked from chat."""
        async with self._changing:
            channel = self._channels.of(place)
            if channel is None:
                raise Refused(
                    f"{place} is in no channel.", hint="!channels shows which places are; !unlink PLACE parts one."
                )
            if (entry := channel.entry(place)) is not None and entry != place:
                raise Refused(f"{place} is in {channel.name} with all topics.", hint=f"!unlink {entry} parts them all.")
            if any(place in each.places for each in self._channels.filed):
                raise Refused(
                    f"{place} is in the channel {channel.name} by the configuration file.",
                    hint="Change it there, and: tocsin reload",
                )
            kept = [each for each in self._channels.links if each.place != place]
            if all(each.name != channel.name for each in self._channels.would_be(kept)):
                kept = [each for each in kept if each.channel != channel.name]  # the other place is alone now
            words = text(strong("Parted", Tone.WARN), f" by {person.name}: {place} is not in {channel.name} any more.")

            before = self._channels.all

            def write(tx: Tx) -> None:
                self._surely_as(before)
                for each in {each.place for each in self._channels.links} - {each.place for each in kept}:
                    links.drop(tx, each)
                self._note(tx, "unlinked", channel.name, [place], person)
                _tell(tx, channel, words)

            await store.write(write)
            await self._take(store)
            return channel

    def kept_back(self, channel: Channel) -> Mapping[Place, Sequence[Place]]:
        """The encrypted places of which no words go to some that are not, and to which."""
        return self._channels.kept_back(channel)

    def told_of_kept_back(self, channel: Channel) -> Sequence[Text]:
        """That in words, and what to do about it. Nothing where nothing is kept back."""
        kept = self.kept_back(channel)
        in_file = any(channel.name == each.name for each in self._channels.filed)
        return [stays(channel, kept, in_file=in_file)] if kept else []

    def _surely_as(self, before: Sequence[Channel]) -> None:
        """A place may be called otherwise since it was said what is to be linked: then something else was meant."""
        if self._channels.all is not before:
            raise Refused("Not done: a place was renamed just now.", hint="Look at !channels, and say it again.")

    async def _take(self, store: Store) -> None:
        """From now on it counts. What may not go any more does not go; where rooms are left by all, they hear of it."""

        def take(tx: Tx) -> None:  # where it is written: nothing is called otherwise meanwhile
            self._channels.recall(tx)
            self._channels.announce(tx)

        try:
            await store.write(take)
        except StoreError as error:  # it is said at the next start
            log.error("rooms are not told what leaves them", error=error.what)
            self._channels.link(await store.read(links.everything))
        else:
            self._channels.changed()

    def _new_links(self, here: Place, there: Place, person: Person) -> list[Link]:
        mine, theirs = self._channels.exactly(here), self._channels.exactly(there)
        if mine is not None and theirs is not None:
            same = mine.name == theirs.name
            what = f"They are one channel already: {mine.name}." if same else f"{there} is in {theirs.name} already."
            raise Refused(what, hint="!channels shows which places are linked; !unlink PLACE parts one.")
        channel = mine or theirs
        if channel is not None and len(channel.places) >= MOST_PLACES:
            raise Refused(f"{channel.name} has {len(channel.places)} places already.", hint="!unlink PLACE parts one.")
        together = Channel("", (*(channel.places if channel else ()), here, there))
        if together.overlaps(here) or together.overlaps(there):
            raise Refused(
                f"{here} would be one conversation with {there}, and a topic in it twice: by itself, and with all.",
                hint="!channels shows which places are linked; !unlink PLACE parts one.",
            )
        name = channel.name if channel else self._unused_name()
        return [Link(name, place, person.name) for place in (here, there) if self._channels.exactly(place) is None]

    def _unused_name(self) -> str:
        taken = {each.name for each in self._channels.all} | {each.channel for each in self._channels.links}
        numbers = (int(found[1]) for name in taken if (found := re.fullmatch(r"linked-(\d{1,9})", name)))
        return NAME.format(max(numbers, default=0) + 1)

    def _note(self, tx: Tx, what: str, channel: str, places: list[Place], person: Person) -> None:
        who = audit.about(person.name, person=person.name)
        audit.record(tx, what, who, channel=channel, places=[*map(str, places)])


def _tell(tx: Tx, channel: Channel, *words: Text) -> None:
    """All who are heard elsewhere from now on, or no longer, know it."""
    for place in channel.spoken_at:
        outbox.queue(tx, Post(place, document(*words), Lane.ALERT))
