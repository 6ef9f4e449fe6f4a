"""A stop by a stop key: sent until everybody has answered, with what each component says of it. It shows nothing.

It needs the broker and the key, and nothing else of the bot. It takes nobody for stopped whose own signed words do not
name this very stop; and without a configuration it can verify nobody's.
"""

import asyncio
import contextlib
import dataclasses
import enum
import itertools
import os
import time
from collections.abc import Callable, Mapping

from wire.birth import Birth
from wire.clock import boot_clock
from wire.envelope import PublicKey, read_unproven, seal, unseal
from wire.errors import BadMessage, WireError
from wire.fields import ID
from wire.messages import Shown, State, Stop, Target
from wire.mqtt import Delivery, Link, NotSent, Refused
from wire.stopkey import StopKey

AGAIN_S = (0.25, 0.5, 1.0, 2.0)
"""When it is sent again, and from then on every last of these."""
BROKER_MAY_TAKE_S = 1.0
MOST_STRANGERS = 1024
"""Components that no configuration lists, of which we keep what they say."""


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """A component that the configuration lists."""

    key: PublicKey
    groups: frozenset[str]


class Reached(enum.Enum):
    """How far the stop has come. None of it says that anything stands still."""

    NOBODY = "not sent"
    PERHAPS = "sent, and the broker has not said that it has it"
    BROKER = "the broker has it"


@dataclasses.dataclass(frozen=True, slots=True)
class Sight:
    """One component, as far as it is known."""

    component: str
    verified: bool
    """Its words are signed with the key that the configuration lists."""
    shown: Shown | None = None
    """What it said last. Nothing where it has said nothing since we listen."""
    latched: bool = False
    """It has named this stop."""
    stopped_after_s: float | None = None
    """How long after the stop was given it has said for the first time that it stands still for it."""

    @property
    def stopped(self) -> bool:
        """Whether it says just now that it stands still for this stop."""
        return self.latched and self.shown is Shown.STOPPED


