"""`python -m bench.echo HOMESERVER USER PASSWORD FOLDER`: says back what it hears. It is the reference, and no more."""

import asyncio
import sys
from pathlib import Path

from nio import AsyncClient, AsyncClientConfig, InviteMemberEvent, MatrixRoom, RoomMessageText
from nio.store import SqliteStore

from bridges.matrix.account import Account, Login
from bridges.matrix.connection import Connection
from bridges.matrix.cross_signing import establish


async def main(homeserver: str, user: str, password: str, folder: Path) -> None:
    """Echo until killed."""
    login = await Account(homeserver, user, "Echo", folder).login(password)
    async with Connection.opened(login, folder) as connection:  # or nobody of today would send it a key
        await connection.upkeep()
        await establish(connection, password)
    await echo(login, folder)


async def echo(login: Login, folder: Path) -> None:
    """The library as it is meant to be used."""
    config = AsyncClientConfig(store=SqliteStore, store_name=login.store, pickle_key=login.pickle_key)
    client = AsyncClient(login.homeserver, login.user, login.device, str(folder), config)
    client.restore_login(login.user, login.device, login.token)

    async def invited(room: MatrixRoom, _: InviteMemberEvent) -> None:
        await client.join(room.room_id)

    async def said(room: MatrixRoom, event: RoomMessageText) -> None:
        if event.sender != login.user:
            content = {
                "msgtype": "m.notice",
                "body": event.body,
                "m.relates_to": {"m.in_reply_to": {"event_id": event.event_id}},
            }
            await client.room_send(room.room_id, "m.room.message", content, ignore_unverified_devices=True)

    client.add_event_callback(invited, InviteMemberEvent)
    client.add_event_callback(said, RoomMessageText)
    await client.sync_forever(timeout=30_000, full_state=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])))
