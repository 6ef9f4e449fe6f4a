"""How often a side does what is measured, the same for both. It judges nothing."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from statistics import median
from time import perf_counter

from bench.wire.scene import WITHIN_S

ROUNDS: dict[str, tuple[int, int]] = {"request": (20, 200), "recorded": (20, 200), "many": (1, 3), "fleet": (0, 1)}
"""How many do not count, and how many do."""
PAUSE_S = 0.01
"""Before each, on both sides: people do not give commands in one breath, and a loop would find all caches full."""

Step = Callable[[], Awaitable[None]]


async def measure(what: str, prepare: Step, once: Step) -> float:
    """The median in ms of so many rounds. What is prepared for each does not count."""
    warm, rounds = ROUNDS[what]
    took: list[float] = []
    for _ in range(warm + rounds):
        async with asyncio.timeout(WITHIN_S):
            await prepare()
            await asyncio.sleep(PAUSE_S)
            began = perf_counter()
            await once()
            took.append((perf_counter() - began) * 1000)
    return median(took[warm:])


def report(took_ms: float) -> None:
    """Print one line of JSON."""
    print(json.dumps(took_ms))


def parse(line: str) -> float:
    """From that line."""
    return float(json.loads(line))
