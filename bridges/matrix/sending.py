"""How something is said in a room: encrypted, and in clear only where the file says so and no encryption was ever seen.

It never leaves a send half done.
"""

import asyncio
import collections
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
import structlog
from nio import MatrixRoom
from nio.crypto import OutboundGroupSession

from bot.words.errors import NetworkError, Unreachable
from bridges.matrix.connection import Connection, Denied
from bridges.matrix.disk import on_disk
from bridges.matrix.lending import Reader
from bridges.matrix.rotation import Rotation
from bridges.matrix.trust import Trust

GRACE_S = 2.0
MESSAGE = "m.room.message"
CHANGED = "The people in the room changed while its key was shared."

log = structlog.get_logger(__name__)


class Speaker:
    """Shares the room's key with trusted devices, and in an open room with those of guests, then sends."""

    def __init__(self, connection: Connection, trust: Trust) -> None:
        self._connection = connection
        self._trust = trust
        self._rooms: collections.defaultdict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self._under_way: set[asyncio.Task[str]] = set()

    async def say(self, room_id: str, content: dict[str, Any], *, key: str, kind: str = MESSAGE) -> str:
        """Send a message and return its event id. The same key gives the same event.

        A cancelled caller leaves the send to finish by itself: broken off, it would block the room for good.
        """
        task = asyncio.create_task(self._say(room_id, content, key, kind), name=f"send to {room_id}")
        self._under_way.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def place_for_words(self, room_id: str) -> MatrixRoom:
        """A room in which something may be said."""
        room = self._connection.client.rooms.get(room_id)
        if room is None:
            if room_id in self._connection.joining:
                raise Unreachable(f"The homeserver has not yet told of the room {room_id}.", retry_after=1.0)
            raise NetworkError(f"The bot is not in the room {room_id}.", hint="Invite it there.")
        if not room.encrypted and not self._trust.clear.has(room):
            raise NetworkError(
                f"The room {room_id} is not encrypted; nothing is said there.", hint="Turn on encryption in the room."
            )
        return room

    def speaks_in_clear(self, room_id: str) -> bool:
        """Whether it is a room in which all is said in clear."""
        room = self._connection.client.rooms.get(room_id)
        return room is not None and self._trust.clear.has(room)

    async def finish(self) -> None:
        """Wait a little for what is being sent, then break it off: after this nothing is sent any more."""
        await self._trust.guests.finish()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=GRACE_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _done(self, task: asyncio.Task[str]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # whoever still waits has it; nobody else needs to

    async def _say(self, room_id: str, content: dict[str, Any], key: str, kind: str) -> str:
        client = self._connection.client
        async with self._rooms[room_id]:
            room = self.place_for_words(room_id)
            if room.encrypted:
                if not self._connection.reads_only:
                    await self._have_key_in_right_hands(room)
                if self._connection.reads_only:
                    self._check_key_is_in_right_hands(room)
            # Nothing is awaited from here until the library has looked whether it must encrypt, and has done it.
            try:
                with on_disk():
                    sent = await client.room_send(room_id, kind, content, key)
                response = self._connection.checked(sent)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise Unreachable("The homeserver does not answer.") from error
            except Denied as denied:
                if denied.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT):
                    raise Unreachable(denied.what) from denied
                raise
            return response.event_id

    async def _have_key_in_right_hands(self, room: MatrixRoom) -> None:
        """All who may read have the room's key, and nobody else, until something is awaited again."""
        await self._connection.know_members(room)
        await self._trust.refresh()
        await self._share_where_needed(room)
        if self._trust.guests.is_open(room.room_id):
            await self._trust.guests.welcome(room)
            await self._share_where_needed(room)  # some may have come or gone meanwhile

    def _check_key_is_in_right_hands(self, room: MatrixRoom) -> None:
        """Where nothing can be kept, no key is given to anybody. A room whose key needs no giving is still spoken to.

        A room's key lives in memory alone, so that none that was used is used again after the disk has come back.
        """
        key = self._key_of(room)
        if key is None or not key.shared or self._without(room, key):
            raise Unreachable("The keys of the Matrix device cannot be kept: nothing is said here until they can.")

    def _key_of(self, room: MatrixRoom) -> OutboundGroupSession | None:
        """The room's key, where nobody has it who may not read. One that is in other hands is thrown away."""
        if self._connection.client.rooms.get(room.room_id) is not room:  # the bot was put out, and perhaps let in again
            raise Unreachable(CHANGED)
        keys = self._connection.olm.outbound_group_sessions
        key = keys.get(room.room_id)
        if key is not None:
            self._connection.rotations.get(room.room_id, Rotation()).rule(key)
        if key is None:
            return None
        held_in_vain = (
            key.users_shared_with - self._trust.readers(room).keys() - self._trust.guests.readers(room).keys()
        )
        if key.expired or held_in_vain:
            del keys[room.room_id]
            return None
        return key

    def _without(self, room: MatrixRoom, key: OutboundGroupSession) -> Mapping[Reader, str]:
        """Listed people's devices that may read and do not have the key."""
        readers = self._trust.readers(room)
        return {reader: curve for reader, curve in readers.items() if reader not in key.users_shared_with}

    async def _share_where_needed(self, room: MatrixRoom) -> None:
        key = self._key_of(room)
        if key is None or not key.shared or self._without(room, key):
            await self._share(room)

    async def _share(self, room: MatrixRoom) -> None:
        """Give the room's key to listed people who may read. The library calls it done even if none got it; we look.

        Devices without one-time keys cannot be given one, and the others need not wait for them: the next send tries
        again. Where somebody may have the key of whom we do not know it, or should not have it, it is never used.
        """
        olm, client = self._connection.olm, self._connection.client
        self._trust.settle()
        if (key := self._key_of(room)) is not None:
            key.shared = False  # the library gives this one to those who lack it, and makes no new one for all
        done = False
        try:
            with on_disk():
                shared = await client.share_group_session(room.room_id)
            self._connection.checked(shared)
            done = True
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable("The homeserver does not answer.") from error
        except KeyError as error:
            if room.room_id in olm.outbound_group_sessions:
                raise
            raise Unreachable(CHANGED) from error
        finally:
            # An error on the way leaves its mark behind, and the next send would wait for ever.
            if (mark := client.sharing_session.pop(room.room_id, None)) is not None:
                mark.set()
            if not done:
                olm.outbound_group_sessions.pop(room.room_id, None)
        if (key := self._key_of(room)) is None:
            raise Unreachable(CHANGED)
        without = self._without(room, key)
        if any(olm.session_store.get(curve) for curve in without.values()):
            del olm.outbound_group_sessions[room.room_id]
            raise Unreachable("The homeserver did not pass the room's key on.")
        if without:
            names = sorted(f"{user} {device}" for user, device in without)
            log.warning("devices without one-time keys cannot read this", room=room.room_id, devices=names)
