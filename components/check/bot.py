"""The judge in the place of the bot: what it says to one component, and on which topics.

It says what a bot would say, and what a bot never would. It leaves nothing with the broker.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from components.check.heard import Heard
from components.check.keys import Keys
from components.check.rule import Untried
from wire.broker import Broker
from wire.envelope import PrivateKey, seal
from wire.errors import WireError
from wire.messages import Drill, Lease, Roster, Shown, State, Stop, Target
from wire.mqtt import Link

TTL_MS = 10_000
CLOCK_MS = 5_000_000
"""The judge's clock begins here, so that nobody takes the time of day for it."""
LARGEST = 8 * 1024 * 1024
FORGET_WITHIN_S = 5.0
REPLY_TO = "judge"
LISTENS = ("birth/+", "state/+", "reply/+", "job/+/+", "picture/+/+", "alert/+", "alert-active/+/+")


class Bot:
    """One component's bot, with keys and a root of its own."""

    def __init__(self, broker: Broker, mark: str) -> None:
        self.keys = Keys()
        self.bot = self.keys.bot
        """The key that counts as the bot's."""
        self.root = f"tocsin-check/{mark}/v1"
        self.id = f"judged-{mark}"
        self.group = f"group-{mark}"
        self.answers = False
        """Whether each statement is answered with a lease that names no incident, so that stops must come as stops."""
        self.serial = 0
        """Of the newest roster."""
        self.heard = Heard(self.root, self.keys.own.public, self._answer)
        self._ordered: set[str] = set()
        self._loop = asyncio.get_running_loop()
        self._link = Link(broker, f"judge-{mark}", receive=self.heard.take, largest=LARGEST, draw=lambda: 0.1)

    @contextlib.asynccontextmanager
    async def there(self, within: float) -> AsyncGenerator[None]:
        """Be connected. Raises TimeoutError, in a group, where the broker does not answer."""
        async with asyncio.TaskGroup() as tasks:
            for each in LISTENS:
                await self._link.subscribe(f"{self.root}/{each}", 1)
            run = tasks.create_task(self._link.run())
            try:
                async with asyncio.timeout(within):
                    await self._link.ready()
                yield
            finally:
                await self._forget()
                run.cancel()

    def now_ms(self) -> int:
        """The bot's clock, as leases and commands name it."""
        return CLOCK_MS + round(self._loop.time() * 1000)

    async def lease(
        self,
        state: State,
        *,
        ttl_ms: int = TTL_MS,
        stops: Iterable[str] = (),
        cleared: Iterable[str] = (),
        key: PrivateKey | None = None,
        kind: str = "lease",
        root: str = "",
        nonce: str = "",
    ) -> tuple[str, bytes]:
        """Answer a statement, rightly or wrongly. Returns the lease's number and the message."""
        lease = Lease(nonce or state.nonce, os.urandom(16).hex(), self.now_ms(), ttl_ms, tuple(stops), tuple(cleared))
        envelope = seal(key or self.bot, root or self.root, kind, lease.to_bytes())
        await self.say(f"lease/{self.id}", envelope)
        return lease.n, envelope

    async def stop(
        self, topic: str, *, names: str = "", key: PrivateKey | None = None, kind: str = "stop", root: str = "",
        incident: str = "", signed: Callable[[bytes], bytes] | None = None,
    ) -> tuple[str, bytes]:  # fmt: skip
        """Order a stop on a target's topic, rightly or wrongly. Returns the incident and the message."""
        target = {"id": f"id/{self.id}", "group": f"group/{self.group}"}.get(topic, topic)
        stop = Stop(incident or os.urandom(16).hex(), Target.parse(names or target), self.now_ms())
        envelope = seal(key or self.bot, root or self.root, kind, stop.to_bytes())
        self._ordered.add(f"stop/{target}")
        await self.say(f"stop/{target}", signed(envelope) if signed else envelope, retain=True)
        return stop.incident, envelope

    async def drill(self, topic: str, *, key: PrivateKey | None = None, names: str = "") -> str:
        """Go the way of a stop with nothing to be stopped, rightly or wrongly. Returns the drill's id."""
        target = {"id": f"id/{self.id}", "group": f"group/{self.group}"}.get(topic, topic)
        drill = Drill(os.urandom(16).hex(), Target.parse(names or target), self.now_ms())
        await self.say(f"stop/{target}", seal(key or self.bot, self.root, "drill", drill.to_bytes()))
        return drill.id

    async def forget_stops(self) -> None:
        """Take away what the broker keeps of the stops."""
        for topic in self._ordered:
            await self.say(topic, b"", retain=True)

    async def roster(self, serial: int, *keys: PrivateKey, key: PrivateKey | None = None) -> None:
        """Say whose stops count, rightly or wrongly."""
        self.serial = max(self.serial, serial) if key is None else self.serial
        roster = Roster(serial, tuple(str(each.public) for each in keys))
        await self.say(f"roster/{self.id}", seal(key or self.bot, self.root, "roster", roster.to_bytes()))

    async def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish anything, and wait until the broker has it."""
        try:
            await self._link.publish(f"{self.root}/{topic}", payload, qos=1, retain=retain)
        except WireError as error:
            raise Untried(f"the broker did not take what the judge sent: {error}") from error

    async def look_up(self, topic: str) -> None:
        """Have the broker send again what it keeps there."""
        await self._link.subscribe(f"{self.root}/{topic}", 1)

    def _answer(self, state: State) -> Awaitable[None] | None:
        if not self.answers or state.shown is Shown.LOST:
            return None
        lease = Lease(state.nonce, os.urandom(16).hex(), self.now_ms(), TTL_MS)
        envelope = seal(self.bot, self.root, "lease", lease.to_bytes())
        return self._link.publish(f"{self.root}/lease/{self.id}", envelope)

    async def _forget(self) -> None:
        """Nothing of a trial stays with the broker."""
        with contextlib.suppress(WireError, TimeoutError):
            async with asyncio.timeout(FORGET_WITHIN_S):
                with contextlib.suppress(WireError):  # its rules may not let us
                    await self.look_up("#")  # what is kept comes with the answer, or soon after it
                forgotten = set[str]()
                while left := {*self.heard.topics, *(f"{self.root}/{each}" for each in self._ordered)} - forgotten:
                    for topic in left:
                        await self._link.publish(topic, b"", qos=1, retain=True)
                    forgotten |= left
