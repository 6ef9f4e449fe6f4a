"""What a component claims is told to people when it changes, once, and also where it changed over a restart."""

import asyncio

import pytest

from bot.fleet.claims import CHANGED_EVERY_S, MOST_SHOWN, Claims
from bot.store import Store, audit, outbox
from bot.words import packed
from bot.words.errors import StoreError
from bot.words.message import Lane, Place
from bot.words.plain import to_plain
from tests.unit.tower import PATIENCE, refuse, take_again

ALARMS = (Place("chat", "alarms"), Place("chat", "office"))
FIRST = ("group legs", "walk: danger none")


@pytest.fixture
def queued() -> list[None]:
    """How often ways out were told to look."""
    return []


@pytest.fixture
def claims(store: Store, queued: list[None]) -> Claims:
    return Claims(store, ALARMS, queued=lambda: queued.append(None))


async def told(store: Store) -> list[tuple[str, str]]:
    """Where, and what."""
    sql = "SELECT place, document, lane FROM outbox WHERE state = 'waiting' ORDER BY id"
    rows = await store.read(lambda tx: tx.execute(sql).fetchall())
    assert {Lane(lane) for _, _, lane in rows} <= {Lane.ALERT}
    return [(place, to_plain(packed.load(said))) for place, said, _ in rows]


async def test_the_first_birth_is_no_news_and_the_same_again_is_none(store: Store, claims: Claims) -> None:
    await claims("walker", FIRST)
    await claims("walker", FIRST)
    assert await told(store) == []
    assert await store.read(lambda tx: audit.last(tx, 10)) == []


async def test_a_change_is_told_once_at_each_place_of_alarms_and_recorded(
    store: Store, claims: Claims, queued: list[None]
) -> None:
    await claims("walker", FIRST)
    await claims("walker", ("group arms", "group legs", "walk: danger high"))
    (first, words), (second, same) = await told(store)
    assert ([first, second], words == same) == (["alarms", "office"], True)
    assert words.startswith("CHANGED: the component walker claims something else.")
    for line in ("now: group arms", "now: walk: danger high", "no longer: walk: danger none"):
        assert line in words
    assert "group legs" not in words
    assert queued
    (entry,) = await store.read(lambda tx: audit.last(tx, 10))
    assert entry.kind == "component changed"
    await claims("walker", ("group arms", "group legs", "walk: danger high"))
    assert len(await told(store)) == 2


async def test_a_change_over_a_restart_is_told_and_what_was_told_is_not(store: Store, claims: Claims) -> None:
    await claims("walker", FIRST)
    later = Claims(store, ALARMS[:1], queued=lambda: None)
    await later("walker", FIRST[:1])
    await Claims(store, ALARMS[:1], queued=lambda: None)("walker", FIRST[:1])
    ((_, words),) = await told(store)
    assert "no longer: walk: danger none" in words


async def test_each_component_claims_for_itself(store: Store, claims: Claims) -> None:
    await claims("walker", FIRST)
    await claims("crane", ("group arms",))
    assert await told(store) == []


@pytest.mark.parametrize(("before", "after"), [((), FIRST), (FIRST, ())])
async def test_from_nothing_and_to_nothing_are_changes(
    store: Store, claims: Claims, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    await claims("walker", before)
    await claims("walker", after)
    assert len(await told(store)) == 2


async def test_a_change_of_everything_is_told_within_bounds(store: Store, claims: Claims) -> None:
    await claims("walker", FIRST)
    await claims("walker", tuple(f"group g{number}" for number in range(1000)))
    words = (await told(store))[0][1]
    assert words.count("now: ") == MOST_SHOWN
    assert "and 982 more" in words


async def test_who_claims_now_this_and_now_that_is_told_of_within_bounds_and_its_last_word_is(store: Store) -> None:
    now, waits, go_on = [0.0], asyncio.Event(), asyncio.Event()

    async def pause(seconds: float) -> None:
        waits.set()
        await go_on.wait()
        now[0] += seconds

    claims = Claims(store, ALARMS[:1], queued=lambda: None, clock=lambda: now[0], pause=pause)
    await claims("walker", FIRST)
    await claims("walker", ("group arms",))
    waiting = asyncio.create_task(claims("walker", FIRST))
    async with asyncio.timeout(PATIENCE):
        await waits.wait()
        for number in range(50):
            await claims("walker", (f"group g{number}",))  # nobody waits behind the one who is at it
        assert len(await told(store)) == 1
        go_on.set()
        await waiting
    assert now[0] == CHANGED_EVERY_S
    (_, first), (_, second) = await told(store)
    assert ("now: group arms" in first, "now: group g49" in second) == (True, True)


async def test_what_is_on_disk_already_is_not_written_again(store: Store, claims: Claims) -> None:
    await claims("walker", FIRST)
    commits = store.counts.commits
    await claims("walker", FIRST)
    assert store.counts.commits == commits


async def test_a_disk_that_refuses_loses_no_change(store: Store, claims: Claims) -> None:
    await claims("walker", FIRST)
    await refuse(store, "outbox")
    with pytest.raises(StoreError):
        await claims("walker", ())
    await take_again(store, "outbox")
    await claims("walker", ())
    assert len(await told(store)) == 2
    assert await store.read(lambda tx: outbox.failures(tx, 5)) == []
