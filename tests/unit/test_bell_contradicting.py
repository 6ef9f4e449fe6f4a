"""A component that said that it stands still, and then works in spite of the stop: people hear of it."""

import dataclasses

import pytest

from bot.stop.watch import CONTRADICTED_EVERY_S
from bot.store import Store
from bot.store.incidents import What
from tests.unit.tower import ALL, LONG, TWO, A, Component, Tower, tower
from wire.messages import Shown

pytestmark = pytest.mark.usefixtures("hurried")


async def works(t: Tower, component: Component, shown: Shown = Shown.BUSY) -> None:
    """It says so in answer to what it was told, and names no stop."""
    state = dataclasses.replace(component.latch.ask(0.0), shown=shown, incidents=())
    await t.bell.heard(component.name, component.says(state.to_bytes()))


async def heads(t: Tower) -> list[str]:
    return [words.partition(":")[0] for words in await t.news()]


@pytest.mark.parametrize("shown", [Shown.READY, Shown.BUSY])
async def test_who_works_after_it_was_confirmed_is_told_of_and_recorded(
    store: Store, walker: Component, crane: Component, shown: Shown
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, ALL, walker, crane)
        await t.told(1)
        await works(t, crane, shown)
        await t.talk(walker)
        await t.later(5)
        assert await heads(t) == ["STOPPED everything", "NOT CONFIRMED everything"]
        assert "Go and look at crane" in (await t.news())[1]
        (step,) = [each for each in await t.course(A) if each.what is What.WORKING]
        assert step.component == "crane"
        await t.talk(walker, crane)
        await t.told(3)
        assert (await heads(t))[2] == "STOPPED everything"


async def test_who_works_before_all_have_confirmed_is_counted_no_more(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        course = await t.stopped(A, ALL, walker)
        await works(t, walker)
        await t.talk(crane)
        await t.looked_at()
        assert course.proven == {"crane"}
        assert await t.news() == []


@pytest.mark.parametrize("shown", [Shown.HELD, Shown.LOST, Shown.STOPPING])
async def test_who_only_does_not_say_that_it_stands_still_is_no_news(
    store: Store, walker: Component, shown: Shown
) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
        await works(t, walker, shown)
        await t.later(LONG)
        assert await heads(t) == ["STOPPED everything"]


async def test_what_answers_nothing_that_we_said_a_moment_ago_contradicts_nothing(
    store: Store, walker: Component
) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
        t.time[0] += 60
        await works(t, walker)  # a recording, perhaps
        await t.later(10)
        assert await heads(t) == ["STOPPED everything"]


async def test_who_says_now_this_and_now_that_is_told_of_within_bounds(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
        for _ in range(20):
            await works(t, walker)
            await t.talk(walker)
            await t.looked_at()
        assert len(await t.news()) == 2
        assert len([each for each in await t.course(A) if each.what is What.WORKING]) == 1
        t.time[0] += CONTRADICTED_EVERY_S
        await t.talk(walker)
        await works(t, walker)
        await t.later(5)
        assert (await heads(t))[2:] == ["NOT CONFIRMED everything"]


async def test_who_was_let_go_may_work(store: Store, walker: Component, crane: Component) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, ALL, walker, crane)
        await t.told(1)
        await t.reset(A, frozenset({"walker"}), TWO)
        await t.talk(walker, rounds=4)
        assert walker.works
        await t.later(LONG)
        assert await heads(t) == ["STOPPED everything"]


async def test_one_that_works_in_spite_of_a_stop_is_not_passed_over_because_somebody_works_on_it(
    store: Store, walker: Component
) -> None:
    async with tower(store, walker, remark=lambda _: "maintenance until 12:00 UTC, olga") as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
        await works(t, walker)
        await t.later(5)
        assert (await heads(t))[1:] == ["NOT CONFIRMED everything"]
        await t.later(60)
        assert len(await t.news()) == 2  # silent: that was said
        await t.talk(walker)
        await works(t, walker)
        await t.later(900)
        await t.talk(walker, rounds=1)
        await works(t, walker)
        await t.looked_at()
        assert "STILL NOT CONFIRMED everything" in await heads(t)
