"""Where people talk in Zulip: topics of channels, and direct messages. A channel is its id, whatever it is called.

Nothing is said in a channel that the bot is not in.
"""

import asyncio
import collections
import contextlib
import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import structlog

from bot.words.errors import NetworkError
from bot.words.glyphs import one_line
from bot.words.message import Lane, Place
from bridges.zulip.answers import Channel, StreamEvent, SubscriptionEvent
from bridges.zulip.api import Api
from bridges.zulip.errors import Declined
from bridges.zulip.names import Names
from bridges.zulip.realm import LONGEST_TOPIC

NETWORK = "zulip"
DIRECT = re.compile(r"dm/(\d{1,15}(?:,\d{1,15})*)")
RESOLVED = re.compile(r"^✔ [ ✔]*")
"""What Zulip puts before the name of a topic that is resolved. It is the same topic still."""
CUT = "…"
_STAR = "%2A"
"""So ends the name of a topic that would stand for all topics of a channel."""
NOBODY = -1
MOST_SPELLINGS = 2000
STOP_LOOKS_S = 2.0
"""So long a stop waits for how a topic is spelled."""

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Direct:
    """People whom the bot writes to directly."""

    people: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Topic:
    """A topic of a channel, as it is spelled there."""

    channel: int
    name: str


Target = Direct | Topic


def same(topic: str) -> str:
    """One spelling for all that are the same topic."""
    return RESOLVED.sub("", topic.lstrip()).strip().lower()


def is_plain(topic: str) -> bool:
    """Whether a topic is spelled as its place is, but for capitals: not resolved, nor with letters that look alike."""
    return topic.strip().upper() == same(topic).upper()


def place_in(channel: int, topic: str) -> Place:
    """The place of a topic. What cannot be shown in its name, such as half an emoji, is written as in an address."""
    shown = "".join(each if each.isprintable() and each != "%" else quote(each, safe="") for each in same(topic))
    place = Place(NETWORK, f"{channel}/{shown}")
    return Place(NETWORK, f"{place.id[:-1]}{_STAR}") if place.is_whole else place


def place_of(people: Iterable[int], me: int) -> Place:
    """The place of direct messages between people and the bot."""
    others = sorted({*people} - {me}) or [me]
    return Place(NETWORK, f"dm/{','.join(map(str, others))}")


def channel_of(place: Place) -> int | None:
    """The channel of a topic's place; nothing where it is one of direct messages."""
    channel = place.id.partition("/")[0]
    return int(channel) if re.fullmatch(r"\d{1,16}", channel, re.ASCII) else None


def is_among(place: Place, linked: Iterable[Place]) -> bool:
    """Whether a place is one of these, or a topic of a channel that is there with all its topics."""
    is_topic = channel_of(place) is not None
    return any(each == place or (is_topic and each.topic_of(place) is not None) for each in linked)


def spelling_of(topic: str) -> str:
    """How people see a topic: as it is written, without the mark of those that are resolved."""
    return one_line(RESOLVED.sub("", topic.lstrip())).strip()


def narrowed(place: Place, topic: str) -> Sequence[Mapping[str, object]]:
    """What asks a server for the messages of a topic alone, by the channel of its place, in its own letters."""
    return [{"operator": "stream", "operand": channel_of(place)}, {"operator": "topic", "operand": topic}]


def mistake_in(place: Place) -> str:
    """Why nothing that is said somewhere has this place, where a post would find it all the same."""
    if (direct := DIRECT.fullmatch(place.id)) is not None:
        people = [int(each) for each in direct[1].split(",")]
        is_its_name = place_of(people, NOBODY) == place
        return "" if is_its_name else "must have the ids of people once each, in their order, such as zulip:dm/12,15"
    channel, _, topic = place.id.partition("/")
    is_an_id = channel.isascii() and channel.isdecimal()
    if not (is_an_id and topic and place_in(int(channel), unquote(topic)) == place):
        return "must be a channel's id and a topic in small letters, such as zulip:4/status"
    return "" if len(unquote(topic)) <= LONGEST_TOPIC else f"must have a topic of at most {LONGEST_TOPIC} characters"


def post_mistake_in(place: Place) -> str:
    """Why no post gets to a place, whatever channels there are. Here a channel may be called by its name, too."""
    if place.id.rpartition("/")[0]:
        return ""
    return "must be a channel and a topic, such as zulip:lab/alarms or zulip:4/alarms, or a person, such as zulip:dm/12"


def fitting(topic: str, longest: int = LONGEST_TOPIC) -> str:
    """A name that the server does not cut: it would do so without a word."""
    whole = one_line(topic).strip() or "(no topic)"
    return whole if len(whole) <= longest else whole[: longest - len(CUT)] + CUT


