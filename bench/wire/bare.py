"""`python -m bench.wire.bare request|recorded|many|fleet PORT COUNT FOLDER`: the reference of one run.

A bare asyncio client. It signs and checks nothing, and reads what it hears only to count it. What is recorded is one
row of as many bytes in a commit of its own, with the same pragmas.
"""

import asyncio
import contextlib
import sqlite3
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import orjson

from bench.fleet.components import name
from bench.wire.client import Client
from bench.wire.rounds import measure, report
from bench.wire.scene import CUE, DONE, REPLIES, bare_command, command_topic, draw
from wire.messages import ROOT

BIRTHS = f"{ROOT}/birth/"
ROW = bytes(1000)
"""About what row and entry of a command come to."""


class Side:
    """The bare client."""

    def __init__(self, components: Sequence[str], disk: sqlite3.Connection) -> None:
        self._disk = disk
        self._components = components
        self._id = draw()
        self._missing: set[str] = set()
        self._prepared = asyncio.Event()
        self._counted = asyncio.Event()
        self._client: Client

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, port: int, components: Sequence[str], folder: Path) -> AsyncGenerator["Side"]:
        """It is connected."""
        disk = sqlite3.connect(folder / "bare.db", isolation_level=None, check_same_thread=False)
        disk.execute("PRAGMA journal_mode = WAL")
        disk.execute("PRAGMA synchronous = FULL")
        disk.execute("CREATE TABLE row (content BLOB)")
        side = cls(components, disk)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(disk.close)
            side._client = await stack.enter_async_context(Client.connected(port, "bench", side._receive))
            await side._client.subscribe_all([REPLIES, f"{BIRTHS}+", DONE])
            yield side

    async def settle(self) -> None:
        """There is an id for the next command, and nobody is counted."""
        self._id = draw()
        self._missing = set(self._components)
        self._counted.clear()

    async def prepare(self) -> None:
        """The same, and the crowd has its answers to that id ready."""
        await self.settle()
        self._prepared.clear()
        await self._client.send(CUE, self._id.encode())
        await self._prepared.wait()

    async def order(self) -> None:
        """One command to all, made once, until the broker has all of it and each answer is counted."""
        command = bare_command(self._id, self._components[:1])
        taken = [self._client.send(command_topic(each), command) for each in self._components]
        for each in taken:
            await each
        await self._counted.wait()

    async def order_recorded(self) -> None:
        """The same, behind a commit."""
        await asyncio.to_thread(self._commit)
        await self.order()

    def _commit(self) -> None:
        self._disk.execute("BEGIN IMMEDIATE")
        self._disk.execute("INSERT INTO row (content) VALUES (?)", (ROW,))
        self._disk.execute("COMMIT")

    async def discover(self) -> None:
        """Everybody appears, until everybody was heard."""
        self._client.send(CUE, b"appear")
        await self._counted.wait()

    def _receive(self, topic: str, payload: bytes) -> None:
        if topic == DONE:
            self._prepared.set()
            return
        said = orjson.loads(payload)
        if topic == REPLIES:
            self._count(said["from"] if said["id"] == self._id else "")
        else:
            self._count(said["id"])

    def _count(self, component: str) -> None:
        self._missing.discard(component)
        if not self._missing:
            self._counted.set()


async def main(what: str, port: int, count: int, folder: Path) -> None:
    """One run."""
    async with Side.running(port, [name(number) for number in range(count)], folder) as side:
        match what:
            case "request":
                took = await measure(what, side.settle, side.order)
            case "recorded":
                took = await measure(what, side.settle, side.order_recorded)
            case "many":
                took = await measure(what, side.prepare, side.order)
            case _:
                took = await measure(what, side.settle, side.discover)
    report(took)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
