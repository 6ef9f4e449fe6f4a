"""What people show beside messages, and to what they answer: found by what the bot has heard and said.

Only where a conversation is shared with other places anybody has to know. What shows beside a message that was moved
away stays there.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import structlog

from bot.store import Store, Tx, heard, said
from bot.store import reactions as reacted
from bot.store.said import Said
from bot.words.errors import NetworkError, StoreError
from bot.words.message import Place, Reaction
from bridges.zulip import answers
from bridges.zulip.answers import read
from bridges.zulip.api import Api
from bridges.zulip.batch import Reacted, Taken
from bridges.zulip.emoji import shown_as
from bridges.zulip.errors import OddAnswer
from bridges.zulip.patience import patiently
from bridges.zulip.places import NETWORK, Places, channel_of
from bridges.zulip.reading import Reader, account_of, begin_of, event_of, id_of

LOOKING_MAY_TAKE_S = 5.0
"""So long all that comes waits for where a message is. Then nothing shows beside it elsewhere."""
UNICODE = "unicode_emoji"

log = structlog.get_logger(__name__)
Known = Mapping[int, Sequence[tuple[str, Place]]]


class Reacting:
    """Reads for one account. `linked` gives the places that are part of a conversation on several networks."""

    def __init__(
        self, api: Api, store: Store, reader: Reader, places: Places, linked: Callable[[], Sequence[Place]]
    ) -> None:
        self._api = api
        self._store = store
        self._reader = reader
        self._places = places
        self._linked = linked
        self._told: frozenset[tuple[Place, str]] = frozenset()
        """What was shown, and is known to be, when the bot began to read back."""

    def hear(self, event: answers.ReactionEvent, taken: Taken) -> None:
        """Somebody shows something, or shows it no more."""
        one = self._read(event, event.message_id, is_gone=event.op == "remove")
        if one is not None and event.op in {"add", "remove"}:
            taken.reacted.append(one)

    def see(self, message: answers.Message, taken: Taken) -> None:
        """What shows beside a message that was read back."""
        place = self._reader.place(message)
        if place in self._linked():
            new = (each for each in self._beside(message) if (place, each.own) not in self._told)
            taken.reactions += [self._made(each, self._event_of(message), place) for each in new]

    async def gone_since(self, messages: Mapping[int, answers.Message]) -> list[Reaction]:
        """What shows no more beside messages that were read back, all of a stretch. What the bot cannot see may."""
        linked = [place for place in self._linked() if _is_seen(place, self._places)]
        self._told = frozenset()
        if not messages or not linked:
            return []
        known = await patiently(lambda: self._store.read(lambda tx: _owns(tx, linked)), StoreError)
        self._told = frozenset(known)
        there = {each.own for message in messages.values() for each in self._beside(message)}
        oldest, newest = min(messages), max(messages)
        return [
            self._made(one, str(one.message), place)
            for place, own in known
            if own not in there and (one := _gone(own)) is not None and oldest <= one.message <= newest
        ]

    async def settle(self, taken: Taken) -> list[Reaction]:
        """What shows beside which message, and shows no more. What is answered is known afterwards, too."""
        linked = frozenset(self._linked())
        quoted = {number: message for number, message in taken.places.items() if message.replies_to}
        numbers = {each.message for each in taken.reacted if not each.gone}
        numbers |= {number for message in quoted.values() if (number := id_of(message.replies_to)) is not None}
        gone = [each for each in taken.reacted if each.gone]
        if not linked or not (numbers or gone):
            return taken.reactions
        known = await patiently(lambda: self._store.read(lambda tx: _known(tx, numbers, linked)), StoreError)
        known |= {number: [(one.event, one.place)] for number, one in taken.places.items() if number in numbers}
        for number, message in quoted.items():
            here = (event for event, place in known[id_of(message.replies_to) or 0] if place == message.place)
            taken.places[number] = dataclasses.replace(message, replies_to=next(here, message.replies_to))
        were = await patiently(lambda: self._store.read(lambda tx: _were(tx, gone, linked)), StoreError)
        there = await self._there({each.message for each in taken.reacted if not each.gone}, known, taken)
        found = [
            self._made(each, event, place)
            for each in taken.reacted
            for event, place in (each.gone and were[each.own]) or there.get(each.message, [])
        ]
        return [*taken.reactions, *found]

    async def _there(self, numbers: Iterable[int], known: Known, taken: Taken) -> Known:
        """Of what is known of messages only what is still so."""
        asked = sorted(number for number in numbers if known[number])
        found = await asyncio.gather(*(self._place_now(number, taken) for number in asked))
        now = dict(zip(asked, found, strict=True))
        return {number: [one for one in known[number] if one[1] == now[number]] for number in asked}

    async def _place_now(self, number: int, taken: Taken) -> Place | None:
        if number in taken.places:
            return taken.places[number].place
        try:
            found = await self._api.as_it_stands(number, LOOKING_MAY_TAKE_S)
            return None if found is None else self._reader.place(read(answers.Message, found))
        except NetworkError as error:
            log.warning("what shows beside a message is shown to nobody", message=number, error=error.what)
            return None

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


def _known(tx: Tx, numbers: Iterable[int], linked: frozenset[Place]) -> dict[int, list[tuple[str, Place]]]:
    """As what messages are known in these places: those of people by the inbox, the bot's own by what they copy."""
    found: dict[int, list[tuple[str, Place]]] = {}
    for number in numbers:
        ones = heard.heard_as(tx, NETWORK, begin_of(number))
        found[number] = [(one.event, one.place) for one in ones if one.place in linked] or [
            (str(number), place) for place in linked if said.origin_of(tx, Said(place, str(number))) is not None
        ]
    return found


def _were(tx: Tx, gone: Iterable[Reacted], linked: Iterable[Place]) -> dict[str, list[tuple[str, Place]]]:
    return {
        each.own: [(str(each.message), place) for place in linked if reacted.find(tx, place, each.own) is not None]
        for each in gone
    }


def _owns(tx: Tx, linked: Iterable[Place]) -> list[tuple[Place, str]]:
    return [(place, own) for place in linked for own in reacted.owns(tx, place)]
