"""The demo's component: a random walk, simulated. It shows what a component needs, and that is little."""

import asyncio
import random
from typing import Annotated, Any

from bot import __version__
from components.kit import Between, Component, Job, main

STEP_S = 0.02

walker = Component(title="A random walk (simulated)", kind="simulation", version=__version__)
position = walker.stream("position", title="Position", unit="steps")
places = [0]


@walker.always
async def wander() -> None:
    """Take one step, fifty times a second."""
    places[-1] += random.choice((-1, 1))  # noqa: S311 - a walk, no secret
    position.send(places[-1])
    await asyncio.sleep(STEP_S)


@walker.command()
async def walk(job: Job, steps: Annotated[int, Between(1, 100_000)] = 500) -> dict[str, Any]:
    """Walk so many steps, and say where that leads."""
    start = places[-1]
    for taken in range(steps):
        await job.step(taken / steps, f"{taken} of {steps} steps")
        await wander()
    return {"from": start, "to": places[-1]}


@walker.command()
async def where() -> dict[str, Any]:
    """Say where it is."""
    return {"position": places[-1]}


if __name__ == "__main__":
    main(walker)
