"""The way out to a network: what is urgent first, each post until it is confirmed, one that fails holds nobody up."""

import asyncio
import collections
import contextlib
import dataclasses
import enum
import math
import tempfile
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot import absences
from bot import outgoing as outgoing_module
from bot.bridge import Health
from bot.outgoing import Outgoing
from bot.store import Store, Tx, outbox
from bot.words.document import document
from bot.words.errors import NetworkError, StoreError, Unreachable
from bot.words.message import Lane, Place, Post
from bot.words.plain import to_plain

PATIENCE = 10.0


class Network:
    """A bridge whose network does what a test tells it to."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.posts: list[Post] = []
        self.keys: list[str] = []
        self.refusals: list[Exception] = []
        self.away: set[str] = set()
        self.hanging: set[str] = set()
        self.down = False
        self.under_way: list[str] = []
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.tried = asyncio.Event()
        self.spoke = asyncio.Event()

    def health(self) -> Health:
        return Health(ready=True)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def send(self, post: Post, *, key: str) -> str:
        room = post.place.id
        assert room not in self.under_way
        self.keys.append(key)
        self.under_way.append(room)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        self.tried.set()
        try:
            if room in self.hanging:
                await asyncio.Event().wait()
            await self.gate.wait()
        finally:
            self.under_way.remove(room)
        if self.down or room in self.away:
            raise Unreachable(f"{post.place} is away.")
        if self.refusals:
            raise self.refusals.pop(0)
        self.said.append(to_plain(post.document))
        self.posts.append(post)
        self.spoke.set()
        return post.edits or f"$event{len(self.said)}"


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absences, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(absences, "LONGEST_WAIT_S", 0.002)


def post(words: str, lane: Lane = Lane.ANSWER, network: str = "chat", room: str = "room") -> Post:
    return Post(Place(network, room), document(words), lane)


async def queue(store: Store, *posts: Post) -> list[str]:
    return await store.write(lambda tx: [outbox.queue(tx, each) for each in posts])


async def rows(store: Store) -> list[tuple[str, str | None, str | None]]:
    return await store.read(lambda tx: tx.execute("SELECT state, event, error FROM outbox ORDER BY id").fetchall())


async def until(holds: Callable[[], bool], store: Store) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await store.write(lambda _: None)


async def settled(store: Store) -> None:
    async with asyncio.timeout(PATIENCE):
        while any(state == "waiting" for state, _, _ in await rows(store)):
            await store.write(lambda _: None)


@dataclasses.dataclass
class Clock:
    """Time that passes only where a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """With it, waits are as long as they are for users."""
    monkeypatch.setattr(absences, "FIRST_WAIT_S", 0.5)
    monkeypatch.setattr(absences, "LONGEST_WAIT_S", 30.0)
    return Clock()


async def idle(out: Outgoing) -> None:
    async with asyncio.timeout(PATIENCE):
        await out.until_idle()


@contextlib.asynccontextmanager
async def going_out(store: Store, network: Network, clock: Clock | None = None) -> AsyncGenerator[Outgoing]:
    if clock is None:
        out = Outgoing("chat", network, store, draw=lambda: 0.0)
    else:
        out = Outgoing("chat", network, store, draw=lambda: 1.0, clock=clock, today=clock)
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
        await until(lambda: bool(network.said), store)
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
    sent = outbox.sent

    def sometimes(tx: Tx, row: int, event: str) -> None:
        if len(network.keys) == 1:
            raise StoreError("The disk is full.")
        sent(tx, row, event)

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
        await until(lambda: len(network.said) == 2, store)
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


async def test_a_post_that_cannot_be_read_back_fails_with_a_reason_that_quotes_nothing(
    store: Store, network: Network
) -> None:
    await queue(store, post("secret"))
    await store.write(lambda tx: tx.execute("UPDATE outbox SET document = ?", (b'{"blocks": "secret"}',)))
    async with going_out(store, network):
        await settled(store)
    ((_, _, why),) = await rows(store)
    assert why is not None
    assert "cannot read" in why
    assert "secret" not in why


