"""Stops on the wire: who holds a stop key may stop, and nobody else; each is adopted once, with who it was."""

import pytest

from bot.store import Store, audit, incidents
from bot.store.incidents import Step, What
from bot.words.errors import Refused
from tests.unit.tower import (
    ALARMS,
    ALL,
    BOT_KEY,
    ORIGIN,
    TWO,
    A,
    B,
    Component,
    tower,
)
from wire.envelope import PrivateKey, seal
from wire.errors import BadMessage, BadSignature
from wire.messages import ROOT, Drill, Stop, Target

pytestmark = pytest.mark.usefixtures("hurried")

OLGA = PrivateKey(b"olga's stop key".ljust(32, b"."))
THIEF = PrivateKey(b"thief".ljust(32, b"."))
STOP_KEYS = {str(OLGA.public): "olga"}
LEGS = Target(group="legs")


def signed(key: PrivateKey, incident: str, target: Target = ALL) -> bytes:
    return seal(key, ROOT, "stop", Stop(incident, target, 1).to_bytes())


@pytest.fixture
def hook() -> Component:
    """It was enrolled with olga's stop key, and is in no group."""
    return Component("hook", stop_keys=STOP_KEYS)


async def test_a_stop_by_stop_key_is_adopted_whole_and_told_with_who_it_was(
    store: Store, walker: Component, crane: Component
) -> None:
    async with tower(store, walker, crane, stop_keys=STOP_KEYS, alarms=(ALARMS,)) as t:
        await t.bell.overheard(signed(OLGA, A))
        (incident,) = t.bell.incidents()
        assert (incident.id, incident.target, incident.stop) == (A, ALL, signed(OLGA, A))
        (row,) = await store.read(incidents.all_incidents)
        assert (row.target, row.stop, row.place) == ("all", signed(OLGA, A), None)
        assert set(await store.read(incidents.all_affected)) == {(A, "walker"), (A, "crane")}
        await t.broker.until(lambda: "all" in t.broker.stops())  # it is sent again, as our own are
        assert t.broker.sent[0][1] == signed(OLGA, A)
        await t.talk(walker, crane)
        (post,) = await t.told(1)
        assert (post.place, post.reply_to) == (ALARMS, None)
        words = (await t.news())[0]
        assert words.startswith("STOPPED everything: 2 of 2 confirmed it.")
        assert "From the stop key of olga." in words
        assert not walker.works
        (step, *_) = await t.course(A)
        assert (step.what, step.words) == (What.ADOPTED, "the stop key of olga")
        entries = await store.read(lambda tx: audit.last(tx, 50))
        (adopted,) = [entry for entry in entries if entry.kind == "incident adopted"]
        assert adopted.people == [{"by": "the stop key of olga"}]


@pytest.mark.parametrize(
    "envelope",
    [
        signed(THIEF, A),
        Stop(A, ALL, 1).to_bytes(),
        b"",
        b"{}",
        seal(OLGA, ROOT, "lease", Stop(A, ALL, 1).to_bytes()),
        seal(OLGA, "other/root", "stop", Stop(A, ALL, 1).to_bytes()),
        seal(OLGA, ROOT, "stop", b"{}"),
        seal(OLGA, ROOT, "stop", b'{"incident":"x","target":"all","issued":1}'),
        signed(PrivateKey(b"walker".ljust(32, b".")), A),
        seal(THIEF, ROOT, "drill", Drill("0a", ALL, 1).to_bytes()),
    ],
)
async def test_what_no_key_that_counts_has_signed_stops_nobody(
    store: Store, walker: Component, envelope: bytes
) -> None:
    async with tower(store, walker, stop_keys=STOP_KEYS) as t:
        with pytest.raises(BadMessage):
            await t.bell.overheard(envelope)
        assert t.bell.incidents() == ()
        assert await store.read(incidents.all_incidents) == []
        await t.talk(walker)
        assert walker.works


async def test_our_own_stop_on_the_wire_is_no_news(store: Store, walker: Component) -> None:
    async with tower(store, walker) as t:
        await t.stopped(A, ALL, walker)
        await t.told(1)
        (own,) = {payload for topic, payload in t.broker.sent if "/stop/" in topic}
        await t.bell.overheard(own)
        await t.looked_at()
        assert [step.what for step in await t.course(A)] == [What.ORDERED, What.STOPPED, What.CONFIRMED]
        assert len(await t.news()) == 1


async def test_a_drill_of_ours_on_the_wire_is_no_stop_and_no_offence(store: Store, walker: Component) -> None:
    async with tower(store, walker, stop_keys=STOP_KEYS) as t:
        for key in (BOT_KEY, OLGA):
            await t.bell.overheard(seal(key, ROOT, "drill", Drill("0a", ALL, 1).to_bytes()))
        assert t.bell.incidents() == ()


