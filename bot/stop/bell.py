"""Incidents and leases: the one part that tells components to stop, and the only one that lets them work.

It gives no lease before it has read the incidents, and shows nothing as stopped that has not just said so.
"""

import asyncio
import contextlib
import dataclasses
import functools
import itertools
import os
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from bot.stop.course import Change, Course, Origin, write_down
from bot.stop.report import Stand, notice
from bot.store import Store, Tx, audit, incidents, outbox
from bot.store.incidents import Told
from bot.words.errors import StoreError, TocsinError
from bot.words.message import Lane, Post
from wire.broker import QoS
from wire.clock import boot_clock
from wire.envelope import PrivateKey, PublicKey, seal, unseal
from wire.errors import BadMessage, WireError
from wire.issuer import Growth, Incident, Issuer, Overdrawn
from wire.messages import Shown, State, Stop, Target

log = structlog.get_logger(__name__)

AGAIN_S = (0.25, 0.5, 1.0, 2.0)
"""When a stop is sent again, and from then on every last of these, until each affected component names it."""
DISK_MAY_TAKE_S = 0.05
"""A stop that is not written by then is sent all the same."""
BROKER_MAY_TAKE_S = 1.0
"""A broker that has not answered by then is asked again; it must not keep the room from the news."""
DEADLINE_S = 5.0
"""When the room hears that a stop is not confirmed."""


