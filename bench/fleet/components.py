"""`python -m bench.fleet.components PORT COUNT`: a fleet. Its statements are really signed, each when it is made.

It speaks for all components over one connection, so it is a cheap fleet, and the same for both sides. It checks no
signature: real components do that on machines of their own. It never counts anything.
"""

import asyncio
import base64
import dataclasses
import functools
import hashlib
import itertools
import os
import sys
from collections.abc import Iterable

import orjson

from bench.fleet.mqtt import Bare
from wire.envelope import PrivateKey, seal
from wire.latch import TTL_S
from wire.messages import ROOT, Open, Shown, State, Target

BEGIN, READY, LEASED, UNLEASED = "bench/begin", "bench/ready", b"leased", b"unleased"
"""A side says that it is there, and whether it gives leases; the fleet says that everybody has stated, and has one."""
BOT = PrivateKey(bytes(32))
RHYTHM_S = TTL_S / 4
AT_ONCE = 8
"""Statements that are signed before those that are ready go out."""


def name(number: int) -> str:
    """The id of a component."""
    return f"walker-{number}"


@functools.cache
def key(component: str) -> PrivateKey:
    """Its key, which both sides can derive, too."""
    return PrivateKey(hashlib.sha256(component.encode()).digest())


@dataclasses.dataclass(slots=True)
class Component:
    """One of the fleet."""

    id: str
    session: str = ""
    re: str | None = None
    incidents: dict[str, bytes] = dataclasses.field(default_factory=dict[str, bytes])

    def begin(self, *, leased: bool) -> None:
        """A new session. Who gets no lease says that it had one, so that all statements are of one length."""
        self.session, self.re = os.urandom(16).hex(), None if leased else os.urandom(16).hex()

    def statement(self) -> bytes:
        """What it says of itself now, signed."""
        latched = tuple(Open(incident, stop) for incident, stop in self.incidents.items())
        shown = Shown.STOPPED if latched else Shown.READY
        state = State(self.id, self.session, os.urandom(16).hex(), self.re, shown, latched, key=BOT.public.id)
        return seal(key(self.id), ROOT, "state", state.to_bytes())


class Fleet:
    """All of them."""

    def __init__(self, count: int) -> None:
        self._components = {name(number): Component(name(number)) for number in range(count)}
        self._waits_for: set[str] | None = None
        """Who has no lease yet, from the beginning of a run until everybody has one."""
        self._to_say: asyncio.Queue[list[Component]] = asyncio.Queue()
        self._client: Bare

    async def run(self, port: int) -> None:
        """Speak until killed."""
        async with Bare.connected(port, "fleet", self._receive) as self._client, asyncio.TaskGroup() as group:
            for topic_filter in (BEGIN, f"{ROOT}/stop/#", f"{ROOT}/lease/+"):
                await self._client.subscribe(topic_filter, qos=1)
            group.create_task(self._keep_stating())
            group.create_task(self._client.until_lost())
            print("connected", flush=True)
            while True:
                await self._say(await self._to_say.get())

    async def _say(self, components: Iterable[Component]) -> None:
        for number, each in enumerate(components, start=1):
            self._client.publish(f"{ROOT}/state/{each.id}", each.statement())
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        if self._waits_for is not None and not self._waits_for:
            self._be_ready()

    async def _keep_stating(self) -> None:
        """Each in turn, evenly spread, as those do who have begun at different times."""
        loop = asyncio.get_running_loop()
        at = loop.time()
        for each in itertools.cycle(self._components.values()):
            at += RHYTHM_S / len(self._components)
            await asyncio.sleep(at - loop.time())
            if each.session:
                self._client.publish(f"{ROOT}/state/{each.id}", each.statement())

    def _receive(self, topic: str, payload: bytes) -> None:
        kind, _, rest = topic.removeprefix(f"{ROOT}/").partition("/")
        match kind:
            case "lease":
                self._leased(self._components[rest], payload)
            case "stop":
                if payload:  # an empty one takes a retained stop away
                    self._stop(payload)
            case _:
                self._begin(leased=payload == LEASED)

    def _begin(self, *, leased: bool) -> None:
        for each in self._components.values():
            each.begin(leased=leased)
        self._waits_for = set(self._components) if leased else set()
        self._to_say.put_nowait(list(self._components.values()))

    def _leased(self, component: Component, envelope: bytes) -> None:
        component.re = _payload(envelope).get("n", component.re)
        if self._waits_for is not None:
            self._waits_for.discard(component.id)
            if not self._waits_for:
                self._be_ready()

    def _be_ready(self) -> None:
        self._waits_for = None
        self._client.publish(READY, b"")

    def _stop(self, envelope: bytes) -> None:
        stop = _payload(envelope)
        target = Target.parse(stop["target"])
        meant = [
            each
            for each in self._components.values()
            if target.meets(each.id, frozenset()) and stop["incident"] not in each.incidents
        ]
        for each in meant:
            each.incidents[stop["incident"]] = envelope
        if meant:
            self._to_say.put_nowait(meant)


def _payload(envelope: bytes) -> dict[str, str]:
    """What a message says, whoever signed it."""
    return orjson.loads(base64.b64decode(orjson.loads(envelope)["payload"]))


if __name__ == "__main__":
    asyncio.run(Fleet(int(sys.argv[2])).run(int(sys.argv[1])))
