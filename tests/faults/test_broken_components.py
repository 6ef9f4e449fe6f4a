"""Components that die, freeze, or are pushed off the wire: none works without a lease, and none passes for stopped."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from components.disk import Disk
from tests.faults.field import Field, Walker, passed, paused, stood_still, until
from tests.faults.short import TTL_S
from wire.broker import Broker
from wire.clock import boot_clock
from wire.messages import Shown
from wire.mqtt import Link

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_component_that_is_killed_in_mid_stop_comes_back_stopped(field: Field) -> None:
    killed, *others = field.walkers.values()
    began = boot_clock()
    order = field.say("!shutdown all")
    await until(lambda: _holds_a_stop(killed), "it is latched")
    await killed.process.kill()
    dead = boot_clock()
    await killed.process.start()
    told = await field.hears("STOPPED everything: 3 of 3", order)
    agreed = await field.reset()
    stood_still([killed], dead, agreed)
    stood_still(others, told.at, agreed)
    sessions = {state.session for _, state in field.wire.states(killed.name, began)}
    assert len(sessions) >= 3, "one before it died, one before the reset and one after it"
    await field.work()


def _holds_a_stop(walker: Walker) -> bool:
    kept = Disk(walker.latch).read()
    return kept is not None and bool(kept.open)


@pytest.mark.soak
async def test_a_component_that_stays_dead_is_never_called_stopped(field: Field) -> None:
    dead, *others = field.walkers.values()
    await dead.process.kill()
    order = field.say("!shutdown all")
    told = await field.hears("NOT CONFIRMED", order)
    assert "2 of 3 have stopped" in told.words
    stood_still(others, told.at)
    await dead.process.start()
    back = boot_clock()
    await field.hears("STOPPED everything: 3 of 3", order)
    stood_still([dead], back, await field.reset())
    await field.work()


async def test_a_component_that_was_frozen_longer_than_its_lease_begins_no_step_before_it_has_another(
    field: Field,
) -> None:
    frozen = next(iter(field.walkers.values()))
    async with paused(frozen.process):
        began = boot_clock()
        order = field.say("!shutdown all")
        told = await field.hears("NOT CONFIRMED", order)
        assert "2 of 3 have stopped" in told.words
        await passed(began + TTL_S)
        thawed = boot_clock()
    await field.hears("STOPPED everything: 3 of 3", order)
    stood_still([frozen], thawed, await field.reset(), may_end=1)
    await field.work()


async def test_frozen_without_any_stop_it_goes_on_only_after_it_has_asked_again(field: Field) -> None:
    frozen = next(iter(field.walkers.values()))
    async with paused(frozen.process):
        await passed(boot_clock() + TTL_S)
        thawed = boot_clock()
    await frozen.works()
    first = [*frozen.steps(thawed), boot_clock()][1]  # before it, one may end that was let before
    asked = [at for at, state in field.wire.states(frozen.name, thawed) if state.shown is Shown.HELD]
    assert asked
    assert asked[0] < first, "it said that it was held, and was let before it began a step"


async def test_a_retained_stop_that_somebody_takes_away_resets_nobody(field: Field) -> None:
    order = await field.stopped()
    told = field.news("STOPPED", order)[0]
    await field.wire.say("stop/all", b"", retain=True)
    rebooted = next(iter(field.walkers.values()))
    await rebooted.process.kill()
    await rebooted.process.start()
    back = boot_clock()
    await until(lambda: len(field.wire.states(rebooted.name, back)) > 2, "it has asked more than once")
    stood_still(field.walkers.values(), told.at, await field.reset())
    await field.work()


@contextlib.asynccontextmanager
async def taking_over(broker: Broker, *client_ids: str) -> AsyncGenerator[list[Link]]:
    """Others connect under these ids, again and again, and push out whoever has them."""
    links = [Link(broker, each, receive=lambda _: None, draw=lambda: 0.1) for each in client_ids]
    tasks = [asyncio.create_task(each.run()) for each in links]
    try:
        yield links
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@pytest.mark.soak
async def test_client_ids_that_others_take_over_again_and_again_let_nobody_work_unheard(field: Field) -> None:
    names = [f"component-{name}" for name in field.walkers]
    began = boot_clock()
    async with taking_over(field.broker.address, "bot-tocsin", *names) as links:
        await until(lambda: all(each.counts.reconnects > 1 for each in links), "they push each other out")
        order = field.say("!shutdown all")
        await until(lambda: field.news("", order)[1:], "the room hears what became of it", field.last_words)
        for told in field.news("NOT CONFIRMED", order):
            assert "3 of 3 have stopped" not in told.words
    told = await field.hears("STOPPED everything: 3 of 3", order)
    stood_still(field.walkers.values(), told.at, await field.reset())
    assert len(field.news("STOPPED", order)) == 1
    # A bot that is always pushed out may get no stop through. Then its leases have said so.
    assert {each.incident for each in field.wire.stops(began)} <= {field.incidents()[-1]}
    await field.work()


async def test_a_component_whose_disk_refuses_writes_stops_and_says_so(field: Field) -> None:
    broken, *others = field.walkers.values()
    away = broken.latch.parent.with_name("away")
    broken.latch.parent.rename(away)
    try:
        order = await field.stopped(f"!shutdown {broken.name}")
        told = field.news("STOPPED", order)[0]
        assert broken.process.said("the latch file cannot be written")
        asked = await field.answer("!reset")
        code = asked.words.split("!approve ")[1].split()[0]
        await field.hears("Approved", field.say(f"!approve {code}", "bob"))
        agreed = boot_clock()
        later = await until(lambda: field.wire.states(broken.name, agreed)[2:], "it has asked again and again")
        assert {state.shown for _, state in later} == {Shown.STOPPED}
        stood_still([broken], told.at)
        for each in others:
            await each.works()
    finally:
        away.rename(broken.latch.parent)
    await field.hears("READY", order)
    await field.work()