async def test_a_stop_that_was_reset_and_is_said_again_stops_nobody(store: Store, walker: Component) -> None:
    async with tower(store, walker, stop_keys=STOP_KEYS, alarms=(ALARMS,)) as t:
        await t.bell.overheard(signed(OLGA, A))
        await t.broker.until(lambda: "all" in t.broker.stops())
        await t.talk(walker)
        await t.reset(A, None, TWO)
        await t.talk(walker)
        await t.bell.overheard(signed(OLGA, A))
        assert t.bell.incidents() == ()
        await t.talk(walker)
        assert walker.works
    async with tower(store, walker, stop_keys=STOP_KEYS, alarms=(ALARMS,)) as t:
        await t.bell.overheard(signed(OLGA, A))
        assert t.bell.incidents() == ()


async def test_a_stop_key_widens_what_a_component_named_without_it(
    store: Store, walker: Component, crane: Component
) -> None:
    walker.latch.stop(Stop(A, LEGS, 1), bytes(4000))
    async with tower(store, walker, crane, stop_keys=STOP_KEYS) as t:
        await t.talk(walker)
        await t.bell.overheard(signed(OLGA, A))
        (incident,) = t.bell.incidents()
        assert (incident.id, incident.target) == (A, ALL)
        await t.talk(crane)
        assert not crane.works
        assert [step.what for step in await t.course(A)][:2] == [What.ADOPTED, What.WIDENED]


async def test_what_was_said_of_an_incident_is_not_lost_when_it_is_widened(
    store: Store, walker: Component, crane: Component
) -> None:
    walker.latch.stop(Stop(A, LEGS, 1), bytes(4000))
    async with tower(store, walker, crane, stop_keys=STOP_KEYS) as t:
        await t.talk(walker)
        course = t.bell.course(A)
        assert course is not None
        await t.bell.note(course, Step(What.TAKEN, person="otto"))
        await t.bell.overheard(signed(OLGA, A))
        widened = t.bell.course(A)
        assert widened is not None
        assert (widened is course, widened.leader) == (False, "otto")


async def test_who_is_known_by_a_stop_key_is_found_in_a_statement_too(
    store: Store, crane: Component, hook: Component
) -> None:
    hook.hears(f"{ROOT}/stop/all", signed(OLGA, A))
    async with tower(store, crane, hook, stop_keys=STOP_KEYS) as t:
        await t.talk(hook)
        (incident,) = t.bell.incidents()
        assert (incident.id, incident.target) == (A, ALL)
        await t.talk(crane)
        assert not crane.works


async def test_a_stop_of_a_revoked_key_is_adopted_for_the_component_that_names_it_alone(
    store: Store, crane: Component, hook: Component
) -> None:
    hook.hears(f"{ROOT}/stop/all", signed(OLGA, A))
    async with tower(store, crane, hook, stop_keys=STOP_KEYS) as t:
        await t.bell.set_stop_keys({})
        with pytest.raises(BadSignature):
            await t.bell.overheard(signed(OLGA, B))
        await t.talk(hook, crane)
        (incident,) = t.bell.incidents()
        assert (incident.id, incident.target, incident.stop) == (A, Target(id="hook"), None)
        assert (hook.works, crane.works) == (False, True)
        assert hook.latch.roster.stop_keys == ()  # it believes that key no more


async def test_who_orders_what_somebody_has_stopped_by_key_joins_it(store: Store, walker: Component) -> None:
    async with tower(store, walker, stop_keys=STOP_KEYS, alarms=(ALARMS,)) as t:
        await t.bell.overheard(signed(OLGA, A, LEGS))
        assert (await t.bell.order(B, LEGS, ORIGIN)).id == A
        await t.broker.until(lambda: bool(t.broker.stops()))
        await t.talk(walker)
        (post,) = await t.told(1)
        assert post.place == ORIGIN.place
        assert "From the stop key of olga." in (await t.news())[0]


async def test_what_turned_out_to_stop_more_than_was_agreed_to_is_not_reset(
    store: Store, walker: Component, crane: Component
) -> None:
    walker.latch.stop(Stop(A, LEGS, 1), bytes(4000))
    walker.latch.down = True
    async with tower(store, walker, crane, stop_keys=STOP_KEYS) as t:
        await t.talk(walker)
        (agreed,) = t.bell.incidents()
        await t.bell.overheard(signed(OLGA, A))
        with pytest.raises(Refused, match="more than the two of you could see"):
            await t.bell.reset(agreed, None, TWO)
        assert await store.read(incidents.all_cleared) == []
        await t.talk(walker, crane)
        assert (walker.works, crane.works) == (False, False)
        await t.reset(A, None, TWO)
        await t.talk(walker, crane)
        assert (walker.works, crane.works) == (True, True)
