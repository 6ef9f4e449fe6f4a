"""What was moved from topic to topic, as the core is told of it: live, and as it is found after a gap.

The words go along where others have to hear them anew, and only as they stand in the new place now.
"""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from bot.store import Store
from bot.words.message import Lane, Message, Moved, Place
from bridges.zulip import answers
from bridges.zulip.answers import Json, UpdateEvent, read
from bridges.zulip.api import Api
from bridges.zulip.batch import Move, Taken
from bridges.zulip.client import Answer
from bridges.zulip.errors import Declined, OddAnswer
from bridges.zulip.patience import patiently
from bridges.zulip.places import Places, channel_of, is_among, narrowed, place_in, spelling_of
from bridges.zulip.reading import Reader, id_of, standing_in, words
from bridges.zulip.tracking import Spot, Tracked, event_of, known

MOST_SAID_ANEW = 50
"""More that are moved at once are not said anew elsewhere."""
LOOKED_AT = 500
"""Among so many of a topic they are looked for."""
TOLD_FOR_S = 86_400.0
"""A message that the inbox does not know is told of where it is younger."""
WHOLE = "change_all"

log = structlog.get_logger(__name__)


def move_in(event: UpdateEvent) -> Move | None:
    """The move that an event tells of. Another spelling of the same topic, resolved or not, is none."""
    if event.stream_id is None or event.orig_subject is None:
        return None
    channel = event.stream_id if event.new_stream_id is None else event.new_stream_id
    topic = event.orig_subject if event.subject is None else event.subject
    place, to = place_in(event.stream_id, event.orig_subject), place_in(channel, topic)
    is_whole = event.propagate_mode == WHOLE and channel == event.stream_id
    ids = frozenset({event.message_id, *event.message_ids})
    return None if place == to else Move(ids, place, to, topic, event.orig_subject, is_whole)


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A move that was found after a gap."""

    moved: Moved
    move: Move
    strays: Sequence[int]
    """What the bot has said in the old topic since: it begins that anew."""


class Moving:
    """For one account. `linked` gives the places that are part of a conversation on several networks."""

    def __init__(
        self, api: Api, store: Store, reader: Reader, places: Places, linked: Callable[[], Sequence[Place]]
    ) -> None:
        self._api = api
        self._store = store
        self._reader = reader
        self._places = places
        self._linked = linked

    async def settle(self, taken: Taken) -> None:
        """Whether what was moved as a whole was all: a topic may be there twice, resolved and not."""
        taken.moved = [
            dataclasses.replace(move, is_whole=False)
            if move.is_whole and await self._is_there(move.place, but=move.was)
            else move
            for move in taken.moved
        ]

    async def told(self, tracked: Tracked) -> list[Moved]:
        """What was moved, with the words that others have to hear. A move waits for them as long as that takes."""
        told: list[Moved] = []
        for moved, move in tracked.moves:
            messages: tuple[Message, ...] = ()
            if self._is_heard_elsewhere(moved) and len(move.ids) <= MOST_SAID_ANEW:
                messages = await self._now_there(moved, move, tracked)
            if moved.is_whole or moved.events or messages:
                told.append(dataclasses.replace(moved, messages=messages))
        return told

    async def found(
        self, messages: Mapping[int, answers.Message], spots: Mapping[int, Spot], answer: Answer
    ) -> list[Found]:
        """What was moved since it was heard, of a stretch of messages that were read back."""
        ways: collections.defaultdict[tuple[Place, Place], list[int]] = collections.defaultdict(list)
        left: collections.defaultdict[Place, list[int]] = collections.defaultdict(list)
        for number, spot in sorted(spots.items()):
            if spot.place != spot.was:
                ways[spot.was, spot.place].append(number)
            elif not spot.is_own:
                left[spot.was].append(number)
        split = collections.Counter(place for place, _ in ways)
        told: list[Found] = []
        for (place, to), numbers in ways.items():
            newest, spelled = max(numbers), messages[max(numbers)].subject
            topic = words(spelling_of(spelled))
            may_be_whole = split[place] == 1 and not left[place] and channel_of(place) == channel_of(to)
            is_whole = may_be_whole and not await self._has_older(place, newest)
            moved = Moved(place, to, tuple(spots[each].event for each in numbers), is_whole=is_whole, topic=topic)
            if self._is_heard_elsewhere(moved) and len(numbers) <= MOST_SAID_ANEW:
                known_here = {number: [spot] for number, spot in spots.items()}
                said = await self._as_said([messages[each] for each in numbers], to, answer, known_here)
                moved = dataclasses.replace(moved, messages=said)
            mine = (each for each in messages.values() if each.sender_id == self._reader.me and each.id > newest)
            strays = [each.id for each in mine if standing_in(each) == place] if is_whole else []
            move = Move(frozenset(numbers), place, to, spelled, "", is_whole=is_whole)
            told.append(Found(moved, move, strays))
        return told

    async def _has_older(self, place: Place, newest: int) -> bool:
        """Whether anything is left in a topic of what stood there with this message, or before it."""
        channel = channel_of(place) or 0
        try:
            topics = await patiently(lambda: self._api.topics(channel, Lane.ANSWER))
            for topic in topics:
                if place_in(channel, topic) == place:
                    narrow = narrowed(place, topic)
                    page = await patiently(lambda narrow=narrow: self._api.history(newest, before=1, narrow=narrow))
                    if any(each.id <= newest and standing_in(each) == place for each in _read(page.messages)):
                        return True
        except Declined as declined:
            log.warning("whether all of a topic was moved cannot be seen", channel=channel, error=declined.what)
            return True
        return False

    def _is_heard_elsewhere(self, moved: Moved) -> bool:
        """Whether others have to hear the words. Where the whole is called otherwise, they have them already."""
        channel, linked = channel_of(moved.to), self._linked()
        is_here = channel is not None and self._places.has(channel)
        return is_here and not moved.is_whole and (is_among(moved.place, linked) or is_among(moved.to, linked))

    async def _is_there(self, place: Place, but: str) -> bool:
        """Whether there is a topic that has this place, in other letters than these."""
        channel = channel_of(place) or 0
        try:
            topics = await patiently(lambda: self._api.topics(channel, Lane.ANSWER))
        except Declined as declined:
            log.warning("whether all of a topic was moved cannot be seen", channel=channel, error=declined.what)
            return True
        return any(place_in(channel, each) == place for each in topics if each.lower() != but.lower())

    async def _now_there(self, moved: Moved, move: Move, tracked: Tracked) -> tuple[Message, ...]:
        """Those that were heard before, or could have been. Where not all can be seen none is told."""
        known_here = {number for number in move.ids if _is_of_people(tracked.spots.get(number, ()), moved)}
        new = {number for number in move.ids if moved.place == move.place and not tracked.spots.get(number)}
        if not known_here | new:
            return ()
        narrow = narrowed(move.to, move.topic)
        try:
            page = await patiently(lambda: self._api.history(min(move.ids), after=LOOKED_AT, narrow=narrow))
        except Declined as declined:
            log.warning("what was moved cannot be read", to=str(move.to), error=declined.what)
            return ()
        messages = list(_read(page.messages))
        if not page.found_newest and max((each.id for each in messages), default=-1) < max(move.ids):
            log.info("what was moved is among too much to be found", to=str(move.to))
            return ()
        young = {each.id for each in messages if page.answer.age_s(each.timestamp) < TOLD_FOR_S}
        wanted = known_here | (new & young)
        return await self._as_said(
            (each for each in messages if each.id in wanted), move.to, page.answer, tracked.spots
        )

    async def _as_said(
        self, messages: Iterable[answers.Message], to: Place, answer: Answer, spots: Mapping[int, Sequence[Spot]]
    ) -> tuple[Message, ...]:
        """As the inbox is given them, and with what they answer there."""
        read_again = [self._reader.message(each, answer.age_s(each.timestamp)) for each in messages]
        said = [each for each in read_again if each is not None and each.place == to]
        quoted = {number for each in said if (number := id_of(each.replies_to)) is not None}
        around = {**await known(self._store, quoted - spots.keys()), **spots}
        return tuple(dataclasses.replace(each, replies_to=_answered(each, around)) for each in said)


def _is_of_people(spots: Iterable[Spot], moved: Moved) -> bool:
    return any(each.event in moved.events and not each.is_own for each in spots)


def _answered(message: Message, spots: Mapping[int, Sequence[Spot]]) -> str:
    return event_of(spots.get(id_of(message.replies_to) or 0, ()), message.place) or message.replies_to


def _read(raw: Iterable[Json]) -> Iterable[answers.Message]:
    for each in raw:
        with contextlib.suppress(OddAnswer):  # it is counted where it is heard
            yield read(answers.Message, each)
