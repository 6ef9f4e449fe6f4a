"""What arrives, batch by batch. The cursor never moves past a batch that is not in the inbox."""

import asyncio
import functools

import structlog
from nio import BadEvent, Event, InviteMemberEvent, MatrixRoom, MegolmEvent, SyncResponse

from bot.bridge import Inlet
from bot.words.errors import NetworkError, StoreError, Unreachable
from bot.words.message import Message, Place, Standing
from bot.words.people import Account
from bridges.matrix.connection import Connection, Denied, age_s
from bridges.matrix.patience import patiently
from bridges.matrix.reading import spoken
from bridges.matrix.trust import Trust

NETWORK = "matrix"

log = structlog.get_logger(__name__)


class Receiver:
    """Reads the homeserver's stream into the inbox."""

    def __init__(self, connection: Connection, trust: Trust, inlet: Inlet, listed: frozenset[str]) -> None:
        self._connection = connection
        self._trust = trust
        self._inlet = inlet
        self._listed = listed
        self._me = connection.login.user
        self.unread = 0
        """Events that could not be decrypted, or whose ciphertext was seen before under another name."""

    async def take(self, since: str | None, *, first: bool) -> str:
        """Wait for the next batch, put it into the inbox, and return the cursor behind it."""
        known = None if first else frozenset(self._connection.client.rooms)
        sync = functools.partial(self._connection.sync, since, full_state=first)
        response = await patiently(sync, NetworkError)
        arrived = asyncio.get_running_loop().time()
        # Who may be believed is asked before a word of the batch is judged.
        await patiently(self._trust.refresh, NetworkError, StoreError)
        await self._answer_invitations(response)
        events = await self._events(response, since, known)
        self._connection.seen.keep()
        await patiently(functools.partial(self._accept, response, events, arrived), StoreError)
        try:
            await self._connection.upkeep()
        except NetworkError as error:
            log.warning("keys could not be looked after; tried again later", error=error.what)
        return response.next_batch

    async def _accept(self, response: SyncResponse, events: list[tuple[Event, MatrixRoom]], arrived: float) -> None:
        waited = asyncio.get_running_loop().time() - arrived
        messages = [
            self._message(event, room, age_s(response, event.server_timestamp, since_received=waited))
            for event, room in events
        ]
        await self._inlet.accept([message for message in messages if message is not None], cursor=response.next_batch)

    async def _events(
        self, response: SyncResponse, since: str | None, known: frozenset[str] | None
    ) -> list[tuple[Event, MatrixRoom]]:
        """The events of a batch, and those that its limited timelines left out."""
        found: list[tuple[Event | BadEvent, MatrixRoom]] = []
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
                self.unread += 1
                log.warning("cannot be decrypted", room=room.room_id, event_id=event.event_id, sender=event.sender)
        # What the library finds malformed is in the list too, in a type of its own.
        return [(event, room) for event, room in found if isinstance(event, Event)]

    def _message(self, event: Event, room: MatrixRoom, age: float) -> Message | None:
        words = spoken(event, room, self._me)
        if words is None:
            return None
        device = self._trust.device_of(event, room.room_id)
        return Message(
            place=Place(NETWORK, room.room_id),
            account=Account(NETWORK, event.sender),
            event=event.event_id,
            text=words.text,
            standing=Standing.UNPROVEN if device is None else Standing.ATTESTED,
            device=self._claimed_device(event) if device is None else device.id,
            sent_ms=event.server_timestamp,
            age_s=age,
            addressed=words.addressed,
        )

    def _claimed_device(self, event: Event) -> str:
        if not event.decrypted or event.sender_key is None:
            return ""
        devices = self._connection.olm.device_store
        device = devices.device_from_sender_key(event.sender, event.sender_key)
        return "" if device is None else device.device_id

    async def _answer_invitations(self, response: SyncResponse) -> None:
        """Go where listed people invite us, and nowhere else."""
        for room, info in response.rooms.invite.items():
            inviter = next(
                (
                    event.sender
                    for event in info.invite_state
                    if isinstance(event, InviteMemberEvent)
                    and event.membership == "invite"
                    and event.state_key == self._me
                ),
                None,
            )
            if inviter not in self._listed:
                log.warning("an invitation of somebody who is not listed is not accepted", room=room, inviter=inviter)
                continue
            try:
                await patiently(functools.partial(self._connection.join, room), Unreachable)
            except Denied as denied:
                log.warning("an invitation cannot be accepted", room=room, inviter=inviter, error=denied.what)
            else:
                log.info("joined", room=room, inviter=inviter)
