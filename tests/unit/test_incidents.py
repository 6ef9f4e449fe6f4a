"""Incidents in the database: written once, never forgotten."""

import pytest

from bot.store import Store, incidents
from bot.store.incidents import Told
from bot.words.errors import StoreError
from bot.words.message import Place

FIRST, SECOND = "1" * 32, "2" * 32


async def test_an_incident_comes_back_as_it_was_written(store: Store) -> None:
    place = Place("chat", "room")
    await store.write(lambda tx: incidents.open_incident(tx, FIRST, "group/legs", b"signed", place, "$order"))
    await store.write(lambda tx: incidents.open_incident(tx, SECOND, "id/walker", None, None, None))
    first, second = await store.read(incidents.all_incidents)
    assert (first.id, first.target, first.stop, first.place, first.reply_to, first.told) == (
        FIRST,
        "group/legs",
        b"signed",
        place,
        "$order",
        Told.NOTHING,
    )
    assert (second.id, second.stop, second.place, second.reply_to) == (SECOND, None, None, None)


async def test_one_that_is_there_stays_as_it_is(store: Store) -> None:
    await store.write(lambda tx: incidents.open_incident(tx, FIRST, "all", b"signed", Place("chat", "room"), "$order"))
    await store.write(lambda tx: incidents.tell(tx, FIRST, Told.CONFIRMED))
    (before,) = await store.read(incidents.all_incidents)
    await store.write(lambda tx: incidents.open_incident(tx, FIRST, "id/walker", None, None, None))
    assert await store.read(incidents.all_incidents) == [before]
    assert before.told is Told.CONFIRMED


async def test_one_without_its_signed_stop_is_widened_by_it(store: Store) -> None:
    place = Place("chat", "room")
    await store.write(lambda tx: incidents.open_incident(tx, FIRST, "id/walker", None, None, None))
    await store.write(lambda tx: incidents.tell(tx, FIRST, Told.CONFIRMED))
    await store.write(lambda tx: incidents.open_incident(tx, FIRST, "id/crane", None, None, None))
    (before,) = await store.read(incidents.all_incidents)
    assert (before.target, before.told) == ("id/walker", Told.CONFIRMED)
    await store.write(lambda tx: incidents.open_incident(tx, FIRST, "all", b"signed", place, "$order"))
    (after,) = await store.read(incidents.all_incidents)
    assert (after.target, after.stop, after.place, after.reply_to) == ("all", b"signed", place, "$order")
    assert after.told is Told.NOTHING  # what was confirmed was less


async def test_each_place_joins_an_incident_once(store: Store) -> None:
    here, there = Place("chat", "here"), Place("chat", "there")
    await store.write(lambda tx: incidents.open_incident(tx, FIRST, "all", b"signed", here, "$order"))
    for place, event in ((there, "$first"), (there, "$second")):
        await store.write(lambda tx, place=place, event=event: incidents.join(tx, FIRST, place, event))
    assert await store.read(incidents.all_joined) == [(FIRST, there, "$first")]
    with pytest.raises(StoreError):
        await store.write(lambda tx: incidents.join(tx, SECOND, there, "$first"))


async def test_whom_it_affects_is_written_once(store: Store) -> None:
    await store.write(lambda tx: incidents.open_incident(tx, FIRST, "all", None, None, None))
    for pairs in (((FIRST, "a"), (FIRST, "b")), ((FIRST, "b"), (FIRST, "c")), ()):
        await store.write(lambda tx, pairs=pairs: incidents.affect(tx, pairs))
    assert set(await store.read(incidents.all_affected)) == {(FIRST, "a"), (FIRST, "b"), (FIRST, "c")}


async def test_nobody_is_affected_by_an_incident_that_is_not_there(store: Store) -> None:
    with pytest.raises(StoreError):
        await store.write(lambda tx: incidents.affect(tx, ((FIRST, "a"),)))
    assert await store.read(incidents.all_affected) == []
