"""A small bot that tests of components play: it can also say what the real one never would.

It answers or keeps silent, as a test says, and keeps what the component said until somebody asks for it.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping
from typing import Any

import orjson

from components.engine import Engine
from wire.birth import Birth
from wire.enrolment import Enrolment
from wire.envelope import PrivateKey, seal, unseal
from wire.issuer import Incident, Issuer
from wire.messages import Lease, Shown, State, Stop, Target
from wire.mqtt import Delivery, Link
from wire.work import Alert, Called, Command, Job, JobState, Reply

PATIENCE = 10.0
NAME = "tocsin/test"
BOT, STOP_KEY, STRANGER = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))
X, Y = "1" * 32, "2" * 32
NOW_MS = 1_000_000
"""The bot's clock, which stands still: the component adds what has gone by."""


class Bot:
    """Answers or keeps silent, as a test says, and knows what the component said."""

    def __init__(self, enrolment: Enrolment) -> None:
        self.enrolment = enrolment
        self.key = BOT
        self.answers = False
        self.session = ""
        self.births: asyncio.Queue[Birth] = asyncio.Queue()
        self.replies: asyncio.Queue[Reply] = asyncio.Queue()
        self.jobs: asyncio.Queue[tuple[Job, bool]] = asyncio.Queue()
        """Each with whether the broker keeps it."""
        self.pictures: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        """Each with the digest that its topic names."""
        self.alerts: asyncio.Queue[Alert | None] = asyncio.Queue()
        """None where one that was active is over."""
        self.values: asyncio.Queue[float] = asyncio.Queue()
        self.order: list[str] = []
        """The kinds of all messages, as they came."""
        self._states: asyncio.Queue[State] = asyncio.Queue()
        self._issuer = Issuer({enrolment.id: frozenset()}, (), (), random=os.urandom)
        self.link = Link(enrolment.broker, "test-bot", receive=self._receive, draw=lambda: 0.1)

    async def run(self) -> None:
        """Be there until cancelled."""
        own = self.enrolment.id
        await self.link.subscribe(f"{NAME}/picture/{own}/+", 1)  # before the jobs: what is kept comes in this order
        for topic in (f"birth/{own}", f"state/{own}", f"job/{own}/+", f"alert/{own}", f"alert-active/{own}/+"):
            await self.link.subscribe(f"{NAME}/{topic}", 1)
        for topic in ("reply/tester", f"tele/{own}/+"):
            await self.link.subscribe(f"{NAME}/{topic}", 1)
        await self.link.run()

    async def hears(self, *shown: Shown) -> State:
        """The next statement, of this kind where one is asked for. What came before it is over."""
        async with asyncio.timeout(PATIENCE):
            while True:
                state = await self._states.get()
                if not shown or state.shown in shown:
                    return state

    async def lease(
        self,
        state: State,
        *,
        ttl_ms: int = 10_000,
        stops: Iterable[str] = (),
        cleared: Iterable[str] = (),
        key: PrivateKey | None = None,
    ) -> str:
        """Answer a statement with these words, whatever is open. Returns its number."""
        lease = Lease(state.nonce, os.urandom(16).hex(), NOW_MS, ttl_ms, tuple(stops), tuple(cleared))
        await self.says(f"lease/{state.id}", "lease", lease.to_bytes(), key=key)
        return lease.n

    async def took(self, n: str, *shown: Shown) -> State:
        """The next statement of such a kind that names this lease as the last one."""
        while (state := await self.hears(*shown)).re != n:
            pass
        return state

    async def stop(self, incident: str, target: str, *, key: PrivateKey = BOT, names: str | None = None) -> None:
        """Publish a stop on a target's topic; it may name another target inside."""
        stop = Stop(incident, Target.parse(names or target), 0)
        envelope = seal(key, NAME, "stop", stop.to_bytes())
        await self.link.publish(f"{NAME}/stop/{target}", envelope, qos=1, retain=True)

    async def says(self, topic: str, kind: str, payload: bytes, *, key: PrivateKey | None = None) -> None:
        """Publish something signed by the bot, or by somebody else."""
        await self.link.publish(f"{NAME}/{topic}", seal(key or self.key, NAME, kind, payload), qos=1)

    async def orders(
        self,
        command: str,
        args: Mapping[str, Any] | None = None,
        *,
        session: str | None = None,
        id: str | None = None,  # noqa: A002 - as the contract calls it
        expires_ms: int = NOW_MS + 60_000,
        key: PrivateKey | None = None,
    ) -> str:
        """Give a command. Returns its id."""
        called = Called(self.enrolment.id, session or self.session)
        order = Command(
            id or os.urandom(16).hex(), command, args or {}, (called,), "tester", expires_ms, "alice, as a test"
        )
        await self.says(f"cmd/{self.enrolment.id}", "cmd", order.to_bytes(), key=key)
        return order.id

    async def reply(self) -> Reply:
        """The next reply."""
        async with asyncio.timeout(PATIENCE):
            return await self.replies.get()

    async def asks(self, command: str, args: Mapping[str, Any] | None = None) -> Reply:
        """Give a command, and hear what it says to it."""
        order = await self.orders(command, args)
        while (reply := await self.reply()).id != order:
            pass
        return reply

    async def job(self, id: str, *states: JobState) -> Job:  # noqa: A002 - as the contract calls it
        """The next word of this job, in one of these states where they are asked for."""
        async with asyncio.timeout(PATIENCE):
            while True:
                job, _ = await self.jobs.get()
                if job.job == id and (not states or job.state in states):
                    return job

    async def lost(self) -> None:
        """The connection is over. What was heard on it is forgotten."""
        async with asyncio.timeout(PATIENCE):
            while self.link.connected:  # noqa: ASYNC110 - a link tells nobody of its end
                await asyncio.sleep(0)
        self.order.clear()
        for heard in (self.jobs, self._states):
            while not heard.empty():
                heard.get_nowait()

    async def alert(self) -> Alert | None:
        """The next alert, or the end of an active one."""
        async with asyncio.timeout(PATIENCE):
            return await self.alerts.get()

    async def lets(self) -> State:
        """Answer from now on, and hear that the component may work."""
        self.answers = True
        return await self.hears(Shown.READY, Shown.BUSY)

    def opens(self, incident: str) -> None:
        """From now on its own answers name this incident."""
        self._issuer.open(Incident(incident, Target()))

    async def confirms(self, incident: str) -> None:
        """Waits until the bot's half of the protocol believes that it has stopped."""
        while not self._issuer.confirmed(incident, asyncio.get_running_loop().time()):
            await self.hears()

    def _receive(self, delivery: Delivery) -> Awaitable[None] | None:
        kind = delivery.topic.removeprefix(f"{NAME}/").partition("/")[0]
        self.order.append(kind)
        if kind.startswith("alert"):
            self.alerts.put_nowait(Alert.parse(delivery.payload) if delivery.payload else None)
            return None
        if kind == "picture":
            self.pictures.put_nowait((delivery.topic.rpartition("/")[2], delivery.payload))
            return None
        if kind == "tele":
            self.values.put_nowait(orjson.loads(delivery.payload)["value"])
            return None
        payload = unseal(delivery.payload, NAME, kind, self.enrolment.key.public)
        match kind:
            case "birth":
                self.births.put_nowait(Birth.parse(payload))
            case "reply":
                self.replies.put_nowait(Reply.parse(payload))
            case "job":
                self.jobs.put_nowait((Job.parse(payload), delivery.retain))
            case _:
                return self._heard(State.parse(payload))
        return None

    def _heard(self, state: State) -> Awaitable[None] | None:
        now = asyncio.get_running_loop().time()
        self._issuer.hear(state, lambda _: None)
        self.session = state.session
        self._states.put_nowait(state)
        if not self.answers or state.shown is Shown.LOST:
            return None
        lease = self._issuer.lease(state, now, NOW_MS)
        return self.link.publish(f"{NAME}/lease/{state.id}", seal(self.key, NAME, "lease", lease.to_bytes()))


@contextlib.asynccontextmanager
async def running(*these: Bot | Engine) -> AsyncGenerator[None]:
    """They run until the block ends."""
    async with asyncio.TaskGroup() as tasks:
        runs = [tasks.create_task(each.run()) for each in these]
        try:
            yield
        finally:
            for each in runs:
                each.cancel()
