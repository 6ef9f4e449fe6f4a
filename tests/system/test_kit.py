"""A component made with the kit, on a real broker: it works while it may, stops when told, and stays stopped.

The other side is a small bot of the test's own, so that it can also say what the real one never would.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Iterable
from pathlib import Path

import pytest
import pytest_asyncio

from components.disk import Disk
from components.kit import Component
from demo.broker import ROOT, LocalBroker
from demo.process import Process
from demo.walker import walker
from wire.enrolment import Enrolment
from wire.envelope import PrivateKey, seal, unseal
from wire.issuer import Incident, Issuer
from wire.messages import Birth, Lease, Open, Shown, State, Stop, Target
from wire.mqtt import Broker, Delivery, Link

PATIENCE = 10.0
NAME = "tocsin/test"
BOT, STOP_KEY, STRANGER = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))
X, Y = "1" * 32, "2" * 32


class Bot:
    """Answers or keeps silent, as a test says, and knows what the component said."""

    def __init__(self, enrolment: Enrolment) -> None:
        self.enrolment = enrolment
        self.answers = False
        self.births: asyncio.Queue[Birth] = asyncio.Queue()
        self._states: asyncio.Queue[State] = asyncio.Queue()
        self._issuer = Issuer({enrolment.id: frozenset()}, (), (), random=os.urandom)
        self.link = Link(enrolment.broker, "test-bot", receive=self._receive, draw=lambda: 0.1)

    async def run(self) -> None:
        """Be there until cancelled."""
        for kind in ("birth", "state"):
            await self.link.subscribe(f"{NAME}/{kind}/{self.enrolment.id}", 1)
        await self.link.run()

    async def hears(self, *shown: Shown) -> State:
        """The next statement, of this kind where one is asked for. What came before it is over."""
        async with asyncio.timeout(PATIENCE):
            while True:
                state = await self._states.get()
                if not shown or state.shown in shown:
                    return state

    async def lease(
        self, state: State, *, ttl_ms: int = 10_000, stops: Iterable[str] = (), cleared: Iterable[str] = ()
    ) -> str:
        """Answer a statement with these words, whatever is open. Returns its number."""
        lease = Lease(state.nonce, os.urandom(16).hex(), 0, ttl_ms, tuple(stops), tuple(cleared))
        await self.link.publish(f"{NAME}/lease/{state.id}", seal(BOT, NAME, "lease", lease.to_bytes()))
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

    def opens(self, incident: str) -> None:
        """From now on its own answers name this incident."""
        self._issuer.open(Incident(incident, Target()))

    async def confirms(self, incident: str) -> None:
        """Waits until the bot's half of the protocol believes that it has stopped."""
        while not self._issuer.confirmed(incident, asyncio.get_running_loop().time()):
            await self.hears()

    def _receive(self, delivery: Delivery) -> Awaitable[None] | None:
        if "/birth/" in delivery.topic:
            self.births.put_nowait(Birth.parse(delivery.payload))
            return None
        state = State.parse(unseal(delivery.payload, NAME, "state", self.enrolment.key.public))
        self._issuer.hear(state, lambda _: None)
        self._states.put_nowait(state)
        if not self.answers:
            return None
        lease = self._issuer.lease(state, asyncio.get_running_loop().time(), 0)
        envelope = seal(BOT, NAME, "lease", lease.to_bytes())
        return self.link.publish(f"{NAME}/lease/{state.id}", envelope)


@contextlib.asynccontextmanager
async def running(*these: Bot | Component) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as tasks:
        runs = [tasks.create_task(each.run()) for each in these]
        try:
            yield
        finally:
            for each in runs:
                each.cancel()


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[LocalBroker]:
    async with LocalBroker(tmp_path / "broker", kind="mosquitto") as local:
        yield local


@pytest.fixture
def enrolment(broker: LocalBroker) -> Enrolment:
    stop_keys = (STOP_KEY.public,)
    return Enrolment(NAME, "walker", ("walkers",), broker.address, BOT.public, stop_keys, bytes(range(32)))


@pytest.fixture
def component(enrolment: Enrolment, tmp_path: Path) -> Component:
    return walker(enrolment, tmp_path / "latch")


@pytest_asyncio.fixture
async def bot(enrolment: Enrolment) -> AsyncGenerator[Bot]:
    bot = Bot(enrolment)
    async with running(bot):
        async with asyncio.timeout(PATIENCE):
            await bot.link.ready()
        yield bot


