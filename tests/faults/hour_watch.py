"""Hears all that components and the bot say on the broker, verifies it, and notes what must not be. It changes nothing.

How much of a lease was left is reckoned here from both sides' own words, so that it outlasts a restart of the bot.
"""

import asyncio
import collections
import dataclasses
from collections.abc import Callable, Mapping

from wire.clock import boot_clock
from wire.envelope import PublicKey, unseal
from wire.errors import BadMessage
from wire.latch import TTL_S
from wire.messages import ROOT, Lease, Shown, State
from wire.mqtt import Delivery
from wire.work import Job, JobState, Reply, Status

MARGIN_S = 10.0
"""A bot that was started gives everybody a lease within a lease's time and this: it has to start on a busy machine."""
MOST_ASKED = 64
"""Questions of one component that a lease may still answer."""
MOST_WRONG = 200
WORKING = (Shown.READY, Shown.BUSY)


@dataclasses.dataclass(slots=True)
class Absence:
    """A time without a bot."""

    began: float
    started: float = float("inf")
    """When it was started again."""
    served: float = float("inf")
    """When everybody had a lease of it."""

    def excuses(self, at: float) -> bool:
        """Whether somebody may be held at this moment."""
        return self.began <= at <= self.started + TTL_S + MARGIN_S


@dataclasses.dataclass(slots=True)
class Course:
    """What was heard of one job."""

    component: str
    session: str
    reply: Reply | None = None
    seq: int = -1
    progress: float = 0.0
    held: int = 0
    """How often it said that nobody lets it go on."""
    ends: set[tuple[int, JobState]] = dataclasses.field(default_factory=set[tuple[int, JobState]])
    """A broker may deliver the same end twice; there must be one of them."""


@dataclasses.dataclass(slots=True)
class _Component:
    state: State | None = None
    asked: collections.OrderedDict[str, float] = dataclasses.field(default_factory=collections.OrderedDict[str, float])
    until: float = float("-inf")
    leased: float = float("-inf")
    held_since: float | None = None


