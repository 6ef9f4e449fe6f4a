"""How long the event loop stands still when the bot first hears of a room of 5,000 people, beside bare parsing.

Leases are answered by the same loop. The homeserver's answer lies ready as bytes, so that only our side is measured.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from nio import SyncResponse

from bench.measure import Row, in_turn
from bot.keys import DATABASE
from bot.store import Store
from bridges.matrix.connection import Connection
from bridges.matrix.receiving import Heard, Receiver
from bridges.matrix.threads import Threads
from bridges.matrix.trust import Trust
from demo.odd import ALICE, BOT, Answer, Odd, batch
from demo.operator import PinsInMemory
from demo.stage import Inbox

PEOPLE = 5_000
RUNS = 7
MOST_GAP = 0.5
MOST_WHOLE = 2.0


def run() -> list[Row]:
    """Hear of the room again and again, and in turn have the library do less with the same answer."""
    answer = json.dumps(batch("one", state=_state())).encode()
    gap = in_turn(lambda: asyncio.run(_ours(answer))[0], lambda: _parsed(answer), runs=RUNS)
    whole = in_turn(lambda: asyncio.run(_ours(answer))[1], lambda: asyncio.run(_library(answer))[1], runs=RUNS)
    return [
        Row(
            name="longest gap",
            ours=gap.ours,
            reference=gap.reference,
            what=f"ms in which the loop does not turn, at the first sync with a room of {PEOPLE:,}; reference: the"
            " library parses the same answer, and no more",
            ratio=gap.ratio,
            goal=f"at most {MOST_GAP:g} times",
            holds=gap.ratio <= MOST_GAP,
        ),
        Row(
            name="first sync",
            ours=whole.ours,
            reference=whole.reference,
            what="ms until that sync is in the inbox; reference: the library's own sync",
            ratio=whole.ratio,
            goal=f"at most {MOST_WHOLE:g} times",
            holds=whole.ratio <= MOST_WHOLE,
        ),
    ]


def _state() -> tuple[Answer, ...]:
    """An encrypted room, and everybody in it."""
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    people = (BOT, ALICE, *(f"@person-{number}:example.org" for number in range(PEOPLE - 2)))
    members = (
        {
            "type": "m.room.member",
            "state_key": user,
            "sender": user,
            "content": {"membership": "join", "displayname": user, "avatar_url": f"mxc://example.org/{'a' * 24}"},
        }
        for user in people
    )
    return tuple(
        {"event_id": f"${number:043}", "origin_server_ts": 1, "sender": ALICE, "unsigned": {"age": 1}, **each}
        for number, each in enumerate((encryption, *members))
    )


def _parsed(answer: bytes) -> float:
    began = perf_counter()
    parsed = cast("Any", SyncResponse).from_dict(json.loads(answer))
    assert isinstance(parsed, SyncResponse)  # noqa: S101 - else nothing was measured
    return (perf_counter() - began) * 1000


async def _ours(answer: bytes) -> tuple[float, float]:
    """The longest gap and the whole, in ms, of the bot's way to take a batch."""
    async with _device(answer) as (connection, folder), Store.opened(folder / DATABASE) as store:
        trust = Trust(connection, lambda: frozenset({ALICE}), PinsInMemory())
        receiver = Receiver(connection, trust, Inbox(store), Threads(connection), Heard(), lambda _: None)
        return await _watched(lambda: receiver.take(None, first=True))


async def _library(answer: bytes) -> tuple[float, float]:
    """The same of the library's own."""
    async with _device(answer) as (connection, _):
        return await _watched(lambda: connection.client.sync(full_state=True))


@asynccontextmanager
async def _device(answer: bytes) -> AsyncGenerator[tuple[Connection, Path]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with Odd().running() as odd, odd.device(BOT, "TOCSIN", folder / "bot") as connection:
            await connection.upkeep()  # it has made its keys long before, as far as this is concerned
            odd.batches.put_nowait(answer)
            yield connection, folder


async def _watched(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Do something, and turn the loop all the while."""
    longest = 0.0

    async def turn() -> None:
        nonlocal longest
        last = perf_counter()
        while True:
            await asyncio.sleep(0)
            now = perf_counter()
            longest, last = max(longest, now - last), now

    turning = asyncio.create_task(turn())
    await asyncio.sleep(0)
    began = perf_counter()
    await work()
    whole = perf_counter() - began
    await asyncio.sleep(0)  # or what stood still last would not be seen
    turning.cancel()
    await asyncio.wait([turning])
    return longest * 1000, whole * 1000
