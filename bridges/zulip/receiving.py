"""What arrives, batch by batch. The next poll acknowledges a batch, so it comes only when that is in the inbox.

A queue that is lost costs nothing: what came meanwhile is read back, along with an overlap, since ids come out of
order. Each message counts once, by its id.
"""

import asyncio
import collections
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterator

import structlog

from bot.bridge import Inlet
from bot.store import Store, heard
from bot.words.errors import NetworkError, StoreError, Unreachable
from bot.words.message import Change, Place
from bridges.zulip import answers
from bridges.zulip.answers import Json, event_id, last_of, read
from bridges.zulip.api import Api, Events
from bridges.zulip.batch import Altered, Taken
from bridges.zulip.catching_up import Past
from bridges.zulip.client import Answer
from bridges.zulip.cursor import Cursor
from bridges.zulip.errors import Declined, OddAnswer
from bridges.zulip.patience import Patience, patiently
from bridges.zulip.places import NETWORK, Places
from bridges.zulip.reading import Reader, account_of, begin_of, words
from bridges.zulip.realm import Realm

MOST_AT_ONCE = 500
DISK_MAY_TAKE_S = 1.0
"""While a batch takes longer, what comes after it is heard beside it."""
MOST_AHEAD = 200
"""Batches that are heard beside one that stands. After that the server keeps what comes."""

log = structlog.get_logger(__name__)


