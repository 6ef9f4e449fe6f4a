"""One queue, as it is listened to. It is polled beside whatever stands: a stop is heard as long as there is a queue.

Asking acknowledges what came before, so what is heard beside may be lost to a crash, and more than a bound of it is not
kept at all. Nothing is lost by that: only what is in the inbox moves the cursor on, and from there it is read back.
"""

import asyncio
import collections
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import structlog

from bot.bridge import Inlet
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Message
from bridges.zulip.answers import Json, event_id
from bridges.zulip.api import Api, Events
from bridges.zulip.batch import Taken
from bridges.zulip.errors import Declined, OddAnswer, TooMuch
from bridges.zulip.patience import Patience

MAY_TAKE_S = 1.0
"""While something takes longer, what comes after it is heard beside it."""
MOST_AHEAD = 1000
"""Events that are kept while something stands."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Ear:
    """Where the bot listens, and what was heard and is not in the inbox yet."""

    def __init__(
        self, api: Api, inlet: Inlet, pieces: Callable[[Events], Iterable[Taken]], answered: Callable[[], None]
    ) -> None:
        self._api = api
        self._inlet = inlet
        self._pieces = pieces
        self._answered = answered
        self._queue, self._last = "", -1
        self._keeps = True
        self.waiting: collections.deque[Taken] = collections.deque()
        self.missed = False
        """Something was heard and not kept: it has to be read back."""

    def listen(self, queue: str, last: int, *, keeps: bool = True) -> None:
        """From now on at this queue. Where nothing can be made of what comes yet, only stops are heard."""
        self._queue, self._last = queue, last
        self._keeps = keeps
        self.waiting.clear()
        self.missed = False

    def keep(self) -> None:
        """From now on what comes can be kept."""
        self._keeps = not self.missed

    async def poll(self) -> Sequence[Message]:
        """Wait for what comes next. Each event is looked at once, in its turn."""
        batch = await self._api.events(self._queue, self._last)
        last = last_of(batch.events, self._last)
        self._answered()
        self._last = last
        heard = list(self._pieces(batch))
        if self._keeps:
            self.waiting += heard
        else:
            self.missed = self.missed or bool(heard)
        return [message for taken in heard for message in taken.messages()]

    async def beside(self, work: Coroutine[Any, Any, T], at_hand: Sequence[Message] = ()) -> T:
        """The result of work. While it stands the stops go out: those at hand, those that wait, those that come."""
        tasks = [working := asyncio.create_task(work)]
        try:
            await asyncio.wait(tasks, timeout=MAY_TAKE_S)
            if not working.done():
                tasks.append(hearing := asyncio.create_task(self._hear(at_hand)))
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if not working.done():
                    hearing.result()  # nothing but a fault ends it
            return await working
        finally:
            for task in tasks:
                task.cancel()

    async def _hear(self, at_hand: Sequence[Message]) -> NoReturn:
        most = max(MOST_AHEAD, self._size())
        messages = [*at_hand, *(message for taken in self.waiting for message in taken.messages())]
        patience = Patience()
        while True:
            await self._inlet.despite_the_disk(messages)
            messages = []
            try:
                messages = await self.poll()
            except (Declined, TooMuch) as lost:
                await patience.after(lost)
                await self._listen_elsewhere()
            except Unreachable as error:
                await patience.after(error)
            if self._size() > most:
                log.warning("too much is heard before it can be kept; it is read back later")
                self._forget()

    async def _listen_elsewhere(self) -> None:
        """The queue is lost, and what was in it is not to be had while something stands. Stops are heard from here."""
        try:
            registered = await self._api.register()
        except NetworkError as error:
            log.warning("nothing can be heard", error=error.what)
            return
        self._queue, self._last = registered.queue_id, registered.last_event_id
        self._forget()

    def _size(self) -> int:
        return sum(taken.size for taken in self.waiting)

    def _forget(self) -> None:
        self._keeps, self.missed = False, True
        self.waiting.clear()


def last_of(events: Sequence[Json], last: int) -> int:
    """The number of the newest event. A batch that moves nothing on would come again for ever."""
    newest = max((event_id(event) for event in events), default=last)
    if events and newest <= last:
        raise OddAnswer("Zulip gives events that it gave before.")
    return newest
