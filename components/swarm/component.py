"""The swarm simulation as a component: its jobs, and the commands that change a swarm while it works."""

import contextlib
import os
from collections.abc import Generator
from typing import Annotated, Any, Literal

from components.kit import Component, Danger, Job, Longest, OneOf, Rejected
from components.swarm import live
from components.swarm.desk import Desk
from components.swarm.lattice import PATTERNS
from components.swarm.order import Order

Text = Annotated[str, Longest(100)]

swarm = Component(title="A repair swarm (simulated)", kind="simulation", version="1.0")
desk = Desk(threads=min(2, os.cpu_count() or 1))


@contextlib.contextmanager
def refusing() -> Generator[None]:
    """What is wrong here is the order. Nobody needs to be warned of it."""
    try:
        yield
    except ValueError as error:
        raise Rejected(str(error)) from error


@swarm.command()
async def look() -> dict[str, Any]:
    """Say how the swarm is now."""
    return desk.look()


@swarm.command(goes_on_by="resume")
async def repair(
    job: Job,
    bots: Text = "1e5",
    damage: Text = "20%",
    pattern: Annotated[str, OneOf(*PATTERNS)] = "uniform",
    size: Text = "",
    intelligence: Text = "blind",
    failures: Text = "0",
    noise: Text = "0",
    speed: Text = "1",
    rate: Text = "1",
    sight: Text = "3",
    seeds: Text = "1..3",
    until: Text = "99%",
    steps: Text = "",
) -> dict[str, Any]:
    """Let bots repair a damaged lattice, in each case that is ordered and with each seed."""
    order = Order(
        bots, damage, pattern, size, intelligence, failures, noise, speed, rate, sight, seeds, until, steps
    )  # fmt: skip
    with refusing():
        study = desk.ordered(order)
    return await desk.carry_out(job, study)


@swarm.command(goes_on_by="resume")
async def resume(job: Job, of: Text = "") -> dict[str, Any]:
    """Go on with what a stop, a cancel or a restart has ended."""
    with refusing():
        study = desk.kept(of)
    return await desk.carry_out(job, study)


@swarm.command()
async def customize(
    speed: Text = "", rate: Text = "", sight: Text = "", intelligence: Literal["", "blind", "local", "global"] = ""
) -> dict[str, Any]:
    """Make the bots that run faster, better or cleverer, or the contrary."""
    with refusing():
        return desk.change(
            live.conditions({"speed": speed, "rate": rate, "sight": sight, "intelligence": intelligence})
        )


@swarm.command()
async def weather(noise: Text = "", failures: Text = "", damage: Text = "") -> dict[str, Any]:
    """Change what blows bots off, loses them, and damages cells, in each step."""
    with refusing():
        return desk.change(live.conditions({"noise": noise, "failures": failures, "damage": damage}))


@swarm.command(danger=Danger.CAUTION)
async def levolution(region: Text) -> dict[str, Any]:
    """Let a region collapse: all of its cells are damaged at once."""
    with refusing():
        return desk.change(live.collapse(region))


@swarm.command(danger=Danger.CAUTION)
async def kill(fraction: Text) -> dict[str, Any]:
    """Lose this fraction of the bots."""
    with refusing():
        return desk.change(live.kill(fraction))
