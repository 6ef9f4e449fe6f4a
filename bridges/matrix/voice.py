"""Says a post: its words as one event, each file as one more. What was said before is not said twice."""

from collections.abc import Sequence

from bot.words.document import Brought, Document, Picture, Reacts, TakenBack
from bot.words.message import Post
from bridges.matrix.connection import Connection, Denied
from bridges.matrix.content import Content, Question, answering, edited, image, sent_along, split, words
from bridges.matrix.files import upload
from bridges.matrix.rooms import Rooms
from bridges.matrix.sending import Speaker
from bridges.matrix.showing import Shower
from bridges.matrix.threads import Threads


class Voice:
    """Turns posts into events."""

    def __init__(self, connection: Connection, speaker: Speaker, threads: Threads) -> None:
        self._connection = connection
        self._speaker = speaker
        self._threads = threads
        self._rooms = Rooms(connection)
        self._shower = Shower(connection, speaker)

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
        contents = await self._contents(room, post)
        events = [
            await self._speaker.say(room, dict(content), key=f"{key}.{number}" if number else key)
            for number, content in enumerate(contents)
        ]
        return post.edits or events[0]

    async def _contents(self, room: str, post: Post) -> Sequence[Content]:
        """The words come first. They hold a place for each file that the homeserver does not take."""
        blocks, files = split(post)
        along: list[Content] = []
        left: list[Picture | Brought] = []
        for file in files:  # before a word is said: who reads that there are pictures shall see them
            content = await self._there(room, file)
            if content is None:
                left.append(file)
            else:
                along.append(content)
        whole = Document((*blocks, *left))
        said = [words(whole)] if whole.blocks or post.edits is not None or not along else []
        if post.edits is not None:
            return [edited(said[0], post.edits), *along]
        if post.reply_to is None:
            return [*said, *along]
        question = Question(post.reply_to, await self._threads.root(room, post.reply_to))
        return [answering(content, question) for content in (*said, *along)]

    async def _there(self, room: str, file: Picture | Brought) -> Content | None:
        """What an event says of a file that the homeserver has; nothing where it does not take it."""
        data, media_type = (file.data, file.media_type) if isinstance(file, Picture) else (file.content, file.file.type)
        there = await upload(self._connection, data, media_type, in_clear=self._speaker.speaks_in_clear(room))
        if there is None:
            return None
        return image(file, there) if isinstance(file, Picture) else sent_along(file, there)
