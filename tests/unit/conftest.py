"""What many of these tests stand on: a real database, a real bell, real commands. It replaces none of our own code."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio

from bot.desk.catalogue import Catalogue
from bot.fleet.registry import Registry
from bot.stop.bell import Bell, Enrolled
from bot.store import Store, Tx
from bot.system import System
from bot.words.people import Account, People, Person, Role
from commands.help import show_help
from commands.shutdown import shutdown
from commands.status import status
from commands.whoami import whoami
from wire.broker import QoS
from wire.envelope import PrivateKey
from wire.messages import ROOT


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.opened(tmp_path / "tocsin.db") as opened:
        yield opened


@pytest.fixture
def people() -> People:
    """One of each role, and each on the network `chat` under their own name."""
    named = {"carol": Role.COMMANDER, "olga": Role.OPERATOR, "vera": Role.VIEWER}
    return People(tuple(Person(name, role, frozenset({Account("chat", name)})) for name, role in named.items()))


@pytest.fixture
def walker_key() -> PrivateKey:
    return PrivateKey(b"walker".ljust(32, b"."))


@pytest.fixture
def enrolled(walker_key: PrivateKey) -> dict[str, Enrolled]:
    return {"walker": Enrolled(walker_key.public, frozenset({"legs"}))}


@pytest.fixture
def published() -> list[tuple[str, bytes]]:
    """What reached the broker."""
    return []


@pytest_asyncio.fixture
async def bell(store: Store, enrolled: dict[str, Enrolled], published: list[tuple[str, bytes]]) -> AsyncIterator[Bell]:
    async def publish(topic: str, payload: bytes, *, qos: QoS = 0, retain: bool = False) -> None:  # noqa: ARG001 - the interface
        published.append((topic, payload))

    bot_key = PrivateKey(b"bot".ljust(32, b"."))
    rung = Bell(store, bot_key, ROOT, enrolled, publish=publish, queued=lambda: None)
    running = asyncio.create_task(rung.run())
    async with asyncio.timeout(10):
        await rung.ready.wait()
    yield rung
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


@pytest.fixture
def system(bell: Bell, enrolled: dict[str, Enrolled]) -> System:
    registry = Registry((name, each.groups) for name, each in enrolled.items())
    return System(Catalogue((show_help, shutdown, status, whoami)), registry, bell)


@pytest.fixture
def hang_disk() -> Callable[[Store], AbstractAsyncContextManager[threading.Event]]:
    """The writer of a store hangs in a transaction, as on a disk that does not answer, until the event is set."""

    @contextlib.asynccontextmanager
    async def hang(store: Store) -> AsyncGenerator[threading.Event]:
        go_on, hangs = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def wait(_: Tx) -> None:
            loop.call_soon_threadsafe(hangs.set)
            go_on.wait(10)

        hanging = asyncio.create_task(store.write(wait))
        async with asyncio.timeout(10):
            await hangs.wait()
        try:
            yield go_on
        finally:
            go_on.set()
            await hanging

    return hang
