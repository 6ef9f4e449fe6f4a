"""An order to stop: it goes out whatever else is broken, is on disk, and is never lost."""

import asyncio

import pytest

from bot.stop import watch
from bot.stop.course import Origin
from bot.store import Store, incidents
from bot.words.message import Place
from tests.unit.tower import ALL, BOT_KEY, ORIGIN, A, B, Component, HangDisk, tower
from wire.envelope import unseal
from wire.messages import ROOT, Stop, Target

pytestmark = pytest.mark.usefixtures("hurried")


async def test_a_stop_is_published_on_disk_and_listed_when_the_order_returns(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        incident = await t.bell.order(A, ALL, ORIGIN)
        (row,) = await store.read(incidents.all_incidents)
        assert (row.id, row.target, row.stop) == (A, "all", incident.stop)
        assert (row.place, row.reply_to) == (ORIGIN.place, ORIGIN.event)
        assert await store.read(incidents.all_affected) == [(A, "walker")]
        assert t.bell.incidents() == (incident,)
        await t.broker.until(lambda: t.broker.stops()[:1] == ["all"])
        topic, payload = t.broker.sent[0]
        assert Stop.parse(unseal(payload, ROOT, "stop", BOT_KEY.public)).target == ALL
        assert topic == f"{ROOT}/stop/all"


async def test_a_stop_goes_out_although_the_disk_hangs(store: Store, walker: Component, hang_disk: HangDisk) -> None:
    async with tower(store, walker) as t, hang_disk(store) as go_on:
        ordering = asyncio.create_task(t.bell.order(A, ALL, ORIGIN))
        await t.broker.until(lambda: len(t.broker.stops()) >= 2)
        assert not ordering.done()
        assert [each.id for each in t.bell.incidents()] == [A]
        go_on.set()
        await ordering
        assert [row.id for row in await store.read(incidents.all_incidents)] == [A]


async def test_a_stop_is_sent_again_past_the_deadline_although_the_disk_hangs(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch, hang_disk: HangDisk
) -> None:
    monkeypatch.setattr(watch, "DEADLINE_S", 0.0)
    async with tower(store, walker) as t, hang_disk(store) as go_on:
        ordering = asyncio.create_task(t.bell.order(A, ALL, ORIGIN))
        await t.broker.until(lambda: len(t.broker.stops()) >= 10)
        go_on.set()
        await ordering


async def test_who_joins_a_stop_that_is_not_written_yet_finds_it(
    store: Store, walker: Component, hang_disk: HangDisk
) -> None:
    async with tower(store, walker) as t, hang_disk(store) as go_on:
        first = asyncio.create_task(t.bell.order(A, ALL, ORIGIN))
        await asyncio.sleep(0)
        joined = await t.bell.order(B, ALL, ORIGIN)
        assert joined.id == A
        assert [stand.component for stand in t.bell.stands(A)] == ["walker"]
        go_on.set()
        await first


async def test_a_stop_is_sent_again_until_everybody_has_latched_it(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: len(t.broker.stops()) >= 3)
        await t.talk(walker)
        seen = len(t.broker.stops())
        await t.broker.until(lambda: len(t.broker.stops()) >= seen + 2)  # crane has not said anything
        await t.talk(crane)
        settled = len(t.broker.stops())
        for _ in range(50):
            await store.write(lambda _: None)
        assert len(t.broker.stops()) <= settled + 1  # the one that was on its way


async def test_a_stop_that_meets_nobody_is_published_all_the_same(store: Store) -> None:
    async with tower(store) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: t.broker.stops() == ["all"])


async def test_a_stop_comes_through_when_the_broker_is_back(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        t.broker.away = True
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: t.broker.tries >= 3)
        t.broker.away = False
        await t.broker.until(lambda: bool(t.broker.stops()))


@pytest.mark.parametrize("again", [A, B])
async def test_a_stop_of_what_is_stopped_joins_its_incident(store: Store, walker: Component, again: str) -> None:
    async with tower(store, walker) as t:
        first = await t.bell.order(A, ALL, ORIGIN)
        assert await t.bell.order(again, ALL, Origin(Place("chat", "elsewhere"), "$other")) is first
        other = await t.bell.order("c" * 32, Target(id="walker"), ORIGIN)
        assert t.bell.incidents() == (first, other)
        assert [row.place for row in await store.read(incidents.all_incidents)] == [ORIGIN.place] * 2


async def test_an_order_under_the_id_of_another_target_is_not_lost(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        first = await t.bell.order(A, ALL, ORIGIN)
        other = await t.bell.order(A, Target(id="walker"), ORIGIN)
        assert (other.target, other.id != first.id) == (Target(id="walker"), True)
        assert await t.bell.order(A, Target(id="walker"), ORIGIN) is other
        await t.broker.until(lambda: {"all", "id/walker"} <= set(t.broker.stops()))
        assert {row.id for row in await store.read(incidents.all_incidents)} == {first.id, other.id}


async def test_an_order_of_what_nobody_signed_is_an_order_of_its_own(store: Store, walker: Component) -> None:
    damaged = Component("walker", "legs", kept=None)
    async with tower(store, walker) as t:
        await t.talk(damaged)
        incident = await t.bell.order(A, Target(id="walker"), ORIGIN)
        assert incident.id == A
        await t.broker.until(lambda: t.broker.stops() == ["id/walker"])


async def test_who_joins_from_another_room_is_told_there_too(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "DEADLINE_S", 0.02)
    elsewhere = Origin(Place("chat", "elsewhere"), "$other")
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
        for origin in (elsewhere, ORIGIN, Origin(elsewhere.place, "$once more")):
            assert (await t.bell.order(B, ALL, origin)).id == A
        t.time[0] += 1
        assert [(post.place, post.reply_to) for post in await t.told(2)] == [
            (ORIGIN.place, ORIGIN.event),
            (elsewhere.place, elsewhere.event),
        ]
    async with tower(store, walker) as t:
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        posts = await t.told(4)
        assert [post.place for post in posts[2:]] == [ORIGIN.place, elsewhere.place]
