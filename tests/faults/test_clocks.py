"""A bot that stands still for longer than a lease, and clocks that jump: components hold, go on, and latch nothing."""

import pytest

from tests.faults.field import Field, held_since, passed, paused, stood_still, until
from tests.faults.short import TTL_S
from wire.clock import boot_clock
from wire.messages import Shown

pytestmark = pytest.mark.asyncio(loop_scope="module")
STALL_S = 2 * TTL_S
HOUR_S = 3600.0
MOST_SKEW_MS = 60_000


async def nothing_latched(field: Field, since: float) -> None:
    """They were held, and went on without anybody's word; people can see how close it came."""
    await field.work()
    for name in field.walkers:
        assert is_held(field, name, since)
        assert not [state for _, state in field.wire.states(name, since) if state.incidents]
    assert field.open_incidents() == []


async def near_misses(field: Field) -> int:
    """How many components the status shows as having been held while they worked."""
    status = await field.answer("!status")
    return status.words.count("held ")


async def test_a_bot_whose_event_loop_stalls_lets_everybody_hold_and_latches_nothing(field: Field) -> None:
    before = await near_misses(field)
    began = boot_clock()
    field.play("stall", STALL_S)
    assert before == 0
    for name in field.walkers:
        await until(lambda name=name: is_held(field, name, began), f"{name} says that it is held")
    held = boot_clock()
    held_since(field.walkers.values(), max(each.at for each in field.wire.on("lease/", began - 1) if each.at < held))
    await nothing_latched(field, began)
    assert await near_misses(field) == len(field.walkers)


def is_held(field: Field, name: str, since: float) -> bool:
    return Shown.HELD in [state.shown for _, state in field.wire.states(name, since)]


async def test_a_bot_that_is_frozen_lets_everybody_hold_and_hears_a_stop_that_was_said_meanwhile(field: Field) -> None:
    began = boot_clock()
    async with paused(field.bot):
        frozen = boot_clock()
        await passed(frozen + TTL_S)
        held_since(field.walkers.values(), frozen)
        for name in field.walkers:
            await until(lambda name=name: is_held(field, name, frozen), f"{name} says that it is held")
        thawed = boot_clock()
    await nothing_latched(field, began)
    async with paused(field.bot):
        order = field.say("!shutdown all")
        await passed(boot_clock() + TTL_S)
    told = await field.hears("STOPPED everything: 3 of 3", order)
    stood_still(field.walkers.values(), told.at, await field.reset())
    assert told.at > thawed
    await field.work()


async def test_a_wall_clock_that_jumps_by_hours_holds_nobody_and_keeps_nobody_from_stopping(field: Field) -> None:
    began = boot_clock()
    for seconds in (HOUR_S, -HOUR_S):
        field.play("shift", seconds)
        await field.answer("!whoami")
        shifted = boot_clock()
        for name in field.walkers:
            states = await until(lambda name=name, since=shifted: field.wire.states(name, since)[4:], f"{name} asks on")
            assert {state.shown for _, state in states} == {Shown.BUSY}
    order = await field.stopped()
    told = field.news("STOPPED", order)[0]
    field.play("shift", HOUR_S)
    stood_still(field.walkers.values(), told.at, await field.reset())
    (first, *_), issued = field.wire.stops(), field.wire.stops(began)
    moved_ms = {each.issued_ms - first.issued_ms for each in issued}
    assert all(abs(each + HOUR_S * 1000) < MOST_SKEW_MS for each in moved_ms), "the clock was moved"
    await field.work()
