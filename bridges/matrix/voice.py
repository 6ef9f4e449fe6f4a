"""Says a post: its words as one event, each picture as one more. What was said before is not said twice."""

from collections.abc import Sequence

from bot.words.document import Document, Picture
from bot.words.message import Post
from bridges.matrix.connection import Connection
from bridges.matrix.content import Content, Question, answering, edited, image, split, words
from bridges.matrix.pictures import upload
from bridges.matrix.rooms import Rooms
from bridges.matrix.sending import Speaker
from bridges.matrix.threads import Threads


class Voice:
    """Turns posts into events."""

    def __init__(self, connection: Connection, speaker: Speaker, threads: Threads) -> None:
        self._connection = connection
        self._speaker = speaker
        self._threads = threads
        self._rooms = Rooms(connection)

    async def say(self, post: Post, key: str) -> str:
        """Say a post in its room and return the first event's id. The same key gives the same events."""
        room = await self._rooms.find(post.place.id)
        contents = await self._contents(room, post)
        events = [
            await self._speaker.say(room, dict(content), key=f"{key}.{number}" if number else key)
            for number, content in enumerate(contents)
        ]
        return events[0]

    async def _contents(self, room: str, post: Post) -> Sequence[Content]:
        """The words come first. They hold a place for each picture that the homeserver does not take."""
        text, pictures = split(post)
        images: list[Content] = []
        left: list[Picture] = []
        for picture in pictures:  # before a word is said: who reads that there are pictures shall see them
            file = await upload(self._connection, picture)
            if file is None:
                left.append(picture)
            else:
                images.append(image(picture, file))
        text = Document((*text.blocks, *left))
        said = [words(text)] if text.blocks or post.edits is not None or not images else []
        if post.edits is not None:
            return [edited(said[0], post.edits), *images]
        if post.reply_to is None:
            return [*said, *images]
        question = Question(post.reply_to, await self._threads.root(room, post.reply_to))
        return [answering(content, question) for content in (*said, *images)]
