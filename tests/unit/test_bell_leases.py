"""Leases: none before the incidents are read, none to who must stand still, and a statement counts once."""

import asyncio
import inspect
import os

import pytest
import structlog.testing

from bot.stop.bell import Bell
from bot.store import Store, incidents
from bot.words.errors import TocsinError
from bot.words.plain import to_plain
from tests.unit.tower import ALL, BOT_KEY, ORIGIN, A, Broker, Component, HangDisk, enrolled, tower
from wire.clock import boot_clock
from wire.envelope import PrivateKey, seal
from wire.errors import BadMessage, BadSignature
from wire.issuer import MOST_UNPROVEN
from wire.latch import Kept, Latch, Trusted
from wire.messages import ROOT, Open, Shown, Target

pytestmark = pytest.mark.usefixtures("hurried")


async def test_nothing_is_answered_before_the_incidents_are_read(store: Store, walker: Component) -> None:
    broker = Broker()
    bell = Bell(store, BOT_KEY, ROOT, enrolled(walker), publish=broker.publish, queued=lambda: None)
    with pytest.raises(TocsinError, match="not been read yet"):
        await bell.heard("walker", walker.asks())
    with pytest.raises(TocsinError, match="not been read yet"):
        await bell.order(A, ALL, ORIGIN)
    assert not bell.ready.is_set()
    assert broker.sent == []


