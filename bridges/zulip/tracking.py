"""Where messages are: as the inbox has it, as they were moved since, and as the server says where the bot may not know.

The places are those at the end of a batch: what is written into a message, and what shows beside it, belongs there.
"""

import asyncio
import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from bot.store import Store, Tx, heard, said
from bot.words.errors import NetworkError, StoreError
from bot.words.message import Moved, Place
from bridges.zulip import answers
from bridges.zulip.answers import read
from bridges.zulip.api import Api
from bridges.zulip.batch import Move, Taken
from bridges.zulip.patience import patiently
from bridges.zulip.places import NETWORK, Places, channel_of, is_among, spelling_of
from bridges.zulip.reading import Reader, begin_of, id_of, standing_in, words

LOOKING_MAY_TAKE_S = 5.0
"""So long all that comes waits for where a message is. Then nothing is said of it elsewhere."""
MOST_GONE = 5000

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Spot:
    """A message as it is known, and where."""

    event: str
    was: Place
    """Where it was when the batch began."""
    place: Place
    """Where it is at its end."""
    is_own: bool = False
    """It is the bot's, and a copy of what was said elsewhere."""


@dataclasses.dataclass(slots=True)
class Tracked:
    """What a batch speaks of."""

    spots: dict[int, list[Spot]] = dataclasses.field(default_factory=dict[int, list[Spot]])
    moves: list[tuple[Moved, Move]] = dataclasses.field(default_factory=list[tuple[Moved, Move]])
    """In their order, and what the server has told of each."""
    asked: dict[int, answers.Message | None] = dataclasses.field(default_factory=dict[int, answers.Message | None])
    """What the server says of those that were not known for sure: nothing, where it does not say."""

    def event(self, number: int, place: Place) -> str | None:
        """What a message is known by."""
        return event_of(self.spots.get(number, ()), place)


def event_of(spots: Sequence[Spot], place: Place) -> str | None:
    """What a message is known by: that in this place, or that was there when the batch began, before any other."""
    nearest = sorted(spots, key=lambda each: place not in {each.was, each.place})
    return nearest[0].event if nearest else None


class Tracking:
    """For one account. `linked` gives the places that are part of a conversation on several networks."""

    def __init__(
        self, api: Api, store: Store, reader: Reader, places: Places, linked: Callable[[], Sequence[Place]]
    ) -> None:
        self._api = api
        self._store = store
        self._reader = reader
        self._places = places
        self._linked = linked
        self._gone: dict[int, None] = {}
        """What was told to be gone lately. What is seen again came back without a word, and may be anywhere."""

    async def follow(self, taken: Taken, known_from: int) -> Tracked:
        """Where all is that a batch speaks of. It waits for the disk as long as that takes, for the server a moment."""
        numbers = {each.id for each in taken.altered} | {number for move in taken.moved for number in move.ids}
        if self._linked():
            numbers |= {each.message for each in taken.reacted}
            numbers |= {number for each in taken.places.values() if (number := id_of(each.replies_to)) is not None}
        if not numbers and not taken.moved:
            return Tracked()
        tracked = Tracked(await known(self._store, numbers))
        tracked.spots |= {
            number: [Spot(each.event, each.place, each.place)]
            for number, each in taken.places.items()
            if number in numbers
        }
        for move in taken.moved:
            self._move(tracked, move, known_from)
        await self._ask(tracked, self._unsure(tracked, taken, known_from))
        self._note_gone(taken)
        return tracked

    def _move(self, tracked: Tracked, move: Move, known_from: int) -> None:
        """Each message from where it is known to be."""
        events: collections.defaultdict[Place, list[str]] = collections.defaultdict(list)
        for number in sorted(move.ids & tracked.spots.keys()):
            known_now: list[Spot] = []
            for spot in tracked.spots[number]:
                goes = self._goes(spot, move, is_known=self._is_known(number, known_from))
                if goes:
                    events[spot.place].append(spot.event)
                known_now.append(dataclasses.replace(spot, place=move.to) if goes else spot)
            tracked.spots[number] = known_now
        events.setdefault(move.place, [])
        for place, ones in events.items():
            is_whole = move.is_whole and place == move.place
            moved = Moved(place, move.to, tuple(ones), is_whole=is_whole, topic=words(spelling_of(move.topic)))
            tracked.moves.append((moved, move))

    def _goes(self, spot: Spot, move: Move, *, is_known: bool) -> bool:
        """Not what was said directly, to which a channel is nothing; and not what was seen after this move already."""
        channel = channel_of(spot.place)
        was_seen_later = spot.place != move.place and is_known and self._has(channel)
        return channel is not None and spot.place != move.to and not was_seen_later

    def _is_known(self, number: int, known_from: int) -> bool:
        return number >= known_from and number not in self._gone

    def _unsure(self, tracked: Tracked, taken: Taken, known_from: int) -> dict[int, int | None]:
        """What may be elsewhere without the bot's knowing, where that matters to anybody; and its channel, if told."""
        linked = self._linked()
        found: dict[int, int | None] = {}
        channels = {each.id: each.channel for each in taken.altered if not each.removed and self._has(each.channel)}
        shown = {each.message for each in taken.reacted if not each.gone}
        for number in (channels.keys() | shown) - taken.places.keys():
            for spot in tracked.spots.get(number, ()):
                channel = channel_of(spot.place)
                is_sure = self._is_known(number, known_from) and channels.get(number, channel) == channel
                matters = (number in channels and not spot.is_own) or (number in shown and is_among(spot.place, linked))
                if channel is not None and matters and not is_sure:
                    found[number] = channels.get(number)
        return found

    async def _ask(self, tracked: Tracked, asked: Mapping[int, int | None]) -> None:
        found = await asyncio.gather(*(self._as_it_stands(number, channel) for number, channel in asked.items()))
        for number, message in zip(asked, found, strict=True):
            tracked.asked[number] = message
            now = None if message is None else standing_in(message)
            if message is None or now is None:
                continue
            for spot in [each for each in tracked.spots[number] if each.place != now]:
                moved = Moved(spot.place, now, (spot.event,), topic=words(spelling_of(message.subject)))
                told = Move(frozenset({number}), spot.place, now, message.subject, "", is_whole=False)
                tracked.moves.append((moved, told))
            tracked.spots[number] = [dataclasses.replace(each, place=now) for each in tracked.spots[number]]

    async def _as_it_stands(self, number: int, channel: int | None) -> answers.Message | None:
        try:
            found = await self._api.as_it_stands(number, LOOKING_MAY_TAKE_S, channel)
            return None if found is None else read(answers.Message, found)
        except NetworkError as error:
            log.warning("where a message is now is not known; nothing of it is told", message=number, error=error.what)
            return None

    def _has(self, channel: int | None) -> bool:
        return channel is not None and self._places.has(channel)

    def _note_gone(self, taken: Taken) -> None:
        self._gone |= {each.id: None for each in taken.altered if each.removed}
        while len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]


async def known(store: Store, numbers: Iterable[int]) -> dict[int, list[Spot]]:
    """As what messages are known: those of people by the inbox, the bot's own by what they copy."""
    return await patiently(lambda: store.read(lambda tx: {each: _spots(tx, each) for each in numbers}), StoreError)


def _spots(tx: Tx, number: int) -> list[Spot]:
    ones = heard.heard_as(tx, NETWORK, begin_of(number))
    if ones:
        return [Spot(one.event, one.place, one.place) for one in ones]
    copy = said.copy(tx, NETWORK, str(number))
    return [] if copy is None else [Spot(copy[0].event, copy[0].place, copy[0].place, is_own=True)]
