"""What edits and deletions change of all that was ever said to the bot.

New words count where the message is now, or nowhere: whoever moves a message takes it out of the conversation in which
it was said, and what is written into it then is meant for others. That it was edited counts all the same.
"""

import asyncio
from collections.abc import Iterable

import structlog

from bot.store import Store, Tx, heard
from bot.words.errors import NetworkError, StoreError
from bot.words.message import Change, Place, Standing
from bridges.zulip import answers
from bridges.zulip.answers import read
from bridges.zulip.api import Api
from bridges.zulip.batch import Altered, Taken
from bridges.zulip.contents import NOTHING, Content
from bridges.zulip.patience import patiently
from bridges.zulip.places import NETWORK, Places, channel_of, place_in, place_of
from bridges.zulip.reading import Reader, account_of, begin_of

LOOKING_MAY_TAKE_S = 5.0
"""So long all that comes waits for the words of an edit. Then they stay where they are."""

log = structlog.get_logger(__name__)
Known = dict[int, set[tuple[str, Place]]]


class Alterations:
    """Looks up what was altered, and where."""

    def __init__(self, api: Api, store: Store, reader: Reader, places: Places) -> None:
        self._api = api
        self._store = store
        self._reader = reader
        self._places = places

    async def changes(self, taken: Taken) -> list[Change]:
        """Those of messages that were heard. It waits for the disk as long as that takes, for the server a moment."""
        altered = taken.altered
        if not altered:
            return []
        known = await patiently(lambda: self._store.read(lambda tx: _known(tx, altered)), StoreError)
        known |= {number: {(message.event, message.place)} for number, message in taken.places.items()}
        concerned = [(each, *one) for each in altered for one in sorted(known[each.id], key=str)]
        contents = await asyncio.gather(*(self._content(each, place) for each, _, place in concerned))
        return [
            Change(
                place,
                event,
                account_of(each.by),
                removed=each.removed,
                text=content.text,
                files=content.files,
                standing=Standing.NAMED,
            )
            for (each, event, place), content in zip(concerned, contents, strict=True)
        ]

    async def _content(self, altered: Altered, place: Place) -> Content:
        """The new words, where they stand in this place."""
        channel = altered.channel
        if channel is None:
            is_here = channel_of(place) is None
        elif not self._places.has(channel):
            is_here = place == place_of([altered.by], self._reader.me)
        elif altered.topic is not None:
            is_here = place == place_in(channel, altered.topic)
        elif altered.removed or channel_of(place) != channel:
            is_here = False
        else:
            return await self._as_it_stands(altered.id, place)
        return altered.content if is_here else NOTHING

    async def _as_it_stands(self, message_id: int, place: Place) -> Content:
        """An edit tells no topic, so the server is asked. Its words of now count: those between were elsewhere."""
        try:
            found = await self._api.as_it_stands(message_id, LOOKING_MAY_TAKE_S)
            message = None if found is None else read(answers.Message, found)
        except NetworkError as error:
            log.warning("an edit is passed on to nobody", message=message_id, error=error.what)
            return NOTHING
        is_here = message is not None and self._reader.place(message) == place
        return self._reader.content(message.content) if message and is_here else NOTHING


def _known(tx: Tx, altered: Iterable[Altered]) -> Known:
    return {
        each.id: {(one.event, one.place) for one in heard.heard_as(tx, NETWORK, begin_of(each.id))} for each in altered
    }
