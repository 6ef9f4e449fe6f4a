"""What others have stopped is adopted: whole where it is signed, and for who names it where it is not."""

import asyncio

import pytest

from bot.store import Store, incidents
from bot.store.incidents import Told
from bot.words.plain import to_plain
from tests.unit.tower import ALL, BOT_KEY, ORIGIN, A, B, Component, HangDisk, tower
from wire.envelope import seal
from wire.messages import LARGEST_STOP, ROOT, Stop, Target

pytestmark = pytest.mark.usefixtures("hurried")


async def test_a_stop_of_ours_that_we_forgot_is_adopted_with_its_whole_target(
    store: Store, walker: Component, crane: Component
) -> None:
    stop = Stop(A, ALL, 1)
    walker.latch.stop(stop, seal(BOT_KEY, ROOT, "stop", stop.to_bytes()))
    async with tower(store, walker, crane) as t:
        await t.talk(walker, rounds=1)
        assert t.bell.incidents()[0].target == ALL
        assert {stand.component for stand in t.bell.stands(A)} == {"walker", "crane"}
        await t.broker.until(lambda: "all" in t.broker.stops())


async def test_a_stop_that_somebody_forged_stops_nobody_else(store: Store, walker: Component, crane: Component) -> None:
    stop = Stop(A, ALL, 1)
    walker.latch.stop(stop, seal(walker.key, ROOT, "stop", stop.to_bytes()))
    async with tower(store, walker, crane) as t:
        await t.talk(walker, crane, rounds=1)
        assert t.bell.incidents()[0].target == Target(id="walker")
        assert crane.latch.may_work(0.0)
        assert t.broker.stops() == []


async def test_a_stop_for_all_cannot_be_shrunk_by_who_named_it_first(
    store: Store, walker: Component, crane: Component
) -> None:
    walker.latch.stop(Stop(A, ALL, 1), bytes(LARGEST_STOP + 1))  # somebody padded it: it is named without its proof
    walker.latch.down = True
    async with tower(store, walker, crane) as t:
        await t.talk(walker, crane)
        assert t.bell.incidents()[0].target == Target(id="walker")
        assert crane.latch.may_work(0.0)
        incident = await t.bell.order(A, ALL, ORIGIN)
        assert (incident.id, incident.target) == (A, ALL)
        assert t.bell.incidents() == (incident,)
        assert [stand.component for stand in t.bell.stands(A)] == ["crane", "walker"]
        await t.broker.until(lambda: "all" in t.broker.stops())
        await t.talk(walker, crane)
        assert not crane.latch.may_work(0.0)
        (post,) = await t.told(1)
        assert (post.place, to_plain(post.document).startswith("STOPPED everything: 2 of 2")) == (ORIGIN.place, True)
    async with tower(store, walker, crane) as t:
        assert t.bell.incidents() == (incident,)
        assert [stand.component for stand in t.bell.stands(A)] == ["crane", "walker"]


async def test_the_signed_stop_widens_what_was_named_without_it(
    store: Store, walker: Component, crane: Component
) -> None:
    hook = Component("hook")
    stop = Stop(A, ALL, 1)
    walker.latch.stop(stop, bytes(LARGEST_STOP + 1))
    crane.latch.stop(stop, seal(BOT_KEY, ROOT, "stop", stop.to_bytes()))
    async with tower(store, walker, crane, hook) as t:
        await t.talk(walker, hook)
        assert hook.latch.may_work(0.0)
        await t.bell.heard("crane", crane.asks())
        assert [(each.id, each.target) for each in t.bell.incidents()] == [(A, ALL)]
        await t.broker.until(lambda: "all" in t.broker.stops())
        await t.bell.heard("hook", hook.asks())
        assert t.broker.leases("hook")[-1].stops == (A,)
        (row,) = await store.read(incidents.all_incidents)
        assert (row.target, row.stop is not None) == ("all", True)
        assert set(await store.read(incidents.all_affected)) == {(A, each) for each in ("walker", "crane", "hook")}


async def test_what_was_confirmed_is_not_noted_of_what_it_was_widened_to(
    store: Store, walker: Component, crane: Component, hang_disk: HangDisk
) -> None:
    walker.latch.stop(Stop(A, ALL, 1), bytes(LARGEST_STOP + 1))
    walker.latch.down = True
    async with tower(store, walker, crane) as t:
        await t.talk(walker, rounds=1)
        async with hang_disk(store) as go_on:
            waiting: list[asyncio.Task[object]] = [asyncio.create_task(t.bell.order(B, Target(id="crane"), ORIGIN))]
            await t.broker.until(lambda: bool(t.broker.stops()))
            waiting.append(asyncio.create_task(t.bell.heard("walker", walker.asks())))  # it confirms what it named
            await t.broker.until(lambda: t.broker.stops().count("id/crane") >= 2)
            waiting.append(asyncio.create_task(t.bell.order(A, ALL, ORIGIN)))
            await t.broker.until(lambda: "all" in t.broker.stops())
            go_on.set()
            await asyncio.gather(*waiting)
        for _ in range(10):
            await store.write(lambda _: None)
        assert {row.id: row.told for row in await store.read(incidents.all_incidents)} == {
            A: Told.NOTHING,
            B: Told.NOTHING,
        }
