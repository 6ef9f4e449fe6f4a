"""Alerts of components, told once at the places that ask for them, and edited when they change and when they are over.

They are not signed: whoever may write on the broker can make them up. So none is a command, none changes how a
component is shown, and all are bounded. What is too much is counted, the gravest first in line for what room there is.
"""

import asyncio
import contextlib
import dataclasses
import functools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from bot.fleet.alert_room import Room
from bot.fleet.alert_talk import MOST_OF_ONE, MOST_WAITING, News, Slot, Waiting, read, slot_of, topic_of
from bot.fleet.alerted import Flood, Sink, graver, is_graver, lasting, over, wanting
from bot.store import Store, Tx, alerts, outbox
from bot.store.alerts import Raised
from bot.words.document import Document
from bot.words.errors import StoreError
from bot.words.message import Lane, Place, Post
from wire.errors import BadMessage, WireError

GATHER_S = 0.1
"""What comes within that time is looked at together."""
LOOK_EVERY_S = 1.0
SETTLED_S = 15.0
"""So long after a connect the broker and the components have said again what lasts. What they have not is over."""
SAID_AGAIN_S = 86_400.0
"""When the row of what a broker says again and again is made young again, so that it is not forgotten."""

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """What comes of something that was said."""

    rows: tuple[Raised, ...] = ()
    posts: tuple[Post, ...] = ()
    beyond: Raised | None = None
    """It is counted only."""
    waits: bool = False
    """There is more to tell than there is room for."""


NOTHING, LATER = _Step(), _Step(waits=True)


