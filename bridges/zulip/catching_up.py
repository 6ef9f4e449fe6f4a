"""Reading back what came while there was no queue. It shows what stands now: edits are found by comparing."""

import collections
import contextlib
import dataclasses
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import cast

from bot.store import Tx, said
from bot.store.heard import Heard, heard_since
from bot.words.message import Change, Place, Standing
from bridges.zulip import answers
from bridges.zulip.answers import Json, read
from bridges.zulip.api import Api, History
from bridges.zulip.contents import NOTHING
from bridges.zulip.cursor import Cursor
from bridges.zulip.errors import OddAnswer, TooMuch
from bridges.zulip.places import NETWORK, Places, channel_of
from bridges.zulip.reading import Reader, account_of, event_of, id_of, standing_in
from bridges.zulip.tracking import Spot

BEFORE = 500
AFTER = 1000
BACK_S = 600.0
MOST_PAGES_BACK = 5
MOST_COMPARED = (1 + MOST_PAGES_BACK) * BEFORE + AFTER
KNOWN_FOR_S = 5.0
"""An edit that is so much older than the newest message that came has come before it."""
SMALLER, SMALLEST_SHARE = 4, 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """A stretch of messages that were heard before, and what came after it."""

    page: History
    messages: dict[int, answers.Message]

    @property
    def since_ms(self) -> int:
        """When the oldest of them was sent."""
        return int(min((each.timestamp for each in self.messages.values()), default=answers.LATEST_S) * 1000)

    def known(self, tx: Tx) -> tuple[list[Heard], dict[int, Place]]:
        """What was heard since the oldest of them, and where those of the bot's own are known to be that are copies."""
        found = {number: said.copy(tx, NETWORK, str(number)) for number in self.messages}
        copies = {number: copy[0].place for number, copy in found.items() if copy is not None}
        return heard_since(tx, NETWORK, self.since_ms, MOST_COMPARED), copies

    def spots(self, known: Iterable[Heard], copies: Mapping[int, Place]) -> dict[int, Spot]:
        """Where of these messages, and of the bot's own copies, each was when that was known, and where it is now."""
        found = {number: Spot(str(number), place, place, is_own=True) for number, place in copies.items()}
        for heard in known:
            number = id_of(heard.event)
            message = None if number is None else self.messages.get(number)
            if message is not None and event_of(message) == heard.event and channel_of(heard.place) is not None:
                found[message.id] = Spot(heard.event, heard.place, heard.place)
        return {
            number: dataclasses.replace(spot, place=standing_in(self.messages[number]) or spot.was)
            for number, spot in found.items()
        }

    def changed_since(
        self,
        known: Iterable[Heard],
        spots: Mapping[int, Spot],
        reader: Reader,
        places: Places,
        since_s: float,
        renamed: Mapping[Place, Place] = MappingProxyType({}),
    ) -> list[Change]:
        """What was edited since then, and after it was heard, or is gone: also from a topic that was renamed meanwhile.

        Where the bot is not any more it sees nothing, so nothing there counts as gone, and no words are told.
        """
        found: list[Change] = []
        for heard in known:
            number = id_of(heard.event)
            if number is None or not min(self.messages, default=0) <= number <= max(self.messages, default=0):
                continue
            message = self.messages.get(number)
            if message is None:
                channel = channel_of(heard.place)
                if channel is None or places.has(channel):
                    place = renamed.get(heard.place, heard.place)
                    found.append(Change(place, heard.event, account_of(reader.me), removed=True))
            elif _was_edited(message, max(int(heard.heard_s), since_s)):
                place = spots[number].place if number in spots else heard.place
                new = reader.content(message.content) if reader.place(message) == place else NOTHING
                edited = Change(place, heard.event, heard.account, text=new.text, files=new.files)
                found.append(dataclasses.replace(edited, standing=Standing.NAMED))
        return found


def _was_edited(message: answers.Message, since_s: float) -> bool:
    """Whether it has other words than then. A move counts as an edit, too, where the server shows no history."""
    if (message.last_edit_timestamp or -1) < since_s:
        return False
    history: object = message.edit_history
    entries = (
        [cast("Json", each) for each in cast("list[object]", history) if isinstance(each, dict)]
        if isinstance(history, list)
        else []
    )
    return not entries or any("prev_content" in each for each in entries if _made_at(each) >= since_s)


def _made_at(change: Json) -> float:
    at = change.get("timestamp")
    return at if isinstance(at, int | float) else math.inf


class Past:
    """The messages of the bot's account, as they stand now."""

    def __init__(self, api: Api, counts: "collections.Counter[str]") -> None:
        self._api = api
        self._counts = counts
        self._share = 1
        """The part of a page that is asked for. Long messages, or a thin line, make a whole one too much at once."""

    async def window(self, cursor: Cursor) -> Window:
        """From some hundred messages, and ten minutes, before the newest that was heard, to the first that were not."""
        page = await self._page(max(cursor.newest, 0), before=BEFORE, after=AFTER)
        messages = _by_id(page)
        newest = max((each.timestamp for each in messages.values() if each.id <= cursor.newest), default=0.0)
        raw, reaches_back = [*page.messages], not page.found_oldest
        while reaches_back and messages:
            oldest, behind = min(messages), sum(each <= cursor.newest for each in messages)
            is_enough = behind >= BEFORE and messages[oldest].timestamp < newest - BACK_S
            if is_enough or behind > MOST_PAGES_BACK * BEFORE:
                break
            back = await self._page(oldest, before=BEFORE)
            raw = [*back.messages, *raw]
            reaches_back = not back.found_oldest and bool(_by_id(back).keys() - messages.keys())
            messages |= _by_id(back)
        self._counts["messages_seen_again"] += sum(each <= cursor.newest for each in messages)
        return Window(dataclasses.replace(page, messages=raw), messages)

    async def next_page(self, after: int) -> History:
        """What came after this message."""
        return await self._page(after, after=AFTER)

    def last_id(self, page: History) -> int:
        """The newest message of a page."""
        ids = (each.get("id") for each in page.messages)
        return max((each for each in ids if isinstance(each, int)), default=0)

    async def _page(self, anchor: int, *, before: int = 0, after: int = 0) -> History:
        while True:
            older, newer = math.ceil(before / self._share), math.ceil(after / self._share)
            try:
                page = await self._api.history(anchor, before=older, after=newer)
                break
            except TooMuch:
                if self._share >= SMALLEST_SHARE:
                    raise
                self._share *= SMALLER
        if page.found_newest:
            self._share = 1
        return page


def _by_id(page: History) -> dict[int, answers.Message]:
    found: dict[int, answers.Message] = {}
    for raw in page.messages:
        with contextlib.suppress(OddAnswer):  # it is counted where it is heard
            message = read(answers.Message, raw)
            found[message.id] = message
    return found
