"""What is said in one place of a channel is said in the others, in the commit that takes it in: once, or not at all.

A copy knows its original by the subject of its post: an edit is a newer post on the same subject. The bot's own words
are never passed on, nor is a copy, so nothing goes round; a limit is the last wall.

What is said end to end encrypted goes to no place that is not, unless the channel says so.
"""

import collections
import dataclasses
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeVarTuple

import structlog

from bot.channels.announcing import announce, kept_back, was_told
from bot.channels.bounds import Bounds
from bot.channels.channel import Channel
from bot.channels.membership import Membership
from bot.channels.moving import Moving
from bot.channels.reacting import Reacting
from bot.channels.speaking import counted_as, edited, last_of, may_take_back, words_of
from bot.channels.topics import Spot, Topics
from bot.store import Tx, audit, heard, inbox, outbox, said, talk
from bot.store.said import MOST_FILES, Said
from bot.words.document import Document, document, text
from bot.words.message import Change, Lane, Message, Moved, Place, Post, Reaction, Standing
from bot.words.people import People
from bot.words.talk import as_passed_on

log = structlog.get_logger(__name__)

Parts = TypeVarTuple("Parts")

LATE_S, TOO_LATE_S = 10.0, 86_400.0
"""From when on something was not said just now, and from when on it is old news."""
ENCRYPTED = frozenset({Standing.ATTESTED, Standing.SIGNED, Standing.UNPROVEN})