class Heard:
    """What the server has said, over all connections of this process."""

    def __init__(self, counts: "collections.Counter[str]", clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = -math.inf
        self.counts = counts

    def now(self) -> None:
        """It has just answered."""
        self._last = self._clock()

    def silent_s(self) -> float:
        """How long it has not."""
        return self._clock() - self._last


class Receiver:
    """Reads one bot's queue into the inbox."""

    def __init__(
        self,
        api: Api,
        inlet: Inlet,
        store: Store,
        reader: Reader,
        places: Places,
        realm: Realm,
        heard: Heard,
        site: str,
    ) -> None:
        self._api = api
        self._inlet = inlet
        self._store = store
        self._reader = reader
        self._places = places
        self._realm = realm
        self._heard = heard
        self._site = site
        self._past = Past(api, heard.counts)
        self._ahead: collections.deque[Events] = collections.deque()
        """What was heard beside a batch that stood, and is not in the inbox yet."""

    async def begin(self) -> Cursor:
        """Where to go on: where the last run ended, or now."""
        kept = Cursor.parse(await patiently(self._inlet.cursor, StoreError), self._site)
        if kept is None:
            return await self._register(None)
        self._realm.note(kept.newest)
        self._realm.longest_message, self._places.longest_topic = kept.longest_message, kept.longest_topic
        self._places.set_channels(await patiently(self._api.subscriptions, NetworkError))
        return kept

    async def run(self, cursor: Cursor) -> None:
        """Receive until cancelled."""
        patience = Patience()
        while True:
            try:
                batch = self._ahead.popleft() if self._ahead else await self._api.events(cursor.queue, cursor.last)
                last = last_of(batch.events, cursor.last)
            except Declined as declined:  # the queue is gone, or a position in it is not known any more
                self._heard.counts["lost_queues"] += 1
                log.warning("the queue is lost; what came meanwhile is read back", why=declined.what)
                await patience.after(declined)
                cursor = await self._register(cursor)
                continue
            except Unreachable as error:
                await patience.after(error)
                continue
            self._heard.now()
            cursor = await self._take(batch, dataclasses.replace(cursor, last=last), cursor.last)

    async def _register(self, before: Cursor | None) -> Cursor:
        """A new queue, and what came since the old one."""
        registered = await patiently(self._api.register, NetworkError)
        self._heard.now()
        self._places.set_channels(registered.subscriptions)
        self._realm.set(registered)
        self._ahead.clear()  # it is read back, too
        newest = registered.max_message_id
        if newest < 0 and before is not None:
            newest = before.newest
        self._realm.note(newest)
        longest = registered.max_message_length, registered.max_topic_length
        fresh = Cursor(self._site, registered.queue_id, registered.last_event_id, newest, newest, *longest)
        self._realm.longest_message, self._places.longest_topic = longest
        if before is not None:
            fresh = dataclasses.replace(fresh, first=min(before.first, newest))
            await self._catch_up(dataclasses.replace(before, newest=min(before.newest, newest)), fresh)
        await self._accept(Taken(Answer({}, {}, time.monotonic())), fresh, fresh)
        return fresh

    async def _catch_up(self, before: Cursor, fresh: Cursor) -> None:
        """Read back what came, page by page. After a crash it begins where the last page ended."""
        window = await patiently(functools.partial(self._past.window, before), NetworkError)
        since = functools.partial(heard.heard_since, network=NETWORK, sent_ms=window.since_ms)
        known = await patiently(lambda: self._store.read(since), StoreError)
        changes = window.changed_since(known, account_of(self._reader.me))
        page, cursor, reached = window.page, before, -1
        while True:
            taken = Taken(page.answer, changes=changes)
            for raw in page.messages:
                self._hear_again(raw, taken, before)
            newest = max((each.id for each in taken.said), default=cursor.newest)
            cursor = dataclasses.replace(cursor, newest=max(cursor.newest, newest))
            await self._accept(taken, cursor, fresh)
            end = self._past.last_id(page)
            if page.found_newest or end <= reached:
                return
            reached = end
            page = await patiently(functools.partial(self._past.next_page, reached), NetworkError)
            changes = []

    def _hear_again(self, raw: Json, taken: Taken, before: Cursor) -> None:
        try:
            said = read(answers.Message, raw)
        except OddAnswer as odd:
            self._pass_over(odd)
            return
        if said.id > before.first:
            self._note(said, taken)

    async def _take(self, batch: Events, end: Cursor, last: int) -> Cursor:
        """Bring a batch into the inbox, in pieces that a disk takes at once."""
        cursor = dataclasses.replace(end, last=last)
        for taken, reached in self._pieces(batch):
            newest = max([cursor.newest, *(each.id for each in taken.said)])
            cursor = dataclasses.replace(cursor, last=max(cursor.last, reached), newest=newest)
            self._realm.note(newest)
            taken.changes += await self._changes_in_time(taken)
            await self._accept(taken, cursor, end)
        return cursor

    def _pieces(self, batch: Events) -> Iterator[tuple[Taken, int]]:
        for begin in range(0, len(batch.events), MOST_AT_ONCE):
            events = batch.events[begin : begin + MOST_AT_ONCE]
            taken = Taken(batch.answer)
            for event in events:
                try:
                    self._hear(event, taken)
                except OddAnswer as odd:
                    self._pass_over(odd)
            yield taken, max(map(event_id, events))

    def _pass_over(self, odd: OddAnswer) -> None:
        self._heard.counts["odd_events"] += 1
        log.warning("an odd event is passed over", what=odd.what)

    def _note(self, said: answers.Message, taken: Taken) -> None:
        self._realm.note(said.id)
        if said.stream_id is not None:
            self._places.spelled(said.stream_id, said.subject)
        taken.note(said, self._reader)

    def _hear(self, event: Json, taken: Taken) -> None:
        """One event. What is not known is of a newer server, and no message."""
        match event.get("type"):
            case "message":
                self._note(read(answers.MessageEvent, event).message, taken)
            case "update_message":
                edit = read(answers.UpdateEvent, event)
                if edit.content is not None and not edit.rendering_only and edit.user_id is not None:
                    taken.altered.append(Altered(edit.message_id, edit.user_id, text=words(edit.content)))
            case "delete_message":
                gone = read(answers.DeleteEvent, event)
                ids = [*gone.message_ids, *([gone.message_id] if gone.message_id is not None else [])]
                taken.altered += [Altered(each, self._reader.me, removed=True) for each in ids]
            case "subscription":
                self._places.subscribed(read(answers.SubscriptionEvent, event))
            case "stream":
                self._places.renamed(read(answers.StreamEvent, event))
            case "realm":
                self._realm.update(read(answers.RealmEvent, event))
            case "realm_user":
                person = read(answers.PersonEvent, event).person
                if person.user_id == self._reader.me and person.full_name is not None:
                    self._reader.name = person.full_name
            case _:
                pass

    async def _changes_in_time(self, taken: Taken) -> list[Change]:
        """Where the disk does not tell at once what was changed, no stop waits for it."""
        looking = asyncio.create_task(self._changes(taken))
        try:
            done, _ = await asyncio.wait([looking], timeout=DISK_MAY_TAKE_S)
            if not done:
                await self._inlet.despite_the_disk(taken.messages())
            return await looking
        finally:
            looking.cancel()

    async def _changes(self, taken: Taken) -> list[Change]:
        """What was edited or is gone of all that was ever said to the bot."""
        found: list[Change] = []
        for each in taken.altered:
            places: set[tuple[str, Place]] = set()
            if (message := taken.places.get(each.id)) is not None:
                places.add((message.event, message.place))
            else:
                begin = functools.partial(heard.heard_as, network=NETWORK, begin=begin_of(each.id))
                known = await patiently(functools.partial(self._store.read, begin), StoreError)
                places.update((one.event, one.place) for one in known)
            found += [
                Change(place, event, account_of(each.by), removed=each.removed, text=each.text)
                for event, place in sorted(places, key=str)
            ]
        return found

    async def _accept(self, taken: Taken, cursor: Cursor, end: Cursor) -> None:
        """Have it in the inbox. Where the disk takes long, hear meanwhile whether a stop comes after the end."""

        async def accept() -> None:
            await self._inlet.accept(taken.messages(), cursor=str(cursor), changes=taken.changes)

        accepting = asyncio.create_task(patiently(accept, StoreError))
        try:
            await asyncio.wait([accepting], timeout=DISK_MAY_TAKE_S)
            while not accepting.done() and len(self._ahead) < MOST_AHEAD:
                polling = asyncio.create_task(self._hear_beside(end))
                try:
                    await asyncio.wait([accepting, polling], return_when=asyncio.FIRST_COMPLETED)
                    if polling.done():
                        polling.result()
                finally:
                    polling.cancel()
            await accepting
        except Declined as declined:  # the queue is gone, too; that is seen to once the batch is in the inbox
            log.warning("nothing can be heard while the disk hangs", why=declined.what)
            await accepting
        finally:
            accepting.cancel()

    async def _hear_beside(self, end: Cursor) -> None:
        """One more batch, whose stops go out at once. It is taken when the one before it is in the inbox."""
        last = max((event_id(event) for batch in self._ahead for event in batch.events), default=end.last)

        async def poll() -> Events:
            batch = await self._api.events(end.queue, last)
            last_of(batch.events, last)
            return batch

        batch = await patiently(poll, Unreachable)
        self._ahead.append(batch)
        self._heard.now()
        messages = [message for taken, _ in self._pieces(batch) for message in taken.messages()]
        await self._inlet.despite_the_disk(messages)
