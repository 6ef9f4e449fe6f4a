"""How something is said in an encrypted room. It never sends in clear, and never leaves a send half done."""

import asyncio
import collections
from http import HTTPStatus
from typing import Any

import aiohttp
import structlog
from nio import MatrixRoom

from bot.words.errors import NetworkError, Unreachable
from bridges.matrix.connection import Connection, Denied
from bridges.matrix.disk import on_disk
from bridges.matrix.trust import Trust

GRACE_S = 2.0

log = structlog.get_logger(__name__)


class Speaker:
    """Shares the room's key with trusted devices only, then sends."""

    def __init__(self, connection: Connection, trust: Trust) -> None:
        self._connection = connection
        self._trust = trust
        self._rooms: collections.defaultdict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self._under_way: set[asyncio.Task[str]] = set()

    async def say(self, room_id: str, content: dict[str, Any], *, key: str) -> str:
        """Send a message and return its event id. The same key gives the same event.

        A cancelled caller leaves the send to finish by itself: broken off, it would block the room for good.
        """
        task = asyncio.create_task(self._say(room_id, content, key), name=f"send to {room_id}")
        self._under_way.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait a little for what is being sent, then break it off: after this nothing is sent any more."""
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

    async def _say(self, room_id: str, content: dict[str, Any], key: str) -> str:
        client = self._connection.client
        async with self._rooms[room_id]:
            room = client.rooms.get(room_id)
            if room is None:
                if room_id in self._connection.joining:
                    raise Unreachable(f"The homeserver has not yet told of the room {room_id}.", retry_after=1.0)
                raise NetworkError(f"The bot is not in the room {room_id}.", hint="Invite it there.")
            if not room.encrypted:
                raise NetworkError(
                    f"The room {room_id} is not encrypted; nothing is said there.",
                    hint="Turn on encryption in the room.",
                )
            await self._connection.know_members(room)
            await self._trust.refresh()
            complete = not self._connection.olm.should_share_group_session(room_id) or await self._share(room)
            try:
                with on_disk():
                    sent = await client.room_send(room_id, "m.room.message", content, key)
                response = self._connection.checked(sent)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise Unreachable("The homeserver does not answer.") from error
            except Denied as denied:
                if denied.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT):
                    raise Unreachable(denied.what) from denied
                raise
            session = self._connection.olm.outbound_group_sessions.get(room_id)
            if session is not None and not complete:
                session.shared = False  # the next send tries again to give the key to those who did not get it
            return response.event_id

    async def _share(self, room: MatrixRoom) -> bool:
        """Give the room's key to every trusted device. The library calls it done even if none got it; we look.

        Whether all have it: devices without one-time keys cannot be given one, and the others need not wait for them.
        """
        client = self._connection.client
        self._trust.settle()
        try:
            with on_disk():
                shared = await client.share_group_session(room.room_id)
            self._connection.checked(shared)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable("The homeserver does not answer.") from error
        finally:
            # An error on the way leaves its mark behind, and the next send would wait for ever.
            if (mark := client.sharing_session.pop(room.room_id, None)) is not None:
                mark.set()
        session = self._connection.olm.outbound_group_sessions.get(room.room_id)
        if session is None:
            raise Unreachable("The people in the room changed while its key was shared.")
        without = [
            device
            for user in list(room.users)
            for device in self._connection.olm.device_store.active_user_devices(user)
            if self._connection.olm.is_device_verified(device)
            and (user, device.device_id) not in session.users_shared_with
        ]
        if not without:
            return True
        if any(self._connection.olm.session_store.get(device.curve25519) for device in without):
            session.shared = False
            raise Unreachable("The homeserver did not pass the room's key on.")
        names = [f"{device.user_id} {device.device_id}" for device in without]
        log.warning("devices without one-time keys cannot read this", room=room.room_id, devices=names)
        return False
