"""The one place that runs commands. Whatever becomes of one, its outcome is recorded and answered in one commit."""

import asyncio
import collections
import dataclasses
import functools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from bot.desk import running
from bot.desk.conclusion import Conclusion
from bot.desk.lately import Lately
from bot.desk.limits import Limits
from bot.desk.outcome import Outcome
from bot.desk.way import Way
from bot.store import inbox
from bot.store.inbox import Received
from bot.system import System
from bot.words.document import Document, text
from bot.words.errors import StoreError, StoreRefused
from bot.words.message import Message, Post

T = TypeVar("T")
log = structlog.get_logger(__name__)

MOST_UNDER_WAY = 512
"""Messages that are held in memory. More of them wait in the inbox; a stop among them does not wait."""
MOST_APART, MOST_APART_OF_ONE = 64, 16
"""Messages that are answered without the disk at once, of all and of one account. The others wait for it."""
LOOK_MAY_TAKE_S = 1.0
"""What no look into the inbox finds by then is not answered without the disk."""
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0


class Desk:
    """Takes what is in the inbox, in order, and deals with it."""

    def __init__(
        self,
        system: System,
        *,
        queued: Callable[[], None],
        now: Callable[[], float] = time.time,
        limits: Limits | None = None,
        after_a_crash: bool = False,
    ) -> None:
        self._store = system.store
        self._system = system
        self._way = Way(system, limits=limits, now=now, after_a_crash=after_a_crash)
        self._queued = queued
        self._now = now
        self._tasks: asyncio.TaskGroup | None = None
        self._under_way: set[int] = set()
        self._hurrying: set[tuple[str, str]] = set()
        """What is run before the disk has it; a bridge may offer it again and again meanwhile."""
        self._apart = Lately()
        """What is answered without the disk: the inbox may bring it later, and it is dealt with by then."""
        self._apart_now: dict[tuple[str, str], str] = {}
        """Those that are being answered, and whose they are."""
        self._begun = Lately()
        """What was begun from the inbox."""
        self._finished: set[int] | None = None
        """Rows that were finished while the inbox is gone through: what is read from it may be older than that."""
        self._seen = 0
        """The newest row that was read from the inbox. Rows are numbered in the order of their commits."""
        self._left_behind = False
        """There is something in the inbox that is not under way."""
        self._look_again = asyncio.Event()
        self._ready = False
        """What a crash has cut off is known as such. Until then only stops begin."""
        self._ending = False
        self._ended = asyncio.Event()
        """Set whenever something was done."""
        self._results: collections.Counter[str] = collections.Counter()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many commands had which result."""
        return self._results

    async def run(self) -> None:
        """Deal with the inbox until cancelled. Stops begin first, then what an earlier run left open."""
        self._left_behind = True
        self._ready = self._ending = False
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                try:
                    await self._catch_up()
                    # What an earlier run has handed to the writer is on disk before anything is taken for cut off.
                    await self._patiently(lambda: self._store.write(lambda _: None))
                    await self._patiently(self._system.approvals.recover)
                    tasks.create_task(self._system.approvals.expire(), name="requests")
                    self._ready = self._left_behind = True
                    while True:
                        self._look_again.clear()
                        if self._left_behind and not self._is_full and not self._ending:
                            await self._catch_up()
                        else:
                            await self._look_again.wait()
                finally:
                    self._tasks = None
        finally:
            self._under_way.clear()

    async def finish(self) -> None:
        """Begin nothing more but stops, and wait until all that was begun is done."""
        self._ending = True
        while self._under_way or self._hurrying or self._apart_now:
            self._ended.clear()
            await self._ended.wait()

    def receive(self, new: Sequence[Received]) -> None:
        """Deal with what is new in the inbox. What is too much now is read back from there later, in its order."""
        for received in new:
            if received.row <= self._seen or self.is_answered_apart(received.message):
                continue  # it was read from the inbox before its bridge could say so, or is dealt with without it
            is_behind = self._left_behind or self._finished is not None or self._is_full
            has_to_wait = is_behind or not self._ready or self._ending
            if has_to_wait and not self._way.waits_for_nothing(received.message):
                self._left_behind = True
                self._look_again.set()
            else:
                self._begin(received)

    def hurry(self, messages: Sequence[Message]) -> None:
        """Begin what waits for nothing among messages that the disk does not take, or not soon."""
        for message in messages:
            said = _said(message)
            is_known = said in self._hurrying or self.is_answered_apart(message)
            if self._tasks is not None and not is_known and self._way.waits_for_nothing(message):
                self._hurrying.add(said)
                self._tasks.create_task(self._hurry(message, said), name=f"hurry {message.event}")

    async def answer_apart(self, messages: Sequence[Message], trouble: str, *, may_be_written: bool = False) -> bool:
        """Answer messages that the disk does not take: what only reads is shown, and what changes something is refused.

        What was refused is not run later. So where a write hangs, which may be done after all, nothing is refused yet.
        True where all of them are answered, or will be.
        """
        answered = True
        for message in messages:
            said = _said(message)
            if self.is_answered_apart(message):
                continue
            may = self._may_answer_apart(message) and not (may_be_written and not self._way.may_run_again(message))
            if not may or await self._may_be_in_the_inbox(message) or self._tasks is None or said in self._begun:
                answered = False
                continue
            self._apart.add(said)
            self._apart_now[said] = str(message.account)
            self._tasks.create_task(self._answer_apart(message, said, trouble), name=f"apart {message.event}")
        return answered and bool(messages)

    def is_answered_apart(self, message: Message) -> bool:
        """Whether it is answered without the disk: then the inbox need not have it."""
        said = _said(message)
        return said in self._apart or said in self._apart_now

    def _may_answer_apart(self, message: Message) -> bool:
        if self._way.waits_for_nothing(message):
            return True
        mine = sum(account == str(message.account) for account in self._apart_now.values())
        is_free = self._ready and not self._ending and len(self._apart_now) < MOST_APART and mine < MOST_APART_OF_ONE
        return is_free and self._way.commands(message)

    async def _hurry(self, message: Message, said: tuple[str, str]) -> None:
        try:
            await self._way.hurry(message)
        except Exception:  # it runs again when the disk has it
            log.exception("a command before the disk broke")
        finally:
            self._hurrying.discard(said)
            self._ended.set()

    async def _answer_apart(self, message: Message, said: tuple[str, str], trouble: str) -> None:
        received = self._way.unwritten(message, trouble)
        structlog.contextvars.bind_contextvars(id=received.id)
        try:
            outcome = dataclasses.replace(await self._way.take(received), late=True)
            if outcome.begun is not None and outcome.answer is not None:
                told = Document((*outcome.answer.blocks, text(f"Not recorded yet. {trouble}")))
                outcome = dataclasses.replace(outcome, answer=told)
            await self._conclude(received, outcome)
        except BaseException as error:
            self._apart.drop(said)
            if not isinstance(error, Exception):
                raise
            log.exception("a message broke the desk")  # one message never ends the bot
        finally:
            del self._apart_now[said]
            self._ended.set()

    async def _may_be_in_the_inbox(self, message: Message) -> bool:
        """What is there is dealt with from there, also if it is heard once more beside the stream."""
        try:
            async with asyncio.timeout(LOOK_MAY_TAKE_S):
                return await self._store.read(lambda tx: inbox.has(tx, message.place, message.event))
        except (StoreError, TimeoutError):
            return True

    async def _say(self, post: Post, key: str) -> bool:
        way_out = self._system.ways_out.get(post.place.network)
        return way_out is not None and await way_out.say_without_the_disk(post, key)

    @property
    def _is_full(self) -> bool:
        return len(self._under_way) >= MOST_UNDER_WAY

    async def _catch_up(self) -> None:
        """Go through all that is open. Stops begin at once, the rest as far as there is room for it."""
        self._left_behind = False
        self._finished = set()
        skipped = False
        after = 0
        try:
            while rows := await self._open_rows(after):
                for received in rows:
                    after = received.row
                    self._seen = max(self._seen, after)
                    is_known = received.row in self._under_way or received.row in self._finished
                    if is_known or self.is_answered_apart(received.message):
                        continue
                    may_begin = self._ready and not self._ending and not skipped and not self._is_full
                    if may_begin or self._way.waits_for_nothing(received.message):
                        self._begin(received)
                    else:
                        skipped = True
        finally:
            self._finished = None
            self._left_behind = self._left_behind or skipped

    async def _open_rows(self, after: int) -> list[Received]:
        return await self._patiently(lambda: self._store.read(lambda tx: inbox.open_rows(tx, after)))

    def _begin(self, received: Received) -> None:
        if self._tasks is None:  # it is gone through at the next start
            return
        self._under_way.add(received.row)
        self._begun.add(_said(received.message))
        self._tasks.create_task(self._deal_with(received), name=f"message {received.row}")

    async def _deal_with(self, received: Received) -> None:
        structlog.contextvars.bind_contextvars(id=received.id)
        try:
            await self._conclude(received, await self._way.take(received))
        except Exception:  # one message never ends the bot
            log.exception("a message broke the desk")
        finally:
            self._under_way.discard(received.row)
            self._ended.set()
            if self._finished is not None:
                self._finished.add(received.row)
            if self._left_behind and len(self._under_way) <= MOST_UNDER_WAY // 2:
                self._look_again.set()

    async def _conclude(self, received: Received, outcome: Outcome) -> None:
        """Done, recorded and answered, in one commit."""
        attempts = [outcome]
        if outcome.command is not None and outcome.answer is not None:  # a plug-in's words, or its wishes
            shown = running.broken(received.id, "It ran, but its answer cannot be shown.")
            lost = running.broken(received.id, "It ran, but what it wanted written could not be.")
            attempts += [
                dataclasses.replace(outcome, answer=shown),
                dataclasses.replace(outcome, answer=lost, result="not written", written_along=()),
            ]
        for attempt in attempts:
            conclusion = Conclusion(received, attempt, self._say)
            try:
                await self._patiently(functools.partial(conclusion.written, self._store))
            except asyncio.CancelledError:
                conclusion.hand_in(self._store)
                raise
            except Exception:  # what a plug-in wants said or written need not be possible
                log.exception("an outcome could not be written as it was", result=attempt.result)
            else:
                if attempt.result:
                    self._results[attempt.result] += 1
                break
        if outcome.answer is not None or outcome.written_along:
            self._queued()

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the disk refuses now it takes later. What was done is not forgotten meanwhile."""
        wait = FIRST_WAIT_S
        while True:
            try:
                return await work()
            except StoreRefused:
                raise  # it will not take it later either
            except StoreError as error:
                log.error("the database has to wait", error=str(error), seconds=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_S)


def _said(message: Message) -> tuple[str, str]:
    return message.place.network, message.event