class Watch:
    """Everything on the wire, and what was wrong with it."""

    def __init__(self, components: Mapping[str, PublicKey], bot: PublicKey) -> None:
        self._keys = dict(components)
        self._bot = bot
        self._components = {name: _Component() for name in components}
        self._changed = asyncio.Event()
        self.judges = False
        """Whether they have all begun to work: before that everybody is held."""
        self.wrong: list[str] = []
        self.absences: list[Absence] = []
        self.jobs: dict[str, Course] = {}
        self.states = 0
        self.leases = 0
        self.drills = 0
        self.held: list[float] = []
        """How long each time lasted in which somebody was held."""
        self.spares: list[float] = []
        """What was left of a lease at each question while there was a bot."""
        self.thin: list[float] = []
        """The same around its restarts."""

    def receive(self, delivery: Delivery) -> None:
        """One message."""
        kind, _, rest = delivery.topic.removeprefix(f"{ROOT}/").partition("/")
        try:
            match kind:
                case "state":
                    self._state(rest, delivery.payload)
                case "lease":
                    self._lease(rest, delivery.payload)
                case "job":
                    self._job(rest.partition("/")[0], delivery.payload)
                case "reply":
                    self._reply(delivery.payload)
                case _:
                    self._stop(delivery)
        except BadMessage as error:
            self.note(f"{delivery.topic}: {error}")
        self._changed.set()
        self._changed = asyncio.Event()

    def note(self, wrong: str) -> None:
        """Something that must not be."""
        if len(self.wrong) < MOST_WRONG:
            self.wrong.append(f"{boot_clock():.2f} {wrong}")

    async def until(self, holds: Callable[[], bool], what: str, *, within: float) -> None:
        """Wait until something holds of what is heard."""
        try:
            async with asyncio.timeout(within):
                while not holds():
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"not within {within:g} s: {what}; {self.shown()}") from None

    def shown(self) -> str:
        """How many say what."""
        counts = collections.Counter(str(each.state.shown) if each.state else "-" for each in self._components.values())
        return " ".join(f"{name}:{count}" for name, count in sorted(counts.items()))

    def all_say(self, *shown: Shown) -> bool:
        """Whether everybody said one of these last."""
        return all(each.state is not None and each.state.shown in shown for each in self._components.values())

    def all_leased(self, since: float) -> bool:
        """Whether everybody was given a lease since then."""
        return all(each.leased >= since for each in self._components.values())

    def at_work(self, name: str) -> str | None:
        """The session of a component that may work, as far as it was heard."""
        state = self._components[name].state
        return state.session if state is not None and state.shown in WORKING else None

    def accepted(self) -> list[Course]:
        """The jobs that have begun."""
        courses = self.jobs.values()
        return [each for each in courses if each.reply is not None and each.reply.status is Status.ACCEPTED]

    def jobs_done(self) -> int:
        """How many have come to their end."""
        return sum(bool(each.ends) for each in self.accepted())

    def is_excused(self, at: float) -> bool:
        """Whether the bot was away, or had only just come back."""
        return any(each.excuses(at) for each in self.absences)

    def _state(self, name: str, payload: bytes) -> None:
        state = State.parse(unseal(payload, ROOT, "state", self._keys[name]))
        component, now = self._components[name], boot_clock()
        component.state = state
        component.asked[state.nonce] = now
        if len(component.asked) > MOST_ASKED:
            component.asked.popitem(last=False)
        if not self.judges:
            return
        self.states += 1
        excused = self.is_excused(now)
        if state.shown not in (*WORKING, Shown.HELD):
            self.note(f"{name} is {state.shown}, and nobody has stopped anything")
        if state.incidents:
            self.note(f"{name} names incidents")
        if state.shown is Shown.HELD:
            component.held_since = component.held_since or now
            if not excused:
                self.note(f"{name} is held, and the bot was not away")
            return
        if component.held_since is not None:
            self.held.append(now - component.held_since)
            component.held_since = None
        if state.shown in WORKING and component.until > float("-inf"):
            (self.thin if excused else self.spares).append(component.until - now)

    def _lease(self, name: str, payload: bytes) -> None:
        lease = Lease.parse(unseal(payload, ROOT, "lease", self._bot))
        component = self._components[name]
        self.leases += 1
        if lease.stops or lease.cleared:
            self.note(f"a lease of {name} names incidents")
        asked = component.asked.get(lease.nonce)
        if asked is not None:
            component.leased = boot_clock()
            component.until = max(component.until, asked + min(lease.ttl_ms / 1000, TTL_S))

    def _job(self, name: str, payload: bytes) -> None:
        job = Job.parse(unseal(payload, ROOT, "job", self._keys[name]))
        course = self.jobs.get(job.job)
        if course is None or course.component != name:
            self.note(f"{name} tells of a job that nobody has ordered there")
            return
        if job.state.is_over:
            course.ends.add((job.seq, job.state))
        elif job.seq <= course.seq or course.ends:
            self.note(f"{name} goes back from step {course.seq} to {job.seq} of its job")
        if job.session != course.session:
            self.note(f"{name} has changed its session in a job")
        if job.progress is not None and job.progress < course.progress:
            self.note(f"{name} goes back from {course.progress} to {job.progress} of its job")
        course.seq = job.seq
        course.progress = course.progress if job.progress is None else job.progress
        course.held += job.state is JobState.HELD

    def _reply(self, payload: bytes) -> None:
        reply = Reply.parse(unseal(payload, ROOT, "reply", *self._keys.values()))
        course = self.jobs.get(reply.id)
        if course is None or course.component != reply.sender:
            self.note(f"{reply.sender} answers a command that nobody has given it")
            return
        course.reply = reply

    def _stop(self, delivery: Delivery) -> None:
        if b"tocsin.drill+json" in delivery.payload:
            self.drills += 1
        elif delivery.payload:
            self.note(f"a stop was said on {delivery.topic}")
