"""One conversation in several places: what somebody writes in one of them stands a moment later in the others.

What is passed on is queued in the commit that takes the message in, so each message is passed on once, or not at all.
A copy knows its original by the subject of its post: an edit is a newer post on the same subject. The bot's own words
are never passed on, nor is a copy, so nothing goes round; a limit is the last wall.

What is said end to end encrypted goes to no place that is not, unless the channel says so.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import structlog

from bot.desk.limits import Limit
from bot.store import Tx, audit, inbox, keychain, outbox, said
from bot.store.said import Said
from bot.words.document import Document, Tone, document, strong, text
from bot.words.message import Change, Lane, Message, Place, Post, Standing
from bot.words.people import People
from bot.words.talk import passed_on
from wire.work import Severity

ROLE = "channel"
log = structlog.get_logger(__name__)

AT_ONCE, PER_SECOND = 60, 5.0
"""What one channel passes on. More of it is a loop, or a flood."""
ENCRYPTED = frozenset({Standing.ATTESTED, Standing.SIGNED, Standing.UNPROVEN})
PROVEN = frozenset({Standing.ATTESTED, Standing.NAMED, Standing.LOCAL})


@dataclasses.dataclass(frozen=True, slots=True)
class Channel:
    """Places that are one conversation."""

    name: str
    places: tuple[Place, ...]
    alerts: Severity | None = None
    """Which alerts of components are told there: of at least this severity."""
    share_encrypted: bool = False
    """Whether what is said in an encrypted room is passed on to places that are not."""


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
        self.take(channels)
        self._people = people
        self._is_encrypted = is_encrypted
        self._limit = Limit(AT_ONCE, PER_SECOND, clock=clock)
        self._stemmed: dict[str, int] = {}
        """How much was not passed on since the places were told, by channel."""
        self.counts = {"passed_on": 0, "kept_back": 0, "stemmed": 0, "passed_over": 0}

    def take(self, channels: Sequence[Channel]) -> None:
        """From now on these are all."""
        self.all = tuple(channels)
        self._of: Mapping[Place, Channel] = {place: channel for channel in channels for place in channel.places}

    def announce(self, tx: Tx) -> None:
        """Say in encrypted rooms from when on what is said there goes to places that are not, and from when on not."""
        shared = {channel.name: channel for channel in self.all if channel.share_encrypted and self._clear_of(channel)}
        digests = {name: audit.digest(" ".join(map(str, channel.places))) for name, channel in shared.items()}
        new, gone = keychain.note_keys(tx, ROLE, digests)
        for channel in self.all:
            if channel.name in new:
                names = ", ".join(map(str, self._clear_of(channel)))
                words = text(strong("From now on what is said here is passed on", Tone.WARN), f" in clear, to: {names}")
            elif channel.name in gone:
                words = text("What is said here is not passed on in clear any more.")
            else:
                continue
            for place in filter(self._is_encrypted, channel.places):
                outbox.queue(tx, Post(place, document(words), Lane.ALERT))

    def _clear_of(self, channel: Channel) -> list[Place]:
        has_encrypted = any(map(self._is_encrypted, channel.places))
        return [place for place in channel.places if has_encrypted and not self._is_encrypted(place)]

    def pass_on(self, tx: Tx, messages: Sequence[Message]) -> None:
        """Have what was just taken in stand in the other places, too."""
        for message in messages:
            channel = self._of.get(message.place)
            if channel is None or message.planned_by or not message.text:
                continue
            if not self._limit.take(channel.name):
                self._stem(tx, channel)
                continue
            self._stemmed.pop(channel.name, None)
            try:
                self._spread(tx, channel, message)
            except (ValueError, TypeError) as error:  # no odd message keeps the others, and a stop, from being taken in
                self._passed_over(message.place, error)

    def change(self, tx: Tx, network: str, changes: Sequence[Change]) -> None:
        """Have what was edited or taken back by its writer change everywhere."""
        for change in changes:
            channel = self._of.get(change.place)
            if channel is None or change.place.network != network or not (change.text or change.removed):
                continue
            try:
                self._spread_change(tx, channel, change)
            except (ValueError, TypeError) as error:
                self._passed_over(change.place, error)

    def _spread(self, tx: Tx, channel: Channel, message: Message) -> None:
        origin = Said(message.place, message.event)
        for place in self._others(channel, message):
            reply_to = _copy_of(tx, _origin_of(tx, Said(message.place, message.replies_to)), place)
            self._queue(tx, place, origin, self._words(message), reply_to)

    def _spread_change(self, tx: Tx, channel: Channel, change: Change) -> None:
        origin = Said(change.place, change.event)
        message = inbox.writer_of(tx, change.place, change.event)
        if message is None or not (change.removed or message.account == change.account):
            return
        edited = dataclasses.replace(message, text=change.text)
        words = document(text("(taken back)")) if change.removed else self._words(edited)
        for place in self._others(channel, message):
            if outbox.spoke_of(tx, place, origin.subject) is not None:
                self._queue(tx, place, origin, words, None)

    def _passed_over(self, place: Place, error: Exception) -> None:
        self.counts["passed_over"] += 1
        log.warning("what was said cannot be passed on", place=str(place), error=type(error).__name__)

    def _others(self, channel: Channel, message: Message) -> Iterator[Place]:
        """Where it may go."""
        is_secret = message.standing in ENCRYPTED and not channel.share_encrypted
        for place in channel.places:
            if place == message.place:
                continue
            if is_secret and not self._is_encrypted(place):
                self.counts["kept_back"] += 1
            else:
                yield place

    def _words(self, message: Message) -> Document:
        person = self._people.holder_of(message.account)
        who = person.name if person else message.account.id
        return passed_on(who, message.place.network, message.text, is_proven=message.standing in PROVEN)

    def _queue(self, tx: Tx, place: Place, origin: Said, words: Document, reply_to: str | None) -> None:
        outbox.queue(tx, Post(place, words, Lane.TALK, reply_to=reply_to, subject=origin.subject))
        self.counts["passed_on"] += 1

    def _stem(self, tx: Tx, channel: Channel) -> None:
        """Tell the places once that not all of it is passed on."""
        self.counts["stemmed"] += 1
        self._stemmed[channel.name] = self._stemmed.get(channel.name, 0) + 1
        if self._stemmed[channel.name] > 1:
            return
        words = document(
            text(strong("Too much is said here", Tone.WARN), ": some of it is not passed on to the other places.")
        )
        for place in channel.places:
            outbox.queue(tx, Post(place, words, Lane.ALERT, subject=f"stemmed {channel.name}"))


def _origin_of(tx: Tx, replied: Said) -> Said | None:
    """What a reply answers: the original, if it answers a copy."""
    return (said.origin_of(tx, replied) or replied) if replied.event else None


def _copy_of(tx: Tx, origin: Said | None, place: Place) -> str | None:
    """What it is called in another place."""
    if origin is None or origin.place == place:
        return origin.event if origin else None
    return outbox.spoke_of(tx, place, origin.subject) or None
