"""A stop by a stop key on a real broker: sent until everybody has answered, and believed only where it was proven."""

import asyncio
import dataclasses
import logging
import os
import signal
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.stop.bykey import Reached, Sight
from demo.broker import LocalBroker
from tests.faults.proxy import Proxy
from tests.system.fleet import PATIENCE, SEED, Fleet, Walker
from wire.envelope import PrivateKey, seal, unseal
from wire.messages import ROOT, Shown, Stop, Target
from wire.mqtt import Link


@pytest_asyncio.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with LocalBroker(tmp_path / "broker") as broker:
        yield Fleet(broker, tmp_path)


@pytest.fixture
def trouble() -> Generator[asyncio.Event]:
    """Set when the link of a stop says why there is no connection."""
    told = asyncio.Event()

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("stop-alice-"):
                told.set()

    handler = Listening(logging.WARNING)
    logging.getLogger("wire.mqtt").addHandler(handler)
    yield told
    logging.getLogger("wire.mqtt").removeHandler(handler)


async def test_all_listed_components_stop_and_say_so(fleet: Fleet) -> None:
    walkers = [Walker(fleet.enrolled(name)) for name in ("one", "two", "three")]
    async with fleet.online(*walkers), fleet.stopping() as watched:
        await watched.until(lambda: watched.stop.confirmed)
        stop = watched.stop
        assert [each.component for each in stop.sights] == ["one", "three", "two"]
        assert all(each.stopped and each.verified for each in stop.sights)
        assert all(each.stopped_after_s is not None for each in stop.sights)
        assert (stop.reached, stop.missing, stop.trouble) == (Reached.BROKER, (), "")
        assert {each.incident for walker in walkers for each in walker.latch.open} == {stop.incident}


async def test_the_stop_is_signed_and_says_neither_who_nor_why(fleet: Fleet) -> None:
    walker = Walker(fleet.enrolled("one", "sims"))
    async with fleet.online(walker), fleet.stopping("group/sims") as watched:
        await watched.until(lambda: watched.stop.confirmed)
    ((opened,),) = [walker.latch.open]
    assert opened.stop is not None
    assert Stop.parse(unseal(opened.stop, ROOT, "stop", fleet.key.key.public)).target == Target(group="sims")
    assert b"alice" not in opened.stop


@pytest.mark.parametrize("target", ["group/sims", "id/one"])
async def test_only_who_is_meant_is_waited_for(fleet: Fleet, target: str) -> None:
    one, other = Walker(fleet.enrolled("one", "sims")), Walker(fleet.enrolled("other", "rigs"))
    async with fleet.online(one, other), fleet.stopping(target) as watched:
        await watched.until(lambda: watched.stop.confirmed)
        assert [each.component for each in watched.stop.sights] == ["one"]
    assert other.latch.open == ()


async def test_who_is_on_its_way_down_has_not_stopped(fleet: Fleet) -> None:
    walker = Walker(fleet.enrolled("one"))
    walker.goes_down = False
    async with fleet.online(walker), fleet.stopping() as watched:
        await watched.until(lambda: any(each.latched for each in watched.stop.sights))
        assert not watched.stop.confirmed
        assert watched.stop.missing == ("one",)
        walker.latch.down = True
        await walker.say()
        await watched.until(lambda: watched.stop.confirmed)


async def test_who_stands_still_for_another_stop_has_not_stopped_for_this_one(fleet: Fleet) -> None:
    walker = Walker(fleet.enrolled("one"), deaf=True)
    walker.latch.stop(Stop("f" * 32, Target(), 0), b"another")
    walker.latch.down = True
    async with fleet.online(walker), fleet.stopping() as watched:
        await watched.until(lambda: watched.stop.reached is Reached.BROKER)  # so it listens, too
        await walker.say()
        await watched.until(lambda: watched.sight("one") == Sight("one", verified=True, shown=Shown.STOPPED))
        assert not watched.stop.confirmed


async def test_the_broker_keeps_it_for_who_comes_when_nobody_sends_it_any_more(fleet: Fleet) -> None:
    async with fleet.stopping() as watched:
        await watched.until(lambda: watched.stop.reached is Reached.BROKER)
    late = Walker(fleet.enrolled("late"))
    async with fleet.online(late), asyncio.timeout(PATIENCE):
        await late.stops.get()
    assert [each.incident for each in late.latch.open] == [watched.stop.incident]


async def test_who_is_away_is_waited_for_and_stops_when_it_comes(fleet: Fleet) -> None:
    one, late = Walker(fleet.enrolled("one")), Walker(fleet.enrolled("late"))
    async with fleet.online(one), fleet.stopping() as watched:
        await watched.until(lambda: any(each.stopped for each in watched.stop.sights))
        assert not watched.stop.confirmed
        assert watched.stop.missing == ("late",)
        async with fleet.online(late):
            await watched.until(lambda: watched.stop.confirmed)


