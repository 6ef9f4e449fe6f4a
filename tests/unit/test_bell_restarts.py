"""A bot that begins anew: nothing that was stopped is forgotten, and nothing that was told is told again."""

import asyncio

import pytest

from bot.stop import telling
from bot.store import Store, incidents
from bot.store.incidents import Step, Told, What
from bot.words.errors import StoreError
from tests.unit.tower import (
    ALARMS,
    ALL,
    LONG,
    ORIGIN,
    TWO,
    A,
    Component,
    HangDisk,
    refuse,
    tower,
)
from wire.envelope import seal
from wire.latch import Kept
from wire.messages import ROOT, Stop, Target

pytestmark = pytest.mark.usefixtures("hurried")


async def test_cut_off_before_a_reset_is_on_disk_it_was_no_reset(
    store: Store, walker: Component, hang_disk: HangDisk
) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
        await refuse(store, "cleared")
        async with hang_disk(store) as go_on:
            resetting = asyncio.create_task(t.reset(A, None, TWO))
            await t.talk(walker)
            go_on.set()
            with pytest.raises(StoreError):
                await resetting
    async with tower(store, walker) as t:
        assert [each.id for each in t.bell.incidents()] == [A]
        await t.talk(walker)
        assert not walker.works
        await t.later(LONG)
        assert len(await t.news()) == 1


async def test_cut_off_right_behind_the_commit_a_reset_counts_and_ready_is_told_once(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, ALL, walker, crane)
        await t.told(1)
        await t.reset(A, None, TWO)
    async with tower(store, walker, crane) as t:
        assert t.bell.is_closed(A)
        assert t.broker.stops() == []
        await t.talk(walker, crane)
        assert walker.works
        assert crane.works
        ready = (await t.told(2))[1]
        assert (ready.place, ready.reply_to) == (ORIGIN.place, ORIGIN.event)
        assert t.broker.stops() == []
    async with tower(store, walker, crane) as t:
        assert t.bell.followed() == ()
        await t.talk(walker, crane)
        await t.later(LONG)
        assert len(await t.news()) == 2


async def test_who_came_back_before_a_restart_is_asked_again_before_ready_is_told(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, ALL, walker, crane)
        await t.told(1)
        await t.reset(A, None, TWO)
        await t.talk(walker)
    async with tower(store, walker, crane) as t:
        await t.talk(crane)
        await t.looked_at()
        assert len(await t.news()) == 1
        await t.talk(walker)
        assert (await t.news())[0].startswith("STOPPED")
        await t.told(2)
        assert (await t.news())[1].startswith("READY")


async def test_what_was_reset_in_part_stays_so(store: Store, walker: Component, crane: Component) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, ALL, walker, crane)
        await t.told(1)
        await t.reset(A, frozenset({"walker"}), TWO)
    async with tower(store, walker, crane) as t:
        await t.talk(walker, crane)
        assert (walker.works, crane.works) == (True, False)
        await t.later(LONG)
        assert len(await t.news()) == 1


async def test_a_component_that_is_new_when_a_stop_was_confirmed_is_not_confirmed_by_that(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
    async with tower(store, walker, crane) as t:
        await t.talk(walker)
        await t.later(10)
        words = (await t.news())[1]
        assert words.startswith("NOT CONFIRMED")
        assert "Go and look at crane" in words
        await t.talk(walker, crane)
        await t.told(3)
        assert "2 of 2 confirmed it" in (await t.news())[2]


async def test_who_joined_what_was_confirmed_is_not_forgotten_over_a_restart(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, Target(group="legs"), walker)
        await t.told(1)
        crane.latch.groups = ("arms", "legs")
        await t.bell.heard("crane", crane.asks())
        (row,) = await store.read(incidents.all_incidents)
        assert row.told is Told.NOTHING
    async with tower(store, walker, crane) as t:
        await t.talk(walker)
        await t.later(10)
        assert (await t.news())[1].startswith("NOT CONFIRMED group legs: 1 of 2")


async def test_a_restart_repeats_no_escalation_at_once(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.later(10)
        await t.later(60)
        assert len(await t.news()) == 2
    async with tower(store, walker) as t:
        await t.later(telling.ESCALATED_AFTER_S[0] - 1)
        assert len(await t.news()) == 2
        await t.later(2)
        assert (await t.news())[2].startswith("STILL NOT CONFIRMED")


async def test_who_told_of_an_adopted_incident_is_known_after_a_restart(store: Store, walker: Component) -> None:
    stop = Stop(A, Target(id="walker"), 1)
    walker.latch.stop(stop, seal(walker.key, ROOT, "stop", stop.to_bytes()))
    async with tower(store, walker, alarms=(ALARMS,)) as t:
        await t.bell.heard("walker", walker.asks())
    async with tower(store, walker, alarms=(ALARMS,)) as t:
        await t.later(10)
        (post,) = await t.told(1)
        assert post.place == ALARMS
        assert "From walker's own word." in (await t.news())[0]


async def test_what_people_said_of_an_incident_is_known_after_a_restart(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        course = await t.stopped(A, ALL, walker)
        await t.bell.note(course, Step(What.TAKEN, person="olga"))
        await t.bell.note(course, Step(What.VERIFIED, "crane", "otto", "its fuse is out"))
        await t.told(1)
        assert "A person stood beside the other." in (await t.news())[0]
    async with tower(store, walker, crane) as t:
        course = t.bell.course(A)
        assert course is not None
        assert (course.leader, course.verified["crane"].person) == ("olga", "otto")
        assert [(each.component, each.verified is not None) for each in t.bell.stands(A)] == [
            ("crane", True),
            ("walker", False),
        ]
        await t.talk(walker)
        await t.later(LONG)
        assert len(await t.news()) == 1


async def test_a_joiner_of_what_was_over_before_the_start_is_told_where_it_was_ordered(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, Target(group="legs"), walker)
        await t.told(1)
        await t.reset(A, frozenset({"walker"}), TWO)
        await t.talk(walker)
        await t.told(2)
    async with tower(store, walker, crane) as t:
        assert t.bell.followed() == ()
        crane.latch.groups = ("arms", "legs")
        await t.talk(crane)
        await t.told(3)
        assert (await t.posts())[2].place == ORIGIN.place
        assert not crane.works


async def test_the_times_in_the_course_are_those_of_the_deeds_and_not_of_the_disk(
    store: Store, walker: Component, hang_disk: HangDisk
) -> None:
    async with tower(store, walker) as t:
        async with hang_disk(store) as go_on:
            ordering = asyncio.create_task(t.bell.order(A, ALL, ORIGIN))
            await t.broker.until(lambda: bool(t.broker.stops()))
            hearing = asyncio.create_task(t.talk(walker))
            await t.broker.until(lambda: len(t.broker.stops()) >= 3)
            go_on.set()
            await asyncio.gather(ordering, hearing)
        await t.talk(walker)
        await t.told(1)
        steps = await t.course(A)
        assert [step.what for step in steps][:2] == [What.ORDERED, What.STOPPED]
        assert [step.at for step in steps] == sorted(step.at for step in steps)
        (row,) = await store.read(incidents.all_incidents)
        assert row.opened == steps[0].at


async def test_who_lost_its_disk_after_a_reset_is_not_stopped_by_it(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.reset(A, None, TWO)
        await t.talk(walker)
        fresh = Component("walker", "legs", kept=Kept())
        await t.talk(fresh)
        assert (fresh.works, fresh.latch.open) == (True, ())
