"""A reset: by two persons, on disk before any lease says so, and only for who stands still. It is told once."""

import asyncio
from collections.abc import Mapping

import pytest

from bot.stop import telling
from bot.store import Store, audit, incidents
from bot.store.incidents import What
from bot.words.errors import StoreError
from bot.words.message import Place
from tests.unit.tower import (
    ALL,
    LONG,
    ORIGIN,
    PATIENCE,
    TWO,
    A,
    B,
    C,
    Component,
    HangDisk,
    Tower,
    refuse,
    take_again,
    tower,
)
from wire.latch import Kept
from wire.messages import LARGEST_STOP, Open, Stop, Target

pytestmark = pytest.mark.usefixtures("hurried")
WALKER = Target(id="walker")


async def shown(t: Tower, incident: str) -> Mapping[str, tuple[bool, bool, bool]]:
    """Of each component: stopped, let off, and come back."""
    return {each.component: (each.stopped, each.cleared, each.resumed) for each in t.bell.stands(incident)}


async def test_what_was_reset_for_all_works_again_and_the_room_hears_it_once(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, ALL, walker, crane)
        await t.told(1)
        sessions = walker.latch.session, crane.latch.session
        await t.reset(A, None, TWO)
        assert t.bell.is_closed(A)
        assert t.bell.incidents() == ()
        await t.talk(walker)
        assert (walker.works, crane.works) == (True, False)
        await t.looked_at()
        assert len(await t.news()) == 1  # crane has not come back
        await t.talk(crane)
        assert crane.works
        assert (walker.latch.session, crane.latch.session) != sessions
        ready = (await t.told(2))[1]
        assert (ready.place, ready.reply_to) == (ORIGIN.place, ORIGIN.event)
        assert (await t.news())[1].startswith("READY everything: 2 components are no longer stopped by this.")
        assert t.bell.followed() == ()
        await t.talk(walker, crane)
        await t.later(LONG)
        assert len(await t.news()) == 2


async def test_a_reset_is_recorded_with_both_persons_in_the_record_and_in_the_course(
    store: Store, walker: Component
) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
        await t.reset(A, None, TWO)
        entries = await store.read(lambda tx: audit.last(tx, 50))
        (entry,) = [each for each in entries if each.kind == "incident reset"]
        assert entry.all["person"] == ["carol", "otto"]
        assert entry.fields["components"] == ["all"]
        await t.talk(walker)
        await t.told(2)
        kinds = [(step.what, step.component, step.person) for step in await t.course(A)]
        assert kinds == [
            (What.ORDERED, "", ""),
            (What.STOPPED, "walker", ""),
            (What.CONFIRMED, "", ""),
            (What.RESET, "", "carol and otto"),
            (What.READY, "", ""),
        ]


async def test_no_lease_says_so_before_a_reset_is_on_disk(store: Store, walker: Component, hang_disk: HangDisk) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
        async with hang_disk(store) as go_on:
            resetting = asyncio.create_task(t.reset(A, None, TWO))
            await t.talk(walker)
            assert not resetting.done()
            assert not walker.works
            assert [(lease.stops, lease.cleared) for lease in t.broker.leases("walker")][-3:] == [((A,), ())] * 3
            assert not t.bell.is_closed(A)
            go_on.set()
            await resetting
        await t.talk(walker)
        assert walker.works