async def test_who_is_not_listed_is_shown_and_confirms_nothing(fleet: Fleet) -> None:
    stranger = Walker(fleet.enrolled("stranger", listed=False))
    async with fleet.online(stranger), fleet.stopping() as watched:
        await watched.until(lambda: any(each.stopped for each in watched.stop.sights))
        assert watched.sight("stranger") is not None
        assert [each.verified for each in watched.stop.sights] == [False]
        assert not watched.stop.confirmed


async def test_what_another_key_has_signed_is_not_the_components_word(fleet: Fleet) -> None:
    enrolment = fleet.enrolled("one")
    liar = Walker(enrolment, key=PrivateKey(bytes(32)))
    async with fleet.online(liar), fleet.stopping() as watched:
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):  # it has answered twice at least before the third comes
                await liar.stops.get()
        assert watched.sight("one") == Sight("one", verified=True)
    assert liar.latch.shown(0.0) is Shown.STOPPED


async def test_a_component_that_does_not_know_the_key_goes_on_and_that_is_seen(fleet: Fleet) -> None:
    walker = Walker(fleet.enrolled("one", knows_the_key=False))
    async with fleet.online(walker), fleet.stopping() as watched:
        await watched.until(lambda: any(each.shown is not None for each in watched.stop.sights))
        assert watched.stop.reached is Reached.BROKER
        assert watched.stop.missing == ("one",)
    assert walker.latch.open == ()


async def test_it_is_sent_as_soon_as_the_broker_is_back(fleet: Fleet, trouble: asyncio.Event) -> None:
    await fleet.broker.kill()
    async with fleet.stopping() as watched:
        async with asyncio.timeout(PATIENCE):
            await trouble.wait()
        assert "No connection to the broker" in watched.stop.trouble
        assert watched.stop.reached is Reached.NOBODY
        await fleet.broker.start()
        async with fleet.online(Walker(fleet.enrolled("one"))):
            await watched.until(lambda: watched.stop.reached is Reached.BROKER)
            assert watched.stop.trouble == ""


async def test_a_broker_that_freezes_has_not_got_it_and_thawed_it_has(fleet: Fleet, trouble: asyncio.Event) -> None:
    walker = Walker(fleet.enrolled("one"), deaf=True)
    async with fleet.online(walker), fleet.stopping() as watched:
        await watched.until(lambda: watched.stop.reached is Reached.BROKER)
        os.kill(fleet.broker.process.pid, signal.SIGSTOP)
        try:
            async with fleet.stopping() as second:
                async with asyncio.timeout(PATIENCE):
                    await trouble.wait()
                assert second.stop.reached is Reached.NOBODY
                os.kill(fleet.broker.process.pid, signal.SIGCONT)
                await second.until(lambda: second.stop.reached is Reached.BROKER)
        finally:
            os.kill(fleet.broker.process.pid, signal.SIGCONT)


async def test_a_broker_that_confirms_nothing_may_have_it_and_the_component_proves_it(fleet: Fleet) -> None:
    walker = Walker(fleet.enrolled("one"))
    async with Proxy(fleet.broker.address) as proxy, fleet.online(walker):
        proxy.drop_acks = True
        async with fleet.stopping(key=dataclasses.replace(fleet.key, broker=proxy.address)) as watched:
            await watched.until(lambda: watched.stop.reached is Reached.PERHAPS)
            await watched.until(lambda: watched.stop.confirmed)
            assert watched.stop.reached is Reached.PERHAPS


async def test_who_ends_it_before_the_broker_has_answered_hears_that_it_may_be_on_its_way(fleet: Fleet) -> None:
    walker = Walker(fleet.enrolled("one"))
    async with Proxy(fleet.broker.address) as proxy, fleet.online(walker):
        proxy.drop_acks = True
        async with fleet.stopping(key=dataclasses.replace(fleet.key, broker=proxy.address)) as watched:
            async with asyncio.timeout(PATIENCE):
                await walker.stops.get()
        assert watched.stop.reached is Reached.PERHAPS


async def test_no_bytes_from_anybody_break_it(fleet: Fleet) -> None:
    walker = Walker(fleet.enrolled("one"))
    mallory = Link(fleet.broker.address, "mallory", receive=lambda _: None)
    running = asyncio.create_task(mallory.run())
    bad = (b"", b"\xff", b"{}", b'{"payloadType":1}', b"[" * 10_000, seal(PrivateKey(SEED), ROOT, "state", b"NaN"))
    async with fleet.online(walker), fleet.stopping("id/one") as watched:
        await mallory.ready()
        for payload in bad:
            for topic in ("state/one", "birth/one", "state/other", "birth/other", "state/Not an id", "state/a/b"):
                await mallory.publish(f"{ROOT}/{topic}", payload, qos=1)
        await walker.say()
        await watched.until(lambda: watched.stop.confirmed)
        assert watched.stop.heard == ("one",)
    running.cancel()
    await asyncio.wait([running])
