"""What becomes of copies whose original is moved or taken back, and of a place that is called otherwise."""

import secrets

from bot.channels.channel import Channel
from bot.channels.membership import Membership
from bot.channels.topics import Spot, Topics, beginning, joined, topic_at
from bot.store import Tx, audit, moving, outbox, said, talk, threads
from bot.store import reactions as reacted
from bot.store.said import Said
from bot.words.document import TakenBack, Tone, document, strong, text
from bot.words.message import Lane, Moved, Place, Post


class Moving:
    """In all channels."""

    def __init__(self, channels: Membership, topics: Topics) -> None:
        self._channels = channels
        self._topics = topics

    def follow(self, tx: Tx, moved: Moved) -> bool:
        """Whether it is the place alone that is another one: then nothing moves for anybody else."""
        place, to = moved.place, moved.to
        linked = self._channels.exactly(place)
        is_renamed = moved.is_whole and self._channels.exactly(to) is None
        if is_renamed and linked is not None:
            moving.all_of(tx, place, to)
            moving.follow(tx, place, to, self._channels.written(place))
            self._tell(tx, linked, place, to)
            self._channels.recall(tx)
            return True
        if is_renamed and self._is_renamed_topic(tx, moved):
            moving.all_of(tx, place, to)
            return True
        self._keep_back(tx, moved)
        moving.among_copies(tx, moved)
        return self._channels.of(place) is None and self._channels.of(to) is None

    def _keep_back(self, tx: Tx, moved: Moved) -> None:
        """What waits for a copy does not follow it to where it may not go. There it would be the first in line."""
        for event in moved.events:
            copy = said.copy(tx, moved.place.network, event)
            if copy is None:
                continue
            origin = copy[1]
            channel = self._channels.of(origin.place)
            if channel is None or not self._channels.brings(channel, origin.place, moved.to):
                talk.keep_back(tx, moved.place, origin.subject)

    def parts(self, moved: Moved) -> bool:
        """Whether it takes messages out of their conversation, or into another one."""
        place, to = moved.place, moved.to
        is_followed = moved.is_whole and self._channels.exactly(place) and self._channels.exactly(to) is None
        return not is_followed and self._channels.of(place) is not self._channels.of(to)

    def _is_renamed_topic(self, tx: Tx, moved: Moved) -> bool:
        """Whether a topic of a channel that has all of them is called otherwise. Its threads are called so, too."""
        channel = self._channels.of(moved.place)
        if channel is None or channel is not self._channels.of(moved.to):
            return False
        before, after = topic_at(channel, moved.place), topic_at(channel, moved.to)
        if before is None or after is None:
            return False
        old, new = (channel.wholes[0].with_topic(each) for each in (before, after))
        if channel.main == after or threads.places(tx, str(new)):
            threads.join(tx, str(old), str(new), joined(old, new))
        else:
            threads.call(tx, str(old), str(new), beginning(new, moved.topic))
        return True

    def _tell(self, tx: Tx, channel: Channel, place: Place, to: Place) -> None:
        """Who is heard elsewhere knows where: so do those who were in a topic of the new name already."""
        audit.record(tx, "followed", channel=channel.name, places=[str(place), str(to)])
        words = text(strong(str(place), Tone.QUIET), f" is called {to} now. It stays a place of the channel.")
        for each in dict.fromkeys((*channel.spoken_at, to)):
            if each != place:
                outbox.queue(tx, Post(each, document(words), Lane.ALERT, subject=f"followed {place}"))

    def take_back(self, tx: Tx, origin: Said) -> None:
        """Wherever it was said, also where nothing would be said any more."""
        for place in talk.places_of(tx, origin.subject):
            self._take_back(tx, place, origin)

    def lift(self, tx: Tx, origin: Said, before: Channel | None, after: Channel | None, moved: Moved) -> list[Spot]:
        """Take it back where it stands otherwise now. Returns where it does not."""
        was = {} if before is None else self._spots(before, moved.place)
        is_ = {} if after is None else self._spots(after, moved.to)
        stays: list[Spot] = []
        for place in talk.places_of(tx, origin.subject):
            if place in is_ and was.get(place) == is_[place]:
                stays.append(is_[place])
            else:
                self._take_back(tx, place, origin, is_anew=True)
        return stays

    def _spots(self, channel: Channel, place: Place) -> dict[Place, Spot]:
        topic = topic_at(channel, place)
        main = channel.main if topic is None else topic
        spots = (self._topics.spot(channel, each, main) for each in channel.takers(place))
        return {spot.place: spot for spot in spots}

    def drop_files(self, tx: Tx, origin: Said) -> None:
        """Its writer sends nothing along any more."""
        gone = _gone()
        for subject in origin.files:
            for place in talk.places_of(tx, subject):
                _retract(tx, place, subject, gone)

    def _take_back(self, tx: Tx, place: Place, origin: Said, *, is_anew: bool = False) -> None:
        """In one place. Where it is to be said anew, what was said of it there is of no subject that comes again."""
        gone = _gone() if is_anew else ""
        for subject in (origin.subject, *origin.files):
            if place in talk.places_of(tx, subject):
                _retract(tx, place, subject, gone)
        if is_anew:
            for shown in reacted.beside(tx, origin):
                talk.drop_unsaid(tx, place, shown.subject)
                talk.let_go(tx, place, shown.subject, gone + shown.subject, answers=gone + origin.subject)

    def tell_of_unsaid(self, tx: Tx, channel: Channel, moved: Moved, count: int) -> None:
        """Something stands in a place of a channel that is not said in the others."""
        words = text(f"{moved.to} has messages that were moved there and are not said here: {count}.")
        for each in channel.spoken_at:
            if each != moved.to:
                outbox.queue(tx, Post(each, document(words), Lane.ALERT))


def _gone() -> str:
    """Before a subject it makes one that never comes again."""
    return f"moved {secrets.token_hex(8)} "


def _retract(tx: Tx, place: Place, subject: str, gone: str) -> None:
    talk.drop_unsaid(tx, place, subject)
    was_said = outbox.spoke_of(tx, place, subject) is not None
    if gone:
        talk.let_go(tx, place, subject, gone + subject)
    if was_said:
        outbox.queue(tx, Post(place, document(TakenBack(taken_back=True)), Lane.TALK, subject=gone + subject))
