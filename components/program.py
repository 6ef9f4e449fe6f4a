"""A component as a program: its command line, its end, and a watch over its event loop.

A program whose event loop stands still hears no stop. It is ended; a supervisor starts it again.
"""

import argparse
import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from types import FrameType

from components.component import Component
from components.engine import Engine
from wire.enrolment import Enrolment
from wire.errors import WireError
from wire.latch import TTL_S

END_WITHIN_S = 5.0
LOOK_EVERY_S = 1.0
STUCK_AFTER = round(TTL_S / LOOK_EVERY_S)
"""Looks after which an event loop that has not turned is taken for stuck: no permission lasts longer."""

log = logging.getLogger(__name__)


def main(component: Component) -> None:
    """Run a component from its command line until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=component.title)
    parser.add_argument("enrolment", type=Path, help="the file that the component was enrolled with")
    parser.add_argument(
        "--latch", type=Path, help="where it keeps its latch, which must survive a restart; ENROLMENT.latch by itself"
    )
    parser.add_argument("--make-latch", action="store_true", help="the latch file is not lost, there was none yet")
    arguments = parser.parse_args()
    set_up_log()
    try:
        run(component, arguments.enrolment, arguments.latch, make_latch=arguments.make_latch)
    except WireError as error:
        sys.exit(f"It does not start: {error}")


def set_up_log() -> None:
    """To standard error, where a supervisor finds it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def run(component: Component, enrolment: Path, latch: Path | None, *, make_latch: bool = False) -> None:
    """Run it until a signal ends it. Raises WireError where it does not start."""
    try:
        loaded = Enrolment.load(enrolment)
    except OSError as error:
        raise WireError(f"{enrolment} cannot be read: {error.strerror}. `tocsin component enrol` makes it.") from error
    latch = latch or enrolment.with_suffix(".latch")
    if latch.resolve() == enrolment.resolve():
        raise WireError(f"{latch} is the enrolment. Name another file for the latch.")
    asyncio.run(_until_told(component, loaded, latch, make_latch=make_latch))


async def _until_told(component: Component, enrolment: Enrolment, latch: Path, *, make_latch: bool) -> None:
    engine = Engine(component, enrolment, latch, make_latch=make_latch, ending=_end_soon)
    with _watched():
        working = asyncio.ensure_future(engine.run())
        loop = asyncio.get_running_loop()

        def end(_: int, __: FrameType | None) -> None:
            _end_soon()  # this is heard also while somebody's code keeps the event loop from turning
            loop.call_soon_threadsafe(working.cancel)

        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, end)
        await asyncio.wait([working])
    if not working.cancelled():
        working.result()


def _end_soon() -> None:
    """End the process, also where somebody's code does not want to."""
    faulthandler.dump_traceback_later(END_WITHIN_S, exit=True, file=sys.__stderr__ or sys.stderr)


@contextlib.contextmanager
def _watched() -> Generator[None]:
    """End the process where the event loop does not turn any more.

    It counts its own looks and no time, so that a machine that slept is not taken for a program that is stuck.
    """
    loop = asyncio.get_running_loop()
    turned, over = threading.Event(), threading.Event()

    def watch() -> None:
        looks = 0
        while not over.wait(LOOK_EVERY_S):
            looks = 0 if turned.is_set() else looks + 1
            turned.clear()
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                loop.call_soon_threadsafe(turned.set)
            if looks > STUCK_AFTER:
                sys.stderr.write("The event loop stands still, and no stop can be heard: the process ends.\n")
                faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr)
                os._exit(1)

    thread = threading.Thread(target=watch, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
