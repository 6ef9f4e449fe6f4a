"""Shows something beside a message, as the bot, and takes it back. Clients do so in clear in encrypted rooms, too."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast
from urllib.parse import quote

from bot.words.document import Reacts
from bot.words.errors import NetworkError
from bot.words.message import Post
from bridges.matrix.connection import Connection, Denied
from bridges.matrix.reacting import ANNOTATES, KIND
from bridges.matrix.reading import ORIGIN, is_name, relation_of
from bridges.matrix.sending import Speaker

REPLACES = "m.replace"
THERE_ALREADY = "M_DUPLICATE_ANNOTATION"
MOST_PAGES = 5
IN_A_PAGE = 100


class Shower:
    """The bot's reactions, and what it takes back of its words. A message has each reaction of the bot's once."""

    def __init__(self, connection: Connection, speaker: Speaker) -> None:
        self._connection = connection
        self._speaker = speaker

    async def show(self, room: str, post: Post, reacts: Reacts, key: str) -> str:
        """Show it beside what the post answers, or take back what it showed before. Returns the event of it."""
        if reacts.gone:
            if post.edits:
                await self._redact(room, post.edits, key)
            return post.edits or ""
        if not post.reply_to:
            raise NetworkError("There is no message that it could be shown beside.")
        relation = {"rel_type": ANNOTATES, "event_id": post.reply_to, "key": reacts.emoji}
        try:
            answer = await self._put(room, f"send/{KIND}/{quote(key, safe='')}", {"m.relates_to": relation, **ORIGIN})
        except Denied as denied:
            if denied.answer.get("errcode") != THERE_ALREADY:
                raise
            async for each in self._own(room, post.reply_to, ANNOTATES):
                if relation_of(each).get("key") == reacts.emoji:
                    return each["event_id"]
            raise
        event = answer.get("event_id")
        if not is_name(event):
            raise NetworkError("The homeserver took a reaction and does not say which it is.")
        return event

    async def take_back(self, room: str, event: str | None, key: str) -> str:
        """Take back what the bot has said, and what it said in its place. Without an event there is nothing to do."""
        if not event:
            return ""
        edits = [each["event_id"] async for each in self._own(room, event, REPLACES)]
        for each in [*edits, event]:
            await self._redact(room, each, f"{key}.{each}")
        return event

    async def _redact(self, room: str, event: str, key: str) -> None:
        await self._put(room, f"redact/{quote(event, safe='')}/{quote(key, safe='')}", {})

    async def _put(self, room: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._speaker.place_for_words(room)
        return await self._connection.request("PUT", f"/_matrix/client/v3/rooms/{quote(room, safe='')}/{path}", body)

    async def _own(self, room: str, event: str, relation: str) -> AsyncGenerator[Mapping[str, Any]]:
        """The bot's own events that relate so to another."""
        path = f"/_matrix/client/v1/rooms/{quote(room, safe='')}/relations/{quote(event, safe='')}/{relation}"
        page = ""
        for _ in range(MOST_PAGES):
            answer = await self._connection.request("GET", f"{path}?limit={IN_A_PAGE}{page}")
            chunk: object = answer.get("chunk")
            for each in cast("list[Mapping[str, Any]]", chunk) if isinstance(chunk, list) else []:
                if (
                    isinstance(each, dict)
                    and each.get("sender") == self._connection.login.user
                    and is_name(each.get("event_id"))
                ):
                    yield each
            following = answer.get("next_batch")
            if not isinstance(following, str):
                return
            page = f"&from={quote(following, safe='')}"
