"""A fresh broker and a fresh fleet for each run of a side, so that no run hears of another. It starts nothing else."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Literal

from bench.fleet.run import Took
from demo.broker import LocalBroker, mosquitto
from demo.process import Process

ROOT = Path(__file__).parents[2]
MAY_TAKE_S = 60
UP_WITHIN_S = 10.0
FLEET_LOG = "fleet.log"

What = Literal["stop", "orders", "lease"]
Who = Literal["ours", "bare"]


class Untuned(LocalBroker):
    """A mosquitto with no settings but its listener. Its user is ours, or it would not end with us."""

    def _command(self, port: int) -> list[str]:
        *command, settings = super()._command(port)
        lines = Path(settings).read_text(encoding="utf-8").splitlines(keepends=True)
        needed = ("listener", "allow_anonymous", "user", "log_dest", "log_type", "connection_messages")
        Path(settings).write_text("".join(line for line in lines if line.startswith(needed)), encoding="utf-8")
        return [*command, settings]


def one_run(who: Who, what: What, count: int, broker: type[LocalBroker] = LocalBroker) -> Took:
    """What one side came to with a fleet of so many."""
    with _staged(broker, count) as (port, folder):
        try:
            ended = subprocess.run(  # noqa: S603 - both sides are ours
                [sys.executable, "-W", "ignore", "-m", f"bench.fleet.{who}", what, str(port), str(count), str(folder)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=MAY_TAKE_S,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            said = (late.stderr or b"").decode()
            what_else = (folder / FLEET_LOG).read_text(encoding="utf-8")
            raise SystemExit(f"{who} did not end within {MAY_TAKE_S} s.\n{said}\nThe fleet:\n{what_else}") from None
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return Took.parse(ended.stdout.splitlines()[-1])


@contextlib.contextmanager
def _staged(broker: type[LocalBroker], count: int) -> Generator[tuple[int, Path]]:
    if mosquitto() is None:
        raise SystemExit("There is no mosquitto here. `make mosquitto` says how to get one.")
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT) as place, asyncio.Runner() as runner:
        folder = Path(place)
        served = broker(folder, kind="mosquitto")
        runner.run(served.start())
        port = served.address.port
        fleet = Process(
            [sys.executable, "-m", "bench.fleet.components", str(port), str(count)],
            folder / FLEET_LOG,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            name="fleet",
        )
        try:
            runner.run(_up(fleet))
            yield port, folder
            fleet.check()
        finally:
            runner.run(fleet.stop())
            runner.run(served.stop())


async def _up(fleet: Process) -> None:
    async def connected() -> bool:
        return fleet.said("connected")

    await fleet.start()
    await fleet.until(connected, seconds=UP_WITHIN_S)
