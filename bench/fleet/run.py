"""What a side is asked to do in one run, the same of both sides, and what that came to. It judges nothing."""

import asyncio
import dataclasses
import json
import time
from collections.abc import Sequence
from time import perf_counter
from typing import Protocol

from bench.fleet.components import RHYTHM_S

COUNT_WITHIN_S = 10.0
"""Four times a component states within that. Who is not counted by then is missing."""
ORDERS = 200
"""Stops of one component each, one at a time."""
LEASE_S = 5.0
"""How long the processor's time for leases is measured."""


class Side(Protocol):
    """Ours, or the reference."""

    answered: int
    """Statements that were dealt with."""
    handed_over: float
    """When the last stop went to the connection."""

    async def order(self, component: str | None) -> float:
        """Stop one component, or all. How many ms it was until the broker had the stop."""
        ...

    def count(self, components: Sequence[str]) -> None:
        """From now on, who of these has stopped."""
        ...

    async def counted(self) -> int:
        """Wait until all are counted, or for as long as they are given. How many are missing."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Took:
    """The numbers of one run. What was not measured stays empty."""

    orders_ms: list[float] = dataclasses.field(default_factory=list[float])
    """From the order to the broker's acknowledgement of the stop, each."""
    counted_ms: float = 0.0
    """From handing the stop to the connection until the last component was counted as stopped."""
    missing: int = 0
    """Who was not counted in time."""
    statements: int = 0
    """What was answered while the processor's time was taken."""
    each_us: float = 0.0
    """The processor's time for each of those."""

    def report(self) -> None:
        """Print one line of JSON."""
        print(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def parse(cls, line: str) -> "Took":
        """From that line."""
        return cls(**json.loads(line))


async def measure(what: str, side: Side, components: Sequence[str]) -> Took:
    """One run of a side that is ready."""
    match what:
        case "stop":
            return await _stop(side, components)
        case "orders":
            return await _orders(side, components)
        case _:
            return await _lease(side)


async def _stop(side: Side, components: Sequence[str]) -> Took:
    """All, until everybody is counted."""
    side.count(components)
    order_ms = await side.order(None)
    missing = await side.counted()
    return Took([order_ms], (perf_counter() - side.handed_over) * 1000, missing)


async def _orders(side: Side, components: Sequence[str]) -> Took:
    """One after the other."""
    took: list[float] = []
    missing = 0
    for each in components[:ORDERS]:
        side.count([each])
        took.append(await side.order(each))
        missing += await side.counted()
    return Took(took, missing=missing)


async def _lease(side: Side) -> Took:
    """Nothing but statements and their answers."""
    await asyncio.sleep(RHYTHM_S)  # what the beginning has left behind
    answered, cpu = side.answered, time.process_time()
    await asyncio.sleep(LEASE_S)
    cpu = time.process_time() - cpu
    answered = side.answered - answered
    return Took(statements=answered, each_us=cpu / answered * 1_000_000)
