"""What is said in one place of a channel is said in the others, in the commit that takes it in: once, or not at all.

A copy knows its original by the subject of its post: an edit is a newer post on the same subject. The bot's own words
are never passed on, nor is a copy, so nothing goes round; a limit is the last wall.

What is said end to end encrypted goes to no place that is not, unless the channel says so.
"""

import collections
import contextlib
import dataclasses
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence

import structlog

from bot.channels.allowance import Allowance, Verdict
from bot.channels.announcing import announce
from bot.channels.channel import Channel, merged
from bot.channels.speaking import edited, last_of, words_of
from bot.channels.subjects import file_of, origin_in, reaction_of
from bot.store import Tx, audit, inbox, outbox, said, talk
from bot.store import reactions as reacted
from bot.store.links import Link
from bot.store.said import Said
from bot.words.document import Document, Reacts, TakenBack, Tone, document, strong, text
from bot.words.message import Change, Lane, Message, Place, Post, Reaction, Standing
from bot.words.people import Account, People
from bot.words.talk import as_passed_on

log = structlog.get_logger(__name__)

MOST_KINDS = 30
"""So many different things may be shown beside a message."""
MOST_FILES = 10
MOST_WAITING = 1_000
"""So much waits for a place that is away. What comes then is not brought there."""
LATE_S, TOO_LATE_S = 10.0, 86_400.0
"""From when on something was not said just now, and from when on it is old news."""
ENCRYPTED = frozenset({Standing.ATTESTED, Standing.SIGNED, Standing.UNPROVEN})


