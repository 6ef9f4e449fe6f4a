"""What others publish, on its way into the inbox: in its order, acknowledged only once it is there.

Whatever a payload holds, it is taken in or counted, never more. None of its words is logged.
"""

import asyncio
import collections
import dataclasses
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bot.bridge import Inlet
from bot.desk.limits import Limit
from bot.words.errors import StoreError, StoreRefused
from bot.words.message import Change, Message, Place, Standing
from bot.words.people import Account
from bridges.mqtt import payloads
from bridges.mqtt.payloads import Heard, Odd
from bridges.mqtt.receipts import Receipts
from bridges.mqtt.topics import NETWORK, event_of
from wire.mqtt import Delivery

MOST_AT_ONCE = 64
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
BURST, PER_SECOND = 1000, 20.0
"""What one topic may say. More of it is no conversation, and would fill the disk."""
LOGGED_AT_ONCE, LOGGED_PER_SECOND = 10, 0.1
COUNTED = ("taken_in", "bad_payloads", "own_or_of_a_bot", "retained", "flooded", "on_no_place", "never_taken")

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Waiting:
    """Something that is not in the inbox yet."""

    delivery: Delivery
    heard: Heard
    taken: "asyncio.Future[None]"
    """Done once it may be acknowledged."""


@dataclasses.dataclass(slots=True)
class _Batch:
    messages: list[Message] = dataclasses.field(default_factory=list[Message])
    changes: list[Change] = dataclasses.field(default_factory=list[Change])


class Ears:
    """Between the link, which must not wait, and the inlet, which may take long."""

    def __init__(
        self,
        inlet: Inlet,
        is_place: Callable[[str], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._inlet = inlet
        self._is_place = is_place
        self._now_ns = now_ns
        self._pause = pause
        self._waiting: collections.deque[_Waiting] = collections.deque()
        self._news = asyncio.Event()
        self._receipts = Receipts()
        self._begun_anew = False
        """The broker has forgotten us since."""
        self._limit = Limit(BURST, PER_SECOND, clock=clock)
        self._logged = Limit(LOGGED_AT_ONCE, LOGGED_PER_SECOND, clock=clock)
        self.counts: collections.Counter[str] = collections.Counter(dict.fromkeys(COUNTED, 0))

    def hear(self, delivery: Delivery) -> "asyncio.Future[None] | None":
        """Take one delivery. It may be acknowledged once what is returned is done; at once where that is nothing."""
        if not self._is_place(delivery.topic):
            self.counts["on_no_place"] += 1
        elif delivery.retain:  # what the broker keeps was said long ago, and comes at every connect
            self.counts["retained"] += 1
        else:
            return self._read(delivery)
        return None

    def _read(self, delivery: Delivery) -> "asyncio.Future[None] | None":
        try:
            heard = payloads.read(delivery.payload)
        except Odd as odd:
            self._pass_over("bad_payloads", delivery.topic, str(odd))
            return None
        if heard.of_a_bot:
            self.counts["own_or_of_a_bot"] += 1
            return None
        if not self._limit.take(delivery.topic):
            self._pass_over("flooded", delivery.topic, "too much is published there")
            return None
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(delivery, heard, taken))
        self._news.set()
        return taken

    def _pass_over(self, count: str, topic: str, why: str) -> None:
        self.counts[count] += 1
        if self._logged.take(topic):
            log.warning("what was published is not taken in", topic=topic, why=why)

    def connected(self, *, resumed: bool) -> None:
        """A connection begins. Where the broker has begun anew, nothing that it says is what it said before."""
        self._begun_anew = self._begun_anew or not resumed

    async def run(self) -> None:
        """Bring what is heard into the inbox until cancelled."""
        self._receipts = Receipts.parse(await self._patiently(self._inlet.cursor))
        while True:
            while self._waiting:
                some = list(itertools.islice(self._waiting, MOST_AT_ONCE))
                await self._take(some)
                for each in some:
                    self._waiting.popleft()
                    if not each.taken.done():
                        each.taken.set_result(None)
            self._news.clear()
            await self._news.wait()

    async def _take(self, some: list[_Waiting]) -> None:
        batch = self._batch(some)
        try:
            await self._patiently(lambda: self._accept(batch))
        except StoreRefused:  # one of them can never be written: the others can
            for message in batch.messages:
                await self._alone(_Batch([message], []))
            for change in batch.changes:
                await self._alone(_Batch([], [change]))

    async def _alone(self, batch: _Batch) -> None:
        try:
            await self._patiently(lambda: self._accept(batch))
        except StoreRefused as error:
            self.counts["never_taken"] += 1
            log.error("something that was published can never be taken in", error=error.what)

    async def _accept(self, batch: _Batch) -> None:
        await self._inlet.accept(batch.messages, cursor=str(self._receipts), changes=batch.changes)
        self.counts["taken_in"] += len(batch.messages) + len(batch.changes)

    def _batch(self, some: list[_Waiting]) -> _Batch:
        if self._begun_anew:
            self._receipts.forget()
            self._begun_anew = False
        batch, now_ms = _Batch(), self._now_ns() // 1_000_000
        for each in some:
            heard, topic = each.heard, each.delivery.topic
            id_ = heard.id or self._receipts.id_for(each.delivery)
            place, account = Place(NETWORK, topic), Account(NETWORK, heard.who)
            if not heard.edits:
                batch.messages.append(_message(place, account, heard, id_, now_ms))
            elif self._receipts.is_new(f"edit {event_of(topic, id_)}"):
                event = event_of(topic, heard.edits)
                change = Change(
                    place, event, account, removed=not heard.text, text=heard.text, standing=Standing.RELAYED
                )
                batch.changes.append(change)
        return batch

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the disk does not take now it takes later; until then the broker keeps it, too."""
        wait = FIRST_WAIT_S
        while True:
            try:
                return await work()
            except StoreRefused:
                raise
            except StoreError as error:
                log.warning("what was published has to wait", error=error.what, seconds=wait)
            await self._pause(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)


def _message(place: Place, account: Account, heard: Heard, id_: str, now_ms: int) -> Message:
    sent_ms = heard.sent_ms if 0 < heard.sent_ms < now_ms else now_ms  # nothing was said in the future
    return Message(
        place=place,
        account=account,
        event=event_of(place.id, id_),
        text=heard.text,
        standing=Standing.RELAYED,
        device="",
        sent_ms=sent_ms,
        age_s=(now_ms - sent_ms) / 1000,
        replies_to=event_of(place.id, heard.replies_to) if heard.replies_to else "",
    )
