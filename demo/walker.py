"""The demo's component: a random walk, simulated. It shows what a component needs, and that is little."""

import asyncio
import random
from pathlib import Path

from bot import __version__
from components.kit import Component, main
from wire.enrolment import Enrolment

STEP_S = 0.02


def walker(enrolment: Enrolment, latch_file: Path) -> Component:
    """A walker that takes fifty steps a second while it may."""
    position = 0

    async def step() -> None:
        nonlocal position
        position += random.choice((-1, 1))  # noqa: S311 - a walk, no secret
        await asyncio.sleep(STEP_S)

    return Component(
        enrolment,
        title="A random walk (simulated)",
        kind="simulation",
        version=__version__,
        step=step,
        latch_file=latch_file,
    )


if __name__ == "__main__":
    main(walker)
