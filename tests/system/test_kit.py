"""A component made with the kit, on a real broker: it works while it may, stops when told, and stays stopped.

The other side is a small bot of the tests' own, so that it can also say what the real one never would.
"""

import asyncio
import contextlib
import dataclasses
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from components.disk import Disk
from components.engine import Engine
from components.kit import Component, OnSilence
from demo.broker import ROOT, LocalBroker
from demo.process import Process
from demo.walker import walker
from tests.system.played_bot import BOT, NAME, PATIENCE, STOP_KEY, STRANGER, Bot, X, Y, running
from wire.chain import hand_over
from wire.clock import boot_clock
from wire.enrolment import DiskKind, Enrolment
from wire.envelope import PrivateKey, seal
from wire.errors import WireError
from wire.messages import Drill, HandOver, Lease, Open, Roster, Shown, Target
from wire.mqtt import Broker, Delivery, Link


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[LocalBroker]:
    async with LocalBroker(tmp_path / "broker", kind="mosquitto") as local:
        yield local


@pytest.fixture
def enrolment(broker: LocalBroker) -> Enrolment:
    stop_keys = (STOP_KEY.public,)
    return Enrolment(NAME, "walker", ("walkers",), broker.address, BOT.public, stop_keys, bytes(range(32)))


@pytest_asyncio.fixture
async def component(enrolment: Enrolment, tmp_path: Path) -> Engine:
    return Engine(walker, enrolment, tmp_path / "latch")


@pytest_asyncio.fixture
async def bot(enrolment: Enrolment) -> AsyncGenerator[Bot]:
    bot = Bot(enrolment)
    async with running(bot):
        async with asyncio.timeout(PATIENCE):
            await bot.link.ready()
        yield bot


