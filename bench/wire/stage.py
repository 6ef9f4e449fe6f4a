"""A fresh broker, fresh components and a fresh side for each run, each a process of its own. It starts nothing else."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Literal

from bench.fleet.components import BOT, name
from bench.wire.rounds import parse
from bench.wire.scene import ENROLMENT, What
from demo.broker import LocalBroker, mosquitto
from demo.process import Process
from wire.broker import Broker
from wire.enrolment import Enrolment
from wire.messages import ROOT

HERE = Path(__file__).parents[2]
MAY_TAKE_S = 120
UP_WITHIN_S = 20.0
LOG = "components.log"

Who = Literal["ours", "bare"]


def one_run(who: Who, what: What, count: int) -> float:
    """What one side came to, in ms."""
    with _staged(who, what, count) as (port, folder):
        side = [sys.executable, "-W", "ignore", "-m", f"bench.wire.{who}", what, str(port), str(count), str(folder)]
        try:
            ended = subprocess.run(  # noqa: S603 - both sides are ours
                side, cwd=HERE, capture_output=True, text=True, timeout=MAY_TAKE_S, check=False
            )
        except subprocess.TimeoutExpired as late:
            said = (late.stderr or b"").decode()
            raise SystemExit(f"{who} did not end within {MAY_TAKE_S} s.\n{said}") from None
        if ended.returncode:
            components = (folder / LOG).read_text(encoding="utf-8")
            raise SystemExit(f"{ended.stderr}\nThe components:\n{components}")
    return parse(ended.stdout.splitlines()[-1])


@contextlib.contextmanager
def _staged(who: Who, what: What, count: int) -> Generator[tuple[int, Path]]:
    if mosquitto() is None:
        raise SystemExit("There is no mosquitto here. `make mosquitto` says how to get one.")
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=HERE) as place, asyncio.Runner() as runner:
        folder = Path(place)
        served = LocalBroker(folder, kind="mosquitto")
        runner.run(served.start())
        components = Process(
            [sys.executable, "-m", *_components(who, what, count, served.address, folder)],
            folder / LOG,
            env=os.environ | {"PYTHONPATH": str(HERE)},
            name="components",
        )
        try:
            runner.run(_up(components))
            yield served.address.port, folder
            components.check()
        finally:
            runner.run(components.stop())
            runner.run(served.stop())


def _components(who: Who, what: What, count: int, broker: Broker, folder: Path) -> list[str]:
    if what not in ("request", "recorded"):
        return ["bench.wire.crowd", what, who, str(broker.port), str(count)]
    if who == "bare":
        return ["bench.wire.echo", str(broker.port), name(0)]
    path = folder / ENROLMENT
    Enrolment(ROOT, name(0), (), broker, BOT.public, (), os.urandom(32)).save(path)
    return ["bench.wire.one", str(path), "--make-latch"]


async def _up(components: Process) -> None:
    async def connected() -> bool:
        return components.said("connected")

    await components.start()
    await components.until(connected, seconds=UP_WITHIN_S)
