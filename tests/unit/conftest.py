"""What many of these tests stand on: a real database, a real bell, real commands. It replaces none of our own code."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio

from bot.desk import intent
from bot.desk.approvals import Approvals
from bot.desk.authority import Authority
from bot.desk.call import Call
from bot.desk.catalogue import Catalogue
from bot.desk.plans import Plans
from bot.desk.rest import Rest
from bot.fleet.helm import Helm
from bot.fleet.jobs import Jobs
from bot.fleet.maintenance import Maintenance
from bot.fleet.registry import Listed, Registry
from bot.identities import Identities
from bot.stop import sending
from bot.stop.bell import Bell, Enrolled
from bot.store import Store, Tx
from bot.system import System
from bot.words.message import Message, Place, Standing
from bot.words.people import Account, People, Person, Role
from demo.odd import Odd
from tests.unit.fresh import lay_down
from tests.unit.tower import Component
from wire.broker import QoS
from wire.envelope import PrivateKey
from wire.messages import ROOT


@pytest_asyncio.fixture
async def odd() -> AsyncIterator[Odd]:
    async with Odd().running() as running:
        yield running


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.opened(lay_down(tmp_path / "tocsin.db")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def patient_with_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's disk may take longer than a command waits for it. Tests of just that say how long."""
    monkeypatch.setattr(intent, "DISK_MAY_TAKE_S", 10.0)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending again comes at once, so that a test need not wait for it."""
    monkeypatch.setattr(sending, "AGAIN_S", (0.001, 0.001))


@pytest.fixture
def walker() -> Component:
    return Component("walker", "legs")


@pytest.fixture
def crane() -> Component:
    return Component("crane", "arms")


@pytest.fixture
def people() -> People:
    """Each is on the network `chat` under their own name; carol has a second account there."""
    named = {
        "carol": Role.COMMANDER,
        "cleo": Role.COMMANDER,
        "olga": Role.OPERATOR,
        "otto": Role.OPERATOR,
        "vera": Role.VIEWER,
    }
    more = {"carol": {Account("chat", "carol-at-home")}}
    return People(
        tuple(
            Person(name, role, frozenset({Account("chat", name), *more.get(name, ())})) for name, role in named.items()
        )
    )


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
    await store.write(lambda tx: tx.execute("DELETE FROM audit"))  # what a start records is tested with the bell
    yield rung
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


@pytest.fixture
def system(
    store: Store, people: People, bell: Bell, enrolled: dict[str, Enrolled], published: list[tuple[str, bytes]]
) -> System:
    """Everything that a command may look at, with the commands that come with Tocsin."""

    async def publish(topic: str, payload: bytes) -> None:
        published.append((topic, payload))

    return System(
        catalogue=Catalogue.installed(),
        registry=(registry := Registry({name: Listed(each.groups) for name, each in enrolled.items()})),
        bell=bell,
        maintenance=Maintenance(store, registry.groups_of),
        jobs=Jobs(store, bell, registry, ROOT, "tocsin", publish=publish, queued=lambda: None),
        helm=Helm(store, people, queued=lambda: None),
        plans=Plans(store, people, queued=lambda: None),
        store=store,
        people=people,
        identities=Identities(store, people),
        authority=Authority(frozenset({"trusted"})),
        approvals=Approvals(store, queued=lambda: None),
        rest=Rest(),
        ways_out={},
        file_sets=lambda _: False,
        alarms=(Place("chat", "alarms"),),
    )


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


@pytest.fixture
def ask(system: System, people: People) -> Callable[[str], Call]:
    def asked(who: str) -> Call:
        account = Account("chat", who)
        person = people.holder_of(account)
        assert person is not None
        event = f"${os.urandom(8).hex()}"
        message = Message(Place("chat", "room"), account, event, "", Standing.ATTESTED, "PHONE", 1, 0.0)
        return Call(os.urandom(16).hex(), person, message, system)

    return asked