async def test_it_is_born_and_held_until_it_gets_a_lease_and_held_again_when_no_more_come(
    bot: Bot, component: Component
) -> None:
    component.latch.ttl_s = 3600  # so that it speaks at a connect and at a change, and not because it is time
    async with running(component):
        first = await bot.hears()
        assert (first.shown, first.re, first.incidents, first.groups) == (Shown.HELD, None, (), ("walkers",))
        birth = await bot.births.get()
        assert (birth.id, birth.session, birth.groups) == ("walker", first.session, ("walkers",))
        n = await bot.lease(first, ttl_ms=1500)
        busy = await bot.hears(Shown.BUSY)
        assert (busy.re, busy.session) == (n, first.session)
        assert (await bot.hears(Shown.HELD)).re == n


async def test_it_takes_no_step_while_it_is_held_or_stopped(bot: Bot, enrolment: Enrolment, tmp_path: Path) -> None:
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1
        await asyncio.sleep(0)

    component = Component(enrolment, title="A counter", kind="test", version="1", step=step, latch_file=tmp_path / "c")
    async with running(component):
        held = await bot.hears(Shown.HELD)
        assert steps == 0
        await bot.lease(held, ttl_ms=1500)
        await bot.hears(Shown.BUSY)
        held = await bot.hears(Shown.HELD)
        taken = steps
        assert taken > 0
        await bot.stop(X, "all")
        stopped = await bot.hears(Shown.STOPPED)
        n = await bot.lease(stopped)
        await bot.stop(Y, "all")  # so that it speaks at once
        await bot.took(n)
        assert steps == taken


@pytest.mark.parametrize(
    ("target", "key"), [("all", BOT), ("group/walkers", BOT), ("id/walker", STOP_KEY)], ids=["all", "group", "id"]
)
async def test_a_stop_stops_it_and_it_says_so(bot: Bot, component: Component, target: str, key: PrivateKey) -> None:
    bot.answers = True
    async with running(component):
        await bot.hears(Shown.BUSY)
        await bot.stop(X, target, key=key)
        stopped = await bot.hears(Shown.STOPPED)
        assert [each.incident for each in stopped.incidents] == [X]
        async with asyncio.timeout(PATIENCE):
            await bot.confirms(X)


async def test_a_stop_that_was_lost_comes_with_the_next_lease(bot: Bot, component: Component) -> None:
    bot.answers = True
    async with running(component):
        await bot.hears(Shown.BUSY)
        bot.opens(X)
        assert (await bot.hears(Shown.STOPPED)).incidents == (Open(X),)


async def test_a_stop_that_is_not_meant_for_it_or_not_signed_by_who_may_is_ignored(
    bot: Bot, component: Component
) -> None:
    async with running(component):
        held = await bot.hears(Shown.HELD)
        await bot.stop(X, "all", key=STRANGER)
        await bot.stop(X, "all", key=component.enrolment.key)
        await bot.stop(X, "all", names="id/another")
        await bot.link.publish(f"{NAME}/stop/all", b"no envelope", qos=1)
        n = await bot.lease(held)  # it comes after them
        assert (await bot.took(n, Shown.BUSY)).incidents == ()


async def test_a_lease_of_a_stranger_or_of_a_stop_key_permits_nothing(bot: Bot, component: Component) -> None:
    async with running(component):
        state = await bot.hears(Shown.HELD)
        lease = Lease(state.nonce, "ff", 0, 10_000)
        for key in (STRANGER, STOP_KEY):
            await bot.link.publish(f"{NAME}/lease/walker", seal(key, NAME, "lease", lease.to_bytes()))
        n = await bot.lease(state, ttl_ms=1500)
        assert (await bot.hears(Shown.BUSY)).re == n
        await bot.hears(Shown.HELD)  # and not for the ten seconds of the others


async def test_a_retained_stop_that_is_taken_away_resets_nothing(bot: Bot, component: Component) -> None:
    async with running(component):
        await bot.hears(Shown.HELD)
        await bot.stop(X, "all")
        stopped = await bot.hears(Shown.STOPPED)
        await bot.link.publish(f"{NAME}/stop/all", b"", qos=1, retain=True)
        n = await bot.lease(stopped)
        await bot.stop(Y, "all")  # so that it speaks at once
        state = await bot.took(n)
        assert (state.shown, [each.incident for each in state.incidents]) == (Shown.STOPPED, [X, Y])


async def test_a_retained_stop_stops_what_comes_later(bot: Bot, component: Component) -> None:
    await bot.stop(X, "group/walkers")
    async with running(component):
        await bot.hears(Shown.STOPPED)


