"""Where people talk in Zulip: topics of channels, and direct messages. A channel is its id, whatever it is called.

Nothing is said in a channel that the bot is not in.
"""

import asyncio
import dataclasses
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote

import structlog

from bot.private import write_private
from bot.words.errors import NetworkError
from bot.words.glyphs import one_line
from bot.words.message import Lane, Place
from bridges.zulip.answers import Channel, StreamEvent, SubscriptionEvent
from bridges.zulip.api import Api
from bridges.zulip.errors import Declined
from bridges.zulip.realm import LONGEST_TOPIC

NETWORK = "zulip"
DIRECT = re.compile(r"dm/(\d{1,15}(?:,\d{1,15})*)")
RESOLVED = re.compile(r"^✔ [ ✔]*")
"""What Zulip puts before the name of a topic that is resolved. It is the same topic still."""
CUT = "…"
MOST_SPELLINGS = 2000
FILE = "channels.json"

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


def place_in(channel: int, topic: str) -> Place:
    """The place of a topic. What cannot be shown in its name, such as half an emoji, is written as in an address."""
    shown = "".join(each if each.isprintable() and each != "%" else quote(each, safe="") for each in same(topic))
    return Place(NETWORK, f"{channel}/{shown}")


def place_of(people: Iterable[int], me: int) -> Place:
    """The place of direct messages between people and the bot."""
    others = sorted({*people} - {me}) or [me]
    return Place(NETWORK, f"dm/{','.join(map(str, others))}")


def mistake_in(place: Place) -> str:
    """Why nothing that is said somewhere has this place, where a post would find it all the same."""
    channel, _, topic = place.id.partition("/")
    is_its_name = channel.isascii() and channel.isdecimal() and topic and place_in(int(channel), topic) == place
    if is_its_name or DIRECT.fullmatch(place.id):
        return ""
    return "must be a channel's id and a topic in small letters, such as zulip:4/status"


def fitting(topic: str, longest: int = LONGEST_TOPIC) -> str:
    """A name that the server does not cut: it would do so without a word."""
    whole = one_line(topic).strip() or "(no topic)"
    return whole if len(whole) <= longest else whole[: longest - len(CUT)] + CUT


class Places:
    """The channels that the bot is in, and how topics are spelled."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api = api
        self._file = folder / FILE
        self._spelled: dict[tuple[int, str], str] = {}
        self._names: dict[int, str] = {}
        self._looking = asyncio.Lock()
        self._meant: dict[str, int] = {}
        """Which channel a name in the configuration means, by the name in small letters."""
        self._keeping: set[asyncio.Task[None]] = set()
        self.longest_topic = LONGEST_TOPIC

    async def load(self) -> None:
        """Know what names meant in an earlier run."""
        self._meant = await asyncio.to_thread(self._kept)

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
        """Remember how a topic was written last."""
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
        channel, topic = self._channel(place)
        if not self.has(channel):
            raise NetworkError(
                f"The bot is not in the channel of {place}, or the channel is archived.", hint="Subscribe it there."
            )
        return Topic(channel, fitting(await self._spelling(channel, unquote(topic), lane), self.longest_topic))

    async def _spelling(self, channel: int, topic: str, lane: Lane) -> str:
        """How a topic is written there now, so that a post neither renames it nor begins one beside it."""
        if lane is Lane.STOP:  # it waits for nobody
            return self._spelled.get((channel, same(topic))) or await self._looked_up(channel, topic, lane)
        async with self._looking:  # who waits for the same answer need not ask again
            known = self._spelled.get((channel, same(topic)))
            if known is None:
                known = await self._looked_up(channel, topic, lane)
                self.spelled(channel, known)
        return known

    async def _looked_up(self, channel: int, topic: str, lane: Lane) -> str:
        try:
            found = await self._api.topics(channel, lane)
        except Declined as declined:
            log.warning("a channel's topics cannot be seen", channel=channel, error=declined.what)
            return topic
        return next((each for each in found if same(each) == same(topic)), topic)

    def _channel(self, place: Place) -> tuple[int, str]:
        """The channel's id and the topic. A name may have a slash in it, too."""
        parts = place.id.split("/")
        if len(parts) < 2:  # noqa: PLR2004 - a channel and a topic
            raise NetworkError(f"{place} is no place in Zulip.", hint="Write zulip:CHANNEL/TOPIC or zulip:dm/USER_ID.")
        if re.fullmatch(r"\d{1,15}", parts[0]):
            return int(parts[0]), "/".join(parts[1:])
        ways = [("/".join(parts[:count]), "/".join(parts[count:])) for count in range(len(parts) - 1, 0, -1)]
        for name, topic in ways:  # the channel that once had the name, whatever it is called now
            if (known := self._meant.get(name.lower())) is not None and self.has(known):
                return known, topic
        for name, topic in ways:
            for channel, called in self._names.items():
                if called.lower() == name.lower():
                    self._meant[name.lower()] = channel
                    keeping = asyncio.create_task(asyncio.to_thread(self._keep, dict(self._meant)))
                    self._keeping.add(keeping)  # nothing waits for it: without it the name is looked up again
                    keeping.add_done_callback(self._keeping.discard)
                    return channel, topic
        raise NetworkError(f"The bot is in no channel that {place} could mean.", hint="Subscribe it there.")

    def _kept(self) -> dict[str, int]:
        try:
            known: object = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        named = cast("dict[str, Any]", known) if isinstance(known, dict) else {}
        return {name: channel for name, channel in named.items() if isinstance(channel, int)}

    def _keep(self, names: dict[str, int]) -> None:
        try:
            write_private(self._file, json.dumps(names).encode())
        except OSError as error:
            log.warning("which channel a name means cannot be kept", error=error.strerror)
