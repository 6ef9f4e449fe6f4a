"""A broker that dies, freezes, forgets or loses acknowledgements: components hold or stop, and the room is told so."""

import asyncio
import shutil

import pytest

from tests.faults.field import PATIENCE, Field, held_since, passed, paused, stood_still, until
from tests.faults.short import TTL_S
from wire.clock import boot_clock
from wire.connection import KEEPALIVE

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def the_end(field: Field, order: str, fault: float = float("inf")) -> None:
    """The stop is confirmed, and true, and nobody worked in between. Then everybody is let go again."""
    told = await field.hears("STOPPED everything: 3 of 3", order)
    agreed = await field.reset()
    stood_still(field.walkers.values(), told.at, agreed)
    stood_still(field.walkers.values(), fault + TTL_S, agreed, may_end=1)
    await field.work()


@pytest.mark.soak
async def test_a_broker_that_is_killed_lets_everybody_hold_and_go_on_when_it_is_back(field: Field) -> None:
    before = field.news("")
    await field.broker.kill()
    dead = boot_clock()
    await passed(dead + TTL_S)
    held_since(field.walkers.values(), dead)
    await field.broker.start()
    await field.work()
    assert field.news("") == before, "nobody has stopped anything"


async def test_a_stop_while_the_broker_is_dead_is_called_not_confirmed_and_goes_out_when_it_is_back(
    field: Field,
) -> None:
    await field.broker.kill()
    dead = boot_clock()
    order = field.say("!shutdown all")
    told = await field.hears("NOT CONFIRMED", order)
    assert "0 of 3 have stopped" in told.words
    assert "The broker does not take the stop" in told.words
    await passed(dead + TTL_S)
    held_since(field.walkers.values(), dead)
    assert not field.news("STOPPED", order)
    await field.broker.start()
    await the_end(field, order, dead)


async def test_a_stop_as_the_broker_dies_and_comes_back_at_once_is_confirmed(field: Field) -> None:
    order = field.say("!shutdown all")
    await field.broker.kill()
    await field.broker.start()
    await the_end(field, order)


async def test_a_stop_while_the_broker_is_frozen_is_never_called_stopped_before_it_is(field: Field) -> None:
    async with paused(field.broker.process):
        frozen = boot_clock()
        order = field.say("!shutdown all")
        told = await field.hears("NOT CONFIRMED", order)
        assert "0 of 3 have stopped" in told.words
        await passed(frozen + TTL_S)
        held_since(field.walkers.values(), frozen)
        assert not field.news("STOPPED", order)
    await the_end(field, order, frozen)


async def test_a_half_open_wire_to_one_component_leaves_that_one_unconfirmed(field: Field) -> None:
    cut, *others = field.walkers.values()
    cut.proxy.freeze()
    frozen = boot_clock()
    order = field.say("!shutdown all")
    told = await field.hears("NOT CONFIRMED", order)
    assert "2 of 3 have stopped" in told.words
    assert f"Go and look at {cut.name}, or cut the power" in told.words
    await passed(frozen + TTL_S)
    held_since([cut], frozen)
    stood_still(others, told.at)
    cut.proxy.thaw()
    await the_end(field, order, frozen)


@pytest.mark.soak
@pytest.mark.parametrize("everybody", [False, True])
@pytest.mark.parametrize("for_s", [TTL_S, 2.0 * KEEPALIVE])
async def test_half_open_wires_let_everybody_hold(field: Field, *, everybody: bool, for_s: float) -> None:
    wires = [field.bot_proxy, *(each.proxy for each in field.walkers.values() if everybody)]
    for each in wires:
        each.freeze()
    frozen = boot_clock()
    order = field.say("!shutdown all")
    told = await field.hears("NOT CONFIRMED", order)
    assert "0 of 3 have stopped" in told.words
    await passed(frozen + for_s)
    held_since(field.walkers.values(), frozen)
    for each in wires:
        each.thaw()
    await the_end(field, order, frozen)


@pytest.mark.parametrize("remembers", [True, False])
async def test_a_stop_outlives_a_broker_that_comes_back(field: Field, *, remembers: bool) -> None:
    began = boot_clock()
    order = await field.stopped()
    before = field.news("STOPPED", order)
    stood = max(field.wire.stopped_at(name, began) for name in field.walkers)
    if remembers:
        await field.broker.stop()
    else:
        await field.broker.kill()
        shutil.rmtree(field.broker.folder)
    back = boot_clock()
    await field.broker.start()
    for name in field.walkers:
        await until(lambda name=name: len(field.wire.states(name, back)) > 1, f"{name} is back")
        await until(lambda name=name: field.wire.on(f"birth/{name}", back), f"{name} has said again who it is")
    async with asyncio.timeout(PATIENCE):  # an agreement is void when a state changes between request and approval
        while not field.all_stand_in((await field.answer("!status")).words):
            pass
    agreed = await field.reset()
    stood_still(field.walkers.values(), stood, agreed)
    assert field.news("STOPPED", order) == before, "it was told twice"
    await field.work()


async def test_a_stop_whose_acknowledgements_are_lost_counts_once(field: Field) -> None:
    wires = [field.bot_proxy, *(each.proxy for each in field.walkers.values())]
    for each in wires:
        each.drop_acks = True
    known = field.incidents()
    order = field.say("!shutdown all")
    await field.hears("STOPPED everything: 3 of 3", order)
    await until(lambda: all(each.dropped for each in wires), "acknowledgements are lost")
    for each in wires:
        each.drop_acks = False
        each.cut()  # what was not acknowledged comes again
    await the_end(field, order)
    assert len(field.incidents()) == len(known) + 1
    assert len(field.news("STOPPED", order)) == 1
    stopped = [each["stopped"] for each in field.records("incident confirmed") if each["id"] not in known]
    assert stopped == [sorted(field.walkers)]
