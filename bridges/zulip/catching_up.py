"""Reading back what came while there was no queue. It shows what stands now: edits are found by comparing."""

import collections
import contextlib
import dataclasses
from collections.abc import Iterable

from bot.store.heard import Heard
from bot.words.message import Change
from bot.words.people import Account
from bridges.zulip import answers
from bridges.zulip.answers import read
from bridges.zulip.api import Api, History
from bridges.zulip.cursor import Cursor
from bridges.zulip.errors import OddAnswer
from bridges.zulip.reading import id_of, words

BEFORE = 500
AFTER = 1000
BACK_S = 600.0
MOST_PAGES_BACK = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """A stretch of messages that were heard before, and what came after it."""

    page: History
    messages: dict[int, answers.Message]

    @property
    def since_ms(self) -> int:
        """When the oldest of them was sent."""
        return int(min((each.timestamp for each in self.messages.values()), default=answers.LATEST_S) * 1000)

    def changed_since(self, known: Iterable[Heard], me: Account) -> list[Change]:
        """What was edited after it was heard, or is gone."""
        found: list[Change] = []
        for heard in known:
            number = id_of(heard.event)
            if number is None or not min(self.messages, default=0) <= number <= max(self.messages, default=0):
                continue
            message = self.messages.get(number)
            if message is None:
                found.append(Change(heard.place, heard.event, me, removed=True))
            elif message.last_edit_timestamp is not None and int(message.last_edit_timestamp) >= int(heard.heard_s):
                found.append(Change(heard.place, heard.event, heard.account, text=words(message.content)))
        return found


class Past:
    """The messages of the bot's account, as they stand now."""

    def __init__(self, api: Api, counts: "collections.Counter[str]") -> None:
        self._api = api
        self._counts = counts

    async def window(self, cursor: Cursor) -> Window:
        """From some hundred messages, and ten minutes, before the newest that was heard, to the first that were not."""
        page = await self._api.history(max(cursor.newest, 0), before=BEFORE, after=AFTER)
        messages = _by_id(page)
        newest = max((each.timestamp for each in messages.values() if each.id <= cursor.newest), default=0.0)
        raw, reaches_back = [*page.messages], not page.found_oldest
        for _ in range(MOST_PAGES_BACK):
            oldest = min(messages, default=0)
            if not reaches_back or not messages or messages[oldest].timestamp < newest - BACK_S:
                break
            back = await self._api.history(oldest, before=BEFORE)
            raw = [*back.messages, *raw]
            reaches_back = not back.found_oldest and bool(_by_id(back).keys() - messages.keys())
            messages |= _by_id(back)
        self._counts["messages_seen_again"] += sum(each <= cursor.newest for each in messages)
        return Window(dataclasses.replace(page, messages=raw), messages)

    async def next_page(self, after: int) -> History:
        """What came after this message."""
        return await self._api.history(after, after=AFTER)

    def last_id(self, page: History) -> int:
        """The newest message of a page."""
        return max(_by_id(page), default=0)


def _by_id(page: History) -> dict[int, answers.Message]:
    found: dict[int, answers.Message] = {}
    for raw in page.messages:
        with contextlib.suppress(OddAnswer):  # it is counted where it is heard
            message = read(answers.Message, raw)
            found[message.id] = message
    return found
