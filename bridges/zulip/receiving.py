"""What arrives, piece by piece. Only what is in the inbox moves the cursor on.

A queue that is lost costs nothing: what came meanwhile is read back, along with an overlap, since ids come out of
order. Each message counts once, by its id.
"""

import asyncio
import collections
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import structlog

from bot.bridge import Inlet
from bot.store import Store
from bot.words.errors import NetworkError, StoreError, Unreachable
from bot.words.message import Change, Place
from bridges.zulip import answers
from bridges.zulip.alterations import Alterations
from bridges.zulip.answers import LARGEST_ID, Json, event_id, read
from bridges.zulip.api import Api, Events
from bridges.zulip.batch import Altered, Taken
from bridges.zulip.catching_up import KNOWN_FOR_S, Past
from bridges.zulip.client import Answer
from bridges.zulip.cursor import UNKNOWN, Cursor
from bridges.zulip.ear import Ear
from bridges.zulip.errors import Declined, OddAnswer, TooMuch
from bridges.zulip.moving import Moving, move_in
from bridges.zulip.patience import Patience, patiently
from bridges.zulip.places import Places
from bridges.zulip.reacting import Reacting
from bridges.zulip.reading import Reader
from bridges.zulip.realm import Realm
from bridges.zulip.strays import Strays
from bridges.zulip.tracking import Spot, Tracking

