"""What the room is told of a stop: what is known, once, and no news is no stop."""

import dataclasses
import re

import pytest

from bot.stop import sending, telling, watch
from bot.stop.course import Course
from bot.stop.report import MOST_EACH, Stand, live, notice
from bot.store import Store, Tx, audit, incidents, outbox
from bot.store.incidents import Told
from bot.words.errors import StoreError
from bot.words.message import Lane, Post
from bot.words.plain import to_plain
from tests.unit.tower import ALL, LONG, ORIGIN, A, Component, tower
from wire.issuer import Incident

pytestmark = pytest.mark.usefixtures("hurried")


async def test_a_frozen_broker_does_not_keep_the_room_from_the_news(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "DEADLINE_S", 0.02)
    monkeypatch.setattr(sending, "BROKER_MAY_TAKE_S", LONG)
    async with tower(store, walker) as t:
        t.broker.frozen = True
        await t.bell.order(A, ALL, ORIGIN)
        t.time[0] += 1
        (post,) = await t.told(1)
        assert to_plain(post.document).startswith("NOT CONFIRMED")


async def test_a_confirmed_stop_is_told_once_where_it_was_ordered(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.talk(walker)
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        t.time[0] += 1.5
        await t.talk(walker)
        assert t.bell.has_stopped("walker")
        (post,) = await t.told(1)
        assert (post.place, post.reply_to, post.lane) == (ORIGIN.place, ORIGIN.event, Lane.STOP)
        words = to_plain(post.document)
        assert words.startswith("STOPPED")
        assert "1 of 1 confirmed it" in words
        assert "walker     stopped  1.5 s" in words
        await t.talk(walker, rounds=5)
        t.time[0] += LONG
        await t.talk(walker, rounds=5)
        assert len(await t.posts()) == 1
        (row,) = await store.read(incidents.all_incidents)
        assert row.told is Told.CONFIRMED
        kinds = [entry.kind for entry in await store.read(lambda tx: audit.last(tx, 100))]
        assert kinds.count("incident confirmed") == 1


async def test_not_confirmed_by_the_deadline_is_told_and_confirmed_later(
    store: Store, walker: Component, crane: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "DEADLINE_S", 0.02)
    async with tower(store, walker, crane) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        assert await t.posts() == []
        t.time[0] += 1
        (late,) = await t.told(1)
        words = to_plain(late.document)
        assert words.startswith("NOT CONFIRMED")
        assert "1 of 2 have stopped" in words
        assert "Go and look at crane" in words
        for _ in range(3):
            await t.talk(walker)
        assert len(await t.posts()) == 1
        await t.talk(crane)
        _, confirmed = await t.told(2)
        assert "2 of 2 confirmed it" in to_plain(confirmed.document)
        await t.talk(walker, crane)
        assert len(await t.posts()) == 2


async def test_a_stop_of_nobody_is_never_confirmed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "DEADLINE_S", 0.02)
    async with tower(store) as t:
        await t.bell.order(A, ALL, ORIGIN)
        t.time[0] += 1
        (post,) = await t.told(1)
        assert "nothing can confirm it" in to_plain(post.document)