async def test_several_places_go_at_once_but_no_more_than_four(store: Store, network: Network) -> None:
    network.gate.clear()
    await queue(store, *(post(f"to {number}", room=str(number)) for number in range(6)))
    async with going_out(store, network):
        await until(lambda: len(network.under_way) == 4, store)
        network.gate.set()
        await settled(store)
    assert network.most_at_once == 4
    assert sorted(network.said) == [f"to {number}" for number in range(6)]


async def test_a_stop_waits_for_no_slot(store: Store, network: Network) -> None:
    network.gate.clear()
    await queue(store, *(post("slow", room=str(number)) for number in range(4)))
    async with going_out(store, network) as out:
        await until(lambda: len(network.under_way) == 4, store)
        await queue(store, *(post("stopped!", Lane.STOP, room=f"stop {number}") for number in range(20)))
        out.wake()
        await until(lambda: len(network.under_way) == 24, store)
        network.gate.set()
        await settled(store)


async def test_one_post_at_a_time_goes_to_a_place_and_the_next_is_the_most_urgent(
    store: Store, network: Network
) -> None:
    network.gate.clear()
    await queue(store, post("first"), post("second"))
    async with going_out(store, network) as out:
        await until(lambda: bool(network.under_way), store)
        await queue(store, post("stopped!", Lane.STOP))
        out.wake()
        network.gate.set()
        await settled(store)
    assert network.most_at_once == 1
    assert network.said == ["first", "stopped!", "second"]


async def test_a_send_that_hangs_is_given_up_and_tried_again_under_its_key(
    store: Store, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing_module, "SEND_MAY_TAKE_S", 0.01)
    network.hanging = {"far"}
    far, _ = await queue(store, post("for later", room="far"), post("at once", room="near"))
    async with going_out(store, network) as out:
        await until(lambda: network.keys.count(far) >= 2, store)
        assert network.said == ["at once"]
        assert [(each.place.id, each.error) for each in out.away()] == [("far", "It did not answer within 0 s.")]
        network.hanging.clear()
        await settled(store)
    assert network.said == ["at once", "for later"]
    assert network.most_at_once <= 2


async def test_places_that_hang_again_leave_slots_to_the_others(
    store: Store, network: Network, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing_module, "SEND_MAY_TAKE_S", 0.01)
    network.hanging = {"0", "1", "2", "3"}
    await queue(store, *(post("hangs", Lane.ANSWER, room=str(number)) for number in range(4)))
    async with going_out(store, network, clock) as out:
        await until(lambda: len(out.away()) == 4, store)
        monkeypatch.setattr(outgoing_module, "SEND_MAY_TAKE_S", 60.0)
        clock.now += 1.0
        out.wake()
        await until(lambda: len(network.under_way) == 2, store)
        await queue(store, *(post(f"good {number}", Lane.WITNESS, room=f"good {number}") for number in range(20)))
        out.wake()
        await until(lambda: len(network.said) == 20, store)
        assert len(network.under_way) == 2
        assert len(network.keys) == 4 + 2 + 20


async def test_a_timeout_that_a_bridge_lets_out_is_not_taken_for_ours(store: Store, network: Network) -> None:
    await queue(store, post("bad"))
    network.refusals = [TimeoutError("inside")]
    async with going_out(store, network):
        await settled(store)
    assert await rows(store) == [("failed", None, "TimeoutError('inside')")]


async def test_a_place_that_stays_away_is_tried_less_and_less_often_and_afresh_after_a_success(
    store: Store, network: Network, clock: Clock
) -> None:
    network.away = {"room"}
    await queue(store, post("hello"))
    waits: list[float] = []
    async with going_out(store, network, clock) as out:
        for _ in range(9):
            await idle(out)
            (away,) = out.away()
            assert away.since == 1000.0
            waits.append(away.next_try_in_s)
            clock.now += away.next_try_in_s
        assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
        assert len(network.keys) == 9
        network.away.clear()
        await idle(out)
        assert network.said == ["hello"]
        assert out.away() == []
        network.away = {"room"}
        await queue(store, post("again"))
        await idle(out)
        assert [each.next_try_in_s for each in out.away()] == [0.5]


