"""Says a post: its words as one event, each file as one more. What was said before is not said twice."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from bot.words.document import Brought, Document, Picture, Reacts, TakenBack
from bot.words.message import Post
from bridges.matrix.connection import Connection, Denied
from bridges.matrix.content import Content, Question, answering, edited, image, sent_along, split, words
from bridges.matrix.files import upload
from bridges.matrix.rooms import Rooms
from bridges.matrix.sending import Speaker
from bridges.matrix.showing import Shower
from bridges.matrix.threads import Threads

REMEMBERED = 1_000

log = structlog.get_logger(__name__)


class Voice:
    """Turns posts into events."""

    def __init__(self, connection: Connection, speaker: Speaker, threads: Threads) -> None:
        self._connection = connection
        self._speaker = speaker
        self._threads = threads
        self._rooms = Rooms(connection)
        self._shower = Shower(connection, speaker)
        self._uploaded: collections.OrderedDict[tuple[str, bool], Mapping[str, Any]] = collections.OrderedDict()
        """What an event says of a file that is there, by the key of its post and whether it lies in clear. A post that
        is tried again finds it: what was put there once stays there."""

    async def say(self, post: Post, key: str) -> str:
        """Say a post in its room and return its event's id: the first one, or the one that it edits.

        The same key gives the same events.
        """
        room = await self._rooms.find(post.place.id)
        match post.document.blocks:
            case (Reacts() as reacts,):
                return await self._shower.show(room, post, reacts, key)
            case (TakenBack(),):
                return await self._take_back(room, post, key)
            case _:
                return await self._say(room, post, key)

    async def _take_back(self, room: str, post: Post, key: str) -> str:
        """It goes for good. Where the homeserver does not let it, its words do."""
        try:
            return await self._shower.take_back(room, post.edits, key)
        except Denied:
            return await self._say(room, post, key)

    async def _say(self, room: str, post: Post, key: str) -> str:
        self._speaker.place_for_words(room)  # before a file is put anywhere
        contents = await self._contents(room, post, key)
        if post.edits is not None:
            await self._events(room, [edited(contents[0], post.edits), *contents[1:]], key)
            return post.edits
        thread = post.thread
        if thread is None and post.reply_to is not None:
            thread = await self._threads.root(room, post.reply_to)
        if thread is not None:
            try:
                return await self._events(room, _answering(contents, Question(post.reply_to, thread)), key)
            except Denied as denied:  # a foreign homeserver can name a thread that is none
                log.warning("said outside of its thread", room=room, error=denied.what)
        if post.reply_to is not None:
            contents = _answering(contents, Question(post.reply_to, None))
        return await self._events(room, contents, key)

    async def _events(self, room: str, contents: Sequence[Content], key: str) -> str:
        """Say each, and return the first event. What was taken under its key already is not said again."""
        events = [
            await self._speaker.say(room, dict(content), key=f"{key}.{number}" if number else key)
            for number, content in enumerate(contents)
        ]
        return events[0]

    async def _contents(self, room: str, post: Post, key: str) -> Sequence[Content]:
        """The words come first. They hold a place for each file that the homeserver does not take."""
        blocks, files = split(post)
        along: list[Content] = []
        left: list[Picture | Brought] = []
        for number, file in enumerate(files):  # before a word is said: who reads of pictures shall see them
            content = await self._there(room, file, f"{key}.{number}")
            if content is None:
                left.append(file)
            else:
                along.append(content)
        whole = Document((*blocks, *left))
        said = [words(whole)] if whole.blocks or post.edits is not None or not along else []
        return [*said, *along]

    async def _there(self, room: str, file: Picture | Brought, key: str) -> Content | None:
        """What an event says of a file that the homeserver has; nothing where it does not take it."""
        data, media_type = (file.data, file.media_type) if isinstance(file, Picture) else (file.content, file.file.type)
        in_clear = self._speaker.speaks_in_clear(room)
        there = self._uploaded.get((key, in_clear))
        if there is None:
            there = await upload(self._connection, data, media_type, in_clear=in_clear)
            if there is None:
                return None
            self._uploaded[key, in_clear] = there
            if len(self._uploaded) > REMEMBERED:
                self._uploaded.popitem(last=False)
        return image(file, there) if isinstance(file, Picture) else sent_along(file, there)


def _answering(contents: Sequence[Content], question: Question) -> Sequence[Content]:
    return [answering(content, question) for content in contents]
