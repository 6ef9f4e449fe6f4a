"""A component as its author writes it: commands, streams, what it always does, and how its work comes down.

Nothing runs here and nothing is sent. A mistake is a TypeError or ValueError before the component has started.
"""

import inspect
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from components.jobs import Job
from components.schema import Signature, signature
from wire.birth import LONGEST_DEADLINE_MS, Birth, Danger, Offer, OnSilence, Stream
from wire.enrolment import Enrolment
from wire.fields import ID
from wire.work import CANCEL, Severity

MOST_AT_ONCE = 64

Function = Callable[..., Coroutine[Any, Any, Any]]
F = TypeVar("F", bound=Function)
Step = TypeVar("Step", bound=Callable[[], Awaitable[None]])
Halt = TypeVar("Halt", bound=Callable[[], Awaitable[None] | None])


class Outlet(Protocol):
    """Where a component that runs says things; it may be called in any thread."""

    def value(self, stream: str, value: float) -> None:
        """A value of now."""
        ...

    def alert(self, severity: Severity, message: str, key: str) -> None:
        """Have people know."""
        ...

    def clear(self, key: str) -> None:
        """It is over."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a component."""

    name: str
    offer: Offer
    signature: Signature
    job: str | None
    """The parameter that takes the job, where it is one."""
    function: Function

    def call(self, arguments: Mapping[str, Any], job: Job | None) -> Coroutine[Any, Any, Any]:
        """Run it."""
        return self.function(**arguments, **({self.job: job} if self.job is not None else {}))


class Values:
    """A stream of values that a component sends while it runs."""

    def __init__(self, component: "Component", name: str) -> None:
        self._component = component
        self._name = name

    def send(self, value: float) -> None:
        """A value of now. Where nobody hears it, it is dropped, and the newest wins."""
        if self._component.outlet is not None and math.isfinite(value):
            self._component.outlet.value(self._name, float(value))  # a kind of number that others bring is no JSON


class Component:
    """What a component is. It runs as `main(component)`."""

    def __init__(
        self,
        *,
        title: str,
        kind: str,
        version: str,
        stops_within_s: float = 2.0,
        on_silence: OnSilence = OnSilence.HOLD,
        jobs_at_once: int = 1,
    ) -> None:
        if not 1 <= jobs_at_once <= MOST_AT_ONCE:
            raise ValueError(f"jobs_at_once is from 1 to {MOST_AT_ONCE}, not {jobs_at_once}.")
        if not 0 <= stops_within_s <= LONGEST_DEADLINE_MS / 1000:
            raise ValueError(f"stops_within_s is from 0 to {LONGEST_DEADLINE_MS // 1000}, not {stops_within_s}.")
        self.title, self.kind, self.version = title, kind, version
        self.stops_within_s = stops_within_s
        self.on_silence = on_silence
        self.jobs_at_once = jobs_at_once
        self.commands: dict[str, Command] = {}
        self.streams: dict[str, Stream] = {}
        self.step: Callable[[], Awaitable[None]] | None = None
        self.halt: Callable[[], Awaitable[None] | None] | None = None
        self.outlet: Outlet | None = None
        """There while it runs."""

    def command(
        self,
        *,
        name: str | None = None,
        title: str | None = None,
        danger: Danger = Danger.NONE,
        goes_on_by: str = "",
    ) -> Callable[[F], F]:
        """Offer an async function as a command. With a parameter of the type Job it is a job.

        Its name and the first line of what it says of itself are those of the command, if no others are given. Where
        the work is kept on a disk, `goes_on_by` is the command that goes on with such a job after a restart: a job
        that takes the id of the one that was broken off as `of`, and refuses any that it has not kept.
        """

        def offer(function: F) -> F:
            called = name or function.__name__.replace("_", "-")
            self._check_name(called, self.commands)
            if called == CANCEL:
                raise ValueError(f"{CANCEL!r} is there already: every component with jobs has it.")
            if not inspect.iscoroutinefunction(function):
                raise TypeError(f"{function.__name__} must be an async function.")
            takes, job = signature(function, without=Job)
            said = title or (inspect.getdoc(function) or called).partition("\n")[0].rstrip(".")
            if goes_on_by and job is None:
                raise ValueError(f"{called} is no job, so nothing of it can go on.")
            offered = Offer(said, takes.schema, job=job is not None, danger=danger, goes_on_by=goes_on_by)
            self.commands[called] = Command(called, offered, takes, job, function)
            return function

        return offer

    def _check_what_goes_on(self) -> None:
        for name in {each.offer.goes_on_by for each in self.commands.values()} - {""}:
            by = self.commands.get(name)
            if by is None:
                raise ValueError(f"{name} is to go on with jobs, and there is no command of this name.")
            needed = {argument for argument, each in by.signature.arguments.items() if each.needed}
            if by.job is None or "of" not in by.signature.arguments or needed - {"of"}:
                raise ValueError(f"{name} is to go on with jobs: it must be a job that takes `of`, and needs no more.")

    def stream(self, name: str, *, title: str, unit: str = "") -> Values:
        """Offer values under a name."""
        self._check_name(name, self.streams)
        self.streams[name] = Stream(title, unit)
        return Values(self, name)

    def always(self, step: Step) -> Step:
        """One step of the work that goes on for as long as it may. A stop waits for the step, so it should be short."""
        if self.step is not None or not inspect.iscoroutinefunction(step):
            raise TypeError("There is one async function for what is always done.")
        self.step = step
        return step

    def on_stop(self, halt: Halt) -> Halt:
        """What brings the work down. Before it has returned, nobody is told that the component has stopped.

        It is called when a stop comes, and again when what was at work then has ended, so it may be called twice for
        one stop; and once more when the program ends. A function that is not async is called before the disk is
        written, which may hang.
        """
        if self.halt is not None:
            raise TypeError("There is one function that brings the work down.")
        self.halt = halt
        return halt

    def alert(self, severity: Severity, message: str, *, key: str = "") -> None:
        """Have people know. With a key it lasts, and is told again at each connect, until it is cleared."""
        if key and not ID.fullmatch(key):
            raise ValueError(f"{key!r} is no key of an alert: use small letters, digits and hyphens, up to 63.")
        if self.outlet is not None:
            self.outlet.alert(severity, message, key)

    def clear(self, key: str) -> None:
        """The alert of this key is over."""
        if self.outlet is not None:
            self.outlet.clear(key)

    def birth(self, enrolment: Enrolment, session: str) -> Birth:
        """What it says of itself once in each session."""
        self._check_what_goes_on()
        offers = {name: each.offer for name, each in self.commands.items()}
        if any(each.job for each in offers.values()):
            offers[CANCEL] = CANCEL_OFFER
        return Birth(
            enrolment.id,
            session,
            self.title,
            self.kind,
            self.version,
            enrolment.groups,
            offers,
            self.streams,
            round(self.stops_within_s * 1000),
            self.on_silence,
        )

    def _check_name(self, name: str, taken: Mapping[str, object]) -> None:
        if not ID.fullmatch(name):
            raise ValueError(f"{name!r} is no name: use small letters, digits and hyphens, up to 63.")
        if name in taken:
            raise ValueError(f"There are two of the name {name!r}.")


async def _cancel(job: str) -> None:
    """Cancel a job."""


CANCEL_OFFER = Offer("Cancel a job", signature(_cancel)[0].schema)