class Alerts:
    """All alerts that last, and what was said a moment ago."""

    def __init__(
        self,
        store: Store,
        sinks: Callable[[], Sequence[Sink]],
        root: str,
        *,
        knows: Callable[[str], bool],
        connected: Callable[[], bool],
        connection: Callable[[], int],
        say_again: Callable[[], Awaitable[None]],
        queued: Callable[[], None],
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._ask = sinks
        self._root = root
        self._knows = knows
        self._connected = connected
        self._connection = connection  # which one it is, by its number: it counts up before anything is heard on it
        self._say_again = say_again  # has the broker say all that lasts
        self._asked: Sequence[Sink] = ()
        """Who asked when it was said last. What nobody wanted then is not kept."""
        self._is_deaf = False
        """The broker may say nothing more of what lasts: so nobody knows what is over."""
        self._queued = queued
        self._now = now
        self._clock = clock
        self._room = Room(clock)
        self._open: dict[Slot, Raised] = {}
        """What lasts, as people were told of it."""
        self._waiting = Waiting(stands=self._open.__contains__, beyond=self._count)
        self._heard_on: dict[Slot, int] = {}
        """On which connection it was heard last that an alert lasts."""
        self._listening: tuple[int | None, float] = None, 0.0
        """On which connection we are, and since when."""
        self._flood = Flood(int(now()))
        self._some = asyncio.Event()

    @property
    def _sinks(self) -> Sequence[Sink]:
        """Who asks for alerts now."""
        return self._ask()

    @property
    def _places(self) -> frozenset[Place]:
        return frozenset(place for sink in self._sinks for place in sink.places)

    async def read(self) -> None:
        """What lasted when the bot ended. Nothing is heard before."""
        self._asked = self._sinks
        self._open.update((slot_of(each), each) for each in await self._store.read(alerts.open_ones))

    def hear(self, kind: str, rest: str, payload: bytes) -> None:
        """Something was said on `alert/` or `alert-active/`. It is put by. Raises BadMessage."""
        component, key, _ = topic = topic_of(kind, rest)
        if not self._knows(component):
            raise BadMessage("it is not enrolled")
        if payload:
            raised = read(topic, payload, self._root, self._now())
            slot = slot_of(raised)
            if slot in self._open or wanting(self._sinks, raised.severity):
                self._waiting.is_raised(raised)
                if key:
                    self._note(slot)
            else:  # nobody asks for it as it is now; what it was is told all the same
                self._waiting.is_over(slot)
        elif key:
            self._waiting.is_over(topic)
        self._some.set()

    async def run(self) -> None:
        """Tell what was heard, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._some.wait()
            self._some.clear()
            try:
                await self.look()
            except StoreError as error:
                log.error("alerts have to wait for the database", error=str(error))
                await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.sleep(GATHER_S)

    async def look(self) -> None:
        """Tell what waits, as far as there is room for it. Raises StoreError, and then it waits on."""
        await self._ask_again()
        self._miss()
        waiting = self._waiting.gravest_first()
        names = [news.raised.name for _, news in waiting if news.raised is not None and not news.raised.key]
        known = await self._store.read(functools.partial(alerts.known, names=names)) if names else {}
        self._room.begin()
        opened = dict(self._open)
        steps: list[tuple[Slot, News, _Step]] = []
        for slot, news in waiting:
            step = self._judge(opened, slot, news, known)
            steps.append((slot, news, step))
            _follow(opened, slot, step)
        await self._tell([step for _, _, step in steps])
        for slot, news, step in steps:
            _follow(self._open, slot, step)
            if step.beyond is not None:
                self._count(step.beyond)
            if not step.waits:
                self._waiting.told(slot, news)

    async def _tell(self, steps: Sequence[_Step]) -> None:
        is_due, count = self._flood.is_due(self._clock()), len(self._flood)
        flood = self._flood.posts(self._sinks, self._now()) if is_due else []
        if flood or any(step.rows for step in steps):
            try:
                await self._store.write(functools.partial(_write, steps=steps, flood=flood))
            except StoreError:
                self._room.give_back()
                raise
            self._queued()
        if is_due:
            self._flood.told(count, self._clock())

    def _count(self, each: Raised) -> None:
        """Nobody is told of it by itself."""
        now = self._clock()
        if self._flood.is_over(now):
            self._flood = Flood(int(self._now()))
        self._flood.add(each, now, self._now())
        self._some.set()

    def _note(self, slot: Slot) -> None:
        """It was heard on this connection. However much is heard between two looks, no more is kept than can last."""
        self._heard_on[slot] = self._connection()
        if len(self._heard_on) > 2 * (len(self._open) + MOST_WAITING):
            lasting = {each: on for each, on in self._heard_on.items() if each in self._open or each in self._waiting}
            self._heard_on = lasting

    async def _ask_again(self) -> None:
        """Where others ask than before, they are told of what lasts: whatever it was, the broker has it."""
        if self._asked == self._sinks:
            return
        self._asked = self._sinks
        try:
            await self._say_again()
        except WireError as error:
            self._is_deaf = True
            log.error("nobody who asks anew is told of what lasts", error=str(error))

    def _miss(self) -> None:
        """What lasted, and was not said again after a connect, is over."""
        now = self._clock()
        number = self._connection() if self._connected() and not self._is_deaf else None
        if self._listening[0] != number:
            self._listening = number, now
        if number is None or now - self._listening[1] < SETTLED_S:
            return
        for slot in self._open:
            if self._heard_on.get(slot) != number and slot not in self._waiting:
                self._waiting.is_over(slot, seen=False)

    def _judge(
        self, opened: Mapping[Slot, Raised], slot: Slot, news: News, known: Mapping[alerts.Name, Raised]
    ) -> _Step:
        """What comes of it, as far as there is room."""
        now, new = self._now(), news.raised
        stands = opened.get(slot)
        if new is None:
            return NOTHING if stands is None else self._edited(dataclasses.replace(stands, cleared=now), seen=news.seen)
        if not new.key:
            return self._happened(new, known.get(new.name), now)
        if stands is not None and (new.id == stands.id or not (news.anew or is_graver(new, stands))):
            return self._changed(stands, new, is_over=news.over)
        return self._raised(opened, news, new, stands)

    def _happened(self, new: Raised, before: Raised | None, now: float) -> _Step:
        if before is not None:
            is_stale = now - (before.cleared or 0.0) > SAID_AGAIN_S
            return _Step((dataclasses.replace(before, cleared=now),)) if is_stale else NOTHING
        if not self._room.has_for(new):
            return _Step(beyond=new)
        return self._posted(dataclasses.replace(new, cleared=now), lasting(new, now))

    def _raised(self, opened: Mapping[Slot, Raised], news: News, new: Raised, stands: Raised | None) -> _Step:
        """A new message. What stood there before says that it is over, or graver now."""
        now = self._now()
        ended = None if stands is None else dataclasses.replace(stands, cleared=now)
        if not wanting(self._sinks, new.severity):
            return NOTHING if ended is None else self._edited(ended)
        same = [each for each in opened.values() if each.component == new.component and not is_graver(new, each)]
        if stands is None and len(same) >= MOST_OF_ONE:
            return _Step(beyond=new)
        if not self._room.has_for(new):
            return LATER if stands is None else self._without_room(news, new, stands)
        words = over(new, now, seen=True) if news.over else lasting(new, now)
        step = self._posted(dataclasses.replace(new, cleared=now if news.over else None), words)
        if ended is None:
            return step
        last = over(ended, now, seen=True) if news.anew else graver(ended, now)
        posts = [Post(each, last, Lane.ALERT, subject=ended.subject) for each in ended.told if each in self._places]
        return _Step((ended, *step.rows), (*posts, *step.posts))

    def _without_room(self, news: News, new: Raised, stands: Raised) -> _Step:
        """At least what was told says how it is."""
        if not news.anew:
            return self._changed(stands, new, is_over=news.over)
        return dataclasses.replace(self._edited(dataclasses.replace(stands, cleared=self._now())), waits=True)

    def _posted(self, new: Raised, words: Document) -> _Step:
        places = wanting(self._sinks, new.severity)
        posts = tuple(Post(place, words, Lane.ALERT, subject=new.subject) for place in places)
        return _Step((dataclasses.replace(new, told=places),), posts)

    def _changed(self, stands: Raised, new: Raised, *, is_over: bool) -> _Step:
        cleared = self._now() if is_over else None
        changed = dataclasses.replace(stands, severity=new.severity, message=new.message, cleared=cleared)
        is_told = set(wanting(self._sinks, new.severity)) <= set(stands.told)
        return NOTHING if changed == stands and is_told else self._edited(changed)

    def _edited(self, changed: Raised, *, seen: bool = True) -> _Step:
        """The message says now how it is."""
        if not self._room.has_for_edit(changed):
            return LATER
        now = self._now()
        more = wanting(self._sinks, changed.severity) if changed.cleared is None else ()
        told = tuple(dict.fromkeys((*changed.told, *more)))
        words = lasting(changed, now) if changed.cleared is None else over(changed, now, seen=seen)
        posts = [Post(place, words, Lane.ALERT, subject=changed.subject) for place in told if place in self._places]
        return _Step((dataclasses.replace(changed, told=told),), tuple(posts))


def _write(tx: Tx, *, steps: Sequence[_Step], flood: Sequence[Post]) -> None:
    for step in steps:
        for row in step.rows:
            alerts.put(tx, row)
    for post in (*(post for step in steps for post in step.posts), *flood):
        outbox.queue(tx, post)


def _follow(opened: dict[Slot, Raised], slot: Slot, step: _Step) -> None:
    """What stands after it, and what does not."""
    if step.rows:
        newest = step.rows[-1]
        if newest.cleared is None:
            opened[slot] = newest
        else:
            opened.pop(slot, None)
