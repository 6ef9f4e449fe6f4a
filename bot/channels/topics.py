"""Which topic something is of, where a channel has all topics of a place, and how other places show that.

A topic is a place of its own on one network, and a thread on another. Where it is neither, its name stands beside that
of the speaker. What is of no topic is of the channel's main one, which nothing shows elsewhere.
"""

import dataclasses
from collections.abc import Callable

from bot.channels.channel import Channel
from bot.store import Tx, said, talk, threads
from bot.store.said import Said
from bot.words.document import Document, Span, Tone, document, strong, text
from bot.words.glyphs import cut, one_line
from bot.words.message import Message, Place

NAMELESS = "no topic"
LONGEST = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Spot:
    """Where something is brought."""

    place: Place
    thread: str | None = None
    """The topic of which the thread is in which it stands there."""
    named: str = dataclasses.field(default="", compare=False)
    """The topic's name, where nothing else shows it there. It is no other spot for that."""


class Topics:
    """Of all channels."""

    def __init__(self, is_threaded: Callable[[Place], bool]) -> None:
        self._is_threaded = is_threaded

    def of(self, tx: Tx, channel: Channel, message: Message) -> str:
        """The topic of what somebody says: that of the place, or of the thread, or of what it answers."""
        return self._of(tx, channel, message.place, message.thread, message.replies_to)

    def of_known(self, tx: Tx, channel: Channel, origin: Said) -> str:
        """The topic of what was said before."""
        return self._of(tx, channel, origin.place, origin.event)

    def spot(self, channel: Channel, place: Place, topic: str) -> Spot:
        """Where something of a topic is brought, in one of a channel's places."""
        if place.is_whole:
            return Spot(place.with_topic(topic))
        if not channel.wholes or topic == channel.main:
            return Spot(place)
        if self._is_threaded(place):
            return Spot(place, thread=str(channel.wholes[0].with_topic(topic)))
        return Spot(place, named=topic or NAMELESS)

    def begin(self, tx: Tx, spot: Spot, spelled: str) -> None:
        """Have the thread there in which it is to stand."""
        if spot.thread is not None:
            threads.begin(tx, spot.place, spot.thread, beginning(Place.parse(spot.thread), spelled))

    def _of(self, tx: Tx, channel: Channel, place: Place, *anchors: str) -> str:
        if not channel.wholes:
            return ""
        own = topic_at(channel, place)
        if own is None:
            found = (_anchored(tx, channel, Said(place, anchor)) for anchor in anchors if anchor)
            own = next((topic for topic in found if topic is not None), channel.main)
        return own


def topic_at(channel: Channel, place: Place) -> str | None:
    """The topic that a place is, in a channel that has all of them."""
    return next((topic for whole in channel.wholes if (topic := whole.topic_of(place)) is not None), None)


def beginning(topic: Place, spelled: str) -> Document:
    """With what the thread of a topic begins."""
    return document(text(strong(_name(topic, spelled)), Span(f" (a topic in {topic.network})", tone=Tone.QUIET)))


def joined(topic: Place, other: Place) -> Document:
    """The same, once the topic is part of another one."""
    more = Span(f" (part of {_name(other)} in {topic.network})", tone=Tone.QUIET)
    return document(text(strong(_name(topic)), more))


def _name(topic: Place, spelled: str = "") -> str:
    return cut(one_line(spelled or topic.id.partition("/")[2]), LONGEST) or f"({NAMELESS})"


def _anchored(tx: Tx, channel: Channel, one: Said) -> str | None:
    """The topic of a thread by what it begins with, or of a message by where it stands elsewhere."""
    begun = threads.topic_of(tx, one.place, one.event)
    if begun is not None:
        return topic_at(channel, Place.parse(begun))
    origin = said.origin_of(tx, one) or one
    found = (topic_at(channel, place) for place in (origin.place, *talk.places_of(tx, origin.subject)))
    return next((topic for topic in found if topic is not None), None)
