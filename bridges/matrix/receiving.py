"""What arrives, batch by batch. The cursor never moves past a batch that is not in the inbox."""

import asyncio
import dataclasses
import functools
import math
import time
from collections.abc import Callable

import structlog
from nio import BadEvent, Event, MatrixRoom, MegolmEvent, SyncResponse, UnknownBadEvent

from bot.bridge import Inlet
from bot.words.errors import NetworkError, StoreError
from bot.words.message import Change, Message, Place, Standing
from bot.words.people import Account
from bridges.matrix.connection import Connection, Denied, age_s
from bridges.matrix.invitations import Invitations
from bridges.matrix.patience import patiently
from bridges.matrix.reading import changed, is_name, spoken
from bridges.matrix.trust import Trust

NETWORK = "matrix"
LATEST_MS = 253_402_300_799_000
"""The end of the year 9999. An event of a later time was sent then."""

Arrived = tuple[Event | BadEvent | UnknownBadEvent, MatrixRoom]

log = structlog.get_logger(__name__)


class Heard:
    """What the homeserver has said, over all connections of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = -math.inf
        self.unread = 0
        """Events that could not be decrypted, whose ciphertext was seen before under another name, or that are odd."""

    def now(self) -> None:
        """It has just answered."""
        self._last = self._clock()

    def silent_s(self) -> float:
        """How long it has not."""
        return self._clock() - self._last


class Receiver:
    """Reads the homeserver's stream into the inbox."""

    def __init__(
        self, connection: Connection, trust: Trust, inlet: Inlet, invitations: Invitations, heard: Heard
    ) -> None:
        self._connection = connection
        self._trust = trust
        self._inlet = inlet
        self._invitations = invitations
        self._me = connection.login.user
        self._heard = heard

    async def take(self, since: str | None, *, first: bool) -> str:
        """Wait for the next batch, put it into the inbox, and return the cursor behind it.

        Raises StoreError where the disk did not take what the batch changed in the keys. The connection then knows more
        than the disk: open it anew, and take the same batch again.
        """
        known = None if first else frozenset(self._connection.client.rooms)
        sync = functools.partial(self._connection.sync, since, full_state=first)
        response = await patiently(sync, NetworkError)
        self._heard.now()
        arrived = asyncio.get_running_loop().time()
        # Who may be believed is asked before a word of the batch is judged.
        await patiently(self._trust.refresh, NetworkError)
        events = await self._events(response, since, known)
        messages, changes = self._messages(events), self._changes(events)
        try:
            self._connection.seen.keep()
        except StoreError:
            await self._inlet.despite_the_disk(_aged(response, messages, arrived))
            raise
        await patiently(functools.partial(self._accept, response, messages, changes, arrived), StoreError)
        self._invitations.answer(response)
        try:
            await self._connection.upkeep()
        except NetworkError as error:
            log.warning("keys could not be looked after; tried again later", error=error.what)
        return response.next_batch

    async def _accept(
        self, response: SyncResponse, messages: list[Message], changes: list[Change], arrived: float
    ) -> None:
        aged = _aged(response, messages, arrived)
        await self._inlet.accept(aged, cursor=response.next_batch, changes=changes)

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
            if isinstance(event, MegolmEvent):
                self._heard.unread += 1
                log.warning("cannot be decrypted", room=room.room_id, event_id=event.event_id, sender=event.sender)
        return found

    def _messages(self, events: list[Arrived]) -> list[Message]:
        """What is for the inbox. An event that no inbox could take is passed over: in it, it would stop all others."""
        found: list[Message] = []
        for event, room in events:
            if not isinstance(event, Event):  # the library finds it malformed
                continue
            try:
                message = self._message(event, room)
            except Exception as error:  # noqa: BLE001 - whatever a stranger has found
                self._heard.unread += 1
                log.warning("an odd event is passed over", room=room.room_id, error=type(error).__name__)
            else:
                found += [] if message is None else [message]
        return found

    def _changes(self, events: list[Arrived]) -> list[Change]:
        """What others have edited or taken back, also where nobody can read into what."""
        found = ((changed(event), room) for event, room in events)
        return [
            Change(Place(NETWORK, room.room_id), change.event, Account(NETWORK, change.by), removed=change.removed)
            for change, room in found
            if change is not None and change.by != self._me
        ]

    def _message(self, event: Event, room: MatrixRoom) -> Message | None:
        words = spoken(event, room, self._me)
        if words is None:
            return None
        if not all(map(is_name, (event.event_id, event.sender, room.room_id))):
            raise ValueError("a name that is none")
        device = self._trust.device_of(event, room.room_id)
        return Message(
            place=Place(NETWORK, room.room_id),
            account=Account(NETWORK, event.sender),
            event=event.event_id,
            text=words.text,
            standing=Standing.UNPROVEN if device is None else Standing.ATTESTED,
            device=self._trust.claimed_device(event) if device is None else device.id,
            sent_ms=int(min(event.server_timestamp, LATEST_MS)),
            age_s=0.0,
            addressed=words.addressed,
        )


def _aged(response: SyncResponse, messages: list[Message], arrived: float) -> list[Message]:
    """The messages with their age as it is now, on the server's clock."""
    waited = asyncio.get_running_loop().time() - arrived
    return [
        dataclasses.replace(message, age_s=age_s(response, message.sent_ms, since_received=waited))
        for message in messages
    ]
