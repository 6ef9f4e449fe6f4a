"""Brings what is queued to one network, lane by lane. A post leaves the queue when the network has confirmed it.

It never drops a post that may still be taken, and never says a later one of a lane before an earlier one in its place.
"""

import asyncio
import collections
import contextlib
import dataclasses
import functools
import math
import random
import time
from collections.abc import Callable, Mapping

import structlog

from bot.bridge import Sender
from bot.store import Store, Tx, outbox
from bot.store.outbox import Queued, Waiting
from bot.words.errors import NetworkError, StoreError, Unreachable
from bot.words.message import Lane, Place, Post

log = structlog.get_logger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
LONGEST_ASKED_S = 300.0
"""What a network may ask us to wait. One that asks for more is tried again all the same."""
SEND_MAY_TAKE_S, WITHOUT_THE_DISK_S = 60.0, 10.0
"""A send that takes longer is given up. The key makes the next try harmless."""
MOST_AT_ONCE = 4
"""Posts on their way. Those of the stop lane are not counted: one for each place is their bound."""
MOST_AGAIN_AT_ONCE = 2
"""Of those, posts to places that did not take their last one."""
PLACES_DOWN = 5
"""When so many places are away and none answers, the network itself counts as away."""
HEADS_AT_ONCE, COUNTED_EVERY_S = 16, 1.0
STOP_AGAIN_S = 2.0  # how often what tells of a stop is tried at a place that rests
LATE_S = 10.0
"""How long a crowd may wait at a place that takes posts, before it becomes a digest."""