@pytest.mark.parametrize(
    ("asked", "waits"), [(7.0, 7.0), (1e9, 300.0), (math.inf, 300.0), (0.0, 0.5), (-5.0, 0.5), (math.nan, 0.5)]
)
async def test_a_network_says_how_long_to_wait_within_bounds(
    store: Store, network: Network, clock: Clock, asked: float, waits: float
) -> None:
    network.refusals = [Unreachable("It is busy.", retry_after=asked)]
    await queue(store, post("hello"))
    async with going_out(store, network, clock) as out:
        await idle(out)
        (away,) = out.away()
        assert away.next_try_in_s == waits
        clock.now += waits - 0.01
        await idle(out)
        assert network.said == []
        clock.now += 0.02
        await idle(out)
        assert network.said == ["hello"]


async def test_a_network_that_is_down_is_not_hammered_for_all_its_places(
    store: Store, network: Network, clock: Clock
) -> None:
    network.down = True
    await queue(store, *(post("hello", room=str(number)) for number in range(200)))
    async with going_out(store, network, clock) as out:
        for _ in range(120):  # a minute
            await idle(out)
            clock.now += 0.5
        assert 8 <= len(network.keys) <= 30
        network.down = False
        clock.now += max(each.next_try_in_s for each in out.away())
        await idle(out)
        assert len(network.said) == 200  # after one success nobody waits any more
        assert out.away() == []
        network.gate.clear()
        await queue(store, *(post("hello", room=str(number)) for number in range(6)))
        out.wake()
        await until(lambda: len(network.under_way) == 4, store)
        network.gate.set()
        await idle(out)


async def test_a_network_that_is_down_is_asked_at_most_twice_a_pause_however_many_new_places_come(
    store: Store, network: Network, clock: Clock
) -> None:
    network.down = True
    async with going_out(store, network, clock) as out:
        for number in range(240):
            await queue(store, post("hello", room=str(number)))
            await idle(out)
            clock.now += 0.25
        assert 8 <= len(network.keys) <= 30


async def test_while_many_places_are_away_a_place_that_is_there_is_reached_at_once(
    store: Store, network: Network, clock: Clock
) -> None:
    network.away = {str(number) for number in range(40)}
    await queue(store, *(post("lost", room=room) for room in sorted(network.away)))
    async with going_out(store, network, clock) as out:
        for _ in range(50):
            await idle(out)
            clock.now += 30.0
        await idle(out)
        assert len(out.away()) == 40
        await queue(store, post("hello", Lane.WITNESS, room="good"))
        await idle(out)
        assert network.said == ["hello"]


async def test_a_stop_is_tried_though_the_network_seems_down(store: Store, network: Network, clock: Clock) -> None:
    network.down = True
    await queue(store, *(post("lost", room=str(number)) for number in range(50)))
    async with going_out(store, network, clock) as out:
        for _ in range(60):
            await idle(out)
            clock.now += 1.0
        await idle(out)
        network.down = False
        await queue(store, *(post("stopped!", Lane.STOP, room=f"stop {number}") for number in range(3)))
        await idle(out)
        assert network.said[:3] == ["stopped!"] * 3


async def test_one_place_that_is_away_says_nothing_of_the_network(store: Store, network: Network, clock: Clock) -> None:
    network.away = {"far"}
    network.hanging = {"slow"}
    await queue(store, post("for later", room="far"))
    async with going_out(store, network, clock) as out:
        for _ in range(20):
            await idle(out)
            clock.now += 30.0
        await idle(out)
        await queue(store, post("hello", room="slow"), *(post("hello", room=str(number)) for number in range(9)))
        out.wake()
        await until(lambda: len(network.said) == 9, store)


async def test_places_that_fail_while_others_answer_say_nothing_of_the_network(
    store: Store, network: Network, clock: Clock
) -> None:
    network.hanging = {"slow"}
    async with going_out(store, network, clock) as out:
        for number in range(10):
            network.away.add(f"far {number}")
            await queue(store, post("for later", room=f"far {number}"), post("hello", Lane.WITNESS))
            await idle(out)
        network.away.add("farther")
        await queue(store, post("for later", room="farther"))
        await idle(out)
        await queue(store, post("hello", room="slow"), *(post("hello", room=str(number)) for number in range(9)))
        out.wake()
        await until(lambda: len(network.said) == 19, store)


