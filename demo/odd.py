"""A homeserver that answers as a test wants, for what no real one does on demand. It knows nobody and keeps nothing."""

import asyncio
import contextlib
import functools
import tempfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from nio.store import SqliteStore

from bot.private import private_folder
from bridges.matrix.account import Login
from bridges.matrix.connection import Connection
from bridges.matrix.cross_signing import CrossSigning

BOT = "@tocsin:example.org"
ALICE = "@alice:example.org"
VERA = "@vera:example.org"
ROOM = "!room:example.org"
Answer = dict[str, Any]


class Odd:
    """It answers each path with what a test has put there."""

    def __init__(self) -> None:
        self.url = ""
        self.batches: asyncio.Queue[Answer | bytes] = asyncio.Queue()
        """What syncs bring. Where a test measures its own event loop, what is large comes as bytes."""
        self.answers: dict[str, object] = {"/keys/query": {"device_keys": {}}, "/sendToDevice/": {}}
        """By the beginning of the path. Bytes are sent as they are, and an event is waited for."""
        self.meanwhile: dict[str, Callable[[], None]] = {}
        """What happens once, while the next such answer is on its way."""
        self.asked: list[tuple[str, Answer]] = []
        self.joins: asyncio.Queue[str] = asyncio.Queue()
        self.status = 200
        self.statuses: dict[str, int] = {}
        """By the beginning of the path, where it is another one."""
        self.headers: dict[str, str] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator["Odd"]:
        """Reachable, until the block ends."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, handler_cancellation=True)  # who went away takes no batch with them
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    @contextlib.asynccontextmanager
    async def device(self, user: str, device: str, folder: Path) -> AsyncGenerator[Connection]:
        """A device that is logged in here, until the block ends."""
        private_folder(folder)
        login = Login(self.url, user, device, "token", "pickle")
        if not (folder / login.store).exists():
            (folder / login.store).write_bytes(_empty_store())
        async with Connection.opened(login, folder) as connection:
            yield connection

    def bodies(self, begin: str) -> list[Answer]:
        """What was asked so far on such a path."""
        return [body for path, body in self.asked if path.startswith(begin)]

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/_matrix/client/v3")
        if path == "/sync":
            brought = await self.batches.get()
            if isinstance(brought, bytes):
                return web.Response(body=brought, content_type="application/json", headers=self.headers)
            return web.json_response(brought, headers=self.headers)
        self.asked.append((path, await request.json() if request.can_read_body else {}))
        if path.startswith("/join/"):
            self.joins.put_nowait(path)
        for begin in [begin for begin in self.meanwhile if path.startswith(begin)]:
            self.meanwhile.pop(begin)()
        for begin, answer in self.answers.items():
            if path.startswith(begin):
                if isinstance(answer, asyncio.Event):
                    await answer.wait()
                if isinstance(answer, bytes):
                    return web.Response(body=answer, status=self.statuses.get(begin, self.status), headers=self.headers)
                return web.json_response(answer, status=self.statuses.get(begin, self.status))
        return web.json_response({"one_time_key_counts": {"signed_curve25519": 50}})


@functools.cache
def _empty_store() -> bytes:
    """The tables of a device that has no keys yet. To make them the library waits for the disk again and again."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore("nobody", "none", folder, database_name="empty.db")
        store.database.close()
        return Path(folder, "empty.db").read_bytes()


def signed_by_its_owner(phone: Connection, keys: CrossSigning | None = None) -> Answer:
    """What a homeserver tells of somebody with one good device. Without an identity it is a fresh one."""
    user, device = phone.login.user, phone.login.device
    keys = keys or CrossSigning.fresh()
    upload = keys.upload(user)
    entry: Answer = phone.olm.share_keys()["device_keys"]
    entry["signatures"][user][keys.self_signing.id] = keys.self_signing.sign(entry)
    return {
        "master_keys": {user: upload["master_key"]},
        "self_signing_keys": {user: upload["self_signing_key"]},
        "device_keys": {user: {device: entry}},
        "failures": {},
    }


def said(event: str, **changed: object) -> Answer:
    """A message of alice, or what a test makes of it."""
    whole = {"event_id": event, "sender": ALICE, "origin_server_ts": 1, "type": "m.room.message"}
    return whole | {"content": {"msgtype": "m.text", "body": event}} | changed


def batch(name: str, *events: Answer, state: tuple[Answer, ...] = (), invites: tuple[str, ...] = ()) -> Answer:
    """What a sync brings of the one room."""
    timeline = {"events": list(events), "limited": False, "prev_batch": "p"}
    member = {"type": "m.room.member", "sender": ALICE, "state_key": BOT, "content": {"membership": "invite"}}
    room: Answer = {
        "state": {"events": list(state)},
        "timeline": timeline,
        "account_data": {"events": []},
        "ephemeral": {"events": []},
    }
    return {
        "next_batch": name,
        "device_one_time_keys_count": {"signed_curve25519": 50},
        "device_lists": {"changed": [], "left": []},
        "to_device": {"events": []},
        "rooms": {
            "join": {ROOM: room},
            "invite": {room: {"invite_state": {"events": [member]}} for room in invites},
            "leave": {},
        },
    }
