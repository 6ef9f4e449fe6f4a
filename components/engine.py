"""What keeps a component on its leash: it hears leases and stops, and lets work go on only while it may.

A stop is taken before anything else, and waits for nobody's code. Where the engine breaks it ends, and with it all
work: nothing works without its latch.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from components.asking import Asking
from components.component import Component
from components.disk import Disk
from components.gate import Gate
from components.halting import Halting
from components.jobs import Jobs, always
from components.orders import Orders
from components.trouble import told
from components.voice import FromAnywhere, Voice
from wire.birth import Birth
from wire.chain import read_hand_over
from wire.clock import boot_clock
from wire.enrolment import DiskKind, Enrolment
from wire.envelope import PublicKey, unseal
from wire.errors import BadSignature, Rejected, WireError
from wire.latch import Kept, Latch, Trusted
from wire.messages import Drill, Lease, Roster, Stop
from wire.mqtt import Delivery, Link, Will
from wire.work import Command, Reply, Status

TOLD_EVERY_S = 1.0
"""So often the log tells of messages that are refused: strangers must not fill the disk with it."""

Act = Callable[[], None]
log = logging.getLogger(__name__)


class Engine:
    """One component that runs."""

    def __init__(
        self,
        component: Component,
        enrolment: Enrolment,
        latch_file: Path,
        *,
        make_latch: bool = False,
        ending: Act = lambda: None,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        Birth.parse(component.birth(enrolment, "0").to_bytes())  # rather now than where nobody reads it
        self.enrolment = enrolment
        self._ending = ending
        self._component = component
        self._clock = clock
        self._link = Link(
            enrolment.broker,
            f"component-{enrolment.id}",
            receive=self._receive,
            on_connect=self._connected,
            will=self._will,
        )
        self._voice = Voice(enrolment, self._link, self._drop)
        self._halting = Halting(component, self._voice)
        self._disk = Disk(latch_file)
        self.latch = Latch(
            enrolment.id,
            enrolment.groups,
            _read(self._disk, enrolment.disk, make_latch=make_latch),
            trusted=Trusted(enrolment.bot_key, tuple(str(key) for key in enrolment.stop_keys)),
            write=self._write,
            random=os.urandom,
            on_silence=component.on_silence,
        )
        self._stop_keys = _public(self.latch.roster)
        self._gate = Gate(self.latch, clock, always=component.step is not None)
        self._jobs = Jobs(self._gate, self._voice, at_once=component.jobs_at_once)
        self._orders = Orders(component, enrolment.id, self._gate, self._voice, self._jobs, self._spawn)
        self._asking = Asking(component, enrolment, self.latch, self._gate, self._link, self._voice, clock)
        self._readers = self._topics()
        self._refusals = 0
        self._told_refusal = float("-inf")
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Be the component until cancelled. What breaks ends it."""
        self._link.abandon()  # whenever it ends, the broker says so at once, and nobody waits for a silence
        for topic in self._readers:
            await self._link.subscribe(topic, qos=1)
        parts = [self._link.run(), self._asking.run(), self._bring_down(), self._jobs.run(), self._voice.run()]
        if self._component.step is not None:
            parts.append(always(self._component.step, self._gate, self._voice))
        self._component.outlet = FromAnywhere(self._voice)
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for part in (*parts, self._until_broken()):
                    self._tasks.create_task(self._whole(part))
        finally:
            await self._halting.at_the_end(self._gate)
            self._component.outlet = None

    async def _whole(self, part: Coroutine[Any, Any, None]) -> None:
        """With one part all work ends: what waits for somebody's code to end must not let it work meanwhile."""
        try:
            await part
        finally:
            if not self._gate.is_closed:
                self._gate.close()
                self._ending()

    async def _until_broken(self) -> None:
        await self._broken

    def _connected(self) -> None:
        self._voice.be_silent()
        self._asking.soon(birth=True)

    def _will(self) -> Will:
        topic = f"{self.enrolment.root}/state/{self.enrolment.id}"
        return Will(topic, self._voice.sealed("state", self.latch.last_words().to_bytes()))

    def _topics(self) -> dict[str, Callable[[bytes], Act | None]]:
        """What it listens to, and who reads it. Readers verify and do nothing; what is to be done, they give back."""
        me, groups = self.enrolment.id, self.enrolment.groups
        stops = ("stop/all", f"stop/id/{me}", *(f"stop/group/{group}" for group in groups))
        readers: dict[str, Callable[[bytes], Act | None]] = {
            **dict.fromkeys(stops, self._read_stop),
            f"lease/{me}": self._read_lease,
            f"key/{me}": self._read_hand_over,
            f"roster/{me}": self._read_roster,
            f"cmd/{me}": self._read_command,
        }
        return {f"{self.enrolment.root}/{topic}": reader for topic, reader in readers.items()}

    def _receive(self, delivery: Delivery) -> None:
        self._asking.notice()
        reader = self._readers.get(delivery.topic)
        if reader is None:
            return
        try:
            act = reader(delivery.payload)
        except WireError as error:
            self._refuse(delivery.topic, error)
            return
        try:
            if act is not None:
                act()
        except Exception as error:  # noqa: BLE001 - somebody whose word counts has said it, and it was not done
            if not self._broken.done():
                self._broken.set_exception(error)

    def _refuse(self, topic: str, error: WireError) -> None:
        self._refusals += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_refusal >= TOLD_EVERY_S:
            log.warning("refused on %s: %s (%d since the last such line)", topic, told(error), self._refusals)
            self._told_refusal, self._refusals = now, 0

    def _read_stop(self, envelope: bytes) -> Act | None:
        if not envelope:  # a retained stop was taken away: that is no reset
            return None
        keys = (self.latch.key, *self._stop_keys)
        try:
            stop = Stop.parse(unseal(envelope, self.enrolment.root, "stop", *keys))
        except BadSignature as no_stop:  # a drill of the bot goes the way of a stop
            try:
                drill = Drill.parse(unseal(envelope, self.enrolment.root, "drill", self.latch.key))
            except BadSignature:
                raise no_stop from None
            return lambda: self._take_drill(drill)

        def act() -> None:
            if self.latch.stop(stop, envelope):
                log.warning("stopped by incident %s", stop.incident)
                self._asking.soon()

        return act

    def _take_drill(self, drill: Drill) -> None:
        if self.latch.drill(drill):
            log.info("heard the drill %s, which stops nothing", drill.id)
            self._asking.soon()

    def _read_lease(self, envelope: bytes) -> Act:
        lease = Lease.parse(unseal(envelope, self.enrolment.root, "lease", self.latch.key))

        def act() -> None:
            session = self.latch.session
            has_changed = self.latch.lease(lease, self._clock())
            if self.latch.session != session:
                log.warning("reset: a new session begins")
                self._asking.soon(birth=True)
            elif has_changed:
                log.warning("stopped: a lease names what it had not heard of")
                self._asking.soon()
            else:
                self._gate.wake()

        return act

    def _read_hand_over(self, envelope: bytes) -> Act:
        hand_over = read_hand_over(envelope, self.enrolment.root, self.latch.key)

        def act() -> None:
            if self.latch.hand_over(hand_over):
                log.warning("the bot has a new key: %s", hand_over.new.id)
                self._asking.soon()

        return act

    def _read_roster(self, envelope: bytes) -> Act:
        roster = Roster.parse(unseal(envelope, self.enrolment.root, "roster", self.latch.key))

        def act() -> None:
            if self.latch.take_roster(roster):
                log.info("stop keys that count from now on: %d", len(roster.stop_keys))
                self._stop_keys = _public(roster)
                self._asking.soon()

        return act

    def _read_command(self, envelope: bytes) -> Act:
        command = Command.parse(unseal(envelope, self.enrolment.root, "cmd", self.latch.key))

        def act() -> None:
            try:
                self.latch.take(command, self._clock())
                self._orders.carry_out(command, self.latch.session)
            except Rejected as reason:
                rejected = Reply(command.id, self.enrolment.id, Status.REJECTED, error=str(reason))
                self._voice.reply(command.reply_to, rejected)

        return act

    async def _bring_down(self) -> None:
        """Whenever it is stopped: it is down when all that was at work has ended, and not before."""
        while True:
            while not self.latch.open or self.latch.down:
                await self._gate.change()
            self._jobs.halt()
            await self._halting.bring_down(self._gate)
            self.latch.down = True
            self._asking.soon()

    def _write(self, kept: Kept) -> bool:
        """The work is halted before the disk is asked for anything: it may hang."""
        if kept.open:
            self._halting.at_once()
        else:
            self._halting.is_over()
        return self._disk.write(kept)

    def _drop(self, topic: str, payload: bytes) -> None:
        async def publish() -> None:
            try:
                await self._link.publish(topic, payload)
            except WireError as error:
                log.error("not said: %s", error)

        self._spawn(publish())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            self._tasks.create_task(work)
        except RuntimeError:  # all ends
            work.close()


def _read(disk: Disk, kind: DiskKind, *, make_latch: bool) -> Kept | None:
    """What the latch starts with; None where what it kept is lost. What cannot keep a stop must not work."""
    is_missing = disk.is_missing()
    if make_latch and not is_missing:
        raise WireError(f"{disk.path} is there already, and may hold a stop. Start without --make-latch.")
    if is_missing and kind is DiskKind.KEPT and not make_latch:
        log.error(
            "%s is not there, and may have held a stop: it starts stopped. Start it with --make-latch on a new disk.",
            disk.path,
        )
        return None
    kept = disk.read()
    if kept is not None and not disk.write(kept):
        raise WireError(f"{disk.path} cannot be written, and what cannot keep a stop must not work.")
    return kept


def _public(roster: Roster) -> tuple[PublicKey, ...]:
    return tuple(PublicKey.parse(key) for key in roster.stop_keys)
