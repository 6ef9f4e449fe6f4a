"""Whose signature counts: components follow the bot's key and the roster of stop keys, and nobody else leads them."""

import asyncio

import pytest
import structlog.testing

from bot.stop.keyring import MOST_SERIAL, Keyring
from bot.store import Store, audit, keychain
from bot.store.keychain import KeptRoster
from bot.words.errors import SettingsError
from tests.unit.tower import ALL, BOT_KEY, PATIENCE, A, Component, HangDisk, refuse, take_again, tower
from wire.chain import hand_over
from wire.envelope import PrivateKey, seal, unseal
from wire.messages import ROOT, Drill, Roster, Stop

pytestmark = pytest.mark.usefixtures("hurried")

OLDEST, OLD = PrivateKey(b"oldest".ljust(32, b".")), PrivateKey(b"old".ljust(32, b"."))
OLGA, OTTO = (PrivateKey(f"{name}'s stop key".encode().ljust(32, b".")).public for name in ("olga", "otto"))


@pytest.fixture
async def rotated(store: Store) -> Store:
    """The bot's key was handed over twice."""
    for old, new in ((OLDEST, OLD), (OLD, BOT_KEY)):
        await store.write(lambda tx, old=old, new=new: keychain.hand_over(tx, hand_over(old, new, ROOT)))
    return store


def rosters(payloads: list[bytes]) -> list[Roster]:
    return [Roster.parse(unseal(each, ROOT, "roster", BOT_KEY.public)) for each in payloads]


@pytest.mark.parametrize(("believed", "links"), [(OLDEST, 2), (OLD, 1), (BOT_KEY, 0)])
async def test_who_believes_an_older_key_gets_the_links_first_and_no_lease(
    rotated: Store, believed: PrivateKey, links: int
) -> None:
    walker = Component("walker", bot=believed.public)
    async with tower(rotated, walker) as t:
        await t.bell.heard("walker", walker.asks())
        assert len(t.broker.to("key", "walker")) == links
        assert len(t.broker.to("lease", "walker")) == (0 if links else 1)
        t.deliver(walker)
        assert walker.latch.key == BOT_KEY.public
        await t.talk(walker)
        assert walker.works
        assert len(t.broker.to("key", "walker")) == links
        assert t.bell.withheld == 0


async def test_who_believes_a_key_that_was_never_ours_gets_nothing_and_is_logged_once(
    rotated: Store, crane: Component
) -> None:
    walker = Component("walker", bot=PrivateKey(b"another bot".ljust(32, b".")).public)
    with structlog.testing.capture_logs() as logs:
        async with tower(rotated, walker, crane) as t:
            await t.talk(walker, crane)
            assert (walker.works, crane.works) == (False, True)
            assert [topic for topic, _ in t.broker.sent if topic.endswith("/walker")] == []
            assert t.bell.withheld == 3
    lines = [each for each in logs if each["event"] == "a component gets no lease"]
    assert [each["component"] for each in lines] == ["walker"]
    assert "Enrol it again" in lines[0]["error"]


async def test_a_stop_that_an_older_key_signed_is_ours(rotated: Store, walker: Component) -> None:
    async with tower(rotated, walker) as t:
        await t.bell.overheard(seal(OLDEST, ROOT, "stop", Stop(A, ALL, 1).to_bytes()))
        await t.bell.overheard(seal(OLD, ROOT, "drill", Drill("0a", ALL, 1).to_bytes()))
        assert [(each.id, each.target) for each in t.bell.incidents()] == [(A, ALL)]


@pytest.mark.parametrize("key", [OLD, OLDEST, PrivateKey(b"another bot".ljust(32, b"."))])
async def test_a_key_that_is_not_the_last_of_its_database_is_refused_with_a_hint(
    rotated: Store, key: PrivateKey
) -> None:
    with pytest.raises(SettingsError, match="not the one that its database knows") as wrong:
        async with tower(rotated, key=key):
            pytest.fail("it began all the same")
    assert "from the same backup" in wrong.value.hint


async def test_who_states_an_older_roster_is_sent_the_newer_one(store: Store, walker: Component) -> None:
    async with tower(store, walker, stop_keys={str(OLGA): "olga"}) as t:
        await t.talk(walker)
        (roster,) = rosters(t.broker.to("roster", "walker"))
        assert roster.stop_keys == (str(OLGA),)
        assert walker.latch.roster == roster
        assert walker.works
        await t.bell.set_stop_keys({str(OLGA): "olga", str(OTTO): "otto"})
        assert t.bell.stop_keys == {str(OLGA): "olga", str(OTTO): "otto"}
        await t.talk(walker)
        first, second = rosters(t.broker.to("roster", "walker"))
        assert second.serial > first.serial
        assert set(walker.latch.roster.stop_keys) == {str(OLGA), str(OTTO)}


async def test_the_same_people_again_are_no_new_roster(store: Store, walker: Component) -> None:
    people = {str(OLGA): "olga"}
    async with tower(store, walker, stop_keys=people) as t:
        before = await store.read(keychain.last_roster)
        await t.bell.set_stop_keys(dict(people))
        assert await store.read(keychain.last_roster) == before
    async with tower(store, walker, stop_keys=people) as t:
        await t.talk(walker)
        assert (await store.read(keychain.last_roster)).serial == before.serial == walker.latch.roster.serial


