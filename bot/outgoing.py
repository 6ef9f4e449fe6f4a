"""Brings what is queued to one network, lane by lane. A post leaves the queue when the network has confirmed it.

It never drops a post that may still be taken, and never says a later one of a lane before an earlier one in its place.
A file on its way holds up what people say after it in its place, and nothing else.
"""

import asyncio
import collections
import contextlib
import dataclasses
import functools
import math
import random
import time
from collections.abc import Callable, Collection, Mapping

import structlog

from bot.absences import Absences, Away, Rest
from bot.bridge import Sender
from bot.bringing import BRINGING_TAKES_S, Unbrought
from bot.store import Store, Tx, outbox, said
from bot.store.outbox import Queued, Waiting
from bot.words.errors import NetworkError, StoreError, Unreachable
from bot.words.message import Lane, Place, Post

log = structlog.get_logger(__name__)

SEND_MAY_TAKE_S, WITHOUT_THE_DISK_S = 60.0, 10.0
"""A send that takes longer is given up. The key makes the next try harmless."""
MOST_AT_ONCE = 4
"""Posts on their way. Those of the stop lane are not counted, nor are files: one for each place is their bound."""
MOST_AGAIN_AT_ONCE = 2
"""Of those, posts to places that did not take their last one."""
HEADS_AT_ONCE, COUNTED_EVERY_S = 16, 1.0
STOP_AGAIN_S = 2.0  # how often what tells of a stop is tried at a place that rests
LATE_S = 10.0
"""How long a crowd may wait at a place that takes posts, before it becomes a digest."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Try:
    """A post on its way."""

    place: Place
    lane: Lane
    begun: float
    row: int
    again: bool
    """Its place did not take the last one."""
    carries: bool = False
    """It is a file: its place takes what is of another lane meanwhile."""


class Outgoing:
    """The way out to one network. A place that is away delays only itself."""

    def __init__(
        self,
        network: str,
        bridge: Sender,
        store: Store,
        *,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], float] = time.time,
    ) -> None:
        self._network = network
        self._bridge = bridge
        self._store = store
        self._clock = clock
        self._today = today
        self._counts = collections.Counter(sent=0, retried=0, failed=0, condensed=0)
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._leaving = False
        self._tries: set[_Try] = set()
        self._absences = Absences(network, draw=draw, clock=clock, today=today)
        self._for_files: dict[Place, Rest] = {}
        """How long what people say waits where it comes after a file that is not there yet."""
        self._put_off: set[Place] = set()
        """Places that did not take a post since the crowds were counted."""
        self._counted: float | None = None
        self._hurried: dict[Place, float] = {}
        """When a stop was last tried at a place that rests."""
        self._stops_again: float | None = None
        """When the next one is."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Posts sent, tries that have to be made again, posts that failed, posts that went into a digest."""
        return self._counts

    def away(self) -> list[Away]:
        """The places that did not take their last post, the longest away first."""
        return self._absences.told()

    def wake(self) -> None:
        """There is something new to say."""
        self._news.set()

    def back(self, place: Place) -> None:
        """The bridge knows that a place takes posts again: what waits for it need not wait for its next try."""
        self._absences.hear()
        if self._absences.end(place):
            self.wake()

    async def until_idle(self) -> None:
        """While `run` runs: wait until all is said that can be said now."""
        self._idle.clear()
        self.wake()
        await self._idle.wait()

    async def drain(self, within_s: float) -> None:
        """While `run` still runs: have it say what waits for places that are not away, for at most so long.

        From now on places that are away are not tried, and what breaks the bridge, which may be closing, is not held
        against a post.
        """
        self._leaving = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.until_idle()

    async def run(self) -> None:
        """Say what is queued until cancelled. What an earlier run left comes first."""
        try:
            async with asyncio.TaskGroup() as tries:
                await self._say_all(tries)
        finally:
            self._idle.set()

    async def _say_all(self, tries: asyncio.TaskGroup) -> None:
        trouble: Rest | None = None
        settled = False
        while True:
            self._news.clear()
            now = self._clock()
            try:
                if not settled:  # what an earlier run has noted is on disk before we read what is left to say
                    await self._store.write(_nothing)
                    settled = True
                await self._start(tries, now)
                await self._condense(now)
            except StoreError as error:
                log.error("the outbox has to wait", network=self._network, error=str(error))
                trouble = self._absences.longer(trouble)
            else:
                trouble = None
                under_way = [
                    each for each in self._tries if each.lane is Lane.STOP or not (self._leaving and each.again)
                ]
                if not under_way and not self._news.is_set():
                    self._idle.set()
            times = [*self._absences.times(), *(rest.until for rest in self._for_files.values())]
            times += [trouble.until] if trouble else []
            times += [self._stops_again] if self._stops_again is not None else []
            soonest = min((each for each in times if each > now), default=None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if soonest is None else soonest - self._clock()):
                    await self._news.wait()

    async def _start(self, tries: asyncio.TaskGroup, now: float) -> None:
        """Begin all that may go now."""
        while True:
            await self._hurry_stops(tries, now)
            rested = set[Place]() if self._leaving else self._absences.rested(now)
            busy = {*self._absences.places} - rested | self._busy()
            held = {place for place, rest in self._for_files.items() if rest.until > now} | self._carrying()
            most = HEADS_AT_ONCE + len(rested)  # those that have to wait for a slot hide nobody behind them
            heads = await self._store.read(functools.partial(self._heads, busy=busy, held=held, most=most))
            begun = [(queued, slot) for queued in heads if (slot := self._admitted(queued, now))]
            for queued, slot in begun:
                self._begin(tries, queued, slot)
            if len(heads) < most or not begun:
                return

    async def _hurry_stops(self, tries: asyncio.TaskGroup, now: float) -> None:
        """What tells of a stop waits for the rest of no place, however long: it is tried every few seconds."""
        self._stops_again = None
        resting = {*self._absences.places} - (set[Place]() if self._leaving else self._absences.rested(now))
        if not resting:
            return
        heads = await self._store.read(functools.partial(self._heads, busy=self._busy(), held=(), most=HEADS_AT_ONCE))
        for queued in heads:
            if queued.lane is not Lane.STOP or queued.place not in resting:
                continue
            again = self._hurried.get(queued.place, -math.inf) + STOP_AGAIN_S
            if again > now:
                self._stops_again = min(again, self._stops_again or again)
                continue
            self._stops_again = min(now + STOP_AGAIN_S, self._stops_again or math.inf)
            slot = _Try(queued.place, queued.lane, now, queued.row, again=True)
            self._tries.add(slot)
            self._begin(tries, queued, slot)

    def _heads(self, tx: Tx, *, busy: Collection[Place], held: Collection[Place], most: int) -> list[Queued]:
        return outbox.heads(tx, self._network, [each.id for each in busy], most, held=[each.id for each in held])

    def _busy(self) -> set[Place]:
        return {each.place for each in self._tries if not each.carries}

    def _carrying(self) -> set[Place]:
        return {each.place for each in self._tries if each.carries}

    def _begin(self, tries: asyncio.TaskGroup, queued: Queued, slot: _Try) -> None:
        if queued.lane is Lane.STOP:
            self._hurried[queued.place] = self._clock()
        task = tries.create_task(self._see_off(queued), name=f"send to {queued.place}")
        task.add_done_callback(functools.partial(self._ended, slot))

    def _admitted(self, queued: Queued, now: float) -> _Try | None:
        """Give a post its slot, where there is one for it. One that is on its way goes on where its place is now."""
        if any(each.row == queued.row for each in self._tries):
            return None
        again, carries, quiet = queued.place in self._absences.places, _carries(queued), self._absences.quiet
        if queued.lane is not Lane.STOP:
            slots = [each for each in self._tries if each.lane is not Lane.STOP]
            if not carries and sum(not each.carries for each in slots) >= MOST_AT_ONCE:
                return None
            if quiet is None:
                if again and sum(each.again for each in slots) >= MOST_AGAIN_AT_ONCE:
                    return None
            elif quiet.until > now or any(each.begun >= quiet.until for each in slots):
                if again or not self._absences.spare:  # it rests, or one post is finding out whether it is back
                    return None
                self._absences.spare = False
        slot = _Try(queued.place, queued.lane, now, queued.row, again, carries)
        self._tries.add(slot)
        return slot

    def _ended(self, slot: _Try, _: "asyncio.Task[None]") -> None:
        self._tries.discard(slot)
        self.wake()

    async def _see_off(self, queued: Queued) -> None:
        """Try to say one post, and note what became of it."""
        place, row = queued.place, queued.row
        try:
            post = queued.post
        except ValueError as error:  # its text may quote what was to be said; the log must not
            await self._give_up(queued, f"This version of Tocsin cannot read what is stored ({type(error).__name__}).")
            return
        try:
            event = await self._say(post, queued.key, SEND_MAY_TAKE_S + (BRINGING_TAKES_S if _carries(queued) else 0))
        except Unbrought as error:
            log.warning("a file is not there yet", place=str(place), row=row, error=str(error))
            self._counts["retried"] += 1
            self._wait_for_file(queued, error)
        except (Unreachable, StoreError) as error:  # the next try begins with what is most urgent by then
            log.warning("not sent yet", place=str(place), row=row, error=str(error))
            self._miss(place, error)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            log.warning("a bridge has broken off a post", place=str(place), row=row)
            self._miss(place, Unreachable(f"The bridge broke off ({type(error).__name__})."))
        except NetworkError as error:
            self._absences.hear()
            await self._give_up(queued, str(error))
        except Exception as error:  # one post that nobody can send must not hold up all others, at every start again
            log.exception("a post broke its bridge", place=str(place), row=row)
            if self._leaving:
                self._miss(place, error)
            else:
                await self._give_up(queued, repr(error))
        else:
            self._absences.hear()
            await self._note(queued, "sent", functools.partial(outbox.sent, row=row, event=event))

    def _wait_for_file(self, queued: Queued, error: Unbrought) -> None:
        if _carries(queued):
            rest = self._absences.longer(self._for_files.get(queued.place), error.retry_after)
            self._for_files[queued.place] = rest
        else:
            self._absences.leave_alone(queued.place, str(error), error.retry_after)

    async def _give_up(self, queued: Queued, why: str) -> None:
        if _is_cancelled():  # what a bridge raises on being cancelled tells nothing of the post
            return
        log.error("never sent", place=str(queued.place), row=queued.row, error=why)
        await self._note(queued, "failed", functools.partial(outbox.failed, row=queued.row, error=why))

    async def say_without_the_disk(self, post: Post, key: str) -> bool:
        """Say what no disk has. Whether the network has taken it."""
        try:
            async with asyncio.timeout(WITHOUT_THE_DISK_S):
                await self._bridge.send(post, key=key)
        except (Exception, asyncio.CancelledError) as error:
            if _is_cancelled():
                raise
            log.warning("not said without the disk", place=str(post.place), error=repr(error))
            return False
        return True

    async def _say(self, post: Post, key: str, within_s: float) -> str:
        patience = asyncio.timeout(within_s)
        try:
            async with patience:
                return await self._bridge.send(post, key=key)
        except TimeoutError:
            if not patience.expired():
                raise
            raise Unreachable(f"It did not answer within {within_s:.0f} s.") from None

    async def _note(self, queued: Queued, result: str, work: Callable[[Tx], None]) -> None:
        """Have the disk know what became of a post. Where it does not take that, the post is tried again."""
        try:
            await self._store.write(work)
        except StoreError as error:
            log.error("the outbox has to wait", network=self._network, error=str(error))
            self._absences.leave_alone(queued.place, str(error))
            return
        self._counts[result] += 1
        self._absences.end(queued.place)
        if queued.lane is Lane.TALK:
            self._for_files.pop(queued.place, None)

    def _miss(self, place: Place, error: Exception) -> None:
        """A place did not take a post."""
        self._counts["retried"] += 1
        self._absences.miss(place, error)
        self._put_off.add(place)

    async def _condense(self, now: float) -> None:
        """Have crowds become digests: where a place did not take a post, or takes them too slowly."""
        if not self._put_off and self._counted is not None and now < self._counted + COUNTED_EVERY_S:
            return
        today = self._today()
        put_off = frozenset(self._put_off)
        waiting = [each for each in await self._store.read(outbox.waiting_at) if each.place.network == self._network]
        crowds = [
            each
            for each in waiting
            if each.lane in outbox.MAY_BE_CONDENSED
            and each.count > outbox.DIGEST_FROM
            and (each.place in put_off or each.oldest < today - LATE_S)
        ]
        if crowds:
            self._counts["condensed"] += await self._store.write(
                functools.partial(_condense_all, crowds=crowds, now=today)
            )
        self._put_off -= put_off
        self._counted = now
        under_way = {each.place for each in self._tries}
        there = {each.place for each in waiting} | under_way
        for place in {*self._absences.places} - there:  # what waited for it was discarded
            self._absences.end(place)
        self._for_files = {place: rest for place, rest in self._for_files.items() if place in there}
        known = {*self._absences.places} | under_way
        self._hurried = {place: at for place, at in self._hurried.items() if place in known}


def _carries(queued: Queued) -> bool:
    """Whether it is a file that people have sent."""
    return queued.lane is Lane.TALK and (queued.subject or "").startswith(said.FILE)


def _nothing(_: Tx) -> None:
    pass


def _condense_all(tx: Tx, crowds: list[Waiting], now: float) -> int:
    return sum(outbox.condense(tx, crowd.place, crowd.lane, now) for crowd in crowds)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
