"""What is not confirmed is said again, to ever more people, for as long as it lasts, and not where it says nothing."""

import asyncio

import pytest

from bot.stop import telling, watch
from bot.stop.course import Course, Origin
from bot.store import Store, incidents
from bot.store.incidents import Step, Told, What
from bot.words.errors import StoreError
from bot.words.message import Lane, Place
from bot.words.plain import to_plain
from tests.unit.tower import (
    ALARMS,
    ALL,
    LONG,
    ORIGIN,
    TWO,
    A,
    B,
    Component,
    HangDisk,
    Tower,
    refuse,
    take_again,
    tower,
)
from wire.messages import Target

pytestmark = pytest.mark.usefixtures("hurried")


async def ordered(t: Tower, target: Target = ALL) -> Course:
    """A stop that nobody has answered yet."""
    await t.bell.order(A, target, ORIGIN)
    course = t.bell.course(A)
    assert course is not None
    return course


async def ages(t: Tower, *upto: float) -> list[float]:
    """How old the incident is each time that something is said, looked at by these ages."""
    said: list[float] = []
    began, count = t.time[0], len(await t.news())
    for age in upto:
        await t.later(began + age - t.time[0])
        now = len(await t.news())
        said += [age] * (now - count)
        count = now
    return said


@pytest.mark.parametrize(
    ("asked_s", "deadline_s"), [(None, 5.0), (0.5, 5.0), (10.0, 12.0), (58.0, 60.0), (3600.0, 60.0)]
)
async def test_a_stop_is_not_confirmed_after_what_its_components_asked_for_within_bounds(
    store: Store, walker: Component, asked_s: float | None, deadline_s: float
) -> None:
    async with tower(store, walker) as t:
        if asked_s is not None:
            t.bell.born("walker", asked_s)
        await ordered(t)
        assert await ages(t, deadline_s - 0.1, deadline_s) == [deadline_s]
        assert (await t.news())[0].startswith("NOT CONFIRMED")