async def test_whose_key_is_gone_at_the_start_is_told_to_components(store: Store, walker: Component) -> None:
    async with tower(store, walker, stop_keys={str(OLGA): "olga"}) as t:
        await t.talk(walker)
    async with tower(store, walker) as t:
        assert t.bell.stop_keys == {}
        await t.talk(walker)
        assert walker.latch.roster.stop_keys == ()


async def test_a_component_with_a_higher_number_gets_ours_under_one_that_it_takes(
    store: Store, walker: Component, crane: Component
) -> None:
    ahead = Roster(2**40, (str(OTTO),))
    assert walker.latch.take_roster(ahead)
    async with tower(store, walker, crane, stop_keys={str(OLGA): "olga"}) as t:
        await t.talk(walker, crane)
        assert walker.latch.roster == Roster(2**40 + 1, (str(OLGA),))
        assert crane.latch.roster == walker.latch.roster
        kept = await store.read(keychain.last_roster)
        assert (kept.serial, kept.people) == (2**40 + 1, {str(OLGA): "olga"})
        assert walker.works
    async with tower(store, walker, stop_keys={str(OTTO): "otto"}) as t:
        await t.talk(walker)
        assert walker.latch.roster == Roster(2**40 + 2, (str(OTTO),))


@pytest.mark.parametrize("serial", [MOST_SERIAL, 2**53 - 1])
async def test_a_number_beyond_all_bounds_raises_nothing_and_is_no_reason_to_hold(
    store: Store, walker: Component, serial: int
) -> None:
    assert walker.latch.take_roster(Roster(serial, ()))
    async with tower(store, walker, stop_keys={str(OLGA): "olga"}) as t:
        before = await store.read(keychain.last_roster)
        await t.talk(walker)
        assert await store.read(keychain.last_roster) == before
        assert t.broker.to("roster", "walker") == []
        assert walker.works


async def test_a_disk_that_hangs_keeps_nobody_from_a_lease_because_somebody_has_a_later_roster(
    store: Store, walker: Component, crane: Component, hang_disk: HangDisk
) -> None:
    assert walker.latch.take_roster(Roster(2**40, ()))
    async with tower(store, walker, crane, stop_keys={str(OLGA): "olga"}) as t:
        await t.bell.heard("crane", crane.asks())
        async with hang_disk(store), asyncio.timeout(PATIENCE / 2):
            await t.talk(walker, crane, rounds=1)
        assert (walker.works, crane.works) == (True, True)


async def test_a_roster_that_the_disk_refused_counts_and_its_number_is_not_used_again(
    store: Store, walker: Component
) -> None:
    assert walker.latch.take_roster(Roster(2**40, ()))
    async with tower(store, walker, stop_keys={str(OLGA): "olga"}) as t:
        await refuse(store, "roster")
        with structlog.testing.capture_logs() as logs:
            await t.talk(walker)
        assert "the roster of stop keys is not on disk" in [each["event"] for each in logs]
        assert walker.latch.roster == Roster(2**40 + 1, (str(OLGA),))
        await take_again(store, "roster")
    async with tower(store, walker, stop_keys={str(OTTO): "otto"}) as t:  # as after a crash
        await t.talk(walker)
        assert walker.latch.roster.serial > 2**40 + 1
        assert walker.latch.roster.stop_keys == (str(OTTO),)


async def test_a_bot_that_cannot_write_its_roster_begins_all_the_same(store: Store, walker: Component) -> None:
    await refuse(store, "roster")
    async with tower(store, walker, stop_keys={str(OLGA): "olga"}) as t:
        await t.talk(walker)
        assert walker.works
        assert walker.latch.roster.stop_keys == (str(OLGA),)


def test_numbers_of_rosters_only_grow() -> None:
    keyring = Keyring(BOT_KEY, ROOT, (), KeptRoster(2**41, {}))
    serials = [keyring.serial]
    for people in ({str(OLGA): "olga"}, {}, {str(OTTO): "otto"}):
        roster = keyring.next_roster(people)
        assert roster is not None
        keyring.use(roster)
        serials.append(keyring.serial)
    assert serials == sorted(set(serials))


async def test_which_keys_are_new_or_gone_is_recorded_once(store: Store, walker: Component, crane: Component) -> None:
    async def recorded() -> list[dict[str, audit.Value]]:
        entries = await store.read(lambda tx: audit.last(tx, 100))
        return [entry.all for entry in entries if entry.kind in ("key changed", "stop keys changed")]

    async with tower(store, walker, stop_keys={str(OLGA): "olga"}):
        first = await recorded()
        assert sorted((str(each["kind"]), str(each.get("role"))) for each in first) == [
            ("key changed", "bot"),
            ("key changed", "component"),
            ("stop keys changed", "None"),
        ]
    async with tower(store, walker, stop_keys={str(OLGA): "olga"}):
        assert len(await recorded()) == 3
    async with tower(store, crane):
        news = [entry for entry in await recorded() if entry not in first]
        assert len(news) == 3  # walker's key is gone, crane's is new, and olga's stop key is gone
        assert (str(walker.key.public), None) in [(each.get("was"), each.get("key", "")) for each in news]
        assert (None, str(crane.key.public)) in [(each.get("was", ""), each.get("key")) for each in news]


async def test_the_roster_of_an_empty_database_is_nobody(store: Store) -> None:
    assert await store.read(keychain.last_roster) == KeptRoster(0, {})