async def test_no_answer_is_not_stopped(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.talk(walker)
        await t.bell.order(A, ALL, ORIGIN)
        (stand,) = t.bell.stands(A)
        assert (stand.stopped, stand.latched, stand.heard) == (False, False, True)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        assert t.bell.stands(A)[0].stopped
        t.time[0] += 11  # what it said is too old to be shown as so now
        (stand,) = t.bell.stands(A)
        assert not stand.stopped
        assert stand.latched
        assert not t.bell.has_stopped("walker")


async def test_a_restart_tells_nothing_twice(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        await t.told(1)
    async with tower(store, walker) as t:
        t.time[0] += LONG
        await t.talk(walker)
        await store.write(lambda _: None)
        assert len(await t.posts()) == 1


async def test_a_restart_tells_what_is_still_owed_to_the_room(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "DEADLINE_S", 0.02)
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
    async with tower(store, walker) as t:
        t.time[0] += 1
        (post,) = await t.told(1)
        assert (post.place, post.reply_to) == (ORIGIN.place, ORIGIN.event)
        assert "NOT CONFIRMED" in to_plain(post.document)


async def test_after_a_restart_nobody_knows_how_long_it_took(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
    async with tower(store, walker) as t:
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        (stand,) = t.bell.stands(A)
        assert (stand.stopped, stand.after_s) == (True, None)


async def test_that_the_broker_does_not_take_the_stop_is_told(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "DEADLINE_S", 0.02)
    async with tower(store, walker) as t:
        t.broker.away = True
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: t.broker.tries >= 2)
        t.time[0] += 1
        (post,) = await t.told(1)
        assert "The broker does not take the stop; it is sent again." in to_plain(post.document)
        t.broker.away = False
        await t.broker.until(lambda: bool(t.broker.stops()))


def stand(number: int, *, stopped: bool = False, latched: bool = False) -> Stand:
    return Stand(f"component-{number:04d}", stopped=stopped, latched=latched, heard=True, after_s=None)


def test_a_stop_is_said_to_be_sent_again_only_where_it_is() -> None:
    course = Course(Incident(A, ALL, b"signed"), (), Told.NOTHING, 0.0, sent=True)
    for latched in (True, False):
        words = to_plain(notice(course, Told.NOT_CONFIRMED, (stand(1, latched=latched),)))
        assert ("sent again" in words) is not latched
        assert "broker" not in words


def test_a_notice_on_a_thousand_components_is_short_and_shows_first_what_runs() -> None:
    stands = tuple(stand(number, stopped=number < 985) for number in range(1000))
    course = Course(Incident(A, ALL, b"signed"), (), Told.NOTHING, 0.0, sent=True)
    words = to_plain(notice(course, Told.NOT_CONFIRMED, stands))
    assert len(words) < 4000
    assert "985 components  stopped" in words
    assert "component-0994 and 5 more, or cut the power" in words
    assert [name in words for name in ("component-0985", "component-0999", "component-0984")] == [True, True, False]
    running = to_plain(notice(course, Told.NOT_CONFIRMED, tuple(stand(number) for number in range(1000))))
    assert len(running) < 4000
    assert "and 960 more" in running


def test_of_a_crowd_those_who_stand_still_are_one_row_with_their_times_and_who_works_on_what_is_not_lost() -> None:
    course = Course(Incident(A, ALL, b"signed"), (), Told.CONFIRMED, 0.0, sent=True)
    still = [dataclasses.replace(stand(number, stopped=True), after_s=0.1 + number / 10) for number in range(20)]
    still[3] = dataclasses.replace(still[3], remark="olga: new motor")
    told = to_plain(live(course, tuple(still))).splitlines()
    assert [re.split(r"\s{2,}", line) for line in told[2:]] == [
        ["component", "says", "after", "remark"],
        ["component-0003", "stopped", "0.4 s", "olga: new motor"],
        ["19 components", "stopped", "0.1 – 2.0 s"],
    ]
    few = to_plain(live(course, tuple(still[:MOST_EACH])))
    assert all(each.component in few for each in still[:MOST_EACH])


async def test_a_disk_that_refuses_the_news_is_tried_again_and_not_in_a_frenzy(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "DEADLINE_S", 0.0)
    monkeypatch.setattr(sending, "AGAIN_S", (LONG,))
    refusals: list[None] = []
    original = outbox.queue

    def refuse(_: Tx, __: Post) -> str:
        refusals.append(None)
        raise StoreError("The disk is full.")

    async with tower(store, walker) as t:
        monkeypatch.setattr(telling.outbox, "queue", refuse)
        await t.bell.order(A, ALL, ORIGIN)
        for _ in range(50):
            await store.write(lambda _: None)
        assert 1 <= len(refusals) <= 2  # once; the store may try it apart from what was in its commit
        monkeypatch.setattr(telling.outbox, "queue", original)
        await t.bell.heard("walker", walker.asks())
        (post,) = await t.told(1)
        assert "NOT CONFIRMED" in to_plain(post.document)


async def test_an_incident_that_the_disk_refused_is_written_before_the_room_is_told(
    store: Store, walker: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "DEADLINE_S", 0.01)
    async with tower(store, walker) as t:
        await store.write(
            lambda tx: tx.execute(
                "CREATE TRIGGER full BEFORE INSERT ON incident BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        )
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        assert await store.read(incidents.all_incidents) == []
        await store.write(lambda tx: tx.execute("DROP TRIGGER full"))
        t.time[0] += 1
        await t.told(1)
        assert [row.id for row in await store.read(incidents.all_incidents)] == [A]