class Places:
    """The channels that the bot is in, and how topics are spelled."""

    def __init__(self, api: Api, folder: Path, site: str) -> None:
        self._api = api
        self._meant = Names(folder, site)
        self._spelled: dict[tuple[int, str], str] = {}
        self._names: dict[int, str] = {}
        self._looking: collections.defaultdict[tuple[int, Lane], asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self.longest_topic = LONGEST_TOPIC

    async def load(self) -> None:
        """Know what names meant in an earlier run."""
        await self._meant.load()

    def set_channels(self, channels: Iterable[Channel]) -> None:
        """The bot is in these, and in no other."""
        self._names = {each.stream_id: each.name for each in channels}

    def subscribed(self, event: SubscriptionEvent) -> None:
        """The bot was let into channels, or put out."""
        if event.op == "add":
            self._names |= {each.stream_id: each.name for each in event.subscriptions}
        elif event.op == "remove":
            self._remove(each.stream_id for each in event.subscriptions)

    def renamed(self, event: StreamEvent) -> None:
        """A channel has another name, or is gone."""
        if event.op == "delete":
            self._remove([*event.stream_ids, *(each.stream_id for each in event.streams)])
        elif event.op == "update" and event.stream_id is not None and self.has(event.stream_id):
            if event.property == "name" and isinstance(event.value, str):
                self._names[event.stream_id] = event.value
            elif event.property == "is_archived" and event.value is True:
                self._remove([event.stream_id])

    def _remove(self, channels: Iterable[int]) -> None:
        for each in channels:
            self._names.pop(each, None)

    def has(self, channel: int) -> bool:
        """Whether the bot is in a channel."""
        return channel in self._names

    def spelled(self, channel: int, topic: str) -> None:
        """Somebody writes a topic so. Anybody may begin one that looks resolved: it is looked up, not believed."""
        if is_plain(topic):
            self._note(channel, topic)
        elif self._spelled.get((channel, same(topic))) != topic:
            self._spelled.pop((channel, same(topic)), None)

    def left(self, channel: int, topic: str) -> None:
        """Nothing is in a topic any more. What is said there next begins another, in whatever letters."""
        self._spelled.pop((channel, same(topic)), None)

    def _note(self, channel: int, topic: str) -> None:
        key = channel, same(topic)
        self._spelled.pop(key, None)
        self._spelled[key] = topic
        if len(self._spelled) > MOST_SPELLINGS:
            del self._spelled[next(iter(self._spelled))]

    async def find(self, place: Place, lane: Lane) -> Target:
        """Where to post. Raises NetworkError where the bot may not."""
        direct = DIRECT.fullmatch(place.id)
        if direct is not None:
            return Direct(tuple(int(each) for each in direct[1].split(",")))
        if place.is_whole:
            raise NetworkError(f"{place} stands for all topics of a channel.", hint="Write one: zulip:4/status.")
        channel, topic = self._meant.find(place, self._names)
        if not self.has(channel):
            raise NetworkError(
                f"The bot is not in the channel of {place}, or the channel is archived.",
                hint="Subscribe it there, or write the id of another channel.",
            )
        return Topic(channel, await self._spelling(channel, unquote(topic), lane))

    async def _spelling(self, channel: int, topic: str, lane: Lane) -> str:
        """How a topic is written there now, so that a post neither renames it nor begins one beside it."""
        if (known := self._spelled.get((channel, same(topic)))) is not None:
            return known
        if lane is Lane.STOP:  # it waits for nobody, and for no answer but a moment
            with contextlib.suppress(NetworkError, TimeoutError):
                async with asyncio.timeout(STOP_LOOKS_S):
                    return await self._looked_up(channel, topic, lane)
            return fitting(topic, self.longest_topic)
        async with self._looking[channel, lane]:  # who waits for the same answer need not ask again
            known = self._spelled.get((channel, same(topic)))
            if known is None:
                known = await self._looked_up(channel, topic, lane)
                self._note(channel, known)
        return known

    async def _looked_up(self, channel: int, topic: str, lane: Lane) -> str:
        """Where a topic is there resolved and not, the one that is not: that one the place names."""
        try:
            found = await self._api.topics(channel, lane)
        except Declined as declined:
            log.warning("a channel's topics cannot be seen", channel=channel, error=declined.what)
            return fitting(topic, self.longest_topic)
        alike = [each for each in found if same(each) == same(topic)]
        return next(filter(is_plain, alike), alike[0] if alike else fitting(topic, self.longest_topic))