@dataclasses.dataclass(frozen=True, slots=True)
class Away:
    """A place that did not take its last post."""

    place: Place
    since: float
    """In seconds since 1970."""
    next_try_in_s: float
    error: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Rest:
    """A wait for the next try. The one after it is twice as long."""

    until: float
    wait: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Absence:
    rest: _Rest
    since: float
    error: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Try:
    """A post on its way."""

    lane: Lane
    begun: float
    again: bool
    """Its place did not take the last one."""


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
        self._draw = draw
        self._clock = clock
        self._today = today
        self._counts = collections.Counter(sent=0, retried=0, failed=0, condensed=0)
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._leaving = False
        self._tries: dict[Place, _Try] = {}
        self._absences: dict[Place, _Absence] = {}
        self._unanswered: set[Place] = set()
        """Places that were tried without an answer since the network last gave one."""
        self._quiet: _Rest | None = None
        """How long the network itself is left alone."""
        self._spare = False
        """Whether one place that is not known to be away may be tried meanwhile: the network may be there for it."""
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
        now = self._clock()
        network = self._quiet.until if self._quiet else now
        return [
            Away(place, absence.since, max(0.0, absence.rest.until - now, network - now), absence.error)
            for place, absence in sorted(self._absences.items(), key=lambda item: item[1].since)
        ]

    def wake(self) -> None:
        """There is something new to say."""
        self._news.set()

    def back(self, place: Place) -> None:
        """The bridge knows that a place takes posts again: what waits for it need not wait for its next try."""
        self._quiet = None
        self._unanswered.clear()
        if self._absences.pop(place, None) is not None:
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
        trouble: _Rest | None = None
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
                trouble = self._longer(trouble)
            else:
                trouble = None
                under_way = [
                    each
                    for each in self._tries.values()
                    if each.lane is Lane.STOP or not (self._leaving and each.again)
                ]
                if not under_way and not self._news.is_set():
                    self._idle.set()
            rests = [trouble, self._quiet, *(absence.rest for absence in self._absences.values())]
            times: list[float] = [rest.until for rest in rests if rest and rest.until > now]
            if self._stops_again is not None:
                times.append(self._stops_again)
            soonest = min(times, default=None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if soonest is None else soonest - self._clock()):
                    await self._news.wait()

    async def _start(self, tries: asyncio.TaskGroup, now: float) -> None:
        """Begin all that may go now."""
        while True:
            await self._hurry_stops(tries, now)
            rested = {place for place, each in self._absences.items() if each.rest.until <= now and not self._leaving}
            busy = [place.id for place in (self._absences.keys() - rested) | self._tries.keys()]
            most = HEADS_AT_ONCE + len(rested)  # those that have to wait for a slot hide nobody behind them
            heads = await self._store.read(functools.partial(outbox.heads, network=self._network, busy=busy, most=most))
            begun = [queued for queued in heads if self._admit(queued, now)]
            for queued in begun:
                self._begin(tries, queued)
            if len(heads) < most or not begun:
                return

    async def _hurry_stops(self, tries: asyncio.TaskGroup, now: float) -> None:
        """What tells of a stop waits for the rest of no place, however long: it is tried every few seconds."""
        self._stops_again = None
        resting = {place for place, each in self._absences.items() if each.rest.until > now or self._leaving}
        if not resting:
            return
        busy = [place.id for place in self._tries]
        heads = await self._store.read(
            functools.partial(outbox.heads, network=self._network, busy=busy, most=HEADS_AT_ONCE)
        )
        for queued in heads:
            if queued.lane is not Lane.STOP or queued.place not in resting:
                continue
            again = self._hurried.get(queued.place, -math.inf) + STOP_AGAIN_S
            if again > now:
                self._stops_again = min(again, self._stops_again or again)
                continue
            self._stops_again = min(now + STOP_AGAIN_S, self._stops_again or math.inf)
            self._tries[queued.place] = _Try(queued.lane, now, again=True)
            self._begin(tries, queued)

    def _begin(self, tries: asyncio.TaskGroup, queued: Queued) -> None:
        if queued.lane is Lane.STOP:
            self._hurried[queued.place] = self._clock()
        task = tries.create_task(self._see_off(queued), name=f"send to {queued.place}")
        task.add_done_callback(functools.partial(self._ended, queued.place))

    def _admit(self, queued: Queued, now: float) -> bool:
        """Give a post its slot, where there is one for it."""
        again = queued.place in self._absences
        if queued.lane is not Lane.STOP:
            slots = [each for each in self._tries.values() if each.lane is not Lane.STOP]
            if len(slots) >= MOST_AT_ONCE:
                return False
            if self._quiet is None:
                if again and sum(each.again for each in slots) >= MOST_AGAIN_AT_ONCE:
                    return False
            elif self._quiet.until > now or any(each.begun >= self._quiet.until for each in slots):
                if again or not self._spare:  # the network rests, or one post is finding out whether it is back
                    return False
                self._spare = False
        self._tries[queued.place] = _Try(queued.lane, now, again)
        return True

    def _ended(self, place: Place, _: "asyncio.Task[None]") -> None:
        self._tries.pop(place, None)
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
            event = await self._say(post, queued.key)
        except (Unreachable, StoreError) as error:  # the next try begins with what is most urgent by then
            log.warning("not sent yet", place=str(place), row=row, error=str(error))
            self._miss(place, error)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            log.warning("a bridge has broken off a post", place=str(place), row=row)
            self._miss(place, Unreachable(f"The bridge broke off ({type(error).__name__})."))
        except NetworkError as error:
            self._hear()
            await self._give_up(queued, str(error))
        except Exception as error:  # one post that nobody can send must not hold up all others, at every start again
            log.exception("a post broke its bridge", place=str(place), row=row)
            if self._leaving:
                self._miss(place, error)
            else:
                await self._give_up(queued, repr(error))
        else:
            self._hear()
            await self._note(place, "sent", functools.partial(outbox.sent, row=row, event=event))

    async def _give_up(self, queued: Queued, why: str) -> None:
        if _is_cancelled():  # what a bridge raises on being cancelled tells nothing of the post
            return
        log.error("never sent", place=str(queued.place), row=queued.row, error=why)
        await self._note(queued.place, "failed", functools.partial(outbox.failed, row=queued.row, error=why))

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

    async def _say(self, post: Post, key: str) -> str:
        patience = asyncio.timeout(SEND_MAY_TAKE_S)
        try:
            async with patience:
                return await self._bridge.send(post, key=key)
        except TimeoutError:
            if not patience.expired():
                raise
            raise Unreachable(f"It did not answer within {SEND_MAY_TAKE_S:.0f} s.") from None

    async def _note(self, place: Place, result: str, work: Callable[[Tx], None]) -> None:
        """Have the disk know what became of a post. Where it does not take that, the post is tried again."""
        try:
            await self._store.write(work)
        except StoreError as error:
            log.error("the outbox has to wait", network=self._network, error=str(error))
            self._leave_alone(place, str(error))
            return
        self._counts[result] += 1
        self._absences.pop(place, None)

    def _hear(self) -> None:
        """The network answered, whatever it said."""
        self._quiet = None
        self._unanswered.clear()

    def _miss(self, place: Place, error: Exception) -> None:
        """A place did not take a post, and perhaps the whole network does not answer."""
        self._counts["retried"] += 1
        asked = error.retry_after if isinstance(error, Unreachable) else None
        self._leave_alone(place, str(error), asked)
        self._put_off.add(place)
        if not isinstance(error, Unreachable):
            return
        self._unanswered.add(place)
        if len(self._unanswered) >= PLACES_DOWN and (self._quiet is None or self._quiet.until <= self._clock()):
            self._quiet, self._spare = self._longer(self._quiet), True
            log.warning("the network does not answer", network=self._network, seconds=round(self._quiet.wait, 1))

    def _leave_alone(self, place: Place, error: str, asked: float | None = None) -> None:
        last = self._absences.get(place)
        rest = self._longer(last.rest if last else None, asked)
        self._absences[place] = _Absence(rest, last.since if last else self._today(), error)

    def _longer(self, last: _Rest | None, asked: float | None = None) -> _Rest:
        wait = FIRST_WAIT_S if last is None else min(last.wait * 2, LONGEST_WAIT_S)
        spread = 0.5 + self._draw() / 2
        seconds = max(FIRST_WAIT_S * spread, min(asked, LONGEST_ASKED_S)) if asked else wait * spread
        return _Rest(self._clock() + seconds, wait)

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
        there = {each.place for each in waiting} | self._tries.keys()
        for place in self._absences.keys() - there:  # what waited for it was discarded
            del self._absences[place]
        self._hurried = {
            place: at for place, at in self._hurried.items() if place in self._absences or place in self._tries
        }


def _nothing(_: Tx) -> None:
    pass


def _condense_all(tx: Tx, crowds: list[Waiting], now: float) -> int:
    return sum(outbox.condense(tx, crowd.place, crowd.lane, now) for crowd in crowds)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
