"""News of a great many incidents: the places of alarms stay readable, and where a stop was ordered all is told."""

import pytest

from bot.stop.crowd import MOST_APART, WITHIN_S
from bot.store import Store
from bot.store.incidents import What
from bot.words.message import Lane
from bot.words.plain import to_plain
from tests.unit.tower import ALARMS, ALL, ORIGIN, A, Component, Tower, refuse, take_again, tower

pytestmark = pytest.mark.usefixtures("hurried")


async def told(t: Tower) -> list[tuple[str, str]]:
    """Where, and how it begins."""
    return [(each.place.id, to_plain(each.document).partition(":")[0]) for each in await t.posts(Lane.STOP)]


def stopped_themselves(first: int, last: int) -> list[Component]:
    return [Component(f"c{number:02d}", kept=None) for number in range(first, last)]


async def test_a_crowd_that_stops_itself_is_told_up_to_a_bound_and_then_that_there_is_more(store: Store) -> None:
    many = stopped_themselves(0, 60)
    async with tower(store, *many, alarms=(ALARMS,)) as t:
        for each in many:
            each.latch.down = True
        await t.talk(*many)
        await t.looked_at()
        news = await told(t)
        assert news.count(("alarms", "MANY INCIDENTS")) == 1
        assert len(news) == MOST_APART + 1
        assert "60 incidents are open" in next(each for each in await t.news() if each.startswith("MANY"))
        for each in t.bell.incidents():  # what was not told is recorded all the same
            assert What.CONFIRMED in [step.what for step in await t.course(each.id)]
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(*many)
        await t.looked_at()
        assert ("room", "STOPPED everything") in await told(t)


async def test_after_a_while_there_is_room_again(store: Store) -> None:
    first, second = stopped_themselves(0, 40), stopped_themselves(40, 45)
    for each in (*first, *second):
        each.latch.down = True
    async with tower(store, *first, *second, alarms=(ALARMS,)) as t:
        await t.talk(*first)
        await t.looked_at()
        count = len(await told(t))
        t.time[0] += WITHIN_S
        await t.talk(*second)
        await t.looked_at()
        assert len(await told(t)) == count + len(second)


async def test_what_the_disk_did_not_take_takes_no_room(store: Store) -> None:
    many = stopped_themselves(0, MOST_APART)
    for each in many:
        each.latch.down = True
    async with tower(store, *many, alarms=(ALARMS,)) as t:
        await refuse(store, "outbox")
        await t.talk(*many)
        await t.looked_at()
        await take_again(store, "outbox")
        await t.talk(*many)
        await t.looked_at()
        assert len(await told(t)) == MOST_APART
        assert "MANY" not in str(await told(t))