async def test_a_lease_lets_a_component_work(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.talk(walker, rounds=1)
        assert walker.latch.may_work(0.0)
        assert not t.bell.has_stopped("walker")


@pytest.mark.parametrize("why", ["superseded", "not compared"])
async def test_where_a_witness_may_know_of_more_stops_nobody_is_let_work_and_a_stop_is_still_confirmed(
    store: Store, walker: Component, why: str
) -> None:
    async with tower(store, walker) as t:
        if why == "superseded":
            store.superseded = True
        else:
            store.compared.clear()
        await t.talk(walker, rounds=1)
        assert not walker.latch.may_work(0.0)
        assert t.broker.leases("walker") == []
        assert t.bell.withheld == 1
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        assert t.bell.has_stopped("walker")


async def test_an_old_statement_said_again_proves_nothing(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        recorded = walker.asks()
        await t.bell.heard("walker", recorded)
        assert t.bell.has_stopped("walker")
        t.time[0] += 11
        leases = len(t.broker.leases("walker"))
        with pytest.raises(BadMessage, match="said this before"):
            await t.bell.heard("walker", recorded)
        assert not t.bell.has_stopped("walker")
        assert len(t.broker.leases("walker")) == leases


@pytest.mark.parametrize("kind", ["stop", "lease", "birth"])
async def test_what_is_not_signed_as_a_statement_is_refused(store: Store, walker: Component, kind: str) -> None:
    async with tower(store, walker) as t:
        state = walker.latch.ask(0.0).to_bytes()
        for envelope in (
            seal(walker.key, ROOT, kind, state),
            seal(walker.key, "other/root", "state", state),
            seal(PrivateKey(b"thief".ljust(32, b".")), ROOT, "state", state),
            seal(BOT_KEY, ROOT, "state", state),
        ):
            with pytest.raises(BadSignature):
                await t.bell.heard("walker", envelope)
        for envelope in (state, b"", b"{}", b"x" * 100_000, seal(walker.key, ROOT, "state", b"{}")):
            with pytest.raises(BadMessage):
                await t.bell.heard("walker", envelope)
        assert t.broker.sent == []


async def test_a_component_speaks_for_itself_only(store: Store, walker: Component, crane: Component) -> None:
    async with tower(store, walker, crane) as t:
        with pytest.raises(BadSignature):
            await t.bell.heard("crane", walker.asks())
        foreign = seal(walker.key, ROOT, "state", crane.latch.ask(0.0).to_bytes())
        with pytest.raises(BadMessage, match="spoke on the topic of"):
            await t.bell.heard("walker", foreign)
        assert t.broker.sent == []
        assert t.bell.knows("crane")
        assert not t.bell.knows("stranger")


async def test_a_last_will_is_answered_with_nothing(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        will = seal(walker.key, ROOT, "state", walker.latch.last_words().to_bytes())
        assert (await t.bell.heard("walker", will)).state.shown is Shown.LOST
        assert t.broker.sent == []


async def test_an_unknown_incident_is_on_disk_before_it_is_answered(
    store: Store, walker: Component, hang_disk: HangDisk
) -> None:
    damaged = Component("walker", "legs", kept=None)
    async with tower(store, walker) as t:
        async with hang_disk(store) as go_on:
            hearing = asyncio.create_task(t.bell.heard("walker", damaged.asks()))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not hearing.done()
            assert t.broker.sent == []
            go_on.set()
            await hearing
        (row,) = await store.read(incidents.all_incidents)
        assert row.id.startswith("own-")
        assert row.target == "id/walker"
        assert t.broker.leases("walker")[0].stops == (row.id,)


async def test_no_lease_is_given_while_the_disk_refuses_what_was_adopted(store: Store, walker: Component) -> None:
    damaged = Component("walker", "legs", kept=None)
    async with tower(store, walker) as t:
        await store.write(
            lambda tx: tx.execute(
                "CREATE TRIGGER full BEFORE INSERT ON incident BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        )
        await t.bell.heard("walker", damaged.asks())
        assert t.broker.leases("walker") == []
        await store.write(lambda tx: tx.execute("DROP TRIGGER full"))
        await t.bell.heard("walker", damaged.asks())
        assert len(t.broker.leases("walker")) == 1


async def test_a_restart_stops_again_what_was_stopped(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.bell.order(A, Target(group="legs"), ORIGIN)
    async with tower(store, walker) as t:
        await t.broker.until(lambda: t.broker.stops()[:1] == ["group/legs"])
        await t.talk(walker, rounds=1)
        assert t.broker.leases("walker")[0].stops == (A,)
        assert not walker.latch.may_work(0.0)


async def test_a_component_that_is_new_in_the_configuration_is_stopped_by_what_is_open(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker) as t:
        await t.bell.order(A, ALL, ORIGIN)
    async with tower(store, walker, crane) as t:
        assert [stand.component for stand in t.bell.stands(A)] == ["crane", "walker"]
        await t.talk(crane, rounds=1)
        assert t.broker.leases("crane")[0].stops == (A,)
        assert not crane.latch.may_work(0.0)
        assert set(await store.read(incidents.all_affected)) == {(A, "walker"), (A, "crane")}


async def test_a_component_that_left_the_configuration_is_waited_for_no_longer(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.bell.order(A, ALL, ORIGIN)
    async with tower(store, walker) as t:
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        (post,) = await t.told(1)
        assert "1 of 1 confirmed it" in to_plain(post.document)


async def test_a_component_that_joins_a_group_is_stopped_with_it(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane) as t:
        await t.bell.order(A, Target(group="legs"), ORIGIN)
        await t.talk(crane, rounds=1)
        assert crane.latch.may_work(0.0)
        crane.latch.groups = ("arms", "legs")
        await t.talk(crane, rounds=1)
        assert not crane.latch.may_work(0.0)
        assert (A, "crane") in await store.read(incidents.all_affected)


async def test_who_brings_up_too_many_incidents_is_held_and_told_of_once(
    store: Store, walker: Component, crane: Component
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with tower(store, walker, crane) as t:
            tasks = len(asyncio.all_tasks())
            for start in (0, 500):
                walker.latch = Latch(
                    "walker",
                    (),
                    Kept(tuple(Open(f"{start + each:032x}") for each in range(500))),
                    trusted=Trusted(BOT_KEY.public),
                    write=lambda _: True,
                    random=os.urandom,
                )
                await t.bell.heard("walker", walker.asks())
            assert len(t.bell.incidents()) == MOST_UNPROVEN
            assert len(asyncio.all_tasks()) - tasks <= MOST_UNPROVEN
            assert t.broker.leases("walker") == []
            assert t.bell.withheld == 2
            await t.talk(crane)
            assert crane.latch.may_work(0.0)
    assert [each["component"] for each in logs if each["event"] == "a component gets no lease"] == ["walker"]


def test_the_clock_counts_while_the_machine_sleeps() -> None:
    assert inspect.signature(Bell).parameters["clock"].default is boot_clock
