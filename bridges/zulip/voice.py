"""Says a post. What was said before is not said twice: after an outcome that nobody knows it is looked for first."""

import asyncio
import collections
import dataclasses
import time
from collections.abc import Callable, Sequence

import structlog

from bot.words.document import Reacts
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Lane, Post
from bridges.zulip import answers
from bridges.zulip.answers import Json, read
from bridges.zulip.api import Api
from bridges.zulip.composing import answering, compose, compose_one, going_on
from bridges.zulip.errors import Declined, OddAnswer, OutcomeUnknown, TookLong
from bridges.zulip.notes import DiskSlow, Note, Notes
from bridges.zulip.places import Direct, Places, Target, Topic, same
from bridges.zulip.reading import Reader, id_of
from bridges.zulip.realm import LONGEST_MESSAGE, Realm
from bridges.zulip.showing import Showing, reaction_of
from bridges.zulip.strays import Saying, Strays
from bridges.zulip.taking_back import TakingBack, is_taken_back
from bridges.zulip.uploading import Uploads

SETTLED_S = 1.0
"""What a server was at when the connection broke, it has done by then."""
LATE_S = 60.0
"""What it did not answer in time it may do as long after that. A server ends what takes longer."""
LOOK_AGAIN_S = 5.0
MOVE_HEARD_S, MOVE_LOOK_AGAIN_S = 10.0, 0.5
"""By when a move has been heard, and how often it is looked for."""
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
        strays: Strays,
        email: str,
        counts: "collections.Counter[str]",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._places = places
        self._realm = realm
        self._reader = reader
        self._notes = notes
        self._strays = strays
        self._email = email
        self._counts = counts
        self._clock = clock
        self._uploads = Uploads(api)
        self._showing = Showing(api)
        self._taking_back = TakingBack(api, notes, self._may_edit)
        self._untouched: set[str] = set()
        """Posts that were begun, and of which the server surely has nothing."""
        self._settled_at: dict[str, float] = {}
        """By when the server has done with a post of which nobody knows whether it took it."""
        self._said: dict[int, _Said] = {}
        """What was sent lately, by its id."""
        self._elsewhere: dict[str, float] = {}
        """Since when what a post is about is not where it was thought to be."""
        self._begun_again = realm.begun_again

    async def say(self, post: Post, key: str) -> str:
        """Say a post in its place, and return what it is known by."""
        target = await self._places.find(post.place, post.lane)
        try:
            if (shows := reaction_of(post)) is not None:
                return await self._show(post, shows, target, key)
            if post.edits is not None and await self._change(post, target, post.edits, key):
                return post.edits
            with self._strays.watching(target) as saying:
                return str(await self._say_once(post, target, key, saying))
        except Declined:
            self._counts["refused_posts"] += 1
            self._forget(key)
            self._notes.drop(key)
            raise

    async def _show(self, post: Post, shows: Reacts, target: Target, key: str) -> str:
        number = id_of(post.reply_to or "")
        if not shows.gone and (number is None or not await self._is_still_at(number, target, post.lane, key)):
            raise NetworkError("The message that this is to be shown beside is not there.")
        return await self._showing.show(post, shows)

    async def _change(self, post: Post, target: Target, event: str, key: str) -> bool:
        """Whether the earlier message is changed. It is not where that is not allowed any more."""
        number = id_of(event)
        if number is None:
            return False
        if is_taken_back(post):
            return await self._taking_back.take_back(number, post.lane)
        return self._may_edit(number) and await self._edit(post, target, number, key)

    def _may_edit(self, number: int) -> bool:
        said = self._said.get(number)
        return self._realm.may_edit(0.0 if said is None else self._clock() - said.at)

    async def _edit(self, post: Post, target: Target, number: int, key: str) -> bool:
        """Whether the earlier message has the new words."""
        # Whoever moved it has moved the words of then, and may not have these. A stop's words wait for no answer.
        if post.lane is not Lane.STOP and not await self._is_still_at(number, target, post.lane, key):
            log.info("a message was moved; a new one takes its place", message=number)
            return False
        words, links = await self._uploads.ready(post, with_pictures=False)
        content = compose_one(words, self._head(post, target), self._longest, links)
        try:
            await self._api.edit(number, content, post.lane)
        except Declined as declined:
            log.info("a message cannot be edited; a new one takes its place", message=number, why=declined.what)
            return False
        return True

    async def _is_still_at(self, number: int, target: Target, lane: Lane, key: str) -> bool:
        """Whether a message is there. Where it was just moved, the post waits until its place is known to be another.

        Raises Unreachable then: the core moves what people say along, or keeps it back.
        """
        try:
            page = await self._api.history(number, lane=lane)
        except Declined:
            return False
        there = [each for each in _messages(page.messages) if each.id == number]
        if lane is Lane.TALK and there and not self._is_at(there[0], target):
            since = self._elsewhere.setdefault(key, self._clock())
            if len(self._elsewhere) > KEPT:
                del self._elsewhere[next(iter(self._elsewhere))]
            if self._clock() - since < MOVE_HEARD_S:
                raise Unreachable("The message was moved.", retry_after=MOVE_LOOK_AGAIN_S)
        return any(self._is_at(each, target) for each in there)

    async def _say_once(self, post: Post, target: Target, key: str, saying: Saying) -> int:
        """Send what the server does not have yet, and return the first message's id."""
        note = await self._begun(post, key)
        found: dict[str, list[int]] = {}
        if note is None:
            before = await self._earlier(post)
            note = Note(tuple(await self._contents(post, target)), self._realm.newest, before=before)
            await self._notes.begin(key, note)
        elif note.contents and key not in self._untouched:
            found = await self._find(note, target, key, post)
        while note.contents:
            content, *rest = note.contents
            known = found.get(content.strip())
            if known:
                self._counts["found_after_all"] += 1
            one = known.pop(0) if known else await self._send(post, target, content, key, is_first=not note.said)
            self._note(one, key)
            self._strays.said(one, saying)
            note = dataclasses.replace(note, contents=tuple(rest), said=(*note.said, one))
            self._notes.keep(key, note)
        self._forget(key)
        return note.said[0]

    async def _earlier(self, post: Post) -> tuple[int, ...]:
        """The messages that this post takes the place of: what is taken back later is all of it."""
        number = id_of(post.edits or "")
        if number is None or post.lane is not Lane.TALK:
            return ()
        return await self._notes.together(number)

    async def _begun(self, post: Post, key: str) -> Note | None:
        try:
            return await self._notes.find(key)
        except DiskSlow:
            if post.lane is not Lane.STOP:
                raise
            return None  # twice is better than too late

    def _forget(self, key: str) -> None:
        """It is settled. Should it be said again, the disk tells that it was."""
        self._untouched.discard(key)
        self._settled_at.pop(key, None)
        self._notes.end(key)

    async def _send(self, post: Post, target: Target, content: str, key: str, *, is_first: bool) -> int:
        self._untouched.discard(key)
        try:
            if isinstance(target, Direct):
                return await self._api.say_to(target.people, content, post.lane)
            return await self._api.say_in_topic(target.channel, target.name, content, post.lane)
        except OutcomeUnknown as unknown:
            self._settled_at[key] = self._clock() + (LATE_S if isinstance(unknown, TookLong) else SETTLED_S)
            raise
        except Unreachable:
            if is_first and key not in self._settled_at:
                self._untouched.add(key)
            raise

    async def _find(self, note: Note, target: Target, key: str, post: Post) -> dict[str, list[int]]:
        """What of a post is there already, by its words."""
        settled_at = self._settled_at.setdefault(key, self._clock() + SETTLED_S)
        await asyncio.sleep(min(SETTLED_S, max(0.0, settled_at - self._clock())))
        found = await self._look_for(note, target, key, post)
        is_whole = all(found.get(content.strip()) for content in note.contents)
        if not is_whole and settled_at > self._clock() and post.lane is not Lane.STOP:
            raise Unreachable("Zulip may be at it still.", retry_after=min(LOOK_AGAIN_S, settled_at - self._clock()))
        return found

    async def _look_for(self, note: Note, target: Target, key: str, post: Post) -> dict[str, list[int]]:
        found: collections.defaultdict[str, list[int]] = collections.defaultdict(list)
        after = max(note.after, 0)
        for _ in range(MOST_PAGES):
            narrow = [{"operator": "sender", "operand": self._email}]
            page = await self._api.history(after, after=LOOKED_AT, narrow=narrow, lane=post.lane)
            for message in _messages(page.messages):
                is_new = message.id > note.after and message.id not in note.said
                if is_new and self._is_at(message, target) and await self._is_free(message.id, key, post.lane):
                    found[message.content.strip()].append(message.id)
                after = max(after, message.id)
            if page.found_newest or not page.messages:
                break
        return found

    async def _is_free(self, message_id: int, key: str, lane: Lane) -> bool:
        """Whether it is of no other post, of this run or of an earlier one."""
        if self._realm.begun_again != self._begun_again:  # ids are given again
            self._begun_again = self._realm.begun_again
            self._said.clear()
        said = self._said.get(message_id)
        if said is not None:
            return said.key == key
        try:
            owner = (await self._notes.owners()).get(message_id)
        except DiskSlow:
            if lane is not Lane.STOP:
                raise
            return True
        return owner in (None, self._notes.owner(key))

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
        words, links = await self._uploads.ready(post, with_pictures=True)
        head = self._head(post, target, post.edits)
        if post.lane is Lane.TALK:  # only the first of several would say who has said it
            return [compose_one(words, head, self._longest, links)]
        return compose(words, head, self._longest, links)

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