class Publish(Protocol):
    """How a message reaches the broker."""

    async def __call__(self, topic: str, payload: bytes, *, qos: QoS = 0, retain: bool = False) -> None:
        """Raises WireError where it did not, or where nobody can tell."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Enrolled:
    """A component that the configuration lists."""

    key: PublicKey
    groups: frozenset[str]


class Bell:
    """All incidents, and the leases that follow from them."""

    def __init__(
        self,
        store: Store,
        key: PrivateKey,
        root: str,
        enrolled: Mapping[str, Enrolled],
        *,
        publish: Publish,
        queued: Callable[[], None],
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._store = store
        self._key = key
        self._root = root
        self._enrolled = enrolled
        self._publish = publish
        self._queued = queued
        self._clock = clock
        self._courses: dict[str, Course] = {}
        self._unwritten: list[Change] = []
        self._writing = asyncio.Lock()
        self._issuer: Issuer | None = None
        self._followers: asyncio.TaskGroup | None = None
        self._without_lease: set[str] = set()
        self.withheld = 0
        """Leases that were not given, because a component brought up more than we keep."""
        self.ready = asyncio.Event()
        """Set when the incidents were read."""

    async def run(self) -> None:
        """Read the incidents, then follow each of them until cancelled."""
        rows = await self._store.read(incidents.all_incidents)
        written = await self._store.read(incidents.all_affected)
        joined: dict[str, list[Origin]] = {}
        for incident_id, place, event in await self._store.read(incidents.all_joined):
            joined.setdefault(incident_id, []).append(Origin(place, event))
        known = [Incident(row.id, Target.parse(row.target), row.stop) for row in rows]
        groups = {component: enrolled.groups for component, enrolled in self._enrolled.items()}
        # A component that is new in the configuration is waited for, also before it has said anything.
        met = [(each.id, name) for each in known for name in groups if each.target.meets(name, groups[name])]
        self._unwritten.append(Change(Growth((), tuple(set(met) - set(written)))))
        self._issuer = Issuer(groups, known, (*written, *met), random=os.urandom)
        async with asyncio.TaskGroup() as self._followers:
            for row, incident in zip(rows, known, strict=True):
                first = [Origin(row.place, row.reply_to)] if row.place and row.reply_to else []
                self._follow(Course(incident, (*first, *joined.get(row.id, ())), row.told, self._clock()))
            self.ready.set()
            await asyncio.get_running_loop().create_future()

    def knows(self, component: str) -> bool:
        """Whether the component is enrolled."""
        return component in self._enrolled

    def incidents(self) -> tuple[Incident, ...]:
        """All that is open."""
        return self._protocol.incidents

    def stands(self, incident: str) -> tuple[Stand, ...]:
        """What is known of each component that an incident affects."""
        course = self._courses[incident]
        now = self._clock()
        return tuple(
            Stand(
                component,
                stopped=self._protocol.has_stopped(component, incident, now),
                latched=self._protocol.has_latched(component, incident),
                heard=self._protocol.has_spoken(component),
                after_s=course.stopped_after.get(component),
            )
            for component in sorted(self._protocol.affected(incident))
        )

    def has_stopped(self, component: str) -> bool:
        """It has said of every incident that affects it, just now, that it stands still for it."""
        now = self._clock()
        mine = self._protocol.stopping(component)
        return bool(mine) and all(self._protocol.has_stopped(component, each, now) for each in mine)

    async def order(self, incident_id: str, target: Target, origin: Origin) -> Incident:
        """Stop a target. Where the same target is stopped already that is joined; else it is signed and sent.

        The incident has another id than asked for where it was joined, or where that id is taken by another target.
        """
        known = self._protocol.joined(incident_id, target)
        if known is not None:
            self._join(self._courses[known.id], origin)
            return known
        stop = Stop(self._protocol.free_id(incident_id, target), target, time.time_ns() // 1_000_000)
        incident = Incident(stop.incident, target, seal(self._key, self._root, "stop", stop.to_bytes()))
        self._unwritten.append(Change(self._protocol.open(incident), origin))
        writing = asyncio.ensure_future(self._write_down())
        self._follow(Course(incident, (origin,), Told.NOTHING, self._clock(), ordered=True), writing)
        await writing
        return incident

    async def heard(self, component: str, envelope: bytes) -> State:
        """Take a statement of an enrolled component and answer it with a lease. Raises BadMessage for anything else."""
        state = State.parse(unseal(envelope, self._root, "state", self._enrolled[component].key))
        if state.id != component:
            raise BadMessage(f"{state.id} spoke on the topic of {component}.")
        growth = self._protocol.hear(state, self._verified)
        if growth:
            self._unwritten.append(Change(growth))
            for incident in (*growth.incidents, *growth.widened):
                log.warning("incident adopted", incident=incident.id, target=str(incident.target), component=component)
                self._follow(Course(incident, (), Told.NOTHING, self._clock()))
        self._note_stopped(component)
        if state.shown is not Shown.LOST and await self._write_down():
            await self._answer(state)
        return state

    @property
    def _protocol(self) -> Issuer:
        if self._issuer is None:
            raise TocsinError("The incidents have not been read yet.", hint="Try again in a moment.")
        return self._issuer

    async def _answer(self, state: State) -> None:
        try:
            lease = self._protocol.lease(state, self._clock(), time.time_ns() // 1_000_000)
        except Overdrawn as error:
            self.withheld += 1
            if state.id not in self._without_lease:
                self._without_lease.add(state.id)
                log.error("a component gets no lease", component=state.id, error=str(error))
            return
        envelope = seal(self._key, self._root, "lease", lease.to_bytes())
        await self._publish(f"{self._root}/lease/{state.id}", envelope)

    async def _write_down(self) -> bool:
        """Make what is known durable. False where the disk does not take it; it is tried again at the next call."""
        async with self._writing:
            pending = list(self._unwritten)
            if not pending:
                return True
            try:
                await self._store.write(functools.partial(write_down, pending))
            except StoreError as error:
                log.error("an incident is not on disk yet", error=str(error))
                return False
            del self._unwritten[: len(pending)]
            return True

    def _follow(self, course: Course, writing: asyncio.Future[bool] | None = None) -> None:
        """Send it and tell of it. A course that is there was that of an unsigned stop, and ends."""
        assert self._followers is not None  # noqa: S101 - nothing is ordered or heard before `run`
        narrow = self._courses.get(course.incident.id)
        self._courses[course.incident.id] = course
        if narrow is not None:
            narrow.to_tell.set()
        if course.incident.stop is not None:
            sending = self._keep_sending(course, course.incident.stop, writing)
            self._followers.create_task(sending, name=f"send {course.incident.id}")
        self._followers.create_task(self._keep_telling(course), name=f"tell {course.incident.id}")

    def _join(self, course: Course, origin: Origin) -> None:
        """Who orders what is stopped already hears of it too, once in each place. It does not wait for the disk."""
        assert self._followers is not None  # noqa: S101 - nothing is ordered before `run`
        if origin.place in [each.place for each in course.origins]:
            return
        course.origins += (origin,)
        self._unwritten.append(Change(Growth(), origin, course.incident.id))
        self._followers.create_task(self._write_down(), name=f"join {course.incident.id}")

    async def _keep_sending(self, course: Course, signed: bytes, writing: asyncio.Future[bool] | None) -> None:
        """Send a stop, at least once, until everybody has latched it. The disk is waited for a moment, once."""
        if writing is not None:
            await asyncio.wait([writing], timeout=DISK_MAY_TAKE_S)
        for pause in itertools.chain(AGAIN_S, itertools.repeat(AGAIN_S[-1])):
            await self._send(course, signed)
            await asyncio.sleep(pause)
            while not self._unlatched(course):
                course.to_send.clear()
                await course.to_send.wait()

    async def _keep_telling(self, course: Course) -> None:
        """Tell the room what became of a stop, until it is confirmed."""
        while course.told is not Told.CONFIRMED and self._is_followed(course):
            course.to_tell.clear()
            if not await self._tell(course):
                wait = AGAIN_S[-1]
            elif course.told is Told.NOTHING:
                wait = course.began + DEADLINE_S - self._clock()
            else:
                wait = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await course.to_tell.wait()

    def _is_followed(self, course: Course) -> bool:
        return self._courses[course.incident.id] is course

    async def _send(self, course: Course, signed: bytes) -> None:
        incident = course.incident
        try:
            async with asyncio.timeout(BROKER_MAY_TAKE_S):
                await self._publish(f"{self._root}/stop/{incident.target}", signed, qos=1, retain=True)
            course.sent = True
        except (WireError, TimeoutError) as error:
            log.warning("a stop did not reach the broker; it is sent again", incident=incident.id, error=str(error))

    def _unlatched(self, course: Course) -> bool:
        incident = course.incident.id
        return not all(self._protocol.has_latched(each, incident) for each in self._protocol.affected(incident))

    def _note_stopped(self, component: str) -> None:
        now = self._clock()
        for incident in self._protocol.stopping(component):
            course = self._courses[incident]
            if course.ordered and self._protocol.has_stopped(component, incident, now):
                course.stopped_after.setdefault(component, now - course.began)
            if not self._protocol.has_latched(component, incident):
                course.to_send.set()
            course.to_tell.set()

    async def _tell(self, course: Course) -> bool:
        """Say in the room what is known now, once each: confirmed, or not confirmed by the deadline.

        False where there was something to say and the disk did not take it.
        """
        now = self._clock()
        if self._protocol.confirmed(course.incident.id, now):
            told = Told.CONFIRMED
        elif now >= course.began + DEADLINE_S:
            told = Told.NOT_CONFIRMED
        else:
            return True
        if course.told is told:
            return True
        if not await self._write_down():
            return False
        if not self._is_followed(course):  # it was widened meanwhile, and this is not true of it
            return True
        incident, stands = course.incident, self.stands(course.incident.id)
        origins, sent = course.origins, course.sent

        def write(tx: Tx) -> None:
            incidents.tell(tx, incident.id, told)
            audit.record(
                tx,
                f"incident {told}",
                id=incident.id,
                stopped=[each.component for each in stands if each.stopped],
            )
            for origin in origins:
                words = notice(incident, told, stands, sent=sent)
                outbox.queue(tx, Post(origin.place, words, Lane.STOP, origin.event))

        try:
            await self._store.write(write)
        except StoreError as error:
            log.error("the room was not told", incident=incident.id, error=str(error))
            return False
        course.told = told
        self._queued()
        return True

    def _verified(self, signed: bytes) -> Stop | None:
        try:
            return Stop.parse(unseal(signed, self._root, "stop", self._key.public))
        except BadMessage:
            return None
