"""Somebody on Matrix with the library as it is meant to be used: says what they are told to say, and hears. No more."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Self

from nio import AsyncClient, AsyncClientConfig, InviteMemberEvent, MatrixRoom, RoomMessageText
from nio.store import SqliteStore

from bridges.matrix.account import Account
from bridges.matrix.connection import Connection
from bridges.matrix.cross_signing import establish
from demo.homeserver import Homeserver

PASSWORD = "of somebody bare"  # noqa: S105 - of an account that lives as long as the benchmark


class Bare:
    """One person at one device."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._heard: asyncio.Queue[str] = asyncio.Queue()

    @classmethod
    @contextlib.asynccontextmanager
    async def online(cls, homeserver: Homeserver, name: str, folder: Path) -> AsyncGenerator[Self]:
        """They have signed their device, or nobody of today would send it a key; and go wherever they are invited."""
        user = await homeserver.register(name, PASSWORD)
        login = await Account(homeserver.url, user, "Bare", folder).login(PASSWORD)
        async with Connection.opened(login, folder) as connection:
            await connection.upkeep()
            await establish(connection, PASSWORD)
        config = AsyncClientConfig(store=SqliteStore, store_name=login.store, pickle_key=login.pickle_key)
        client = AsyncClient(login.homeserver, login.user, login.device, str(folder), config)
        client.restore_login(login.user, login.device, login.token)
        somebody = cls(client)
        client.add_event_callback(somebody._invited, InviteMemberEvent)
        client.add_event_callback(somebody._said, RoomMessageText)
        listening = asyncio.create_task(client.sync_forever(timeout=30_000, full_state=True))
        try:
            yield somebody
        finally:
            listening.cancel()
            await asyncio.wait([listening])
            await client.close()

    async def say(self, room: str, words: str) -> None:
        """Say something, encrypted."""
        content = {"msgtype": "m.text", "body": words}
        await self._client.room_send(room, "m.room.message", content, ignore_unverified_devices=True)

    async def hears(self, words: str) -> None:
        """Wait until that was said."""
        while await self._heard.get() != words:
            pass

    async def _invited(self, room: MatrixRoom, _: InviteMemberEvent) -> None:
        await self._client.join(room.room_id)

    async def _said(self, _: MatrixRoom, event: RoomMessageText) -> None:
        self._heard.put_nowait(event.body)