async def test_a_reset_lets_it_work_in_a_new_session(bot: Bot, component: Component, tmp_path: Path) -> None:
    async with running(component):
        await bot.hears(Shown.HELD)
        await bot.stop(X, "all")
        await bot.stop(Y, "id/walker")
        while len((stopped := await bot.hears(Shown.STOPPED)).incidents) < 2:
            pass
        await bot.lease(stopped, stops=[Y], cleared=[X])
        while len((remaining := await bot.hears(Shown.STOPPED)).incidents) > 1:
            pass
        assert [each.incident for each in remaining.incidents] == [Y]
        await bot.lease(remaining, cleared=[Y])
        busy = await bot.hears(Shown.BUSY)
        assert busy.session not in (stopped.session, remaining.session)
        assert (busy.re, busy.incidents) == (None, ())
        kept = Disk(tmp_path / "latch").read()
        assert kept is not None
        assert (kept.open, kept.reset) == ((), (X, Y))


async def test_a_damaged_latch_file_keeps_it_stopped(bot: Bot, enrolment: Enrolment, tmp_path: Path) -> None:
    (tmp_path / "latch").write_bytes(b'{"open":[')
    async with running(walker(enrolment, tmp_path / "latch")):
        (own,) = (await bot.hears(Shown.STOPPED)).incidents
        assert own.incident.startswith("own-")


async def test_a_killed_component_is_lost_and_comes_back_stopped(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    enrolment.save(tmp_path / "enrolment.json")
    command = [sys.executable, "-m", "demo.walker", tmp_path / "enrolment.json", "--latch", tmp_path / "latch"]
    process = Process(command, tmp_path / "walker.log", env=os.environ | {"PYTHONPATH": str(ROOT)}, name="walker")
    async with process:
        await bot.lease(await bot.hears(Shown.HELD))
        await bot.hears(Shown.BUSY)
        await bot.stop(X, "all")
        stopped = await bot.hears(Shown.STOPPED)
        await bot.link.publish(f"{NAME}/stop/all", b"", qos=1, retain=True)  # its own disk must do
        await process.kill()
        assert (await bot.hears(Shown.LOST)).session == stopped.session
        await process.start()
        again = await bot.hears(Shown.STOPPED)
        assert (again.incidents, again.re) == (stopped.incidents, None)
        assert again.session != stopped.session
        n = await bot.lease(again)
        await bot.stop(Y, "all")  # so that it speaks at once
        assert (await bot.took(n)).shown is Shown.STOPPED


async def test_it_goes_on_when_the_broker_was_killed_and_comes_back(
    bot: Bot, component: Component, broker: LocalBroker
) -> None:
    bot.answers = True
    async with running(component):
        before = await bot.hears(Shown.BUSY)
        await bot.births.get()
        await broker.kill()
        await broker.start()
        async with asyncio.timeout(PATIENCE):
            await bot.births.get()
            await bot.link.ready()
        while (after := await bot.hears(Shown.BUSY)).nonce == before.nonce:
            pass
        assert after.session == before.session
        await bot.stop(X, "all")
        await bot.hears(Shown.STOPPED)


async def test_what_cannot_keep_a_stop_does_not_start(enrolment: Enrolment, tmp_path: Path) -> None:
    enrolment.save(tmp_path / "component.json")
    nowhere = tmp_path / "missing" / "latch.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "demo.walker", tmp_path / "component.json", "--latch", nowhere,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    assert process.returncode == 1
    assert "cannot be written, and what cannot keep a stop must not work" in said.decode()
    assert "Traceback" not in said.decode()


async def test_a_message_on_a_topic_that_is_not_text_is_dropped_and_does_not_come_again() -> None:
    acknowledged, taken = asyncio.Event(), asyncio.Queue[Delivery]()

    async def strange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(bytes.fromhex("2003000000"))  # MQTT 5, accepted
        writer.write(bytes.fromhex("32080002c328000100") + b"x")  # QoS 1, number 1, on a topic that is not UTF-8
        writer.write(bytes.fromhex("3005000174") + bytes(1) + b"y")  # QoS 0, on "t"
        answer = b""
        while not answer.startswith(b"\x40"):
            answer = await reader.read(1024)
        acknowledged.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(strange, "127.0.0.1", 0)
    link = Link(Broker("127.0.0.1", server.sockets[0].getsockname()[1]), "reader", receive=taken.put_nowait)
    async with server, asyncio.timeout(PATIENCE):
        running_link = asyncio.create_task(link.run())
        assert (await taken.get()).payload == b"y"
        await acknowledged.wait()
        assert (link.counts.unreadable, link.counts.reconnects) == (1, 0)
        running_link.cancel()
        await asyncio.wait([running_link])