async def test_a_reset_that_the_disk_refuses_is_refused_and_can_be_tried_again(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
        await refuse(store, "cleared")
        with pytest.raises(StoreError):
            await t.reset(A, None, TWO)
        await t.talk(walker)
        assert (walker.works, t.bell.is_closed(A)) == (False, False)
        assert What.RESET not in [step.what for step in await t.course(A)]
        assert t.broker.withdrawn() == []
        await take_again(store, "cleared")
        await t.reset(A, None, TWO)
        await t.talk(walker)
        assert walker.works


async def test_an_incident_that_is_not_on_disk_is_not_reset(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await refuse(store, "incident")
        await t.bell.order(A, ALL, ORIGIN)
        with pytest.raises(StoreError, match="does not take the reset") as wrong:
            await t.reset(A, None, TWO)
        assert "Nothing was reset" in wrong.value.hint
        assert not t.bell.is_closed(A)


async def test_who_does_not_stand_still_is_let_off_only_when_it_does(store: Store, walker: Component) -> None:
    walker.stopped_at_once = False
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.reset(A, None, TWO)
        await t.talk(walker)
        assert [each.incident for each in walker.latch.open] == [A]
        assert not walker.works
        await t.looked_at()
        assert not [each for each in await t.news() if each.startswith("READY")]
        walker.latch.down = True
        await t.talk(walker)
        assert walker.works
        await t.told(1)


async def test_only_those_who_were_named_are_let_off(store: Store, walker: Component, crane: Component) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, ALL, walker, crane)
        await t.told(1)
        await t.reset(A, frozenset({"walker"}), TWO)
        await t.talk(walker, crane)
        assert (walker.works, crane.works) == (True, False)
        assert not t.bell.is_closed(A)
        assert await shown(t, A) == {"crane": (True, False, False), "walker": (False, True, True)}
        assert t.bell.stopping("walker") == ()
        assert t.broker.withdrawn() == []
        await t.later(LONG)
        assert len(await t.news()) == 1
        await t.reset(A, frozenset({"crane"}), TWO)
        await t.talk(walker, crane)
        assert crane.works
        await t.told(2)
        assert (await t.news())[1].startswith("READY")
        (row,) = await store.read(incidents.all_incidents)
        assert row.over is not None


async def test_a_stop_of_the_same_target_after_a_reset_in_part_is_a_new_one(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, ALL, walker, crane)
        await t.reset(A, frozenset({"walker"}), TWO)
        await t.talk(walker, crane)
        again = await t.bell.order(B, ALL, ORIGIN)
        assert again.id == B
        await t.talk(walker, crane)
        assert (walker.works, crane.works) == (False, False)
        assert (t.bell.stopping("walker"), set(t.bell.stopping("crane"))) == ((B,), {A, B})
        await t.reset(B, None, TWO)
        await t.looked_at()
        assert t.broker.withdrawn() == []  # the other incident stops the same
        await t.talk(walker, crane)
        assert (walker.works, crane.works) == (True, False)
        await t.reset(A, None, TWO)
        await t.broker.until(lambda: t.broker.withdrawn() == ["all"])


@pytest.mark.parametrize("again", [A, B])
async def test_an_order_again_after_a_reset_is_new_but_for_the_same_order(
    store: Store, walker: Component, again: str
) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.reset(A, None, TWO)
        await t.talk(walker)
        placed = await t.bell.order(again, ALL, ORIGIN)
        assert placed.id == again
        assert t.bell.is_closed(again) is (again == A)  # the same event said again, as after a crash, is no new order
        await t.talk(walker)
        assert walker.works is (again == A)


async def test_who_comes_later_is_let_off_what_was_reset_for_all(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, ALL, walker)
        t.deliver(crane)
        assert [each.incident for each in crane.latch.open] == [A]  # it heard the stop, and nobody heard it since
        await t.reset(A, None, TWO)
        await t.talk(crane)
        assert crane.works
        assert t.bell.incidents() == ()


async def test_who_joins_after_a_reset_of_all_others_by_name_is_stopped(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, Target(group="legs"), walker)
        await t.told(1)
        await t.reset(A, frozenset({"walker"}), TWO)
        await t.talk(walker)
        await t.told(2)
        assert t.bell.followed() == ()
        crane.latch.groups = ("arms", "legs")
        sent = len(t.broker.stops())
        await t.talk(crane)
        assert not crane.works
        assert [each.id for each in t.bell.incidents()] == [A]
        await t.broker.until(lambda: len(t.broker.stops()) > sent)
        assert (await t.told(3))[2].place == ORIGIN.place  # it is told again, where it was ordered
        (row,) = await store.read(incidents.all_incidents)
        assert row.over is None
    async with tower(store, walker, crane) as t:
        assert [each.id for each in t.bell.incidents()] == [A]
        await t.talk(walker, crane)
        assert (walker.works, crane.works) == (True, False)


async def test_who_joins_while_a_reset_by_name_is_pending_is_sent_the_stop(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, Target(group="legs"), walker)
        await t.told(1)
        await t.reset(A, frozenset({"walker"}), TWO)
        await t.broker.until(lambda: t.broker.withdrawn() == ["group/legs"])
        await t.looked_at()
        sent = len(t.broker.stops())
        crane.latch.groups = ("arms", "legs")
        await t.bell.heard("crane", crane.asks())
        await t.broker.until(lambda: len(t.broker.stops()) > sent)
        await t.talk(walker, crane)
        assert (walker.works, crane.works) == (True, False)


async def test_an_unsigned_incident_is_reset_for_those_whom_it_is_known_to_stop(store: Store, crane: Component) -> None:
    damaged = Component("walker", "legs", kept=None)
    damaged.latch.down = True
    async with tower(store, damaged, crane) as t:
        await t.talk(damaged, crane)
        (incident,) = t.bell.incidents()
        assert (incident.stop, str(incident.target)) == (None, "id/walker")
        await t.reset(incident.id, None, TWO)
        assert await store.read(incidents.all_cleared) == [(incident.id, "walker")]
        await t.talk(damaged, crane)
        assert damaged.works
        assert damaged.latch.open == ()


async def test_who_joins_an_unsigned_incident_while_its_reset_waits_for_the_disk_is_not_let_go(
    store: Store, hang_disk: HangDisk
) -> None:
    walker, crane = (Component(name, kept=Kept((Open(A),))) for name in ("walker", "crane"))
    async with tower(store, walker, crane) as t:
        await t.talk(walker)
        course = t.bell.course(A)
        assert course is not None
        async with hang_disk(store) as go_on:
            ordering = asyncio.create_task(t.bell.order(B, WALKER, ORIGIN))  # so that there is something to write down
            resetting = asyncio.create_task(t.bell.reset(course.incident, None, TWO))
            await t.broker.until(lambda: t.broker.stops() != [])
            joining = asyncio.create_task(t.bell.heard("crane", crane.asks()))
            await asyncio.sleep(0)
            assert t.bell.stopping("crane") == (A,)
            go_on.set()
            await asyncio.gather(ordering, resetting, joining)
        assert (t.bell.stopping("walker"), t.bell.stopping("crane")) == ((B,), (A,))


async def test_the_signed_stop_of_an_unsigned_incident_that_was_reset_stops_the_others(
    store: Store, walker: Component, crane: Component
) -> None:
    stop = Stop(A, ALL, 1)
    walker.latch.stop(stop, bytes(LARGEST_STOP + 1))
    walker.latch.down = True
    async with tower(store, walker, crane, alarms=(Place("chat", "alarms"),)) as t:
        await t.talk(walker)
        await t.reset(A, None, TWO)
        await t.talk(walker)
        assert walker.works
        await t.told(1)
        placed = await t.bell.order(A, ALL, ORIGIN)
        assert placed.id != A  # what two persons let go is not ordered again under its number
        await t.talk(walker, crane)
        assert (walker.works, crane.works) == (False, False)


async def test_a_retained_stop_is_taken_away_but_not_where_another_stops_the_same(
    store: Store, walker: Component
) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, WALKER, walker)
        await t.reset(A, frozenset({"walker"}), TWO)
        await t.broker.until(lambda: t.broker.withdrawn() == ["id/walker"])
        topic, payload = next(each for each in reversed(t.broker.sent) if "/stop/" in each[0])
        assert (topic.endswith("/stop/id/walker"), payload) == (True, b"")
        await t.talk(walker)
        await t.told(2)
        assert t.broker.stops().count("id/walker") == len(t.broker.stops())