async def test_a_deadline_of_somebody_who_is_not_meant_delays_nothing(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        t.bell.born("crane", 50.0)
        await ordered(t, Target(id="walker"))
        assert await ages(t, 4.9, 5.0) == [5.0]


async def test_it_is_said_again_after_a_minute_after_five_and_then_every_quarter_of_an_hour(
    store: Store, walker: Component
) -> None:
    async with tower(store, walker) as t:
        await ordered(t)
        times = (4, 5, 59, 60, 299, 300, 1199, 1200, 2099, 2100, 2999, 3000)
        assert await ages(t, *times) == [5, 60, 300, 1200, 2100, 3000]
        first, *more = await t.news()
        assert first.startswith("NOT CONFIRMED everything: 0 of 1 have stopped.")
        assert "!verified" not in first
        for words in more:
            assert words.startswith("STILL NOT CONFIRMED everything: 0 of 1 have stopped.")
            assert '!verified COMPONENT "what I saw"' in words


async def test_a_long_deadline_leaves_time_until_it_is_said_again(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        t.bell.born("walker", LONG)
        await ordered(t)
        assert await ages(t, 59, 60, 61, 119, 120, 299, 300) == [60, 120, 300]


async def test_what_was_not_said_in_time_is_not_said_in_a_row_afterwards(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await ordered(t)
        assert await ages(t, 5000, 5399, 5700) == [5000, 5700]  # the machine slept


async def test_the_alarms_hear_what_lasts_and_that_it_is_over(store: Store, walker: Component) -> None:
    async with tower(store, walker, alarms=(ALARMS, ORIGIN.place)) as t:
        await ordered(t)
        await t.later(10)
        assert [post.place for post in await t.told(1)] == [ORIGIN.place]
        await t.later(60)
        posts = await t.told(3)
        assert [(post.place, post.reply_to) for post in posts[1:]] == [(ORIGIN.place, "$order"), (ALARMS, None)]
        await t.talk(walker)
        posts = await t.told(5)
        assert [post.place for post in posts[3:]] == [ORIGIN.place, ALARMS]
        assert (await t.news())[4].startswith("STOPPED everything")


async def test_it_ends_when_it_is_confirmed_or_reset(store: Store, walker: Component, crane: Component) -> None:
    async with tower(store, walker, crane) as t:
        await ordered(t, Target(id="walker"))
        await t.bell.order(B, Target(id="crane"), ORIGIN)
        await t.later(10)
        assert len(await t.told(2)) == 2
        await t.talk(walker)
        await t.reset(B, None, TWO)
        await t.told(3)
        await t.later(LONG)
        await t.later(LONG)
        assert [words.partition(":")[0] for words in (await t.news())[2:]] == ["STOPPED walker", "RESET PENDING crane"]


async def test_only_what_is_being_worked_on_is_said_once(store: Store, walker: Component, crane: Component) -> None:
    remarks = {"crane": "maintenance until 12:00 UTC, olga"}
    async with tower(store, walker, crane, remark=lambda each: remarks.get(each, "")) as t:
        await ordered(t)
        await t.talk(walker)
        await t.later(10)
        (words,) = await t.news()
        assert "maintenance until 12:00 UTC, olga" in words
        assert "Go and look at crane" in words
        await t.talk(walker)
        assert await ages(t, 60, 300, 1200) != []  # walker is silent meanwhile, and nobody works on it
    async with tower(store, walker, crane, remark=lambda each: remarks.get(each, "")) as t:
        count = len(await t.news())
        for _ in range(20):
            t.time[0] += 100
            await t.talk(walker)
            await t.looked_at()
        assert len(await t.news()) == count
        remarks.clear()
        await t.looked_at()
        assert len(await t.news()) == count + 1


async def test_a_person_who_looked_confirms_what_cannot_say_it_and_it_is_shown_as_theirs(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        course = await t.stopped(A, ALL, walker)
        await t.later(10)
        assert (await t.news())[0].startswith("NOT CONFIRMED everything: 1 of 2")
        await t.talk(walker)
        await t.bell.note(course, Step(What.VERIFIED, "crane", "otto", "its fuse is out"))
        await t.told(2)
        words = (await t.news())[1]
        assert words.startswith("STOPPED everything: 1 of 2 confirmed it. A person stood beside the other.")
        lines = [" ".join(line.split()) for line in words.splitlines()]
        assert "crane seen by otto –" in lines
        assert (await store.read(incidents.all_incidents))[0].told is Told.CONFIRMED
        await t.later(LONG)
        assert len(await t.news()) == 2
        assert not t.bell.has_stopped("crane")


async def test_what_a_person_saw_first_counts_as_soon_as_the_rest_has_said_it(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane, remark=lambda _: "maintenance") as t:
        course = await ordered(t)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.later(10)
        await t.later(60)  # nobody looks at it again for a quarter of an hour
        await t.bell.note(course, Step(What.VERIFIED, "crane", "otto", "its fuse is out"))
        await store.write(lambda _: None)
        assert len(await t.news()) == 1
        await t.talk(walker)
        await t.told(2)
        assert (await t.news())[1].startswith("STOPPED")


async def test_what_a_person_says_counts_once_it_is_on_disk(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        course = await ordered(t)
        await refuse(store, "course")
        with pytest.raises(StoreError):
            await t.bell.note(course, Step(What.VERIFIED, "walker", "otto", "it lies there"))
        assert course.verified == {}
        await take_again(store, "course")
        await t.bell.note(course, Step(What.VERIFIED, "walker", "otto", "it lies there"))
        await t.told(1)
        assert (await t.news())[0].startswith("STOPPED everything: 0 of 1 confirmed it. A person stood beside")


async def test_who_is_affected_after_it_was_confirmed_makes_it_unconfirmed_and_it_is_told_again(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, Target(group="legs"), walker)
        await t.told(1)
        crane.stopped_at_once = False
        crane.latch.groups = ("arms", "legs")
        await t.talk(walker, crane)
        assert {each.component: each.stopped for each in t.bell.stands(A)} == {"walker": True, "crane": False}
        await t.later(5)
        await t.told(2)
        assert (await t.news())[1].startswith("NOT CONFIRMED group legs: 1 of 2 have stopped.")
        crane.latch.down = True
        await t.talk(walker, crane)
        await t.told(3)
        assert (await t.news())[2].startswith("STOPPED group legs: 2 of 2 confirmed it.")


async def test_who_is_affected_while_the_confirmation_is_written_makes_it_unconfirmed(
    store: Store, walker: Component, crane: Component, hang_disk: HangDisk
) -> None:
    async with tower(store, walker, crane) as t:
        await t.bell.order(A, Target(group="legs"), ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker, rounds=2)
        async with hang_disk(store) as go_on:
            await t.bell.heard("walker", walker.asks())  # it has stopped: that is about to be written
            for _ in range(20):
                await asyncio.sleep(0)
            crane.latch.groups = ("arms", "legs")
            hearing = asyncio.create_task(t.bell.heard("crane", crane.asks()))
            for _ in range(20):
                await asyncio.sleep(0)
            go_on.set()
            await hearing
        await t.told(1)
        (row,) = await store.read(incidents.all_incidents)
        assert row.told is Told.NOTHING
        await t.talk(walker)
        await t.later(10)
        assert (await t.news())[-1].startswith("NOT CONFIRMED group legs: 1 of 2")


async def test_a_disk_that_refuses_the_news_writes_it_once_when_it_takes_it(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "AGAIN_S", 0.001)
    async with tower(store, walker) as t:
        course = await t.stopped(A, ALL)
        await refuse(store, "outbox")
        await t.talk(walker)
        for _ in range(5):
            await t.looked_at()
        assert len(course.steps) == 1  # it does not grow with each try
        await take_again(store, "outbox")
        await t.told(1)
        assert [step.what for step in await t.course(A)] == [What.ORDERED, What.STOPPED, What.CONFIRMED]


@pytest.fixture
def slow_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is late in these."""
    monkeypatch.setattr(watch, "DEADLINE_S", LONG)


@pytest.mark.usefixtures("slow_deadline")
async def test_the_live_table_comes_after_a_moment_and_changes_at_most_every_two_seconds(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        course = await ordered(t)
        await t.later(1.4)
        assert await t.posts() == []
        await t.later(0.1)
        (post,) = await t.posts()
        assert (post.lane, post.subject, post.reply_to) == (Lane.PROGRESS, f"incident {A}", "$order")
        shown_at = course.shown_at
        await t.later(1.9)
        assert course.shown_at == shown_at
        await t.talk(walker)
        await t.later(0.1)
        assert course.shown_at == shown_at + 2
        post = (await t.posts())[-1]
        assert to_plain(post.document).startswith("STOPPING everything: 1 of 2 so far.")


async def test_a_live_table_that_says_what_it_said_is_not_sent_again_and_names_what_was_told(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        course = await ordered(t)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        await t.later(1.5)
        (first,) = await rows_of_the_table(store)
        await t.later(2)
        assert await rows_of_the_table(store) == [first]
        await t.later(10)
        assert await live(t) == {"room": "NOT CONFIRMED everything: 0 of 2 so far"}  # what walker said is old by now
        told = await rows_of_the_table(store)
        looked = course.shown_at
        await t.later(LONG)
        assert course.shown_at > looked
        assert await rows_of_the_table(store) == told


async def rows_of_the_table(store: Store) -> list[int]:
    """The rows of the outbox that hold it."""
    found = await store.read(lambda tx: list(tx.execute("SELECT id FROM outbox WHERE subject IS NOT NULL")))
    return [row for (row,) in found]


@pytest.mark.usefixtures("slow_deadline")
async def test_the_live_table_is_corrected_by_the_news_at_every_place(
    store: Store, walker: Component, crane: Component
) -> None:
    elsewhere = Origin(Place("chat", "elsewhere"), "$other")
    async with tower(store, walker, crane) as t:
        await ordered(t)
        await t.bell.order(B, ALL, elsewhere)
        await t.later(2)
        assert await live(t) == dict.fromkeys(("room", "elsewhere"), "STOPPING everything: 0 of 2 so far")
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker, crane)
        await t.told(2)
        await t.looked_at()
        assert await live(t) == dict.fromkeys(("room", "elsewhere"), "STOPPED everything: 2 of 2")
        await t.reset(A, None, TWO)
        await t.looked_at()
        assert await live(t) == dict.fromkeys(("room", "elsewhere"), "RESET PENDING everything: 0 of 2 have come back")
        await t.talk(walker, crane)
        await t.told(4)
        await t.looked_at()
        assert await live(t) == dict.fromkeys(("room", "elsewhere"), "READY everything: 2 of 2 have come back")


async def test_a_stop_that_is_confirmed_at_once_shows_no_table(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
        await t.later(LONG)
        assert await live(t) == {}


async def live(t: Tower) -> dict[str, str]:
    """How the table begins at each place."""
    return {post.place.id: to_plain(post.document).partition(".")[0] for post in await t.posts(Lane.PROGRESS)}


async def test_who_was_let_off_is_neither_counted_nor_looked_for(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await ordered(t)
        await t.reset(A, frozenset({"walker"}), TWO)
        await t.later(10)
        words = (await t.news())[0]
        assert words.startswith("NOT CONFIRMED everything: 0 of 1 have stopped.")
        assert "Go and look at crane, or cut the power." in words
        assert "walker     reset, not heard since  –" in words
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(crane)
        await t.told(2)
        assert (await t.news())[1].startswith("STOPPED everything: 1 of 1 confirmed it. Incident")