MOST_AT_ONCE = 500

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
        strays: Strays,
        linked: Callable[[], Sequence[Place]] = lambda: (),
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
        self._ear = Ear(api, inlet, self._pieces, heard.now)
        self._strays = strays
        self._tracking = Tracking(api, store, reader, places, linked)
        self._moving = Moving(api, store, reader, places, linked)
        self._alterations = Alterations(reader, places)
        self._reacting = Reacting(store, reader, places, linked)

    async def begin(self) -> tuple[answers.Profile, Cursor]:
        """Who the bot is, and where to go on: where the last run ended, or now.

        A queue that is left of the last run is listened to meanwhile: the server's halves fail apart.
        """
        kept = Cursor.parse(await patiently(self._inlet.cursor, StoreError), self._site)
        if kept is None:
            return await self._who(), await self._register(None)
        self._realm.note(kept.newest)
        self._realm.longest_message, self._places.longest_topic = kept.longest_message, kept.longest_topic
        self._reader.me, self._reader.name = kept.account, kept.name
        self._ear.listen(kept.queue, kept.last, keeps=False)
        profile = await self._ear.beside(self._who_and_where())
        self._ear.keep()
        return profile, kept

    async def _who(self) -> answers.Profile:
        profile = await patiently(self._api.profile, NetworkError)
        self._heard.now()
        self._reader.me, self._reader.name = profile.user_id, profile.full_name
        self._realm.note(profile.max_message_id)
        return profile

    async def _who_and_where(self) -> answers.Profile:
        profile = await self._who()
        self._places.set_channels(await patiently(self._api.subscriptions, NetworkError))
        return profile

    async def run(self, cursor: Cursor) -> None:
        """Receive until cancelled."""
        patience = Patience()
        while True:
            if self._ear.missed:
                cursor = await self._register(cursor)
            elif self._ear.waiting:
                cursor = await self._take(self._ear.waiting.popleft(), cursor)
            else:
                try:
                    await self._ear.poll()
                except (Declined, TooMuch) as lost:
                    self._heard.counts["lost_queues"] += 1
                    log.warning("the queue is lost; what came meanwhile is read back", why=lost.what)
                    await patience.after(lost)
                    cursor = await self._register(cursor)
                except Unreachable as error:
                    await patience.after(error)

    async def _register(self, before: Cursor | None) -> Cursor:
        """A new queue, and what came since the old one."""
        registering = patiently(self._api.register, NetworkError)
        registered = await (self._ear.beside(registering) if self._ear.missed else registering)
        self._heard.now()
        self._places.set_channels(registered.subscriptions)
        self._realm.set(registered)
        newest = registered.max_message_id
        if newest < 0 and before is not None:
            newest = before.newest
        self._realm.note(newest)
        longest = registered.max_message_length, registered.max_topic_length
        self._realm.longest_message, self._places.longest_topic = longest
        me, name = self._reader.me, self._reader.name
        fresh = Cursor(self._site, registered.queue_id, registered.last_event_id, newest, newest, *longest, me, name)
        fresh = dataclasses.replace(fresh, known_from=newest + 1)
        self._ear.listen(fresh.queue, fresh.last)
        if before is not None:
            fresh = dataclasses.replace(fresh, first=min(before.first, newest))
            reached = await self._ear.beside(self._catch_up(before, newest))
            newest, known_from = max(newest, reached.newest), min(fresh.known_from, reached.known_from)
            fresh = dataclasses.replace(fresh, newest=newest, newest_s=reached.newest_s, known_from=known_from)
        await self._ear.beside(self._bring_in(Taken(Answer({}, {}, time.monotonic())), fresh))
        return fresh

    async def _catch_up(self, before: Cursor, newest: int) -> Cursor:
        """Read back what came, page by page. After a crash it begins where the last page ended."""
        is_restored = newest < before.newest and before.newest_s > 0
        new_since_s = before.newest_s if is_restored else math.inf
        cursor = dataclasses.replace(before, newest=min(before.newest, newest))
        window = await patiently(functools.partial(self._past.window, cursor), NetworkError)
        cursor = dataclasses.replace(cursor, known_from=LARGEST_ID)
        changes: Sequence[Change] = ()
        spots: Mapping[int, Spot] = {}
        if before.account in {self._reader.me, UNKNOWN}:  # another account sees other messages
            known, copies = await patiently(lambda: self._store.read(window.known), StoreError)
            spots = window.spots(known, copies)
            found = await self._moving.found(window.messages, spots, window.page.answer)
            renamed = {each.moved.place: each.moved.to for each in found if each.moved.is_whole}
            since_s = before.newest_s - KNOWN_FOR_S
            changes = window.changed_since(known, spots, self._reader, self._places, since_s, renamed)
            cursor = dataclasses.replace(cursor, known_from=min(window.messages, default=LARGEST_ID))
            if found:  # before anything that is said in the new places
                await self._bring_in(Taken(window.page.answer, moves=[each.moved for each in found]), before)
                for each in found:
                    self._strays.found(each.strays, each.move)
        gone = await self._reacting.gone_since(window.messages, spots)
        page, reached = window.page, -1
        while True:
            taken = Taken(page.answer, changes=[*changes], reactions=[*gone])
            for raw in page.messages:
                self._hear_again(raw, taken, before, new_since_s)
                await asyncio.sleep(0)  # a page is long, and others are heard meanwhile
            cursor = cursor.past(taken.said)
            await self._bring_in(taken, cursor)
            end = self._past.last_id(page)
            if page.found_newest or end <= reached:
                return cursor
            reached = end
            page = await patiently(functools.partial(self._past.next_page, reached), NetworkError)
            changes, gone = (), []

    def _hear_again(self, raw: Json, taken: Taken, before: Cursor, new_since_s: float) -> None:
        """What was said to the bot, by id; on a server that was restored, and gives ids again, by its time."""
        try:
            said = read(answers.Message, raw)
        except OddAnswer as odd:
            self._pass_over(odd)
            return
        if (said.id > before.first or said.timestamp >= new_since_s) and said.sender_id != before.account:
            self._note(said, taken)
        self._reacting.see(said, taken)

    async def _take(self, taken: Taken, cursor: Cursor) -> Cursor:
        """Bring a piece into the inbox, and hear beside it what comes after it."""
        cursor = dataclasses.replace(cursor.past(taken.said), last=max(cursor.last, taken.reached))
        self._realm.note(cursor.newest)
        if taken.was_let_in:
            cursor = dataclasses.replace(cursor, known_from=self._realm.newest + 1)
        await self._ear.beside(self._bring_in(taken, cursor), taken.messages())
        return cursor

    async def _bring_in(self, taken: Taken, cursor: Cursor) -> None:
        await self._moving.settle(taken)
        tracked = await self._tracking.follow(taken, cursor.known_from)
        moves = [*taken.moves, *await self._moving.told(tracked)]
        changes = [*taken.changes, *self._alterations.changes(taken, tracked)]
        reactions = await self._reacting.settle(taken, tracked)
        accept = functools.partial(
            self._inlet.accept, cursor=str(cursor), moves=moves, changes=changes, reactions=reactions
        )
        await patiently(lambda: accept(taken.messages()), StoreError)
        for move in taken.moved:
            self._strays.heard(move)

    def _pieces(self, batch: Events) -> Iterator[Taken]:
        """A batch in as many pieces as a disk takes at once each."""
        taken = Taken(batch.answer)
        for event in batch.events:
            taken.size += 1
            taken.reached = max(taken.reached, event_id(event))
            try:
                self._hear(event, taken)
            except OddAnswer as odd:
                self._pass_over(odd)
            if taken.ends or taken.size == MOST_AT_ONCE:
                yield taken
                taken = Taken(batch.answer)
        if taken.size:
            yield taken

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
                self._hear_edit(read(answers.UpdateEvent, event), taken)
            case "reaction":
                self._reacting.hear(read(answers.ReactionEvent, event), taken)
            case "delete_message":
                gone = read(answers.DeleteEvent, event)
                ids = [*gone.message_ids, *([gone.message_id] if gone.message_id is not None else [])]
                taken.altered += [Altered(each, self._reader.me, removed=True) for each in ids]
            case "subscription":
                self._places.subscribed(subscribed := read(answers.SubscriptionEvent, event))
                taken.was_let_in |= subscribed.op == "add"
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

    def _hear_edit(self, edit: answers.UpdateEvent, taken: Taken) -> None:
        channel = edit.stream_id if edit.new_stream_id is None else edit.new_stream_id
        topic = edit.orig_subject if edit.subject is None else edit.subject
        if channel is not None and topic is not None:
            self._places.spelled(channel, topic)
        if (move := move_in(edit)) is not None:
            taken.moved.append(move)
            if move.is_whole and edit.stream_id is not None:
                self._places.left(edit.stream_id, move.was)
        if edit.content is not None and not edit.rendering_only and edit.user_id is not None:
            content = self._reader.content(edit.content)
            taken.altered.append(Altered(edit.message_id, edit.user_id, channel=channel, content=content))
