"""What arrives, batch by batch. The cursor never moves past a batch that is not in the inbox."""

import asyncio
import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable, Sequence

import structlog
from nio import Event, MatrixRoom, MegolmEvent, RoomEncryptionEvent, RoomMemberEvent, SyncResponse
from nio.crypto import Olm

from bot.bridge import Inlet
from bot.words.errors import NetworkError, StoreError
from bot.words.message import Change, Message, Place
from bot.words.people import Account
from bridges.matrix import enclosing
from bridges.matrix.changing import changes_in
from bridges.matrix.connection import LONG_POLL_MS, Connection, Denied, age_s
from bridges.matrix.lookout import LookOut
from bridges.matrix.patience import patiently
from bridges.matrix.reacting import reactions_in
from bridges.matrix.reading import (
    LATEST_MS,
    NETWORK,
    Arrived,
    before_joining,
    is_name,
    own_events,
    sealed,
    since_joining,
    spoken,
)
from bridges.matrix.threads import Threads
from bridges.matrix.trust import Trust
from bridges.matrix.waiting import KEY_MAY_TAKE_S, Letter, Waiting, unsealed
from bridges.matrix.withheld import Withheld

TRUST_MAY_TAKE_S = 0.5
"""A stop goes by then, with the trust that there was before its batch."""

log = structlog.get_logger(__name__)


