"""Has witnesses elsewhere hold the newest checkpoint: soon after any change, and at once after what matters most.

Nothing waits for it: what is recorded is recorded, and what is commanded is run, whatever becomes of a witness.
"""

import asyncio
import collections
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bot.audit.errors import AuditError
from bot.audit.note import Checkpoint, VerifierKey, open_note
from bot.record.witnesses.court import Court
from bot.record.witnesses.errand import Errand, Head, Sight
from bot.record.witnesses.witness import Witness
from bot.store import Store, Tx, recent, tree
from bot.store.recent import About
from bot.words.errors import StoreError
from bot.words.message import Place

log = structlog.get_logger(__name__)

TOGETHER_S = 1.0
"""What is recorded within this time is published together."""
QUICK_WITHIN_S = 10.0
SLOW_WITHIN_S = 300.0
AT_ONCE = 0.0
STOPPED_OR_RESET = frozenset({"incident opened", "incident adopted", "incident reset"})
ORDERED = frozenset({"intent", "approval"})
"""Somebody's order is about to be run. Its outcome comes under the same id."""
MOST_ORDERS = 1000


class Publisher:
    """Looks at what is new in the record, and says to each witness by when it is to have it."""

    def __init__(
        self,
        store: Store,
        witnesses: Sequence[Witness],
        keys: Sequence[VerifierKey],
        alarms: Sequence[Place],
        *,
        queued: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._keys = keys
        self._court = Court(store, keys, alarms, queued=queued)
        self._errands = [Errand(witness, self._court, clock=clock, pause=pause) for witness in witnesses]
        self._pause = pause
        self._changed = asyncio.Event()
        self._seen: int | None = None
        """So many entries were looked at."""
        self._running: collections.OrderedDict[str, None] = collections.OrderedDict()
        """The ids of orders without an outcome."""
        self.ready = asyncio.Event()
        """Each witness has said what it holds, or did not answer: from now on `behind` says what they know."""

    @property
    def behind(self) -> str:
        """What is wrong with the record, by a witness; empty while nothing is."""
        return self._court.behind

    def sights(self) -> list[Sight]:
        """How each witness stands."""
        return [each.sight() for each in self._errands]

    async def notes(self) -> list[bytes]:
        """What the witnesses hold now, of those that can be asked and answer."""
        held = await asyncio.gather(*(each.held() for each in self._errands))
        return [note for note in held if note is not None]

    def changed(self) -> None:
        """Something was written. To be called after commits; it costs nothing."""
        self._changed.set()

    async def run(self) -> None:
        """Ask all witnesses, then publish, until cancelled."""
        self._seen = None
        async with asyncio.TaskGroup() as group:
            for each in self._errands:
                group.create_task(each.run(), name=f"witness {each.witness.name}")
            for each in self._errands:
                await each.asked.wait()
            self._store.compared.set()
            self.ready.set()
            await self._publish()

    async def _publish(self) -> None:
        is_blind = False
        while True:
            self._changed.clear()
            try:
                await self._look()
                is_blind = False
            except (StoreError, AuditError) as error:
                if not is_blind:
                    log.error("the record cannot be read for its witnesses", why=str(error))
                is_blind = True
                self._changed.set()  # it is looked at again, whether or not anything is written
            await self._pause(TOGETHER_S)
            await self._changed.wait()

    async def _look(self) -> None:
        """Offer the newest checkpoint, if it is new."""
        found = await self._store.read(self._read)
        if found is None:
            return
        head, news = found
        is_first, self._seen = self._seen is None, head.size
        quick, slow = self._how_soon(news)
        for each in self._errands:
            if each.witness.quick:
                each.offer(head, AT_ONCE if is_first else quick)
            else:
                each.offer(head, slow)

    def _read(self, tx: Tx) -> tuple[Head, list[About]] | None:
        note = tree.newest_note(tx)
        if note is None:
            return None
        size = Checkpoint.parse(open_note(note, *self._keys)[0]).size
        if size == self._seen:
            return None
        return Head(note, size), [] if self._seen is None else recent.since(tx, self._seen)

    def _how_soon(self, news: Sequence[About]) -> tuple[float, float]:
        """How soon quick and slow witnesses are to know of these entries."""
        quick, slow = QUICK_WITHIN_S, SLOW_WITHIN_S
        for each in news:
            if self._is_of_an_order(each) or each.kind.startswith(("incident ", "key ")):
                quick = AT_ONCE
            if each.kind in STOPPED_OR_RESET:
                slow = AT_ONCE
        return quick, slow

    def _is_of_an_order(self, about: About) -> bool:
        if about.kind in ORDERED:
            self._running[about.id] = None
            if len(self._running) > MOST_ORDERS:
                self._running.popitem(last=False)
            return True
        if about.kind == "outcome" and about.id in self._running:
            del self._running[about.id]
            return True
        return False
