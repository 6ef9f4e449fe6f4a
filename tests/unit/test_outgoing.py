"""The way out to a network: what is urgent first, each post until it is confirmed, one that fails holds nobody up."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from bot import outgoing as outgoing_module
from bot.outgoing import Outgoing
from bot.store import Store, outbox
from bot.words.document import document
from bot.words.errors import NetworkError, StoreError, Unreachable
from bot.words.message import Lane, Place, Post
from bot.words.plain import to_plain

PATIENCE = 10.0


class Network:
    """A bridge whose network does what a test tells it to."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.keys: list[str] = []
        self.refusals: list[Exception] = []
        self.away: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.tried = asyncio.Event()

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def send(self, post: Post, *, key: str) -> str:
        self.keys.append(key)
        self.tried.set()
        await self.gate.wait()
        if post.place.id in self.away:
            raise Unreachable(f"{post.place} is away.")
        if self.refusals:
            raise self.refusals.pop(0)
        self.said.append(to_plain(post.document))
        return f"$event{len(self.said)}"


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing_module, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(outgoing_module, "LONGEST_WAIT_S", 0.002)


def post(words: str, lane: Lane = Lane.ANSWER, network: str = "chat", room: str = "room") -> Post:
    return Post(Place(network, room), document(words), lane)


async def queue(store: Store, *posts: Post) -> list[str]:
    return await store.write(lambda tx: [outbox.queue(tx, each) for each in posts])


async def rows(store: Store) -> list[tuple[str, str | None, str | None]]:
    return await store.read(lambda tx: tx.execute("SELECT state, event, error FROM outbox ORDER BY id").fetchall())


async def settled(store: Store) -> None:
    async with asyncio.timeout(PATIENCE):
        while any(state == "waiting" for state, _, _ in await rows(store)):
            await store.write(lambda _: None)


@contextlib.asynccontextmanager
async def going_out(store: Store, network: Network) -> AsyncGenerator[Outgoing]:
    out = Outgoing("chat", network, store, draw=lambda: 0.0)
    running = asyncio.create_task(out.run())
    try:
        yield out
        assert not running.done()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_what_an_earlier_run_left_is_said_first_and_then_what_is_new(store: Store, network: Network) -> None:
    await queue(store, post("old"), post("urgent", Lane.STOP))
    async with going_out(store, network) as out:
        await settled(store)
        await queue(store, post("new"))
        out.wake()
        await settled(store)
    assert network.said == ["urgent", "old", "new"]
    assert await rows(store) == [("sent", "$event2", None), ("sent", "$event1", None), ("sent", "$event3", None)]


async def test_a_post_of_another_network_stays(store: Store, network: Network) -> None:
    await queue(store, post("theirs", network="talk"), post("ours"))
    async with going_out(store, network):
        async with asyncio.timeout(PATIENCE):
            while not network.said:
                await store.write(lambda _: None)
    assert network.said == ["ours"]


async def test_a_network_that_is_away_is_tried_again_with_the_same_key(store: Store, network: Network) -> None:
    (key,) = await queue(store, post("hello"))
    network.refusals = [Unreachable("It is away."), Unreachable("It is busy.", retry_after=0.001)]
    async with going_out(store, network):
        await settled(store)
    assert network.said == ["hello"]
    assert network.keys == [key] * 3


async def test_what_becomes_urgent_while_the_network_is_away_goes_first(store: Store, network: Network) -> None:
    await queue(store, post("slow"))
    network.refusals = [Unreachable("It is away.")]
    network.gate.clear()
    async with going_out(store, network) as out:
        async with asyncio.timeout(PATIENCE):
            await network.tried.wait()
        await queue(store, post("stopped!", Lane.STOP))
        out.wake()
        network.gate.set()
        await settled(store)
    assert network.said == ["stopped!", "slow"]


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (NetworkError("The room is gone.", hint="Remove it."), "The room is gone. Remove it."),
        (ValueError("nobody foresaw this"), "ValueError('nobody foresaw this')"),
    ],
)
async def test_what_a_network_never_takes_holds_nobody_up(
    store: Store, network: Network, refusal: Exception, why: str
) -> None:
    await queue(store, post("bad"), post("good"))
    network.refusals = [refusal]
    async with going_out(store, network):
        await settled(store)
    assert network.said == ["good"]
    assert await rows(store) == [("failed", None, why), ("sent", "$event1", None)]


async def test_a_disk_that_refuses_does_not_end_the_way_out(
    store: Store, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = await queue(store, post("hello"))
    refuse = iter((StoreError("The disk is full."),))
    sent = outbox.sent

    def sometimes(tx: object, row: int, event: str) -> None:
        for error in refuse:
            raise error
        sent(tx, row, event)  # pyright: ignore[reportArgumentType] - it is the transaction that we were given

    monkeypatch.setattr(outgoing_module.outbox, "sent", sometimes)
    async with going_out(store, network):
        await settled(store)
    assert network.keys == [key] * 2  # the network knows the key, and says it once


async def test_what_was_not_confirmed_when_we_were_stopped_is_said_again_under_its_key(
    store: Store, network: Network
) -> None:
    (key,) = await queue(store, post("hello"))
    network.gate.clear()
    async with going_out(store, network):
        async with asyncio.timeout(PATIENCE):
            await network.tried.wait()
    network.gate.set()
    async with going_out(store, network):
        await settled(store)
    assert network.keys == [key] * 2
    assert network.said == ["hello"]


async def test_a_place_that_is_away_delays_only_itself(store: Store, network: Network) -> None:
    network.away = {"far"}
    await queue(store, post("for later", Lane.STOP, room="far"), post("first"), post("second"))
    async with going_out(store, network) as out:
        async with asyncio.timeout(PATIENCE):
            while len(network.said) < 2:
                await store.write(lambda _: None)
        network.away.clear()
        out.wake()
        await settled(store)
    assert network.said == ["first", "second", "for later"]


async def test_a_post_that_cannot_be_read_back_holds_nobody_up(store: Store, network: Network) -> None:
    await queue(store, post("garbled"), post("good"))
    await store.write(lambda tx: tx.execute("UPDATE outbox SET document = x'00' WHERE id = 1"))
    async with going_out(store, network):
        await settled(store)
    assert network.said == ["good"]
    assert [state for state, _, _ in await rows(store)] == ["failed", "sent"]
