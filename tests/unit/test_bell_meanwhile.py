"""What comes while the disk takes its time: nothing is said that is no longer so, and nothing falls between two."""

import asyncio

import pytest

from bot.store import Store, incidents
from bot.store.incidents import Step, What
from tests.unit.tower import ALL, LONG, ORIGIN, TWO, A, Component, HangDisk, tower
from wire.messages import Target

pytestmark = pytest.mark.usefixtures("hurried")
LEGS = Target(group="legs")


async def all_run() -> None:
    """Each task goes on until it waits for the disk."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_is_no_longer_confirmed_when_it_can_be_written_is_not_said(
    store: Store, walker: Component, crane: Component, hang_disk: HangDisk
) -> None:
    async with tower(store, walker, crane) as t:
        await t.talk(walker, crane)
        async with hang_disk(store) as go_on:
            waiting: list[asyncio.Task[object]] = [asyncio.create_task(t.bell.order(A, LEGS, ORIGIN))]
            await t.broker.until(lambda: bool(t.broker.stops()))
            t.deliver(walker)
            waiting.append(asyncio.create_task(t.bell.heard("walker", walker.asks())))  # it stands still
            await all_run()
            assert t.bell.has_stopped("walker")
            crane.latch.groups = ("arms", "legs")
            waiting.append(asyncio.create_task(t.bell.heard("crane", crane.asks())))
            await all_run()
            go_on.set()
            await asyncio.gather(*waiting)
        await t.talk(walker)
        await t.looked_at()
        assert await t.news() == []
        await t.later(10)
        assert (await t.news())[0].startswith("NOT CONFIRMED group legs: 1 of 2 have stopped.")


async def test_who_joins_while_ready_is_written_is_stopped_and_told_of(
    store: Store, walker: Component, crane: Component, hang_disk: HangDisk
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, LEGS, walker)
        await t.told(1)
        await t.reset(A, frozenset({"walker"}), TWO)
        await t.talk(walker, rounds=2)
        async with hang_disk(store) as go_on:
            await t.bell.heard("walker", walker.asks())  # it is back: that is about to be written
            await all_run()
            crane.latch.groups = ("arms", "legs")
            joining = asyncio.create_task(t.bell.heard("crane", crane.asks()))
            await all_run()
            go_on.set()
            await joining
        await t.told(2)
        await t.talk(crane)
        assert (walker.works, crane.works) == (True, False)
        await t.told(3)
        assert [words.partition(" ")[0] for words in await t.news()] == ["STOPPED", "READY", "STOPPED"]
        (row,) = await store.read(incidents.all_incidents)
        assert row.over is None
    async with tower(store, walker, crane) as t:
        assert [each.id for each in t.bell.incidents()] == [A]


async def test_what_is_over_leaves_no_task_behind(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        tasks = len(asyncio.all_tasks())
        await t.stopped(A, ALL, walker)
        await t.told(1)
        await t.reset(A, None, TWO)
        await t.talk(walker, rounds=4)
        await t.told(2)
        await t.looked_at()
        assert len(asyncio.all_tasks()) == tasks


async def test_one_that_a_person_saw_and_one_that_is_worked_on_are_said_once(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane, remark=lambda each: "maintenance" * (each == "crane")) as t:
        course = await t.stopped(A, ALL)
        await t.bell.note(course, Step(What.VERIFIED, "walker", "otto", "it lies there"))
        await t.later(10)
        await t.later(LONG)
        assert len(await t.news()) == 1