async def test_it_is_born_and_held_until_it_gets_a_lease_and_held_again_when_no_more_come(
    bot: Bot, component: Engine
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


async def test_it_says_at_once_that_it_is_held_when_its_lease_has_run_out(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    component = Engine(Component(title="A quiet one", kind="test", version="1"), enrolment, tmp_path / "latch")
    component.latch.ttl_s = 3600  # so that it speaks at a connect and at a change, and not because it is time
    async with running(component):
        n = await bot.lease(await bot.hears(Shown.HELD), ttl_ms=1000)
        assert (await bot.hears()).shown is Shown.READY
        held = await bot.hears()
        assert (held.shown, held.re) == (Shown.HELD, n)


async def test_it_takes_no_step_while_it_is_held_or_stopped(bot: Bot, enrolment: Enrolment, tmp_path: Path) -> None:
    steps = 0

    counter = Component(title="A counter", kind="test", version="1")

    @counter.always
    async def step() -> None:
        nonlocal steps
        steps += 1
        await asyncio.sleep(0)

    async with running(Engine(counter, enrolment, tmp_path / "c")):
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
async def test_a_stop_stops_it_and_it_says_so(bot: Bot, component: Engine, target: str, key: PrivateKey) -> None:
    bot.answers = True
    async with running(component):
        await bot.hears(Shown.BUSY)
        await bot.stop(X, target, key=key)
        stopped = await bot.hears(Shown.STOPPED)
        assert [each.incident for each in stopped.incidents] == [X]
        async with asyncio.timeout(PATIENCE):
            await bot.confirms(X)


async def test_a_drill_goes_the_way_of_a_stop_and_stops_nothing(bot: Bot, component: Engine) -> None:
    bot.answers = True
    async with running(component):
        assert (await bot.hears(Shown.BUSY)).drill is None
        for drill, target, key in (
            ("aa", "all", STRANGER),
            ("bb", "id/another", BOT),
            ("dd", "all", STOP_KEY),
            ("cc", "group/walkers", BOT),
        ):
            await bot.says("stop/all", "drill", Drill(drill, Target.parse(target), 0).to_bytes(), key=key)
        while (state := await bot.hears()).drill is None:
            pass
        assert (state.drill, state.shown, state.incidents) == ("cc", Shown.BUSY, ())


async def test_where_silence_is_a_stop_a_lease_that_comes_later_does_not_undo_it(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    slept = [0.0]
    silent = Component(title="A test", kind="test", version="1", on_silence=OnSilence.LATCH)
    async with running(Engine(silent, enrolment, tmp_path / "latch", clock=lambda: boot_clock() + slept[0])):
        state = await bot.took(await bot.lease(await bot.hears(Shown.HELD), ttl_ms=4_000), Shown.READY)
        slept[0] = 5.0  # the machine slept, and the first that is heard is a lease for a question of before
        await bot.lease(state)
        latched = await bot.hears()
        assert latched.shown in (Shown.STOPPING, Shown.STOPPED)
        assert latched.incidents[0].incident.startswith("own-")


async def test_whenever_it_ends_the_broker_says_so_at_once(bot: Bot, component: Engine) -> None:
    async with running(component):
        state = await bot.hears(Shown.HELD)
    assert (await bot.hears(Shown.LOST)).session == state.session


async def packet(reader: asyncio.StreamReader) -> bytes:
    """One of MQTT, of up to 16,383 bytes."""
    head = await reader.readexactly(2)
    if head[1] < 128:
        return head + await reader.readexactly(head[1])
    more = await reader.readexactly(1)
    return head + more + await reader.readexactly(head[1] - 128 + 128 * more[0])


async def test_a_broker_that_never_confirms_the_birth_does_not_silence_it(enrolment: Enrolment, tmp_path: Path) -> None:
    said = asyncio.Queue[bytes]()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(bytes.fromhex("2003000000"))
        asked = await packet(reader)
        writer.write(bytes((0x90, 10)) + asked[3:5] + bytes(8))  # all of its seven topics
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                said.put_nowait(await packet(reader))
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    where = Broker("127.0.0.1", server.sockets[0].getsockname()[1])
    engine = Engine(walker, dataclasses.replace(enrolment, broker=where), tmp_path / "latch")
    async with server, running(engine), asyncio.timeout(PATIENCE):
        assert b"/birth/walker" in await said.get()
        assert b"/state/walker" in await said.get()


async def test_a_stop_that_was_lost_comes_with_the_next_lease(bot: Bot, component: Engine) -> None:
    bot.answers = True
    async with running(component):
        await bot.hears(Shown.BUSY)
        bot.opens(X)
        assert (await bot.hears(Shown.STOPPED)).incidents == (Open(X),)


async def test_a_stop_that_is_not_meant_for_it_or_not_signed_by_who_may_is_ignored(bot: Bot, component: Engine) -> None:
    async with running(component):
        held = await bot.hears(Shown.HELD)
        await bot.stop(X, "all", key=STRANGER)
        await bot.stop(X, "all", key=component.enrolment.key)
        await bot.stop(X, "all", names="id/another")
        await bot.link.publish(f"{NAME}/stop/all", b"no envelope", qos=1)
        n = await bot.lease(held)  # it comes after them
        assert (await bot.took(n, Shown.BUSY)).incidents == ()


async def test_a_lease_of_a_stranger_or_of_a_stop_key_permits_nothing(bot: Bot, component: Engine) -> None:
    async with running(component):
        state = await bot.hears(Shown.HELD)
        lease = Lease(state.nonce, "ff", 0, 10_000)
        for key in (STRANGER, STOP_KEY):
            await bot.link.publish(f"{NAME}/lease/walker", seal(key, NAME, "lease", lease.to_bytes()))
        n = await bot.lease(state, ttl_ms=1500)
        assert (await bot.hears(Shown.BUSY)).re == n
        await bot.hears(Shown.HELD)  # and not for the ten seconds of the others


async def test_a_retained_stop_that_is_taken_away_resets_nothing(bot: Bot, component: Engine) -> None:
    async with running(component):
        await bot.hears(Shown.HELD)
        await bot.stop(X, "all")
        stopped = await bot.hears(Shown.STOPPED)
        await bot.link.publish(f"{NAME}/stop/all", b"", qos=1, retain=True)
        n = await bot.lease(stopped)
        await bot.stop(Y, "all")  # so that it speaks at once
        state = await bot.took(n)
        assert (state.shown, [each.incident for each in state.incidents]) == (Shown.STOPPED, [X, Y])


async def test_a_retained_stop_stops_what_comes_later(bot: Bot, component: Engine) -> None:
    await bot.stop(X, "group/walkers")
    async with running(component):
        await bot.hears(Shown.STOPPED)


async def test_a_reset_lets_it_work_in_a_new_session(bot: Bot, component: Engine, tmp_path: Path) -> None:
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
    async with running(Engine(walker, enrolment, tmp_path / "latch")):
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
    bot: Bot, component: Engine, broker: LocalBroker
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


async def test_it_says_who_it_is_before_anything_else_at_each_connect_and_in_each_session(
    bot: Bot, component: Engine, broker: LocalBroker
) -> None:
    async with running(component):
        await bot.hears(Shown.HELD)
        assert bot.order[:2] == ["birth", "state"]
        await bot.stop(X, "all")
        stopped = await bot.hears(Shown.STOPPED)
        del bot.order[:]
        await bot.lease(stopped, cleared=[X])
        busy = await bot.hears(Shown.BUSY, Shown.HELD)
        assert [each for each in bot.order if each in ("birth", "state")][:2] == ["birth", "state"]
        first, second = await bot.births.get(), await bot.births.get()
        assert (first.session, second.session) == (stopped.session, busy.session)
        await broker.kill()
        del bot.order[:]
        await broker.start()
        async with asyncio.timeout(PATIENCE):
            assert (await bot.births.get()).session == busy.session
        assert bot.order[0] == "birth"


async def test_a_lost_latch_file_keeps_it_stopped_where_it_was_enrolled_so(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    kept = dataclasses.replace(enrolment, disk=DiskKind.KEPT)
    async with running(Engine(walker, kept, tmp_path / "latch")):
        (own,) = (await bot.hears(Shown.STOPPED)).incidents
        assert own.incident.startswith("own-")
    async with running(Engine(walker, kept, tmp_path / "latch")):
        assert (await bot.hears(Shown.STOPPED)).incidents == (own,)


async def test_on_a_new_disk_a_latch_file_is_made_once(bot: Bot, enrolment: Enrolment, tmp_path: Path) -> None:
    kept = dataclasses.replace(enrolment, disk=DiskKind.KEPT)
    async with running(Engine(walker, kept, tmp_path / "latch", make_latch=True)):
        assert (await bot.hears(Shown.HELD)).incidents == ()
    with pytest.raises(WireError, match="is there already, and may hold a stop"):
        Engine(walker, kept, tmp_path / "latch", make_latch=True)
    async with running(Engine(walker, kept, tmp_path / "latch")):
        assert (await bot.hears(Shown.HELD)).incidents == ()


async def test_silence_is_a_stop_where_it_was_made_so(bot: Bot, enrolment: Enrolment, tmp_path: Path) -> None:
    nervous = Component(title="A nervous one", kind="test", version="1", on_silence=OnSilence.LATCH)
    async with running(Engine(nervous, enrolment, tmp_path / "latch")):
        n = await bot.lease(await bot.hears(Shown.HELD), ttl_ms=1000)
        await bot.took(n, Shown.READY)
        (own,) = (await bot.hears(Shown.STOPPED)).incidents
        assert own.incident.startswith("own-")
        assert (await bot.births.get()).on_silence is OnSilence.LATCH


async def test_it_takes_a_new_key_of_the_bot_from_both_keys_and_forgets_the_old_one(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    new = PrivateKey(b"n" * 32)
    async with running(Engine(walker, enrolment, tmp_path / "latch")):
        first = await bot.hears(Shown.HELD)
        payload = HandOver(BOT.public, new.public).to_bytes()
        await bot.says("key/walker", "key", payload)  # signed by one of them only
        await bot.link.publish(f"{NAME}/key/walker", hand_over(STRANGER, new, NAME), qos=1)
        n = await bot.lease(first)
        assert (await bot.took(n, Shown.BUSY)).key == BOT.public.id
        await bot.link.publish(f"{NAME}/key/walker", hand_over(BOT, new, NAME), qos=1)
        while (state := await bot.hears()).key != new.public.id:
            pass
        await bot.lease(state)  # of the old key
        after = await bot.hears()
        assert after.re == n
        await bot.took(await bot.lease(after, key=new))
        await bot.stop(X, "all")  # of the old key
        await bot.stop(Y, "all", key=new)
        assert [each.incident for each in (await bot.hears(Shown.STOPPED)).incidents] == [Y]
    async with running(Engine(walker, enrolment, tmp_path / "latch")):
        assert (await bot.hears(Shown.STOPPED)).key == new.public.id


async def test_a_roster_says_whose_stops_count_and_no_older_one_takes_that_back(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    newer = PrivateKey(b"r" * 32)
    async with running(Engine(walker, enrolment, tmp_path / "latch")):
        await bot.hears(Shown.HELD)
        await bot.says("roster/walker", "roster", Roster(2, (str(newer.public),)).to_bytes())
        while (await bot.hears()).roster != 2:
            pass
        await bot.says("roster/walker", "roster", Roster(1, (str(STOP_KEY.public),)).to_bytes())
        await bot.says("roster/walker", "roster", Roster(3, (str(STOP_KEY.public),)).to_bytes(), key=STRANGER)
        await bot.stop("3" * 32, "all", key=STOP_KEY)
        await bot.stop("4" * 32, "id/walker", key=newer)
        assert [each.incident for each in (await bot.hears(Shown.STOPPED)).incidents] == ["4" * 32]
    async with running(Engine(walker, enrolment, tmp_path / "latch")):
        assert (await bot.hears(Shown.STOPPED)).roster == 2
        await bot.stop(X, "all", key=STOP_KEY)
        await bot.stop(Y, "all", key=newer)
        while len((state := await bot.hears(Shown.STOPPED)).incidents) < 2:
            pass
        assert [each.incident for each in state.incidents] == ["4" * 32, Y]


async def test_what_its_disk_does_not_take_does_not_count_except_a_stop(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    component = Engine(walker, enrolment, tmp_path / "latch")
    (tmp_path / "latch.new").mkdir()  # nothing can be written there
    async with running(component):
        await bot.hears(Shown.HELD)
        await bot.says("roster/walker", "roster", Roster(2, ()).to_bytes())
        await bot.link.publish(f"{NAME}/key/walker", hand_over(BOT, STRANGER, NAME), qos=1)
        await bot.stop(X, "all")
        stopped = await bot.hears(Shown.STOPPED)
        assert (stopped.roster, stopped.key) == (0, BOT.public.id)
        n = await bot.lease(stopped, cleared=[X])
        await bot.stop(Y, "all")  # so that it speaks at once
        refused = await bot.took(n)
        assert [each.incident for each in refused.incidents] == [X, Y]
        (tmp_path / "latch.new").rmdir()
        await bot.lease(refused, cleared=[X])
        while len((reset := await bot.hears(Shown.STOPPED)).incidents) > 1:
            pass
        assert reset.session != refused.session
    kept = Disk(tmp_path / "latch").read()
    assert kept is not None
    assert [each.incident for each in kept.open] == [Y]


DEEP = b"[" * 10_000
RUBBISH = (b"", b"\xff\xfe\x00", b"NaN", b'{"n":NaN}', DEEP, b'{"a":' * 10_000, b"null", b"{}", bytes(5_000_000))
TOPICS = (
    "stop/all",
    "stop/id/walker",
    "stop/group/walkers",
    "lease/walker",
    "key/walker",
    "roster/walker",
    "cmd/walker",
)


async def test_rubbish_on_any_topic_changes_nothing(bot: Bot, component: Engine) -> None:
    async with running(component):
        held = await bot.hears(Shown.HELD)
        stranger = Link(component.enrolment.broker, "stranger", receive=lambda _: None, largest=8_000_000)
        shouting = asyncio.create_task(stranger.run())
        async with asyncio.timeout(PATIENCE):
            await stranger.ready()
            for topic in TOPICS:
                for rubbish in RUBBISH:
                    await stranger.publish(f"{NAME}/{topic}", rubbish, qos=1)
        shouting.cancel()
        await asyncio.wait([shouting])
        n = await bot.lease(held)
        state = await bot.took(n, Shown.BUSY)
        assert (state.session, state.incidents, state.roster) == (held.session, (), 0)
        assert state.key == BOT.public.id


async def test_rubbish_that_the_bot_itself_has_signed_changes_nothing(bot: Bot, component: Engine) -> None:
    async with running(component):
        held = await bot.hears(Shown.HELD)
        for topic in TOPICS:
            for rubbish in RUBBISH:
                await bot.says(topic, topic.partition("/")[0], rubbish[: 40 * 1024])
        deep = b'{"id":"ab","command":"where","args":' + b'{"a":' * 500 + b"1" + b"}" * 500
        targets = (
            b',"targets":[{"id":"walker","session":"%s"}],"reply_to":"tester","expires":1}' % held.session.encode()
        )
        await bot.says("cmd/walker", "cmd", deep + targets)
        n = await bot.lease(held)
        assert (await bot.took(n, Shown.BUSY)).session == held.session


async def test_what_was_recorded_permits_and_stops_nothing_when_it_comes_again(bot: Bot, component: Engine) -> None:
    async with running(component):
        held = await bot.hears(Shown.HELD)
        lease = seal(BOT, NAME, "lease", Lease(held.nonce, "ab", 0, 10_000).to_bytes())
        await bot.stop(X, "all")
        await bot.link.publish(f"{NAME}/stop/all", b"", qos=1, retain=True)
        stopped = await bot.hears(Shown.STOPPED)
        await bot.lease(stopped, cleared=[X], ttl_ms=300)
        again = await bot.hears(Shown.HELD)  # the lease of the reset has run out
        await bot.stop(X, "all")
        await bot.link.publish(f"{NAME}/lease/walker", lease, qos=1)
        n = await bot.lease(again)
        busy = await bot.hears(Shown.BUSY)
        assert (busy.re, busy.incidents) == (n, ())


async def test_a_component_whose_birth_nobody_would_read_does_not_start(enrolment: Enrolment, tmp_path: Path) -> None:
    with pytest.raises(WireError, match="title"):
        Engine(Component(title="x" * 2000, kind="test", version="1"), enrolment, tmp_path / "latch")


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