class Heard:
    """What the homeserver has said, over all connections of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = -math.inf
        self.faults = 0
        """How often in a row the disk did not take what a batch changed in the keys."""
        self.unread = 0
        """Events that could not be decrypted when they came, whose ciphertext was seen before under another name, or
        that are odd."""

    def now(self) -> None:
        """It has just answered."""
        self._last = self._clock()

    def silent_s(self) -> float:
        """How long it has not."""
        return self._clock() - self._last


class Receiver:
    """Reads the homeserver's stream into the inbox."""

    def __init__(
        self,
        connection: Connection,
        trust: Trust,
        inlet: Inlet,
        threads: Threads,
        heard: Heard,
        taken: Callable[[SyncResponse], None],
        *,
        key_may_take_s: float = KEY_MAY_TAKE_S,
    ) -> None:
        self._connection = connection
        self._trust = trust
        self._inlet = inlet
        self._threads = threads
        self._taken = taken
        """Told of each batch that is in the inbox."""
        self._me = connection.login.user
        self._heard = heard
        self.withheld = Withheld(trust.counts)
        self._look_out = LookOut(connection, self._hear, self._sealed)
        self._standing: list[Arrived] = []
        """What came in the batch that is being taken."""
        self._waiting = Waiting(
            functools.partial(unsealed, connection.olm), time.monotonic, key_may_take_s, why=self.withheld.why
        )

    async def take(self, since: str | None, *, first: bool) -> str:
        """Wait for the next batch, put it into the inbox, and return the cursor behind it.

        What listed people wrote and nobody can read yet waits a little for its key, and the cursor that is kept waits
        with it. While a batch waits for keys or for a disk, later stops are heard beside it.
        Raises StoreError where the disk did not take what the batch changed in the keys, and takes something by now.
        The connection then knows more than the disk: open it anew, and take the same batch again.
        """
        try:
            known = None if first else frozenset(self._connection.client.rooms)
            response = await patiently(functools.partial(self._next, since, first=first), NetworkError)
            self._heard.now()
            await self._look_out.beside(self._take(response, since, known), since and response.next_batch)
        except StoreError as error:
            await self._look_out.until_the_disk_writes(since, self._heard.faults, error.what)
            self._heard.faults += 1
            raise
        self._heard.faults = 0
        return response.next_batch

    async def _give_up(self) -> None:
        """Tell what nobody will be able to read."""
        given_up = self._waiting.given_up()
        tell = functools.partial(self._inlet.accept, [], cursor=self._waiting.cursor, unreadable=given_up)
        await patiently(tell, StoreError)

    async def _take(self, response: SyncResponse, since: str | None, known: frozenset[str] | None) -> None:
        arrived = asyncio.get_running_loop().time()
        self._standing = self._events_of(response)
        # Who may be believed is asked before a word of the batch is judged.
        await self._trusting(response, arrived)
        self.withheld.note(response.to_device_events)
        events = await self._events(response, since, known)
        letters = [] if since is None else self._letters(events)  # before its first cursor nothing was said to the bot
        opened, changes = self._waiting.opened() if response.to_device_events else ([], [])
        events = [*opened, *events]
        messages, changes = self._messages(events), [*changes, *self._changes(events)]
        reactions, odd = reactions_in(events, self._me)
        self._heard.unread += odd
        try:
            self._connection.seen.keep()
        except StoreError as error:
            await self._inlet.despite_the_disk(_aged(response, messages, arrived), error.what)
            raise
        self._waiting.hold(letters, since=since, cursor=response.next_batch)
        self._waiting.note(changes)
        given_up = self._waiting.given_up()

        async def accept() -> None:
            await self._inlet.accept(
                _aged(response, messages, arrived),
                cursor=self._waiting.cursor,
                changes=changes,
                unreadable=given_up,
                reactions=reactions,
                own=own_events(events, self._me),
            )

        await patiently(accept, StoreError)
        try:
            self._taken(response)
        except Exception as error:  # whatever a stranger has found, the stream of messages goes on
            log.exception("a part of a batch is passed over", error=type(error).__name__)
        try:
            await self._connection.upkeep()
        except NetworkError as error:
            log.warning("keys could not be looked after; tried again later", error=error.what)

    async def _hear(
        self, response: SyncResponse, events: Sequence[Arrived], olm: Olm, arrived: float, trouble: str
    ) -> None:
        """What came beside the stream: stops go out, and where a disk takes nothing the rest is answered."""
        self._heard.now()
        for room, info in response.rooms.join.items():
            if any(isinstance(event, RoomEncryptionEvent) for event in (*info.state, *info.timeline.events)):
                self._trust.clear.close(room)
        self._forget_who_may_read(response)
        gone = {change.event for change in self._changes(events)}
        messages = [message for message in self._messages(events, olm) if message.event not in gone]
        await self._inlet.despite_the_disk(_aged(response, messages, arrived), trouble)

    def _forget_who_may_read(self, response: SyncResponse) -> None:
        """Where people or devices have changed, and no key can be given to anybody, nothing more is said."""
        keys = self._connection.olm.outbound_group_sessions if self._connection.reads_only else {}
        for room, info in response.rooms.join.items():
            news = (*info.state, *info.timeline.events)
            if any(isinstance(event, RoomMemberEvent) for event in news):
                keys.pop(room, None)
        if response.device_list.changed:
            keys.clear()

    def _sealed(self) -> list[Arrived]:
        """What came in the stream and cannot be read, as far as anybody waits for it."""
        return [each for each in (*self._waiting.letters(), *self._standing) if isinstance(each[0], MegolmEvent)]

    def _events_of(self, response: SyncResponse) -> list[Arrived]:
        rooms = self._connection.client.rooms
        return [(event, rooms[room]) for room, info in response.rooms.join.items() for event in info.timeline.events]

    async def _trusting(self, response: SyncResponse, arrived: float) -> None:
        """Know who may be believed. A stop waits neither for keys of other people, nor for a disk."""
        refreshing = asyncio.create_task(patiently(self._trust.refresh, NetworkError))
        try:
            done, _ = await asyncio.wait([refreshing], timeout=TRUST_MAY_TAKE_S)
            if not done or refreshing.exception() is not None:
                await self._inlet.despite_the_disk(_aged(response, self._messages(self._standing), arrived))
            await refreshing
        finally:
            refreshing.cancel()

    async def _next(self, since: str | None, *, first: bool) -> SyncResponse:
        """The next batch: an empty one when the wait for a key is over. Told also while the homeserver is away."""
        if self._waiting.wait_s() <= 0:
            await self._look_out.beside(self._give_up(), since)
        wait_ms = min(LONG_POLL_MS, self._waiting.wait_s() * 1000)
        return await self._connection.sync(since, full_state=first, wait_ms=math.ceil(wait_ms) or 1)

    async def _events(self, response: SyncResponse, since: str | None, known: frozenset[str] | None) -> list[Arrived]:
        """The events of a batch, and those that its limited timelines left out."""
        found: list[Arrived] = []
        for room_id, info in response.rooms.join.items():
            room = self._connection.client.rooms[room_id]
            timeline = info.timeline
            if timeline.limited and timeline.prev_batch and since and (known is None or room_id in known):
                missed = functools.partial(self._connection.missed, room_id, timeline.prev_batch, since)
                try:
                    found += [(event, room) for event in await patiently(missed)]
                except Denied as denied:
                    log.warning("a gap cannot be read back", room=room_id, error=denied.what)
            found += [(event, room) for event in timeline.events]
        for event, room in found:
            if is_name(event.source.get("event_id")):
                self._threads.note(event.source["event_id"], event.source)
            if isinstance(event, MegolmEvent) and self._trust.counts(event.sender):  # guests give the bot no keys
                self._heard.unread += 1
                log.warning("cannot be decrypted", room=room.room_id, event_id=event.event_id, sender=event.sender)
        return found

    def _letters(self, events: list[Arrived]) -> list[Letter]:
        """What listed people wrote, since the bot is there, and nobody can read yet."""
        found: list[Letter] = []
        for _, here in itertools.groupby(events, key=lambda arrived: arrived[1].room_id):
            for event, room in since_joining([*here], self._me):
                known = sealed(event, room)
                if known and known.account.id != self._me and self._trust.counts(known.account.id):
                    found.append(Letter(event, room, known))
        return found

    def _messages(self, events: Sequence[Arrived], olm: Olm | None = None) -> list[Message]:
        """What is for the inbox. An event that no inbox could take is passed over: in it, it would stop all others."""
        found: list[Message] = []
        older = before_joining(events, self._me)
        for event, room in events:
            if not isinstance(event, Event):  # the library finds it malformed
                continue
            try:
                message = self._message(event, room, olm or self._connection.olm)
                if message is not None and message.event in older:
                    message = dataclasses.replace(message, apart=True)
            except Exception as error:  # noqa: BLE001 - whatever a stranger has found
                self._heard.unread += 1
                log.warning("an odd event is passed over", room=room.room_id, error=type(error).__name__)
            else:
                found += [] if message is None else [message]
        return found

    def _changes(self, events: Sequence[Arrived]) -> list[Change]:
        changes, odd = changes_in(events, self._me, self._trust, self._connection.olm)
        self._heard.unread += odd
        return changes

    def _message(self, event: Event, room: MatrixRoom, olm: Olm) -> Message | None:
        words = spoken(event, room, self._me) or enclosing.sent(event, self._me)
        if words is None:
            return None
        if not all(map(is_name, (event.event_id, event.sender, room.room_id))):
            raise ValueError("a name that is none")
        standing, device = self._trust.standing_of(event, room, olm)
        writer = room.users.get(event.sender)
        return Message(
            place=Place(NETWORK, room.room_id),
            account=Account(NETWORK, event.sender),
            event=event.event_id,
            text=words.text,
            standing=standing,
            device=device,
            sent_ms=int(min(event.server_timestamp, LATEST_MS)),
            age_s=0.0,
            addressed=words.addressed,
            replies_to=words.replies_to,
            thread=words.thread,
            files=words.files,
            caption=words.caption,
            called=(writer.display_name or "") if writer else "",
        )


def _aged(response: SyncResponse, messages: list[Message], arrived: float) -> list[Message]:
    """The messages with their age as it is now, on the server's clock."""
    waited = asyncio.get_running_loop().time() - arrived
    return [
        dataclasses.replace(message, age_s=age_s(response, message.sent_ms, since_received=waited))
        for message in messages
    ]