class Channels:
    """All of them."""

    def __init__(
        self,
        channels: Sequence[Channel],
        people: People,
        *,
        is_encrypted: Callable[[Place], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        """Called whenever they are others."""
        self.links: tuple[Link, ...] = ()
        self._known: frozenset[Place] = frozenset()
        """All that were part of a channel since the start."""
        self.take(channels)
        self._people = people
        self._is_encrypted = is_encrypted
        self._allowance = Allowance(clock)
        self._waiting: dict[Place, int] = {}
        """How many posts wait for a place, as far as it was asked for while a batch is taken in."""
        self.counts = {"passed_on": 0, "kept_back": 0, "stemmed": 0, "passed_over": 0, "old": 0, "overfull": 0}

    def take(self, channels: Sequence[Channel]) -> None:
        """From now on these are those of the configuration."""
        self.filed = tuple(channels)
        self.link(self.links)

    def link(self, links: Iterable[Link]) -> None:
        """From now on these are linked from chat."""
        self.links = tuple(links)
        self.all = self.would_be(self.links)
        self._of: Mapping[Place, Channel] = {place: channel for channel in self.all for place in channel.places}
        self._known = self._known.union(self._of)  # another one: the writer's thread may go through the old one
        self.changed()

    def would_be(self, links: Iterable[Link]) -> tuple[Channel, ...]:
        """All of them, where these are linked from chat."""
        return merged(self.filed, links)

    def of(self, place: Place) -> Channel | None:
        """The channel that a place is in."""
        return self._of.get(place)

    def places_on(self, network: str) -> list[Place]:
        """The places of one network that are in a channel."""
        return [place for place in self._of if place.network == network]

    def announce(self, tx: Tx, channels: Sequence[Channel] | None = None) -> None:
        """Have people know where their words go, or will go, and have nothing go that may not go any more."""
        announce(tx, self.all if channels is None else channels, self._is_encrypted)
        talk.drop_where_not(tx, self._may_still_go)

    def _may_still_go(self, subject: str, place: Place) -> bool:
        origin = origin_in(subject)
        if origin is None:
            return True
        channel = self._of.get(origin.place)
        return channel is not None and place in channel.takers(origin.place) and self._may_pass(channel, origin, place)

    def take_in(
        self,
        tx: Tx,
        network: str,
        messages: Sequence[Message],
        changes: Sequence[Change] = (),
        reactions: Sequence[Reaction] = (),
    ) -> None:
        """Have what was just taken in stand in the other places, too, with what has become of it meanwhile."""
        self._waiting.clear()
        changed: collections.defaultdict[tuple[Place, str], list[Change]] = collections.defaultdict(list)
        for change in changes:
            changed[change.place, change.event].append(change)
        for message in messages:
            last = last_of(message, changed.get((message.place, message.event), ()))
            if last is None or not last.removed:
                with self._passing(message.place):
                    self._spread(tx, message, last)
        fresh = {(each.place, each.event) for each in messages}
        for reaction in reactions:
            with self._passing(reaction.place):
                self._react(tx, network, reaction)
        for change in changes:
            if change.place.network == network and (change.place, change.event) not in fresh:
                with self._passing(change.place):
                    self._react_no_more(tx, change.place, change.event if change.removed else "")
                    self._change(tx, change)

    @contextlib.contextmanager
    def _passing(self, place: Place) -> Generator[None]:
        """No odd message keeps the others, and a stop, from being taken in."""
        try:
            yield
        except (ValueError, TypeError) as error:
            self.counts["passed_over"] += 1
            log.warning("what was said cannot be passed on", place=str(place), error=type(error).__name__)

    def _spread(self, tx: Tx, message: Message, change: Change | None) -> None:
        """A message, as it has become since."""
        now = message if change is None else edited(message, change)
        channel = self._of.get(message.place)
        is_talk = (now.words or now.files) and not (message.planned_by or message.apart)
        if channel is None or not is_talk or not channel.gives(message.place, now.words):
            return
        if message.age_s > TOO_LATE_S:
            self.counts["old"] += 1
            return
        origin = Said(message.place, message.event)
        if not self._is_let(tx, channel, message.account, origin.subject, is_late=message.age_s > LATE_S):
            return
        answered = _whole_origin(tx, Said(message.place, message.replies_to)) if message.replies_to else None
        words = words_of(now, self._people)
        standings = {message.standing, message.standing if change is None else change.standing}
        for place in self._takers(channel, message.place, standings):
            if self._has_room(tx, place, origin):
                self._queue(tx, place, origin, words, answered, is_first=True)
                self._bring_files(tx, place, origin, now)

    def _bring_files(self, tx: Tx, place: Place, origin: Said, message: Message) -> None:
        """Each as a post of its own, so that each can be taken back."""
        for number, file in enumerate(message.files[:MOST_FILES]):
            left = len(message.files) - number
            is_last = number == MOST_FILES - 1 and left > 1
            block = text(f"({left} more files are not passed on.)") if is_last else as_passed_on(file)
            outbox.queue(tx, Post(place, document(block), Lane.TALK, subject=file_of(origin, number)))

    def _change(self, tx: Tx, change: Change) -> None:
        origin = Said(change.place, change.event)
        if change.removed:
            self._take_back(tx, origin)
            return
        channel = self._of.get(change.place)
        message = inbox.writer_of(tx, change.place, change.event)
        if channel is None or message is None or message.account != change.account or not change.text:
            return
        if not channel.gives(change.place, change.text):
            return
        takers = self._takers(channel, message.place, {message.standing, change.standing})
        places = [place for place in takers if self._stands(tx, place, origin)]
        how = audit.digest(change.text)
        if places and self._is_let(tx, channel, message.account, f"edit {origin.subject}", how=how):
            words = words_of(edited(message, change), self._people)
            for place in places:
                self._queue(tx, place, origin, words, None, is_first=False)

    def _stands(self, tx: Tx, place: Place, origin: Said) -> bool:
        """Whether it is there, or on its way, or was refused and may come after all as it is now."""
        spoke = outbox.spoke_of(tx, place, origin.subject)
        if spoke is None:
            return talk.drop_failed(tx, place, origin.subject)
        return not spoke or self._has_room(tx, place, origin)

    def _take_back(self, tx: Tx, origin: Said) -> None:
        """Wherever it was said, also where nothing would be said any more."""
        places = {copy.place for copy in said.copies_of(tx, origin)}
        if origin.place in self._known:
            places |= self._known
        for place in sorted(places - {origin.place}, key=str):
            for subject in (origin.subject, *(file_of(origin, number) for number in range(MOST_FILES))):
                if not talk.has(tx, place, subject):
                    break
                talk.drop_unsaid(tx, place, subject)
                if outbox.spoke_of(tx, place, subject) is not None:
                    taken_back = document(TakenBack(taken_back=True))
                    outbox.queue(tx, Post(place, taken_back, Lane.TALK, subject=subject))

    def _react(self, tx: Tx, network: str, reaction: Reaction) -> None:
        """Have what people show beside a message shown everywhere, by the bot: once, however many they are."""
        channel = self._of.get(reaction.place)
        if reaction.gone and reaction.place.network == network:
            self._react_no_more(tx, reaction.place, reaction.own)
        if channel is None or reaction.gone or reaction.place.network != network:
            return
        shown = reacted.Shown(_whole_origin(tx, Said(reaction.place, reaction.event)), reaction.emoji)
        if not channel.gives(reaction.place, reaction.emoji) or reacted.others(tx, shown) >= MOST_KINDS:
            return
        if not self._is_let(tx, channel, reaction.account, reaction_of(reaction.place, reaction.own)):
            return
        before = reacted.places(tx, shown)
        reacted.note(tx, reaction, shown.origin)
        self._show(tx, channel, shown, before)

    def _react_no_more(self, tx: Tx, place: Place, own: str) -> None:
        shown = reacted.find(tx, place, own)
        channel = self._of.get(place)
        self._allowance.forget(reaction_of(place, own))
        if shown is not None:
            before = reacted.places(tx, shown)
            reacted.drop(tx, place, own)
            if channel is not None:
                self._show(tx, channel, shown, before)

    def _show(self, tx: Tx, channel: Channel, shown: reacted.Shown, before: Collection[Place]) -> None:
        """Where anybody shows it elsewhere the bot does so, and no longer than that."""
        now, origin = reacted.places(tx, shown), shown.origin
        for place in channel.places:
            was, is_ = (
                any(place in channel.takers(each) and self._may_pass(channel, Said(each, ""), place) for each in shows)
                for shows in (before, now)
            )
            is_home = place == origin.place
            if was == is_ or not (is_home or outbox.spoke_of(tx, place, origin.subject) is not None):
                continue
            event, answers = (origin.event, None) if is_home else (None, origin.subject)
            words = Document((Reacts(shown.emoji, gone=not is_),))
            outbox.queue(tx, Post(place, words, Lane.TALK, reply_to=event, subject=shown.subject, answers=answers))
            self.counts["passed_on"] += 1

    def _takers(self, channel: Channel, origin: Place, standings: Collection[Standing]) -> Iterator[Place]:
        """Where it may go, as it was said and as it stands there now."""
        is_secret = not ENCRYPTED.isdisjoint(standings) and not channel.share_encrypted
        for place in channel.takers(origin):
            if is_secret and not self._is_encrypted(place):
                self.counts["kept_back"] += 1
            else:
                yield place

    def _may_pass(self, channel: Channel, origin: Said, place: Place) -> bool:
        return channel.share_encrypted or self._is_encrypted(place) or not self._is_encrypted(origin.place)

    def _queue(
        self, tx: Tx, place: Place, origin: Said, words: Document, answered: Said | None, *, is_first: bool
    ) -> None:
        post = Post(place, words, Lane.TALK, subject=origin.subject)
        if answered is not None and answered.place == place:
            post = dataclasses.replace(post, reply_to=answered.event)
        elif answered is not None and outbox.spoke_of(tx, place, answered.subject) is not None:
            post = dataclasses.replace(post, answers=answered.subject)
        outbox.queue(tx, post, is_first=is_first)
        self.counts["passed_on"] += 1

    def _is_let(
        self, tx: Tx, channel: Channel, writer: Account, what: str, *, how: str = "", is_late: bool = False
    ) -> bool:
        """Whether there is room for it. The places hear once that there is not."""
        verdict = self._allowance.decide(channel.name, writer, what, how=how, is_late=is_late)
        if verdict is Verdict.PASSES:
            return True
        self.counts["stemmed"] += 1
        words = text(strong("Too much is said here", Tone.WARN), ": some of it is not passed on to the other places.")
        if verdict is Verdict.STEMMED_FIRST:
            for place in channel.places:
                outbox.queue(tx, Post(place, document(words), Lane.ALERT, subject=f"stemmed {what} {how}"))
        return False

    def _has_room(self, tx: Tx, place: Place, origin: Said) -> bool:
        """Whether more may wait for a place. It hears once that it misses something."""
        count = self._waiting.get(place)
        self._waiting[place] = count = (talk.waiting(tx, place, MOST_WAITING) if count is None else count) + 1
        if count <= MOST_WAITING:
            return True
        self.counts["overfull"] += 1
        if self._allowance.stem(place, origin.subject) is Verdict.STEMMED_FIRST:
            what = ": too much waited. Some of what was said in the other places was not brought here."
            words = text(strong("Something is missing", Tone.WARN), what)
            outbox.queue(tx, Post(place, document(words), Lane.ALERT, subject=f"missing {origin.subject}"))
        return False


def _whole_origin(tx: Tx, one: Said) -> Said:
    """The original of what may be a copy."""
    return said.origin_of(tx, one) or one