async def test_a_broker_that_is_away_keeps_no_reset_from_counting(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        t.broker.away = True
        await t.reset(A, None, TWO)
        await t.looked_at()
        t.broker.away = False
        await t.talk(walker)
        assert walker.works


async def test_what_a_broker_that_was_away_still_keeps_is_taken_away_when_it_brings_it(
    store: Store, walker: Component
) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        kept = next(payload for topic, payload in t.broker.sent if "/stop/" in topic)
        t.broker.away = True
        tries = t.broker.tries
        await t.reset(A, None, TWO)
        await t.broker.until(lambda: t.broker.tries > tries)
        await t.looked_at()
        assert t.broker.withdrawn() == []
        t.broker.away = False
        await t.bell.overheard(kept)  # as it comes to each who subscribes
        await t.broker.until(lambda: t.broker.withdrawn() == ["all"])
        await t.bell.overheard(kept)
        await t.looked_at()
        assert t.broker.withdrawn() == ["all"]


async def test_who_does_not_come_back_is_told_of_once(
    store: Store, walker: Component, crane: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "AGAIN_S", 0.001)
    async with tower(store, walker, crane) as t:
        await t.stopped(A, ALL, walker, crane)
        await t.told(1)
        await t.reset(A, None, TWO)
        await t.looked_at()
        await t.talk(walker)
        await t.later(telling.RESET_NEWS_AFTER_S - 1)
        assert len(await t.news()) == 1
        await refuse(store, "outbox")
        await t.later(1.1)
        await take_again(store, "outbox")
        pending = (await t.told(2))[1]
        assert (pending.place, pending.reply_to) == (ORIGIN.place, ORIGIN.event)
        words = (await t.news())[1]
        assert words.startswith("RESET PENDING everything: 1 of 2 have come back. Not yet: crane.")
        await t.later(LONG)
        assert len(await t.news()) == 2
        await t.talk(crane)
        await t.told(3)
        assert (await t.news())[2].startswith("READY")


async def test_what_it_says_just_before_it_is_let_go_does_not_count_as_back(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
        await t.reset(A, None, TWO)
        await t.bell.heard("walker", walker.asks())  # it names the incident still
        await t.looked_at()
        assert (await shown(t, A))["walker"] == (True, True, False)
        assert len(await t.news()) == 1
        will = walker.says(walker.latch.last_words().to_bytes())
        await t.bell.heard("walker", will)
        assert (await shown(t, A))["walker"] == (False, True, False)


async def test_a_reset_is_looked_at_at_once(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        course = await t.stopped(A, ALL, walker)
        await t.told(1)
        await t.reset(A, None, TWO)
        async with asyncio.timeout(PATIENCE):
            while course.reset_at is None:
                await store.write(lambda _: None)


async def test_a_thing_that_is_kept_from_nothing_is_ready_at_once(store: Store) -> None:
    async with tower(store) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.reset(A, None, TWO)
        await t.told(1)
        assert (await t.news())[-1].startswith("READY everything")


async def test_a_reset_during_the_ready_news_of_another_tells_each_of_its_own(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.stopped(A, WALKER, walker, crane)
        await t.stopped(B, Target(id="crane"), walker, crane)
        await t.stopped(C, ALL, walker, crane)
        await t.told(3)
        for incident in (A, B, C):
            await t.reset(incident, None, TWO)
        await t.talk(walker, crane)
        await t.told(6)
        ready = sorted(words for words in await t.news() if words.startswith("READY"))
        assert [words.partition(":")[0] for words in ready] == ["READY crane", "READY everything", "READY walker"]