class Channels(Membership):
    """All of them."""

    def __init__(
        self,
        channels: Sequence[Channel],
        people: People,
        *,
        is_encrypted: Callable[[Place], bool],
        is_threaded: Callable[[Place], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(channels)
        self._people = people
        self._is_encrypted = is_encrypted
        self._bounds = Bounds(clock)
        self.counts = self._bounds.counts
        self._topics = Topics(is_threaded)
        self._reacting = Reacting(self, self._bounds, self._may_pass)
        self._moving = Moving(self, self._topics)

    def announce(self, tx: Tx, channels: Sequence[Channel] | None = None) -> None:
        """Have people know where their words go, or will go, and have nothing go that may not go any more."""
        announce(tx, self.all if channels is None else channels, self._is_encrypted)
        self._drop_what_may_not_go(tx)

    def kept_back(self, channel: Channel) -> Mapping[Place, Sequence[Place]]:
        """The encrypted places of which no words go to some that are not, and to which."""
        return kept_back(channel, self._is_encrypted)

    def _drop_what_may_not_go(self, tx: Tx, subjects: Collection[str] | None = None) -> None:
        talk.drop_where_not(tx, lambda subject, place: self._may_still_go(tx, subject, place), subjects)

    def _may_still_go(self, tx: Tx, subject: str, place: Place) -> bool:
        if not said.is_of_message(subject):
            return True
        origin = said.origin_in(tx, subject)
        channel = self.of(origin.place) if origin is not None else None
        return (
            origin is not None
            and channel is not None
            and self.brings(channel, origin.place, place)
            and self._may_pass(channel, origin.place, place)
        )

    def take_in(
        self,
        tx: Tx,
        network: str,
        messages: Sequence[Message],
        changes: Sequence[Change] = (),
        reactions: Sequence[Reaction] = (),
        moves: Sequence[Moved] = (),
    ) -> None:
        """Have what was just taken in stand in the other places, too, with what has become of it meanwhile."""
        self._bounds.begin()
        if any(moved.is_whole for moved in moves):
            self.recall(tx)
        changed = _changed(messages, changes, moves)
        away = self._said_elsewhere(moves)
        fresh = [message for message in messages if message.event not in away]
        for message in fresh:
            last = last_of(message, changed[message.event])
            if last is None or not last.removed:
                self._guard(message.place, self._spread, tx, message, last)
        for moved in moves:
            self._guard(moved.place, self._move, tx, moved)
        if any(moved.is_whole for moved in moves):
            self._drop_what_may_not_go(tx)
        as_changed = {message.event for message in fresh if changed[message.event]}
        for reaction in reactions:
            self._guard(reaction.place, self._reacting.take_in, tx, network, reaction)
        for change in changes:
            if change.place.network == network and change.event not in as_changed:
                self._guard(change.place, self._change, tx, change)

    def _said_elsewhere(self, moves: Sequence[Moved]) -> set[str]:
        """What is not said as from where it was: it stands in another conversation by now, or its words come anew.

        What was written into it since is meant for those who are there.
        """
        parted = {event for moved in moves if self._moving.parts(moved) for event in moved.events}
        told = (moved for moved in moves if not moved.is_whole)
        return parted | {each.event for moved in told for each in moved.messages if each.event in moved.events}

    def _guard(self, place: Place, passing: Callable[[*Parts], object], *parts: *Parts) -> None:
        """No odd message keeps the others, and a stop, from being taken in."""
        try:
            passing(*parts)
        except (ValueError, TypeError) as error:
            self.counts["passed_over"] += 1
            log.warning("what was said cannot be passed on", place=str(place), error=type(error).__name__)

    def _spread(
        self, tx: Tx, message: Message, change: Change | None = None, *, not_at: Collection[Spot] = (), moved: str = ""
    ) -> bool:
        """A message, as it has become since, and where it was moved to. Whether it is passed on."""
        now = message if change is None else edited(message, change)
        channel = self.of(message.place)
        is_talk = (now.words or now.files) and not (message.planned_by or message.apart)
        if channel is None or not is_talk or not channel.gives(message.place, now.words):
            return False
        if message.age_s > TOO_LATE_S:
            self.counts["old"] += 1
            return False
        origin = Said(message.place, message.event)
        what, is_late = f"{'moved ' if moved else ''}{origin.subject}", message.age_s > LATE_S
        if not self._bounds.lets(tx, channel, counted_as(message), what, how=moved, is_late=is_late):
            return False
        answered = self._answered(tx, channel, message)
        topic = self._topics.of(tx, channel, message)
        plain = words_of(now, self._people)
        standings = {message.standing, message.standing if change is None else change.standing}
        said_s = time.time() - message.age_s
        for place in self._takers(tx, channel, message.place, standings, said_s):
            spot = self._topics.spot(channel, place, topic)
            if self.of(spot.place) is not channel:  # its topic is in a channel of its own
                self.counts["kept_back"] += 1
            elif spot not in not_at and self._bounds.has_room(tx, spot, origin):
                self._topics.begin(tx, spot, message.topic)
                words = words_of(now, self._people, spot.named) if spot.named else plain
                self._queue(tx, spot, origin, words, answered, is_first=True)
                self._bring_files(tx, spot, origin, now)
        return True

    def _answered(self, tx: Tx, channel: Channel, message: Message) -> Said | None:
        """The original of what a message answers, where that is of the same conversation."""
        network, event = message.place.network, message.replies_to or message.thread
        if not event:
            return None
        copy = said.copy(tx, network, event)
        place = copy[0].place if copy else heard.place_of(tx, network, event)
        if place is None or self.of(place) is not channel:
            return None
        return copy[1] if copy else Said(place, event)

    def _bring_files(self, tx: Tx, spot: Spot, origin: Said, message: Message) -> None:
        """Each as a post of its own, so that each can be taken back."""
        for number, file in enumerate(message.files[:MOST_FILES]):
            left = len(message.files) - number
            is_last = number == MOST_FILES - 1 and left > 1
            block = text(f"({left} more files are not passed on.)") if is_last else as_passed_on(file)
            subject = origin.file(number)
            outbox.queue(tx, Post(spot.place, document(block), Lane.TALK, subject=subject, topic=spot.thread))

    def _change(self, tx: Tx, change: Change) -> None:
        self._reacting.no_more(tx, change.place, change.event if change.removed else "")
        origin = Said(change.place, change.event)
        if change.removed:
            by_its_writer = may_take_back(inbox.writer_of(tx, change.place, change.event), change)
            if by_its_writer and said.origin_in(tx, origin.subject) in (None, origin):
                self._moving.take_back(tx, origin)
            return
        channel = self.of(change.place)
        message = inbox.writer_of(tx, change.place, change.event)
        if channel is None or message is None or message.account != change.account or not change.text:
            return
        if not channel.gives(change.place, change.text):
            return
        if not change.files:
            self._moving.drop_files(tx, origin)
        takers = frozenset(self._takers(tx, channel, message.place, {message.standing, change.standing}))
        there = [place for place in talk.places_of(tx, origin.subject) if self.of(place) is channel]
        places = [each for each in there if channel.entry(each) in takers and self._stands(tx, Spot(each), origin)]
        how = audit.digest(change.text)
        if places and self._bounds.lets(tx, channel, counted_as(message), f"edit {origin.subject}", how=how):
            now = edited(message, change)
            topic = self._topics.of_known(tx, channel, origin)
            for place in places:
                named = self._topics.spot(channel, channel.entry(place) or place, topic).named
                words = words_of(now, self._people, named)
                self._queue(tx, Spot(place), origin, words, None, is_first=False)
            self._reacting.again(tx, channel, origin)  # where it was refused it comes only now

    def _stands(self, tx: Tx, spot: Spot, origin: Said) -> bool:
        """Whether it is there, or on its way, or was refused and may come after all as it is now."""
        spoke = outbox.spoke_of(tx, spot.place, origin.subject)
        if spoke is None:
            return talk.drop_failed(tx, spot.place, origin.subject)
        return not spoke or self._bounds.has_room(tx, spot, origin)

    def _move(self, tx: Tx, moved: Moved) -> None:
        """Have what was moved stand elsewhere as it stands there now."""
        if self._moving.follow(tx, moved):
            return
        self.counts["moved"] += len(moved.events)
        before, after = self.of(moved.place), self.of(moved.to)
        young = {each.event: each for each in moved.messages if each.age_s <= TOO_LATE_S}
        stays: dict[str, list[Spot]] = {}
        for event in moved.events:
            if before is None or before is not after or event in young:
                stays[event] = self._moving.lift(tx, Said(moved.to, event), before, after, moved)
        for event, message in young.items():
            if (
                event in stays
                and after is not None
                and self._spread(tx, message, not_at=stays[event], moved=str(moved.to))
            ):
                self._reacting.again(tx, after, Said(moved.to, event))
        unsaid = [each for each in stays if each not in young and inbox.has(tx, moved.to, each)]
        what, how = f"unsaid {moved.to}", audit.digest(" ".join(unsaid))
        if after is not None and unsaid and self._bounds.lets(tx, after, moved.to, what, how=how):
            self._moving.tell_of_unsaid(tx, after, moved, len(unsaid))
        self._drop_what_may_not_go(tx, _subjects(moved))

    def _takers(
        self, tx: Tx, channel: Channel, origin: Place, standings: Collection[Standing], said_s: float = math.inf
    ) -> Iterator[Place]:
        """Where it may go, as it was said and as it stands there now: nowhere in clear before people knew of that."""
        is_secret = not ENCRYPTED.isdisjoint(standings)
        for place in channel.takers(origin):
            in_clear = is_secret and not self._is_encrypted(place)
            if in_clear and not (channel.share_encrypted and was_told(tx, origin, place, said_s)):
                self.counts["kept_back"] += 1
            else:
                yield place

    def _may_pass(self, channel: Channel, origin: Place, place: Place) -> bool:
        return channel.share_encrypted or self._is_encrypted(place) or not self._is_encrypted(origin)

    def _queue(
        self, tx: Tx, spot: Spot, origin: Said, words: Document, answered: Said | None, *, is_first: bool
    ) -> None:
        post = Post(spot.place, words, Lane.TALK, subject=origin.subject, topic=spot.thread)
        if answered is not None and answered.place == spot.place:
            post = dataclasses.replace(post, reply_to=answered.event)
        elif answered is not None and outbox.spoke_of(tx, spot.place, answered.subject) is not None:
            post = dataclasses.replace(post, answers=answered.subject)
        outbox.queue(tx, post, is_first=is_first)
        self.counts["passed_on"] += 1


def _subjects(moved: Moved) -> list[str]:
    """What is said elsewhere of messages that were moved."""
    origins = [Said(moved.to, event) for event in moved.events]
    return [subject for origin in origins for subject in (origin.subject, *origin.files)]


def _changed(
    messages: Sequence[Message], changes: Sequence[Change], moves: Sequence[Moved]
) -> Mapping[str, Sequence[Change]]:
    """What became of each message of a batch in it, there or where it stands by now."""
    where = {(message.place, message.event) for message in messages}
    where |= {(moved.to, event) for moved in moves for event in moved.events}
    changed: collections.defaultdict[str, list[Change]] = collections.defaultdict(list)
    for change in changes:
        if (change.place, change.event) in where:
            changed[change.event].append(change)
    return changed
