"""The bot and the demo's walker as they are, with leases of a few seconds instead of ten, and what breaks them.

    python short.py bot run --config FILE
    python short.py walker ENROLMENT --latch FILE --steps FILE

Nothing of the product reads an environment or an option for any of this. The walker writes down the time, on the clock
of leases, at which each of its steps begins.
"""

import argparse
import functools
import gc
import importlib
import inspect
import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wire.latch
from wire.clock import boot_clock

TTL_S = 2.0
DEADLINE_S = 2.5
"""When the room hears that a stop is not confirmed."""
STEP = struct.Struct("=d")


class _Death:
    """Dies at a step that was chosen: by its name, or by its number from now on."""

    name = ""
    number = 0


_death = _Death()


def step(name: str) -> None:
    """Something is done now, and a process may die before it is."""
    _death.number -= 1
    if not _death.number or (_death.name and _death.name in name):
        sys.stderr.write(f"dies: {name}\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def _die_at(name: str) -> None:
    _death.name = name


def _die_at_number(number: int) -> None:
    _death.number = number


def _shift(seconds: float) -> None:
    """The wall clock is moved: so much, seen from the real one."""
    _wall.ahead_s = seconds


class _Wall:
    """The wall clock as this process sees it."""

    ahead_s = 0.0

    def time(self) -> float:
        return time.clock_gettime(time.CLOCK_REALTIME) + self.ahead_s

    def time_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_REALTIME) + round(self.ahead_s * 1e9)


_wall = _Wall()


TRICKS: dict[str, Callable[[Any], None]] = {
    "die at": _die_at,
    "die at number": _die_at_number,
    "shift": _shift,
    "stall": time.sleep,
}


def be_short() -> None:
    """Leases are short from now on, also where their length is a default that was bound already."""
    wire.latch.TTL_S = TTL_S
    defaults = wire.latch.Latch.__init__.__kwdefaults__
    assert defaults is not None
    defaults["ttl_s"] = TTL_S


@functools.cache
def prepare_bot() -> None:
    """Change what a bot is changed in, and import it."""
    be_short()
    time.time, time.time_ns = _wall.time, _wall.time_ns  # before anybody of ours keeps the real ones
    importlib.import_module("bot.cli")
    from bot.stop import sending, watch  # noqa: PLC0415 - not before leases are short
    from bot.store.store import Store  # noqa: PLC0415 - not before leases are short

    watch.DEADLINE_S = DEADLINE_S
    commit = Store._commit  # pyright: ignore[reportPrivateUsage] - to die in its midst
    send = sending.Sender._send  # pyright: ignore[reportPrivateUsage] - the same

    def dying_commit(self: Store, batch: list[Any]) -> None:
        what = ", ".join(_named(job.work) for job in batch)
        step(f"before the commit of {what}")
        commit(self, batch)
        step(f"after the commit of {what}")

    async def dying_send(self: sending.Sender, course: Any, signed: bytes) -> None:
        step("before a stop is published")
        await send(self, course, signed)
        step("after a stop is published")

    Store._commit = dying_commit  # pyright: ignore[reportPrivateUsage] - see above
    sending.Sender._send = dying_send  # pyright: ignore[reportPrivateUsage] - see above
    for name in ("bot.app", "bot.runtime", "bridges.mqtt", "bot.desk.catalogue", "tests.faults.feed"):
        importlib.import_module(name)


@functools.cache
def prepare_walker() -> None:
    """Change what a walker is changed in, and import it."""
    be_short()
    from components import program  # noqa: PLC0415 - not before leases are short

    program.STUCK_AFTER = 60  # a busy machine is not a program that is stuck
    importlib.import_module("demo.walker")


def bot(arguments: list[str]) -> None:
    """Run the bot's own command line."""
    prepare_bot()
    from bot import cli  # noqa: PLC0415 - not before leases are short

    sys.argv = ["tocsin", *arguments]
    gc.enable()
    cli.main()


def _named(work: Any) -> str:
    """What writes, and where it says of which kind."""
    function = getattr(work, "func", work)
    kind = inspect.getclosurevars(function).nonlocals.get("kind") if inspect.isfunction(function) else None
    return f"{function.__qualname__.replace('.<locals>', '')} {kind if isinstance(kind, str) else ''}".strip()


def walker(arguments: list[str]) -> None:
    """Run the demo's walker, and write its steps down."""
    prepare_walker()
    from components import program  # noqa: PLC0415 - not before leases are short
    from demo import walker as module  # noqa: PLC0415 - not before leases are short

    parser = argparse.ArgumentParser()
    parser.add_argument("enrolment", type=Path)
    parser.add_argument("--latch", type=Path)
    parser.add_argument("--steps", type=Path)
    given = parser.parse_args(arguments)
    steps = os.open(given.steps, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    wander = module.wander

    async def noted() -> None:
        os.write(steps, STEP.pack(boot_clock()))
        await wander()

    module.wander = module.walker.step = noted
    sys.argv = ["walker", str(given.enrolment), "--latch", str(given.latch)]
    gc.enable()
    program.main(module.walker)


if __name__ == "__main__":
    gc.disable()  # looking for garbage while all is imported is a quarter of a start
    from tests.faults import short  # under the name by which the plug-in imports it, once

    {"bot": short.bot, "walker": short.walker}[sys.argv[1]](sys.argv[2:])
