"""What people show beside messages, and to what they answer: found by what the bot has heard and said.

Only where a conversation is shared with other places anybody has to know. What shows beside a message goes along with
it where it is moved.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from bot.store import Store, Tx
from bot.store import reactions as reacted
from bot.words.errors import StoreError
from bot.words.message import Place, Reaction
from bridges.zulip import answers
from bridges.zulip.answers import read
from bridges.zulip.batch import Reacted, Taken
from bridges.zulip.emoji import shown_as
from bridges.zulip.errors import OddAnswer
from bridges.zulip.patience import patiently
from bridges.zulip.places import NETWORK, Places, channel_of, is_among
from bridges.zulip.reading import Reader, account_of, event_of, id_of
from bridges.zulip.tracking import Spot, Tracked

UNICODE = "unicode_emoji"


class Reacting:
    """Reads for one account. `linked` gives the places that are part of a conversation on several networks."""

    def __init__(self, store: Store, reader: Reader, places: Places, linked: Callable[[], Sequence[Place]]) -> None:
        self._store = store
        self._reader = reader
        self._places = places
        self._linked = linked
        self._told: frozenset[str] = frozenset()
        """What was shown, and is known to be, when the bot began to read back."""

    def hear(self, event: answers.ReactionEvent, taken: Taken) -> None:
        """Somebody shows something, or shows it no more."""
        one = self._read(event, event.message_id, is_gone=event.op == "remove")
        if one is not None and event.op in {"add", "remove"}:
            taken.reacted.append(one)

    def see(self, message: answers.Message, taken: Taken) -> None:
        """What shows beside a message that was read back."""
        place = self._reader.place(message)
        if is_among(place, self._linked()):
            new = (each for each in self._beside(message) if each.own not in self._told)
            taken.reactions += [self._made(each, self._event_of(message), place) for each in new]

    async def gone_since(self, messages: Mapping[int, answers.Message], spots: Mapping[int, Spot]) -> list[Reaction]:
        """What shows no more beside messages that were read back, all of a stretch. What the bot cannot see may."""
        linked = self._linked()
        self._told = frozenset()
        if not messages or not linked:
            return []
        known = await patiently(lambda: self._store.read(lambda tx: reacted.owns_on(tx, NETWORK)), StoreError)
        self._told = frozenset(own for _, own in known)
        there = {each.own for message in messages.values() for each in self._beside(message)}
        oldest, newest = min(messages), max(messages)
        found: list[Reaction] = []
        for was, own in known:
            one = _gone(own)
            if own in there or one is None or not oldest <= one.message <= newest:
                continue
            spot = spots.get(one.message)
            place = spot.place if spot is not None and spot.was == was else was
            if is_among(was, linked) and _is_seen(place, self._places):
                found.append(self._made(one, str(one.message), place))
        return found

    async def settle(self, taken: Taken, tracked: Tracked) -> list[Reaction]:
        """What shows beside which message, and shows no more. What is answered is known afterwards, too."""
        linked = self._linked()
        if not linked:
            return taken.reactions
        for number, message in taken.places.items():
            quoted = id_of(message.replies_to)
            if quoted is not None and is_among(message.place, linked):
                event = tracked.event(quoted, message.place) or message.replies_to
                taken.places[number] = dataclasses.replace(message, replies_to=event)
        gone = [each.own for each in taken.reacted if each.gone]
        were = await patiently(lambda: self._store.read(lambda tx: _were(tx, gone)), StoreError) if gone else {}
        found = [
            self._made(each, event, place)
            for each in taken.reacted
            for event, place in _where(each, tracked, were.get(each.own))
            if each.own in were or (is_among(place, linked) and _is_seen(place, self._places))
        ]
        return [*taken.reactions, *found]

    def _beside(self, message: answers.Message) -> Iterable[Reacted]:
        shown: object = message.reactions
        for raw in cast("list[object]", shown) if isinstance(shown, list) else ():
            try:
                one = self._read(read(answers.Reaction, raw), message.id, is_gone=False)
            except OddAnswer:
                continue
            if one is not None:
                yield one

    def _read(self, one: answers.Reaction, message: int, *, is_gone: bool) -> Reacted | None:
        is_character = one.reaction_type == UNICODE
        emoji = shown_as(one.emoji_code, one.emoji_name, is_character=is_character)
        if emoji is None or one.user_id == self._reader.me:
            return None
        key = one.emoji_code if is_character else f"{one.reaction_type}/{one.emoji_code}"
        return Reacted(message, one.user_id, emoji, f"{message} {one.user_id} {key}", is_gone)

    def _event_of(self, message: answers.Message) -> str:
        return str(message.id) if message.sender_id == self._reader.me else event_of(message)

    def _made(self, one: Reacted, event: str, place: Place) -> Reaction:
        return Reaction(place, event, account_of(one.by), one.emoji, one.own, gone=one.gone)


def _is_seen(place: Place, places: Places) -> bool:
    channel = channel_of(place)
    return channel is None or places.has(channel)


def _gone(own: str) -> Reacted | None:
    message, _, rest = own.partition(" ")
    by, _, _ = rest.partition(" ")
    if not (message.isascii() and message.isdigit() and by.isascii() and by.isdigit()):
        return None
    return Reacted(int(message), int(by), "", own, gone=True)


def _were(tx: Tx, owns: Iterable[str]) -> dict[str, Place]:
    """Where each of these was when the batch began."""
    found = {own: reacted.find_own(tx, NETWORK, own) for own in owns}
    return {own: one[0] for own, one in found.items() if one is not None}


def _where(one: Reacted, tracked: Tracked, was: Place | None) -> list[tuple[str, Place]]:
    """Beside what it shows, and where that is now. What is known to have shown went along with its message."""
    spots = tracked.spots.get(one.message, ())
    if was is not None:
        return [(str(one.message), next((each.place for each in spots if each.was == was), was))]
    if one.message in tracked.asked and tracked.asked[one.message] is None and not one.gone:
        return []
    return [(each.event, each.place) for each in spots]
