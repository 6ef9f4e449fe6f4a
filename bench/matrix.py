"""How long an encrypted command takes until its encrypted answer is read, beside a bare echo on the same homeserver.

Both are asked by the same person on the same device, one after the other, round by round. Ours looks up who may, runs
the command, records it, queues the answer and says it; the echo says back what it hears and keeps nothing.
"""

import asyncio
import math
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

from bench.measure import Row
from demo.operator import Operator
from demo.process import Process
from demo.world import World, running

ROUNDS = 200
WARM_UP = 20
PACE_S = 1.0
"""A round. Two people take turns, because nobody may give commands faster than every other second for long."""
MOST_MEDIAN = 1.25
MOST_P99 = 1.5
ECHO = "@echo:localhost"
PASSWORD = "of the echo"  # noqa: S105 - of an account that lives as long as the benchmark


def run() -> list[Row]:
    """Ask both in turn."""
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = asyncio.run(_measure(Path(folder)))
    middle, slow = (statistics.median(ours), statistics.median(bare)), (_p99(ours), _p99(bare))
    return [
        Row(
            name="answer, median",
            ours=middle[0],
            reference=middle[1],
            what=f"ms from saying `!whoami` to reading its answer, both encrypted, {ROUNDS} rounds; reference: a bare"
            " echo with the same library",
            ratio=middle[0] / middle[1],
            goal=f"at most {MOST_MEDIAN} times",
            holds=middle[0] <= MOST_MEDIAN * middle[1],
        ),
        Row(
            name="answer, p99",
            ours=slow[0],
            reference=slow[1],
            what="the same, the slowest but two",
            ratio=slow[0] / slow[1],
            goal=f"at most {MOST_P99} times",
            holds=slow[0] <= MOST_P99 * slow[1],
        ),
    ]


def _p99(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


async def _measure(folder: Path) -> tuple[list[float], list[float]]:
    async with running(folder, tell=lambda _: None, known=frozenset({ECHO})) as world, _echo(world) as room:
        ours: list[float] = []
        bare: list[float] = []
        for number in range(WARM_UP + ROUNDS):
            rested = asyncio.create_task(asyncio.sleep(PACE_S))
            who = (world.alice, world.bob)[number % 2]
            ours.append(await _round(who, world.room, "!whoami"))
            bare.append(await _round(who, room, "who am I?"))
            await rested
        return ours[WARM_UP:], bare[WARM_UP:]


@asynccontextmanager
async def _echo(world: World) -> AsyncGenerator[str]:
    """The echo in a room with alice and bob, as the bot is in another one."""
    await world.homeserver.register("echo", PASSWORD)
    command = [sys.executable, "-m", "bench.echo", world.homeserver.url, ECHO, PASSWORD, world.folder / "echo"]
    process = Process(command, world.folder / "echo.log", name="echo")
    await process.start()
    try:
        room = await world.alice.create_room("Echo", world.bob.user, ECHO)
        await world.bob.join(room)
        for each in (world.alice, world.bob):
            await each.joined(room, ECHO)
        yield room
    finally:
        await process.stop()


async def _round(who: Operator, room: str, words: str) -> float:
    began = perf_counter()
    event = await who.say(room, words)
    await who.answer_to(event)
    return (perf_counter() - began) * 1000
