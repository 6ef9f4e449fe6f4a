"""A drill goes the way of a stop, says who has heard it, and never stops anything."""

import asyncio

import pytest

from bot.stop import drill
from bot.store import Store, incidents
from tests.unit.tower import ALL, A, Component, Tower, tower
from wire.envelope import PrivateKey, seal
from wire.messages import ROOT, Drill, Target

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drill is sent again at once, and lasts until the test has had its answers."""
    monkeypatch.setattr(drill, "AGAIN_S", (0.001,))
    monkeypatch.setattr(drill, "LASTS_S", 10.0)


async def drilled(t: Tower, target: Target, *components: Component, after: float = 0.0) -> dict[str, float | None]:
    """The answers to a drill that these hear and answer after a while."""
    running = asyncio.create_task(t.bell.drill(target))
    await t.broker.until(lambda: bool(t.broker.drills()) or running.done())
    t.time[0] += after
    await t.talk(*components)
    return {each.component: each.after_s for each in await running}


async def test_all_who_heard_are_named_with_the_time_that_it_took(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.talk(walker, crane)
        assert await drilled(t, ALL, walker, crane, after=1.5) == {"crane": 1.5, "walker": 1.5}
        assert set(t.broker.drills()) == {"all"}
        assert (walker.works, crane.works) == (True, True)


async def test_it_is_never_a_stop(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.talk(walker)
        await drilled(t, ALL, walker)
        assert (t.bell.incidents(), t.bell.followed(), t.broker.stops()) == ((), (), [])
        assert await store.read(incidents.all_incidents) == []
        assert (walker.works, walker.latch.open) == (True, ())
        assert await t.posts() == []


@pytest.mark.parametrize(("target", "whom"), [(Target(group="legs"), {"walker"}), (Target(id="crane"), {"crane"})])
async def test_only_whom_a_stop_would_stop_is_asked(
    store: Store, walker: Component, crane: Component, target: Target, whom: set[str]
) -> None:
    async with tower(store, walker, crane) as t:
        assert (await drilled(t, target, walker, crane)).keys() == whom
        assert set(t.broker.drills()) == {str(target)}


async def test_who_is_silent_has_not_heard(
    store: Store, walker: Component, crane: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill, "LASTS_S", 0.3)
    async with tower(store, walker, crane) as t:
        answers = await drilled(t, ALL, walker)
        assert (answers["walker"], answers["crane"]) == (0.0, None)


async def test_nobody_hears_where_the_broker_is_away(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill, "LASTS_S", 0.05)
    async with tower(store, walker) as t:
        t.broker.away = True
        (answer,) = await t.bell.drill(ALL)
        assert answer.after_s is None
        assert t.broker.tries >= 1


@pytest.mark.parametrize("target", [ALL, Target(group="legs")])
async def test_a_drill_of_nobody_ends_at_once(store: Store, target: Target) -> None:
    async with tower(store) as t:
        assert await t.bell.drill(target) == ()


async def test_who_names_another_drill_has_not_heard_this_one(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill, "LASTS_S", 0.1)
    async with tower(store, walker) as t:
        walker.latch.drill(Drill("0a" * 16, ALL, 1))
        await t.bell.heard("walker", walker.asks())  # nobody runs any
        running = asyncio.create_task(t.bell.drill(ALL))
        await t.broker.until(lambda: bool(t.broker.drills()))
        await t.bell.heard("walker", walker.asks())
        assert [each.after_s for each in await running] == [None]


async def test_somebody_elses_answer_counts_for_nobody(store: Store, walker: Component, crane: Component) -> None:
    async with tower(store, walker, crane) as t:
        running = asyncio.create_task(t.bell.drill(Target(id="walker")))
        await t.broker.until(lambda: bool(t.broker.drills()))
        (topic, payload) = next(each for each in t.broker.sent if "/stop/" in each[0])
        crane.latch.groups = ("legs",)
        crane.hears(topic, payload)
        await t.talk(crane)
        assert not running.done()
        await t.talk(walker)
        assert [each.component for each in await running] == ["walker"]


async def test_a_component_takes_no_drill_that_nobody_signed(walker: Component) -> None:
    walker.hears(f"{ROOT}/stop/all", seal(PrivateKey(bytes(32)), ROOT, "drill", Drill("0a", ALL, 1).to_bytes()))
    assert walker.latch.ask(0.0).drill is None


async def test_two_drills_at_once_are_two(store: Store, walker: Component, crane: Component) -> None:
    async with tower(store, walker, crane) as t:
        both = [asyncio.create_task(t.bell.drill(Target(id=each))) for each in ("walker", "crane")]
        await t.broker.until(lambda: set(t.broker.drills()) == {"id/walker", "id/crane"})
        await t.talk(walker, crane)
        assert [answer.component for each in await asyncio.gather(*both) for answer in each] == ["walker", "crane"]


async def test_who_stands_still_hears_a_drill_too(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        assert await drilled(t, ALL, walker) == {"walker": 0.0}
        assert not walker.works
        assert [each.id for each in t.bell.incidents()] == [A]


async def test_a_drill_that_is_given_up_leaves_nothing_behind(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        running = asyncio.create_task(t.bell.drill(ALL))
        await t.broker.until(lambda: bool(t.broker.drills()))
        tasks = len(asyncio.all_tasks())
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert len(asyncio.all_tasks()) == tasks - 2  # itself, and what was sending