class KeyStop:
    """One stop, on its way. It is new each time, and never the same as another."""

    def __init__(
        self,
        key: StopKey,
        target: Target,
        listed: Mapping[str, Listed],
        *,
        changed: Callable[[], None],
        clock: Callable[[], float] = boot_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.target = target
        self.incident = random(16).hex()
        self.reached = Reached.NOBODY
        self.strangers_passed_over = 0
        self._root = key.root
        self._listed = listed
        self._changed = changed
        self._clock = clock
        self._envelope = seal(
            key.key, key.root, "stop", Stop(self.incident, target, time.time_ns() // 1_000_000).to_bytes()
        )
        self._began = clock()
        self._refusal = ""
        self._sights = {name: Sight(name, verified=True) for name in listed}
        self._claimed: dict[str, frozenset[str]] = {}
        """The groups that each component claims beyond those that are listed."""
        self._connected = asyncio.Event()
        self._link = Link(
            key.broker,
            f"stop-{key.person}-{random(4).hex()}",  # two with one name would throw each other out
            receive=self._receive,
            on_connect=self._greet,
        )

    async def run(self) -> None:
        """Send it, again and again, and listen, until cancelled. It stays with the broker, as a help."""
        await self._link.subscribe(f"{self._root}/birth/+", qos=1)
        await self._link.subscribe(f"{self._root}/state/+")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.run())
            tasks.create_task(self._keep_sending())

    @property
    def trouble(self) -> str:
        """What keeps the stop from the broker, or its answers from us. Empty where nothing is known to."""
        if self._refusal or not self._link.connected:
            return self._refusal or self._link.trouble
        if self._link.refused:
            return f"The broker at {self._link.broker} lets this key's account send, and not hear who has stopped."
        return ""

    @property
    def sights(self) -> tuple[Sight, ...]:
        """All who are meant, as far as they are known: first those who have not said that they stand still."""
        meant = [sight for name, sight in self._sights.items() if sight.latched or self._is_meant(name)]
        return tuple(sorted(meant, key=lambda each: (each.stopped, each.component)))

    @property
    def missing(self) -> tuple[str, ...]:
        """Listed components that are meant and have not said that they stand still."""
        return tuple(each.component for each in self.sights if each.verified and not each.stopped)

    @property
    def confirmed(self) -> bool:
        """Whether all listed components that are meant have said that they stand still, and there are any."""
        return not self.missing and any(each.verified for each in self.sights)

    @property
    def verifies(self) -> bool:
        """Whether there is any component whose word can be verified."""
        return bool(self._listed)

    @property
    def heard(self) -> tuple[str, ...]:
        """All components that there seem to be, meant or not: for who has mistyped a name."""
        return tuple(sorted(self._sights))

    def _is_meant(self, name: str) -> bool:
        groups = self._claimed.get(name, frozenset())
        listed = self._listed.get(name)
        return self.target.meets(name, groups | listed.groups if listed else groups)

    async def _keep_sending(self) -> None:
        """Until each component that is known has named it, and again at each new connection until then."""
        for pause in itertools.chain(AGAIN_S, itertools.repeat(AGAIN_S[-1])):
            await self._link.ready()
            self._connected.clear()
            if self.reached is not Reached.BROKER or not self._all_have_answered():
                await self._send()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._connected.wait()

    def _all_have_answered(self) -> bool:
        sights = self.sights
        return bool(sights) and all(each.latched for each in sights)

    async def _send(self) -> None:
        try:
            async with asyncio.timeout(BROKER_MAY_TAKE_S):
                await self._link.publish(f"{self._root}/stop/{self.target}", self._envelope, qos=1, retain=True)
        except Refused as error:
            self._refusal = str(error)
        except NotSent:
            pass  # the link says why, and there is another try
        except (WireError, TimeoutError):
            self._note_perhaps()
        except asyncio.CancelledError:  # it may be on its way already, and who ends us must not hear that it is not
            self._note_perhaps()
            raise
        else:
            self._refusal, self.reached = "", Reached.BROKER
        self._changed()

    def _note_perhaps(self) -> None:
        if self.reached is Reached.NOBODY:
            self.reached = Reached.PERHAPS

    def _greet(self) -> None:
        self._connected.set()
        self._changed()

    def _receive(self, delivery: Delivery) -> None:
        kind, _, component = delivery.topic.removeprefix(f"{self._root}/").partition("/")
        if ID.fullmatch(component) is None:
            return
        if component not in self._sights and len(self._sights) - len(self._listed) >= MOST_STRANGERS:
            self.strangers_passed_over += 1
            return
        with contextlib.suppress(BadMessage):
            if kind == "state":
                self._take_state(component, State.parse(self._opened(component, "state", delivery.payload)))
            elif kind == "birth" and delivery.payload:
                self._take_birth(component, Birth.parse(self._opened(component, "birth", delivery.payload)))

    def _opened(self, component: str, kind: str, envelope: bytes) -> bytes:
        """What a component says. Of one that is listed, only what its key has signed."""
        listed = self._listed.get(component)
        if listed is None:
            return read_unproven(envelope, self._root, kind)
        return unseal(envelope, self._root, kind, listed.key)

    def _take_birth(self, component: str, birth: Birth) -> None:
        if birth.id != component:
            return
        self._sights.setdefault(component, Sight(component, verified=False))
        self._claimed[component] = frozenset(birth.groups)
        self._changed()

    def _take_state(self, component: str, state: State) -> None:
        if state.id != component:
            return
        before = self._sights.get(component) or Sight(component, verified=False)
        sight = dataclasses.replace(
            before, shown=state.shown, latched=any(each.incident == self.incident for each in state.incidents)
        )
        if sight.stopped and sight.stopped_after_s is None:
            sight = dataclasses.replace(sight, stopped_after_s=self._clock() - self._began)
        self._sights[component] = sight
        self._claimed[component] = frozenset(state.groups)
        if sight != before:
            self._changed()
