"""A component as a program: its command line, its end, and a watch over its event loop.

A program whose event loop stands still hears no stop. It is ended; a supervisor starts it again.
"""

import argparse
import asyncio
import contextlib
import faulthandler
import fcntl
import functools
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
"""So long its end may take, beside the time that its work takes to come down."""
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
    with _alone(latch):
        asyncio.run(_until_told(component, loaded, latch, make_latch=make_latch))


@contextlib.contextmanager
def _alone(latch: Path) -> Generator[None]:
    """Keep a second process away from the latch: each would write over what the other has latched."""
    beside = latch.resolve()
    beside = beside.with_name(f"{beside.name}.lock")
    try:
        lock = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise WireError(
            f"{latch} cannot be written, and what cannot keep a stop must not work: {error.strerror}."
        ) from error
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it goes with the process, however that ends
    except OSError as error:
        os.close(lock)
        raise WireError(f"Another process has the latch {latch}. One component runs once: end the other.") from error
    try:
        yield
    finally:
        os.close(lock)


async def _until_told(component: Component, enrolment: Enrolment, latch: Path, *, make_latch: bool) -> None:
    end_soon = functools.partial(_end_soon, component.stops_within_s + END_WITHIN_S)
    engine = Engine(component, enrolment, latch, make_latch=make_latch, ending=end_soon)
    with _watched():
        working = asyncio.ensure_future(engine.run())
        loop = asyncio.get_running_loop()

        def end(_: int, __: FrameType | None) -> None:
            if not working.cancelling():
                end_soon()  # this is heard also while somebody's code keeps the event loop from turning
            loop.call_soon_threadsafe(cancel)

        def cancel() -> None:
            if not working.cancelling():  # a second signal must not interrupt what brings the work down
                working.cancel()

        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, end)
        await asyncio.wait([working])
    if not working.cancelled():
        working.result()


def _end_soon(within_s: float) -> None:
    """End the process, also where somebody's code does not want to."""
    faulthandler.dump_traceback_later(within_s, exit=True, file=sys.__stderr__ or sys.stderr)


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
