"""Incidents and leases: the one part that tells components to stop, and the only one that lets them work.

It gives no lease before it has read the incidents, and shows nothing as stopped that has not just said so.
"""

import asyncio
import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from bot.stop import beginning
from bot.stop.course import Change, Course, Ledger, Origin
from bot.stop.drill import Answer, Drills
from bot.stop.keyring import Keyring
from bot.stop.leases import Leases, keep_roster
from bot.stop.report import Stand
from bot.stop.sending import Publish, Sender
from bot.stop.watch import Watch
from bot.store import Store, Tx, audit, incidents
from bot.store.incidents import Step, Told, What
from bot.words.errors import Refused, StoreError, TocsinError
from bot.words.message import Place
from wire.clock import boot_clock
from wire.envelope import PrivateKey, PublicKey, unseal
from wire.errors import BadMessage
from wire.issuer import Incident, Issuer
from wire.messages import Shown, State, Stop, Target
from wire.work import Command

log = structlog.get_logger(__name__)


ANSWERED_AT_ONCE = 16
"""Answers in one turn of the loop. What comes in meanwhile has its turn, too."""


@dataclasses.dataclass(frozen=True, slots=True)
class Enrolled:
    """A component that the configuration lists."""

    key: PublicKey
    groups: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """A statement that counts."""

    state: State
    spare_s: float | None = None
    """How long the lease that it names had left when it asked for the next one."""


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
        stop_keys: Mapping[str, str] | None = None,
        alarms: tuple[Place, ...] = (),
        remark: Callable[[str], str] = lambda _: "",
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._store = store
        self._key = key
        self._root = root
        self._enrolled = enrolled
        self._publish = publish
        self._queued = queued
        self._stop_keys = stop_keys or {}
        self._alarms = alarms
        self._remark = remark
        self._clock = clock
        self._deadlines: dict[str, float] = {}
        self._parts: _Parts | None = None
        self.ready = asyncio.Event()
        """Set when the incidents were read."""

    async def run(self) -> None:
        """Read the incidents, then follow each of them until cancelled."""
        groups = {component: enrolled.groups for component, enrolled in self._enrolled.items()}
        ledger = Ledger(self._store)
        began = await beginning.read(self._store, self._key, self._root, groups, ledger, self._clock())
        async with asyncio.TaskGroup() as tasks:
            watch = Watch(
                self._store,
                began.issuer,
                ledger,
                Sender(self._publish, self._root),
                tasks,
                alarms=self._alarms,
                queued=self._queued,
                clock=self._clock,
                deadlines=self._deadlines,
                remark=self._remark,
                dormant=began.dormant,
            )
            drills = Drills(self._publish, self._root, began.keyring.drill, self._clock)
            leases = Leases(
                self._store,
                began.issuer,
                began.keyring,
                self._root,
                publish=self._publish,
                clock=self._clock,
                twin_found=watch.tell_of_a_twin,
            )
            self._parts = _Parts(began.issuer, began.keyring, ledger, watch, drills, leases)
            for course in began.courses:
                watch.follow(course)
            keys = {name: str(each.key) for name, each in self._enrolled.items()}
            try:
                await self.set_stop_keys(self._stop_keys)
                await self._store.write(functools.partial(beginning.note_keys, self._root, began.keyring, keys))
            except StoreError as error:  # stops and leases need none of it
                log.error("which keys count is not on disk", error=str(error))
            self.ready.set()
            await asyncio.get_running_loop().create_future()

    def knows(self, component: str) -> bool:
        """Whether the component is enrolled."""
        return component in self._enrolled

    def incidents(self) -> tuple[Incident, ...]:
        """All that is open."""
        return self._now.issuer.incidents

    def followed(self) -> tuple[Course, ...]:
        """All that is not over: what is open, and what was reset and has not come back."""
        return tuple(self._now.watch.courses.values())

    def course(self, incident: str) -> Course | None:
        """One of them."""
        return self._now.watch.courses.get(incident)

    def is_closed(self, incident: str) -> bool:
        """It was reset for all whom it had stopped."""
        return self._now.issuer.is_closed(incident)

    def stands(self, incident: str) -> tuple[Stand, ...]:
        """What is known of each component that an incident affects. Nothing of one that is over."""
        return self._now.watch.stands(incident)

    def has_stopped(self, component: str) -> bool:
        """It has said of every incident that affects it, just now, that it stands still for it."""
        now, issuer = self._clock(), self._now.issuer
        mine = issuer.stopping(component)
        return bool(mine) and all(issuer.has_stopped(component, each, now) for each in mine)

    def stopping(self, component: str) -> tuple[str, ...]:
        """The incidents that stop a component."""
        return self._now.issuer.stopping(component)

    @property
    def stop_keys(self) -> Mapping[str, str]:
        """Whose each stop key is that counts."""
        return self._now.keyring.people

    @property
    def key(self) -> PublicKey:
        """The bot's key as components know it."""
        return self._key.public

    @property
    def component_keys(self) -> Mapping[str, PublicKey]:
        """The key of each enrolled component."""
        return {name: each.key for name, each in self._enrolled.items()}

    def opened(self, component: str, kind: str, envelope: bytes) -> bytes:
        """What an enrolled component has signed. Raises BadMessage for anything else."""
        return unseal(envelope, self._root, kind, self._enrolled[component].key)

    def signed(self, command: Command) -> bytes:
        """A command as the bot says it."""
        return self._now.keyring.command(command)

    def echoes(self, component: str) -> bool:
        """It has answered us just now: what it says of itself is no recording."""
        return self._now.issuer.has_echoed(component, self._clock())

    def born(self, component: str, deadline_s: float) -> None:
        """A component says how long it may take to come down."""
        self._deadlines[component] = deadline_s

    async def order(self, incident_id: str, target: Target, origin: Origin) -> Incident:
        """Stop a target. Where the same target is stopped already that is joined; else it is signed and sent.

        The incident has another id than asked for where it was joined, or where that id is taken by another target.
        """
        issuer = self._now.issuer
        place = issuer.place(incident_id, target)
        if isinstance(place, Incident):
            course = self._now.watch.courses.get(place.id)
            if course is not None and not issuer.is_closed(place.id):
                self._now.watch.join(course, origin)
            return place
        stop = Stop(place, target, time.time_ns() // 1_000_000)
        incident = Incident(stop.incident, target, self._now.keyring.stop(stop))
        self._now.ledger.add(Change(issuer.open(incident), origin))
        writing = asyncio.ensure_future(self._now.ledger.write_down())
        self._now.watch.follow(Course(incident, (origin,), Told.NOTHING, self._clock(), ordered=True), writing)
        await writing
        return incident

    async def heard(self, component: str, envelope: bytes) -> Heard:
        """Take a statement of an enrolled component and answer it with a lease. Raises BadMessage for anything else."""
        heard = self.take(component, self.opened(component, "state", envelope))
        await self.answer([heard.state])
        return heard

    def take(self, component: str, payload: bytes) -> Heard:
        """Count a statement that a component has signed. Raises BadMessage for anything else. It is to be answered."""
        state = State.parse(payload)
        if state.id != component:
            raise BadMessage(f"{state.id} spoke on the topic of {component}.")
        now, issuer = self._clock(), self._now.issuer
        spare = issuer.spare_s(state, now)
        growth = issuer.hear(state, self._verified)
        if growth:
            self._now.watch.take_in(growth, f"{component}'s own word")
        self._now.watch.heard(component)
        if state.drill is not None:
            self._now.drills.heard(component, state.drill)
        return Heard(state, spare)

    async def answer(self, states: Iterable[State]) -> None:
        """Answer statements that were taken, each with a lease. None is given while something is not on disk."""
        for number, state in enumerate(states, start=1):
            if not await self._now.ledger.write_down():
                return
            if state.shown is not Shown.LOST:
                await self._now.leases.answer(state)
            if number % ANSWERED_AT_ONCE == 0:
                await asyncio.sleep(0)

    @property
    def is_counting(self) -> bool:
        """A stop was ordered a moment ago, and not everybody has said yet that they stand still."""
        return self._parts is not None and self._parts.watch.is_counting()

    @property
    def withheld(self) -> int:
        """Leases that were not given, for one of the reasons that `Leases` has."""
        return 0 if self._parts is None else self._parts.leases.withheld

    async def overheard(self, envelope: bytes) -> None:
        """Take a stop that is on the wire, whoever put it there. Raises BadMessage for one that does not count."""
        if self._now.keyring.is_drill(envelope):
            return
        stop, person = self._now.keyring.author(envelope)
        issuer = self._now.issuer
        known = issuer.known(stop.incident)
        if known is not None and known.stop is not None:
            if issuer.is_closed(known.id):  # the broker keeps it still, or somebody plays with it
                self._now.watch.withdraw(known.id)
            return
        growth = issuer.open(Incident(stop.incident, stop.target, envelope))
        self._now.watch.take_in(growth, f"the stop key of {person}" if person else "a stop on the wire", person)
        await self._now.ledger.write_down()

    def overheard_lease(self, component: str, envelope: bytes) -> None:
        """Take a lease that somebody else has published. Raises BadMessage for what our key has not signed."""
        if self.knows(component):
            self._now.leases.overheard(component, envelope)

    @property
    def has_twin(self) -> bool:
        """Another bot answers our components under our key, so we give no leases."""
        return self._parts is not None and self._parts.leases.has_twin

    async def reset(self, agreed: Incident, components: frozenset[str] | None, people: tuple[str, str]) -> None:
        """Two persons let components, or all, off an incident. No lease says so before it is on disk."""
        issuer, incident = self._now.issuer, agreed.id
        pairs = issuer.clearing(incident, components)  # of those that are known now: who joins meanwhile was not shown
        if not await self._now.ledger.write_down():
            raise StoreError("The database does not take the reset.", hint="Nothing was reset. Try again.")
        if issuer.known(incident) != agreed:
            raise Refused("It was found to stop more than the two of you could see.", hint="Ask again.")
        named = sorted(component for _, component in pairs if component)
        step = Step(What.RESET, component=" ".join(named), person=" and ".join(people))

        def write(tx: Tx) -> None:
            incidents.clear(tx, pairs)
            incidents.note(tx, incident, [step])
            agreed_by = (audit.about(each, person=each) for each in people)
            audit.record(tx, "incident reset", *agreed_by, id=incident, components=named or ["all"])

        await self._store.write(write)
        issuer.clear(pairs)
        self._now.watch.changed(incident)
        if issuer.is_closed(incident):
            self._now.watch.withdraw(incident)

    async def note(self, course: Course, step: Step) -> None:
        """A person takes an incident, or says what they saw. It counts once it is on disk."""
        incident = course.incident.id

        def write(tx: Tx) -> None:
            incidents.note(tx, incident, [step])
            who = audit.about(step.person, person=step.person)
            audit.record(tx, f"incident {step.what}", who, id=incident, component=step.component)

        if not await self._now.ledger.write_down():
            raise StoreError("The database does not take it.", hint="Try again in a moment.")
        await self._store.write(write)
        course.apply(step)

    async def drill(self, target: Target) -> tuple[Answer, ...]:
        """Send what goes the way of a stop and stops nothing. Says who has heard it, and after how long."""
        return await self._now.drills.run(target, self._now.issuer.met_by(target))

    async def set_stop_keys(self, people: Mapping[str, str]) -> None:
        """From now on the stop keys of these people count, by key, and no others. Components are told as they ask."""
        roster = self._now.keyring.next_roster(people)
        if roster is not None:
            self._now.keyring.use(roster)  # what is taken from somebody does not wait for a disk
            await self._store.write(functools.partial(keep_roster, roster))

    @property
    def _now(self) -> "_Parts":
        if self._parts is None:
            raise TocsinError("The incidents have not been read yet.", hint="Try again in a moment.")
        return self._parts

    def _verified(self, signed: bytes) -> Stop | None:
        try:
            return self._now.keyring.author(signed)[0]
        except BadMessage:
            return None


@dataclasses.dataclass(frozen=True, slots=True)
class _Parts:
    """What there is once the incidents were read."""

    issuer: Issuer
    keyring: Keyring
    ledger: Ledger
    watch: Watch
    drills: Drills
    leases: Leases
