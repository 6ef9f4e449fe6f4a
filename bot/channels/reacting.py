"""What people show beside a message is shown everywhere, by the bot: once, however many they are."""

import dataclasses
from collections.abc import Callable, Collection

from bot.channels.bounds import Bounds
from bot.channels.channel import Channel
from bot.channels.membership import Membership
from bot.store import Tx, outbox, said, talk
from bot.store import reactions as reacted
from bot.store.said import Said
from bot.words.document import Document, Reacts
from bot.words.message import Lane, Place, Post, Reaction

IN_COLOUR = "\N{VARIATION SELECTOR-16}"
MOST_KINDS = 30
"""So many different things may be shown beside a message."""


class Reacting:
    """In all channels."""

    def __init__(self, channels: Membership, bounds: Bounds, may_pass: Callable[[Channel, Place, Place], bool]) -> None:
        self._channels = channels
        self._bounds = bounds
        self._may_pass = may_pass

    def take_in(self, tx: Tx, network: str, reaction: Reaction) -> None:
        """Somebody shows something, or shows it no more."""
        channel = self._channels.of(reaction.place)
        if reaction.gone and reaction.place.network == network:
            self.no_more(tx, reaction.place, reaction.own)
        if channel is None or reaction.gone or reaction.place.network != network:
            return
        one = Said(reaction.place, reaction.event)
        origin = said.origin_of(tx, one) or one
        alike = (each.emoji for each in reacted.beside(tx, origin) if _bare(each.emoji) == _bare(reaction.emoji))
        shown = reacted.Shown(origin, next(alike, reaction.emoji))
        if not channel.gives(reaction.place, reaction.emoji) or reacted.others(tx, shown) >= MOST_KINDS:
            return
        if not self._bounds.lets(tx, channel, reaction.account, _what(reaction.place, reaction.own)):
            return
        before = reacted.places(tx, shown)
        reacted.note(tx, dataclasses.replace(reaction, emoji=shown.emoji), origin)
        self._show(tx, channel, shown, before)

    def no_more(self, tx: Tx, place: Place, own: str) -> None:
        """It is shown no more, by the network's id of it."""
        shown = reacted.find(tx, place, own)
        channel = self._channels.of(place)
        self._bounds.forget(_what(place, own))
        if shown is not None:
            before = reacted.places(tx, shown)
            reacted.drop(tx, place, own)
            if channel is not None:
                self._show(tx, channel, shown, before)

    def again(self, tx: Tx, channel: Channel, origin: Said) -> None:
        """A message was said anew: what shows beside it is shown beside that, too."""
        for shown in reacted.beside(tx, origin):
            self._show(tx, channel, shown, before=(), is_again=True)

    def _show(
        self, tx: Tx, channel: Channel, shown: reacted.Shown, before: Collection[Place], *, is_again: bool = False
    ) -> None:
        """Where anybody shows it elsewhere the bot does so, and no longer than that."""
        now, origin = reacted.places(tx, shown), shown.origin
        for place in dict.fromkeys((origin.place, *talk.places_of(tx, origin.subject))):
            was, is_ = (
                any(channel.takes(each, place) and self._may_pass(channel, each, place) for each in shows)
                for shows in (before, now)
            )
            is_home = place == origin.place
            if is_again and outbox.spoke_of(tx, place, shown.subject) is not None:
                continue
            if was == is_ or not (is_home or outbox.spoke_of(tx, place, origin.subject) is not None):
                continue
            event, answers = (origin.event, None) if is_home else (None, origin.subject)
            words = Document((Reacts(shown.emoji, gone=not is_),))
            outbox.queue(tx, Post(place, words, Lane.TALK, reply_to=event, subject=shown.subject, answers=answers))
            self._bounds.counts["passed_on"] += 1


def _bare(emoji: str) -> str:
    """The same for an emoji with and without the sign that it is to be shown in colour: apps differ."""
    return emoji.replace(IN_COLOUR, "")


def _what(place: Place, own: str) -> str:
    return f"reaction {own} on {place.network}"
