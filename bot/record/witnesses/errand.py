"""Brings one witness what it lacks, on time, however often it fails. No other witness, and no command, waits for it."""

import asyncio
import dataclasses
import functools
import math
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from bot.record.witnesses.court import Court
from bot.record.witnesses.witness import NotWitnessed, Witness
from bot.words.errors import StoreError
from bot.words.times import span

log = structlog.get_logger(__name__)

MAY_TAKE_S = 5.0
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
ALARM_AFTER_S = 600.0


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint of the record: a signed note over so many entries."""

    note: bytes
    size: int


@dataclasses.dataclass(frozen=True, slots=True)
class Sight:
    """How one witness stands."""

    name: str
    lacks_s: float
    """How long ago it last had the newest checkpoint; 0 while it has."""
    lacks: int
    """How many entries are in no checkpoint that it is known to hold."""


class Errand:
    """First it asks what the witness holds. Where that speaks against the record, nothing is brought: it must stay."""

    def __init__(
        self,
        witness: Witness,
        court: Court,
        *,
        clock: Callable[[], float],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self.witness = witness
        self.asked = asyncio.Event()
        """It has said what it holds, or did not answer the first time."""
        self._court = court
        self._clock = clock
        self._pause = pause
        self._head = Head(b"", 0)
        self._held = 0
        """So many entries are in what it is known to hold."""
        self._agrees = False
        """What it holds was looked at, and the record goes on from there."""
        self._wrong = ""
        self._lacks_since: float | None = None
        self._due = math.inf
        self._hurried = asyncio.Event()

    def offer(self, head: Head, within_s: float) -> None:
        """There is a newer checkpoint. It is brought within this time, or earlier with one that was offered before."""
        if head.size == self._held:
            return
        self._head = head
        now = self._clock()
        if self._lacks_since is None:
            self._lacks_since = now
        if now + within_s < self._due:
            self._due = now + within_s
            self._hurried.set()

    def sight(self) -> Sight:
        """How the witness stands now."""
        lacks_s = 0.0 if self._lacks_since is None else self._clock() - self._lacks_since
        return Sight(self.witness.name, lacks_s, max(0, self._head.size - self._held))

    async def held(self) -> bytes | None:
        """The newest note that the witness holds, if it says so soon."""
        try:
            async with asyncio.timeout(MAY_TAKE_S):
                return await self.witness.latest()
        except (NotWitnessed, TimeoutError):
            return None

    async def run(self) -> None:
        """Bring what is offered until cancelled. It ends where nothing more may be brought."""
        await self._insist(self._ask)
        if self._wrong:
            await self._insist(functools.partial(self._court.alarm_wrong, self.witness.name, self._wrong))
            return
        while True:
            await self._until_due()
            self._due = math.inf
            if self._agrees or not self._court.behind:  # else it could lose what shows what is missing
                await self._insist(self._bring)

    async def _ask(self) -> None:
        note = await self.witness.latest()
        if note is not None:
            compared = await self._court.hear(note, self.witness.name)
            self._held, self._wrong = compared.size, compared.wrong
            self._agrees = not self._wrong
        self.asked.set()

    async def _bring(self) -> None:
        head, began = self._head, self._clock()
        await self.witness.publish(head.note, head.size)
        self._held = head.size
        if self._head is head:
            self._lacks_since, self._due = None, math.inf
        else:
            self._lacks_since = began

    async def _insist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, again with growing waits where it fails. An outage is logged once, and told to people if it lasts."""
        name, began, wait = self.witness.name, self._clock(), FIRST_WAIT_S
        is_told = False
        while fault := await self._fault(work):
            self.asked.set()
            lasts_s = self._clock() - began
            if wait == FIRST_WAIT_S:
                log.warning("a witness takes nothing", witness=name, why=fault)
            if lasts_s >= ALARM_AFTER_S and not is_told:
                is_told = not await self._fault(functools.partial(self._court.alarm_away, name, lasts_s, fault))
            await self._pause(wait)
            wait = min(wait * 2, LONGEST_WAIT_S)
        if wait > FIRST_WAIT_S:
            log.info("a witness is back", witness=name, seconds=round(self._clock() - began))

    async def _fault(self, work: Callable[[], Awaitable[None]]) -> str:
        try:
            async with asyncio.timeout(MAY_TAKE_S):
                await work()
        except (NotWitnessed, StoreError) as error:
            return str(error)
        except TimeoutError:
            return f"It did not answer within {span(MAY_TAKE_S)}."
        return ""

    async def _until_due(self) -> None:
        while (left_s := self._due - self._clock()) > 0:
            self._hurried.clear()
            waiting: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._hurried.wait())]
            if left_s < math.inf:
                waiting.append(asyncio.ensure_future(self._pause(left_s)))
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()
