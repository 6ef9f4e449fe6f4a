"""Says a post. What was said before is not said twice: after an outcome that nobody knows it is looked for first."""

import asyncio
import collections
import dataclasses
import time
from collections.abc import Callable, Sequence

import structlog

from bot.words.errors import Unreachable
from bot.words.message import Post
from bridges.zulip import answers
from bridges.zulip.answers import Json, read
from bridges.zulip.api import Api
from bridges.zulip.composing import answering, compose, compose_one, going_on, pictures
from bridges.zulip.errors import Declined, OddAnswer, OutcomeUnknown
from bridges.zulip.notes import Note, Notes
from bridges.zulip.places import Direct, Places, Target, Topic, same
from bridges.zulip.reading import Reader, id_of
from bridges.zulip.realm import LONGEST_MESSAGE, Realm

SETTLED_S = 1.0
"""What a server was at when the connection broke, it has done by then."""
LOOKED_AT = 1000
MOST_PAGES = 10
KEPT = 2000

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Said:
    key: str
    at: float


class Voice:
    """The bot's account, as it speaks."""

    def __init__(
        self,
        api: Api,
        places: Places,
        realm: Realm,
        reader: Reader,
        notes: Notes,
        email: str,
        counts: "collections.Counter[str]",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._places = places
        self._realm = realm
        self._reader = reader
        self._notes = notes
        self._email = email
        self._counts = counts
        self._clock = clock
        self._untouched: set[str] = set()
        """Posts that were begun, and of which the server surely has nothing."""
        self._doubtful_since: dict[str, float] = {}
        self._said: dict[int, _Said] = {}
        """What was sent lately, by its id."""

    async def say(self, post: Post, key: str) -> str:
        """Say a post in its place, and return what it is known by."""
        target = await self._places.find(post.place, post.lane)
        try:
            if post.edits is not None and await self._edit(post, target, post.edits):
                return post.edits
            return str(await self._say_once(post, target, key))
        except Declined:
            self._counts["refused_posts"] += 1
            self._forget(key)
            raise

    async def _edit(self, post: Post, target: Target, event: str) -> bool:
        """Whether the earlier message has the new words. It has not where that is not allowed any more."""
        number = id_of(event)
        said = self._said.get(-1 if number is None else number)
        if number is None or not self._realm.may_edit(0.0 if said is None else self._clock() - said.at):
            return False
        content = compose_one(post.document, self._head(post, target), self._longest)
        try:
            await self._api.edit(number, content, post.lane)
        except Declined as declined:
            log.info("a message cannot be edited; a new one takes its place", message=number, why=declined.what)
            return False
        return True

    async def _say_once(self, post: Post, target: Target, key: str) -> int:
        """Send what the server does not have yet, and return the first message's id."""
        note = await self._notes.find(key)
        found: dict[str, list[int]] = {}
        if note is None:
            note = Note(tuple(await self._contents(post, target)), self._realm.newest)
            await self._notes.begin(key, note)
        elif key not in self._untouched:
            found = await self._find(note, target, key, post)
        ids: list[int] = []
        for content in note.contents:
            known = found.get(content.strip())
            if known:
                ids.append(known.pop(0))
                self._counts["found_after_all"] += 1
            else:
                ids.append(await self._send(post, target, content, key, is_first=not ids))
            self._note(ids[-1], key)
        self._forget(key)
        return ids[0]

    def _forget(self, key: str) -> None:
        """It is settled. Should it be said again, the disk tells that it was begun."""
        self._untouched.discard(key)
        self._doubtful_since.pop(key, None)
        self._notes.end(key)

    async def _send(self, post: Post, target: Target, content: str, key: str, *, is_first: bool) -> int:
        self._untouched.discard(key)
        try:
            if isinstance(target, Direct):
                return await self._api.say_to(target.people, content, post.lane)
            return await self._api.say_in_topic(target.channel, target.name, content, post.lane)
        except OutcomeUnknown:
            self._doubtful_since[key] = self._clock()
            raise
        except Unreachable:
            if is_first and key not in self._doubtful_since:
                self._untouched.add(key)
            raise

    async def _find(self, note: Note, target: Target, key: str, post: Post) -> dict[str, list[int]]:
        """What of a post is there already, by its words."""
        since = self._doubtful_since.get(key, self._clock())
        await asyncio.sleep(max(0.0, since + SETTLED_S - self._clock()))
        found: collections.defaultdict[str, list[int]] = collections.defaultdict(list)
        after = max(note.after, 0)
        for _ in range(MOST_PAGES):
            narrow = [{"operator": "sender", "operand": self._email}]
            page = await self._api.history(after, after=LOOKED_AT, narrow=narrow, lane=post.lane)
            for message in _messages(page.messages):
                said = self._said.get(message.id)
                is_free = said is None or said.key == key
                if message.id > note.after and is_free and self._is_at(message, target):
                    found[message.content.strip()].append(message.id)
                after = max(after, message.id)
            if page.found_newest or not page.messages:
                break
        return found

    def _is_at(self, message: answers.Message, target: Target) -> bool:
        if isinstance(target, Topic):
            return message.stream_id == target.channel and same(message.subject) == same(target.name)
        if message.stream_id is not None or isinstance(message.display_recipient, str):
            return False
        me = self._reader.me
        return {each.id for each in message.display_recipient} - {me} == {*target.people} - {me}

    def _note(self, message_id: int, key: str) -> None:
        self._realm.note(message_id)
        self._said.setdefault(message_id, _Said(key, self._clock()))
        if len(self._said) > KEPT:
            del self._said[next(iter(self._said))]

    async def _contents(self, post: Post, target: Target) -> list[str]:
        links: list[str] = []
        for number, picture in enumerate(pictures(post.document), start=1):
            name = f"picture-{number}.{picture.media_type.removeprefix('image/')}"
            try:
                links.append(await self._api.upload(name, picture.data, post.lane))
            except Declined as declined:  # it keeps no words from being said
                log.warning("a picture stays behind", bytes=len(picture.data), error=declined.what)
        return compose(post.document, self._head(post, target, post.edits), self._longest, links)

    @property
    def _longest(self) -> int:
        return min(self._realm.longest_message, LONGEST_MESSAGE)

    def _head(self, post: Post, target: Target, replaced: str | None = None) -> str:
        """What stands before the words: to what this is the answer, in a topic where others talk."""
        topic = target if isinstance(target, Topic) else None
        lines: list[str] = []
        if topic is not None and post.reply_to is not None and (answered := id_of(post.reply_to)) is not None:
            lines.append(answering(self._reader.writers.get(post.reply_to, ""), topic, answered))
        if replaced is not None:
            lines.append(going_on(topic, id_of(replaced)))
        return "\n".join(lines)


def _messages(raw: Sequence[Json]) -> list[answers.Message]:
    found: list[answers.Message] = []
    for each in raw:
        try:
            found.append(read(answers.Message, each))
        except OddAnswer as odd:
            log.warning("an odd message is passed over", what=odd.what)
    return found