async def test_a_crowd_at_a_place_that_is_away_becomes_a_digest(store: Store, network: Network, clock: Clock) -> None:
    network.away = {"room"}
    await queue(store, *(post(f"answer {number}") for number in range(30)), *(post("stopped!", Lane.STOP),) * 12)
    async with going_out(store, network, clock) as out:
        await idle(out)
        network.away.clear()
        clock.now += 0.5
        await idle(out)
        assert out.counts["condensed"] == 24
    assert network.said[:13] == ["stopped!"] * 12 + ["answer 0"]
    assert network.said[13].startswith("24 messages waited here")
    assert network.said[14:] == [f"answer {number}" for number in range(25, 30)]


async def test_a_crowd_is_left_as_it_is_where_it_goes_out_soon_and_becomes_a_digest_where_it_waits_long(
    store: Store, network: Network, clock: Clock
) -> None:
    clock.now = 0.0  # what is queued now is from the future, so it did not wait yet
    await queue(store, *(post(f"soon {number}") for number in range(15)))
    async with going_out(store, network, clock) as out:
        await idle(out)
        assert network.said == [f"soon {number}" for number in range(15)]
        await queue(store, *(post(f"late {number}") for number in range(15)))
        await store.write(lambda tx: tx.execute("UPDATE outbox SET queued = 1.0"))
        network.gate.clear()
        clock.now = 60.0
        out.wake()
        await until(lambda: out.counts["condensed"] == 9, store)
        network.gate.set()
        await idle(out)
    assert len(network.said) == 15 + 7


