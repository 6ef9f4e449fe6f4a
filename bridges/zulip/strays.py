"""What the bot has said in a topic in the very moment in which that was moved away: it begins the topic anew, alone.

It follows the others. Only the bot's own messages are ever touched, each once.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import Coroutine, Generator, Iterable

import structlog

from bot.words.errors import NetworkError, OutOfService
from bot.words.message import Lane, Place
from bridges.zulip import answers
from bridges.zulip.answers import read
from bridges.zulip.api import Api
from bridges.zulip.batch import Move
from bridges.zulip.patience import patiently
from bridges.zulip.places import Target, Topic, narrowed, place_in
from bridges.zulip.reading import Reader, standing_in

KEPT = 500
LOOKED_AT = 100

log = structlog.get_logger(__name__)


@dataclasses.dataclass(slots=True, eq=False)
class Saying:
    """Something that is on its way to a topic, and what was moved away from there meanwhile."""

    place: Place | None
    moves: list[Move] = dataclasses.field(default_factory=list[Move])


class Strays:
    """Those of one account."""

    def __init__(self, api: Api, reader: Reader) -> None:
        self._api = api
        self._reader = reader
        self._under_way: list[Saying] = []
        self._said: dict[int, Place] = {}
        """What was said in topics lately, by its id."""
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def watching(self, target: Target) -> Generator[Saying]:
        """Something is said there, until the block ends."""
        saying = Saying(place_in(target.channel, target.name) if isinstance(target, Topic) else None)
        self._under_way.append(saying)
        try:
            yield saying
        finally:
            self._under_way.remove(saying)

    def said(self, message: int, saying: Saying) -> None:
        """The server has this of it."""
        if saying.place is None:
            return
        self._said[message] = saying.place
        if len(self._said) > KEPT:
            del self._said[next(iter(self._said))]
        for move in saying.moves:
            self._look_at(message, move)

    def heard(self, move: Move) -> None:
        """Messages were moved, and the core knows of it."""
        for message in move.ids & self._said.keys():
            self._said[message] = move.to
        if not move.is_whole:
            return
        for saying in self._under_way:
            if saying.place == move.place:
                saying.moves.append(move)
        for message in [*self._said]:
            self._look_at(message, move)
        self._begin(self._look_for_earlier(move))

    def found(self, messages: Iterable[int], move: Move) -> None:
        """These of the bot's were said where the others were moved away from, before this run perhaps."""
        for message in messages:
            self._said[message] = move.place
            self._look_at(message, move)

    def close(self) -> None:
        """Move nothing any more."""
        for task in self._tasks:
            task.cancel()

    def _look_at(self, message: int, move: Move) -> None:
        if self._said.get(message) != move.place:
            return
        self._said[message] = move.to
        self._begin(self._follow(message, move))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="strays")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_for_earlier(self, move: Move) -> None:
        """A run that ended may have said something there before anybody knew of the move."""
        newest = max(move.ids)
        try:
            narrow = narrowed(move.place, move.was)
            page = await patiently(lambda: self._api.history(newest, after=LOOKED_AT, narrow=narrow))
            for message in (read(answers.Message, each) for each in page.messages):
                is_own = message.sender_id == self._reader.me and message.id > newest
                if is_own and message.id not in self._said and standing_in(message) == move.place:
                    self.found([message.id], move)
        except (NetworkError, OutOfService) as error:
            log.warning("whether anything was said in a topic that was moved cannot be seen", why=error.what)

    async def _follow(self, message: int, move: Move) -> None:
        try:
            if await patiently(lambda: self._is_at(message, move.place)):
                await patiently(lambda: self._api.move(message, move.topic, Lane.ANSWER))
                log.info("a message of the bot follows the topic in which it was meant to be", message=message)
        except (NetworkError, OutOfService) as error:
            log.warning("a message of the bot stays behind in a topic that was moved", message=message, why=error.what)

    async def _is_at(self, message: int, place: Place) -> bool:
        found = [read(answers.Message, each) for each in (await self._api.history(message)).messages]
        return any(each.id == message and standing_in(each) == place for each in found)
