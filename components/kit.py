"""What makes a program a component: it asks for leases, works only while it may, and stops when it is told.

A component gives the kit one step of its work. The kit asks for permission before every step; a step should take well
under a tenth of a second, because a stop waits for the step that runs.
"""

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from components.disk import Disk
from wire.clock import boot_clock
from wire.enrolment import Enrolment
from wire.envelope import seal, unseal
from wire.errors import BadMessage, WireError
from wire.latch import Latch
from wire.messages import Birth, Lease, State, Stop
from wire.mqtt import Delivery, Link, Will

log = logging.getLogger(__name__)

Step = Callable[[], Awaitable[None]]


class Component:
    """One component: its birth certificate, its latch, and its work."""

    def __init__(
        self,
        enrolment: Enrolment,
        *,
        title: str,
        kind: str,
        version: str,
        step: Step,
        latch_file: Path,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self.enrolment = enrolment
        self._title, self._kind, self._version = title, kind, version
        self._step = step
        self._clock = clock
        disk = Disk(latch_file)
        kept = disk.read()
        if kept is not None and not disk.write(kept):
            raise WireError(f"{latch_file} cannot be written, and what cannot keep a stop must not work.")
        self.latch = Latch(enrolment.id, enrolment.groups, kept, write=disk.write, random=os.urandom)
        self._ask_now = asyncio.Event()
        self._changed = asyncio.Event()
        self._key = enrolment.key
        self._link = Link(
            enrolment.broker,
            f"component-{enrolment.id}",
            receive=self._receive,
            on_connect=self._greet,
            will=self._will,
        )

    async def run(self) -> None:
        """Be the component until cancelled."""
        own = (f"stop/id/{self.enrolment.id}", f"lease/{self.enrolment.id}")
        for topic in ("stop/all", *own, *(f"stop/group/{group}" for group in self.enrolment.groups)):
            await self._link.subscribe(f"{self.enrolment.root}/{topic}", qos=1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.run())
            tasks.create_task(self._ask())
            tasks.create_task(self._work())

    async def _greet(self) -> None:
        birth = Birth(
            self.enrolment.id,
            self.latch.session,
            self._title,
            self._kind,
            self._version,
            self.enrolment.groups,
        )
        await self._link.publish(self._topic("birth"), birth.to_bytes(), qos=1, retain=True)
        self._ask_now.set()

    def _will(self) -> Will:
        return Will(self._topic("state"), self._sealed(self.latch.last_words(self.enrolment.bot_key.id)))

    async def _ask(self) -> None:
        """Ask for a lease four times in its life, and at once at every change."""
        while True:
            state = self.latch.ask(self._clock(), self.enrolment.bot_key.id)
            await self._link.publish(self._topic("state"), self._sealed(state))
            pause = self.latch.ttl_s / 4 * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, no secret
            try:
                async with asyncio.timeout(pause):
                    await self._ask_now.wait()
            except TimeoutError:
                continue
            self._ask_now.clear()

    async def _work(self) -> None:
        """Step by step, each only with permission."""
        while True:
            if self.latch.open and not self.latch.down:
                self.latch.down = True
                self._ask_now.set()
            if self.latch.may_work(self._clock()):
                self._show_busy(busy=True)
                await self._step()
                await asyncio.sleep(0)
            else:
                self._show_busy(busy=False)
                self._changed.clear()
                await self._changed.wait()

    def _show_busy(self, *, busy: bool) -> None:
        if self.latch.busy != busy:
            self.latch.busy = busy
            self._ask_now.set()

    def _receive(self, delivery: Delivery) -> None:
        try:
            if delivery.topic == self._topic("lease"):
                self._take_lease(delivery.payload)
            else:
                self._take_stop(delivery.payload)
        except BadMessage as error:
            log.warning("refused on %s: %s", delivery.topic, error)

    def _take_stop(self, envelope: bytes) -> None:
        if not envelope:  # a retained stop was taken away: that is no reset
            return
        keys = (self.enrolment.bot_key, *self.enrolment.stop_keys)
        stop = Stop.parse(unseal(envelope, self.enrolment.root, "stop", *keys))
        if self.latch.stop(stop, envelope):
            log.warning("stopped by incident %s", stop.incident)
            self._changed.set()
            self._ask_now.set()

    def _take_lease(self, envelope: bytes) -> None:
        lease = Lease.parse(unseal(envelope, self.enrolment.root, "lease", self.enrolment.bot_key))
        if self.latch.lease(lease, self._clock()):
            self._ask_now.set()
        self._changed.set()

    def _sealed(self, state: State) -> bytes:
        return seal(self._key, self.enrolment.root, "state", state.to_bytes())

    def _topic(self, kind: str) -> str:
        return f"{self.enrolment.root}/{kind}/{self.enrolment.id}"


def main(make: Callable[[Enrolment, Path], Component]) -> None:
    """Run a component from its command line until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser()
    parser.add_argument("enrolment", type=Path, help="the file that the component was enrolled with")
    parser.add_argument("--latch", type=Path, required=True, help="where it keeps its latch; must survive a restart")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    async def run() -> None:
        try:
            component = make(Enrolment.load(arguments.enrolment), arguments.latch)
        except (WireError, OSError) as error:
            sys.exit(f"It does not start: {error}")
        running = asyncio.ensure_future(component.run())
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, running.cancel)
        await asyncio.wait([running])
        if not running.cancelled():
            running.result()

    asyncio.run(run())