async def test_crowds_are_counted_now_and_then_and_not_for_every_post(
    store: Store, network: Network, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[None] = []
    waiting_at = outbox.waiting_at

    def count(tx: Tx) -> Sequence[outbox.Waiting]:
        counted.append(None)
        return waiting_at(tx)

    monkeypatch.setattr(outgoing_module.outbox, "waiting_at", count)
    await queue(store, *(post(f"{number}") for number in range(40)))
    async with going_out(store, network, clock) as out:
        await idle(out)
        assert len(network.said) == 40
    assert len(counted) == 1


async def test_a_newer_post_on_a_subject_edits_what_was_sent_and_replaces_what_was_not(
    store: Store, network: Network
) -> None:
    def progress(words: str) -> Post:
        return dataclasses.replace(post(words, Lane.PROGRESS), subject="job 1")

    async with going_out(store, network) as out:
        await queue(store, progress("10%"))
        out.wake()
        await settled(store)
        network.gate.clear()
        await queue(store, post("an answer"))
        out.wake()
        await until(lambda: bool(network.under_way), store)
        await queue(store, post("another", Lane.PROGRESS), progress("20%"))
        await queue(store, progress("30%"))
        network.gate.set()
        out.wake()
        await settled(store)
    assert network.said == ["10%", "an answer", "another", "30%"]
    assert [each.edits for each in network.posts] == [None, None, None, "$event1"]
    assert network.posts[3].subject == "job 1"


async def test_edits_in_a_row_name_the_same_event(store: Store, network: Network) -> None:
    async with going_out(store, network) as out:
        for words in ("10%", "20%", "30%"):
            await queue(store, dataclasses.replace(post(words, Lane.PROGRESS), subject="job 1"))
            out.wake()
            await settled(store)
    assert network.said == ["10%", "20%", "30%"]
    assert [each.edits for each in network.posts] == [None, "$event1", "$event1"]


async def test_a_place_is_forgotten_when_what_waited_for_it_is_discarded(
    store: Store, network: Network, clock: Clock
) -> None:
    network.away = {"far"}
    await queue(store, post("hello", room="far"))
    async with going_out(store, network, clock) as out:
        await idle(out)
        assert len(out.away()) == 1
        await store.write(lambda tx: tx.execute("UPDATE outbox SET state = 'discarded', ended = 1.0"))
        clock.now += 1.0
        await idle(out)
        assert out.away() == []


async def test_what_was_done_is_counted(store: Store, network: Network) -> None:
    network.refusals = [Unreachable("It is away."), NetworkError("Never.")]
    await queue(store, post("bad"), post("good"))
    async with going_out(store, network) as out:
        await settled(store)
        assert dict(out.counts) == {"sent": 1, "retried": 1, "failed": 1, "condensed": 0}


async def test_draining_says_what_waits_and_waits_for_no_place_that_is_away(
    store: Store, network: Network, clock: Clock
) -> None:
    network.away = {"far"}
    await queue(store, post("for later", room="far"))
    async with going_out(store, network, clock) as out:
        await idle(out)
        clock.now += 60.0
        await queue(store, *(post("goodbye", room=str(number)) for number in range(10)))
        async with asyncio.timeout(PATIENCE):
            await out.drain(1000.0)
        assert network.said == ["goodbye"] * 10
        assert len(network.keys) == 11


async def test_draining_ends_in_time_though_a_send_hangs(store: Store, network: Network) -> None:
    network.hanging = {"far"}
    await queue(store, post("goodbye", room="far"))
    async with going_out(store, network) as out:
        async with asyncio.timeout(PATIENCE):
            await out.drain(0.01)
    assert await rows(store) == [("waiting", None, None)]


async def test_draining_without_anything_to_say_ends_at_once(store: Store, network: Network) -> None:
    async with going_out(store, network) as out:
        async with asyncio.timeout(PATIENCE):
            await out.drain(1000.0)


async def test_what_a_closing_bridge_raises_is_not_held_against_a_post(store: Store, network: Network) -> None:
    network.gate.clear()
    network.refusals = [RuntimeError("the session is closed")]
    await queue(store, post("goodbye"))
    async with going_out(store, network) as out:
        await until(lambda: bool(network.under_way), store)
        network.gate.set()
        async with asyncio.timeout(PATIENCE):
            await out.drain(1000.0)
    assert await rows(store) == [("waiting", None, None)]


@pytest.mark.parametrize("raised", [NetworkError("broken off"), RuntimeError("broken off"), Unreachable("broken off")])
async def test_cancelling_leaves_no_task_behind_and_no_post_wrongly_marked(
    store: Store, network: Network, raised: Exception
) -> None:
    class Sore(Network):
        async def send(self, post: Post, *, key: str) -> str:
            try:
                return await super().send(post, key=key)
            except asyncio.CancelledError:
                raise raised from None

    sore = Sore()
    sore.gate.clear()
    await queue(store, *(post("hello", room=str(number)) for number in range(6)))
    before = asyncio.all_tasks()
    async with going_out(store, sore):
        await until(lambda: len(sore.under_way) == 4, store)
    assert asyncio.all_tasks() == before
    assert await rows(store) == [("waiting", None, None)] * 6
    async with going_out(store, network):
        await settled(store)
    assert len(network.said) == 6


async def test_a_disk_that_cannot_be_read_for_a_while_loses_nothing(
    store: Store, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queue(store, post("hello"))
    refuse = iter((StoreError("The disk is gone."),) * 3)
    heads = outbox.heads

    def sometimes(tx: Tx, network: str, busy: Sequence[str], most: int, *, held: Sequence[str]) -> list[outbox.Queued]:
        for error in refuse:
            raise error
        return heads(tx, network, busy, most, held=held)

    monkeypatch.setattr(outgoing_module.outbox, "heads", sometimes)
    async with going_out(store, network):
        await settled(store)
    assert network.said == ["hello"]


async def test_what_an_earlier_run_has_confirmed_is_not_said_again_though_the_disk_is_slow(
    store: Store, network: Network, hang_disk: Callable[[Store], AbstractAsyncContextManager[threading.Event]]
) -> None:
    (key,) = await queue(store, post("hello"))
    network.gate.clear()
    async with asyncio.timeout(PATIENCE), contextlib.AsyncExitStack() as disk:
        async with going_out(store, network):
            await network.tried.wait()
            go_on = await disk.enter_async_context(hang_disk(store))
            network.gate.set()
            await network.spoke.wait()
        async with going_out(store, network):
            for _ in range(3):  # readers take turns, so another run could have read by now
                await store.read(lambda _: None)
            go_on.set()
            await settled(store)
    assert network.keys == [key]


async def test_a_bridge_whose_own_disk_fails_is_tried_again(store: Store, network: Network) -> None:
    network.refusals = [StoreError("The key store is full.")]
    await queue(store, post("hello"))
    async with going_out(store, network):
        await settled(store)
    assert network.said == ["hello"]


class Fate(enum.Enum):
    """What becomes of one try."""

    TAKEN = enum.auto()
    AWAY = enum.auto()
    REFUSED = enum.auto()
    HANGS = enum.auto()
    TAKEN_AND_NOT_CONFIRMED = enum.auto()
    TAKEN_AND_NOT_WRITTEN = enum.auto()
    KILLED_BEFORE = enum.auto()
    KILLED_AFTER = enum.auto()


class Fates:
    """A bridge to a network where each try has its fate, and all is well when there are none left.

    As a real one, it takes a key once, and says the same of it ever after.
    """

    def __init__(self, fates: Sequence[Fate]) -> None:
        self.fates = collections.deque(fates)
        self.taken: dict[str, str] = {}
        self.busy: set[Place] = set()
        self.killed = asyncio.Event()
        self.unwritten: set[str] = set()

    def health(self) -> Health:
        return Health(ready=True)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def send(self, post: Post, *, key: str) -> str:
        assert post.place not in self.busy
        self.busy.add(post.place)
        try:
            return await self._meet(self.fates.popleft() if self.fates else Fate.TAKEN, key)
        finally:
            self.busy.remove(post.place)

    async def _meet(self, fate: Fate, key: str) -> str:
        if fate is Fate.AWAY:
            raise Unreachable("It is away.")
        if fate is Fate.REFUSED and key not in self.taken:
            raise NetworkError("Never.")
        if fate in {Fate.HANGS, Fate.KILLED_BEFORE}:
            await self._hang(fate)
        event = self.taken.setdefault(key, f"${len(self.taken)}")
        self.unwritten.discard(event)
        if fate in {Fate.TAKEN_AND_NOT_CONFIRMED, Fate.KILLED_AFTER}:
            await self._hang(fate)
        if fate is Fate.TAKEN_AND_NOT_WRITTEN:
            self.unwritten.add(event)
        return event

    async def _hang(self, fate: Fate) -> None:
        if fate in {Fate.KILLED_BEFORE, Fate.KILLED_AFTER}:
            self.killed.set()
        await asyncio.Event().wait()


async def run_until_killed_or_done(store: Store, network: Fates) -> None:
    before = asyncio.all_tasks()
    network.killed.clear()
    running = asyncio.create_task(Outgoing("chat", network, store, draw=lambda: 0.0).run())
    ends = [asyncio.create_task(settled(store)), asyncio.create_task(network.killed.wait())]
    await asyncio.wait([running, *ends], return_when=asyncio.FIRST_COMPLETED)
    assert not running.done()
    for task in (running, *ends):
        task.cancel()
    await asyncio.wait([running, *ends])
    assert asyncio.all_tasks() == before


async def live_through(fates: Sequence[Fate], posts: Sequence[tuple[str, Lane]], folder: Path) -> None:
    """Have posts go out through all fates, and check that each came to a good end."""
    network = Fates(fates)
    really_sent = outbox.sent

    def sent(tx: Tx, row: int, event: str) -> None:
        if event in network.unwritten:
            raise StoreError("The disk is full.")
        really_sent(tx, row, event)

    async with Store.opened(folder / "tocsin.db") as store:
        keys = await queue(store, *(post("words", lane, room=room) for room, lane in posts))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outgoing_module, "SEND_MAY_TAKE_S", 0.002)
            patch.setattr(absences, "FIRST_WAIT_S", 0.001)
            patch.setattr(absences, "LONGEST_WAIT_S", 0.002)
            patch.setattr(outgoing_module.outbox, "sent", sent)
            while any(state == "waiting" for state, _, _ in await rows(store)):
                await run_until_killed_or_done(store, network)
        ends = await rows(store)
    taken = network.taken
    assert [(state, event) for state, event, _ in ends] == [
        ("sent", taken[key]) if key in taken else ("failed", None) for key in keys
    ]
    for where in set(posts):
        ours = [key for key, each in zip(keys, posts, strict=True) if each == where and key in taken]
        assert ours == [key for key in taken if key in ours]


@settings(max_examples=40, deadline=None)
@given(
    fates=st.lists(st.sampled_from(Fate), max_size=12),
    posts=st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(Lane)), min_size=1, max_size=10),
)
@example(fates=[Fate.TAKEN_AND_NOT_CONFIRMED, Fate.REFUSED], posts=[("a", Lane.ANSWER), ("a", Lane.ANSWER)])
@example(fates=[Fate.KILLED_AFTER, Fate.TAKEN_AND_NOT_WRITTEN], posts=[("a", Lane.STOP), ("b", Lane.ANSWER)])
def test_whatever_happens_each_post_is_said_once_and_in_order_or_fails_for_good(
    fates: list[Fate], posts: list[tuple[str, Lane]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live_through(fates, posts, Path(folder)))


async def test_a_place_that_is_known_to_be_back_is_tried_at_once(store: Store, network: Network, clock: Clock) -> None:
    network.away.add("room")
    await queue(store, post("waited"))
    async with going_out(store, network, clock) as out:
        await idle(out)
        assert [each.place.id for each in out.away()] == ["room"]
        network.away.clear()
        out.back(Place("chat", "room"))
        await settled(store)
    assert network.said == ["waited"]
    assert out.away() == []


async def test_what_tells_of_a_stop_waits_for_the_rest_of_no_place(
    store: Store, network: Network, clock: Clock
) -> None:
    network.refusals.append(Unreachable("Too fast.", retry_after=300.0))
    await queue(store, post("chatter"))
    async with going_out(store, network, clock) as out:
        await idle(out)
        await queue(store, post("STOPPING", Lane.STOP), post("more chatter"))
        await idle(out)
    assert network.said == ["STOPPING", "chatter", "more chatter"]  # the place took one, so the rest went too


async def test_what_tells_of_a_stop_is_tried_again_soon_and_not_in_a_frenzy(
    store: Store, network: Network, clock: Clock
) -> None:
    network.away.add("room")
    await queue(store, post("STOPPING", Lane.STOP))
    async with going_out(store, network, clock) as out:
        for _ in range(120):
            await idle(out)
            clock.now += 1.0
            out.wake()
        await idle(out)
    assert 55 <= len(network.keys) <= 70


async def test_at_the_end_what_tells_of_a_stop_is_tried_even_where_a_place_rests(
    store: Store, network: Network, clock: Clock
) -> None:
    network.away.add("room")
    await queue(store, post("chatter"))
    async with going_out(store, network, clock) as out:
        await idle(out)
        network.away.clear()
        await queue(store, post("STOPPED", Lane.STOP))
        async with asyncio.timeout(PATIENCE):
            await out.drain(5.0)
    assert "STOPPED" in network.said


async def test_a_bridge_that_breaks_off_by_itself_is_not_asked_in_a_frenzy(
    store: Store, network: Network, clock: Clock
) -> None:
    network.refusals.append(asyncio.CancelledError())  # pyright: ignore[reportArgumentType] - no Exception, on purpose
    await queue(store, post("hello"))
    async with going_out(store, network, clock) as out:
        await idle(out)
        assert len(network.keys) == 1
        assert [each.place.id for each in out.away()] == ["room"]


async def test_a_post_that_is_on_its_way_when_its_place_is_renamed_is_not_begun_again(
    store: Store, network: Network
) -> None:
    network.gate.clear()
    await queue(store, *(post(words, Lane.TALK, room="before") for words in ("first", "second")))
    async with going_out(store, network) as out:
        await until(lambda: network.under_way == ["before"], store)
        await store.write(lambda tx: tx.execute("UPDATE outbox SET place = 'after'"))
        await queue(store, post("elsewhere", room="elsewhere"))
        out.wake()
        await until(lambda: "elsewhere" in network.under_way, store)
        assert network.under_way == ["before", "elsewhere"]
        network.gate.set()
        await settled(store)
    assert [(each.place.id, to_plain(each.document)) for each in network.posts if each.lane is Lane.TALK] == [
        ("before", "first"),
        ("after", "second"),
    ]
