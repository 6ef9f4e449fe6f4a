"""Incidents in the database: written once, never forgotten."""

import pytest

from bot.store import Store, incidents
from bot.store.incidents import Step, Told, What
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


async def written(store: Store, incident: str) -> None:
    await store.write(lambda tx: incidents.open_incident(tx, incident, "all", b"signed", None, None))


async def row(store: Store) -> incidents.Row:
    (only,) = await store.read(incidents.all_incidents)
    return only


async def test_it_was_opened_when_it_was_ordered_and_not_when_the_disk_took_it(store: Store) -> None:
    await store.write(lambda tx: incidents.open_incident(tx, FIRST, "all", None, None, None, at=12.5))
    assert (await row(store)).opened == 12.5


async def test_what_was_let_go_is_over_until_it_stops_somebody_of_whom_nobody_knew(store: Store) -> None:
    await written(store, FIRST)
    assert (await row(store)).over is None
    await store.write(lambda tx: incidents.tell(tx, FIRST, Told.CONFIRMED))
    await store.write(lambda tx: incidents.end(tx, FIRST))
    assert (await row(store)).over is not None
    await store.write(lambda tx: incidents.reopen(tx, [FIRST]))
    assert ((await row(store)).over, (await row(store)).told) == (None, Told.NOTHING)


@pytest.mark.parametrize(
    ("told", "then"),
    [(Told.NOTHING, Told.NOTHING), (Told.NOT_CONFIRMED, Told.NOT_CONFIRMED), (Told.CONFIRMED, Told.NOTHING)],
)
async def test_only_what_was_said_to_be_confirmed_is_no_longer_so(store: Store, told: Told, then: Told) -> None:
    await written(store, FIRST)
    await store.write(lambda tx: incidents.tell(tx, FIRST, told))
    await store.write(lambda tx: incidents.reopen(tx, [FIRST, SECOND]))
    assert (await row(store)).told is then


async def test_who_is_let_off_is_written_once(store: Store) -> None:
    await written(store, FIRST)
    for pairs in ([(FIRST, "a"), (FIRST, "b")], [(FIRST, "b"), (FIRST, "")], []):
        await store.write(lambda tx, pairs=pairs: incidents.clear(tx, pairs))
    assert set(await store.read(incidents.all_cleared)) == {(FIRST, "a"), (FIRST, "b"), (FIRST, "")}
    with pytest.raises(StoreError):
        await store.write(lambda tx: incidents.clear(tx, [(SECOND, "a")]))


async def test_a_course_comes_back_in_its_order_and_the_last_of_a_long_one(store: Store) -> None:
    await written(store, FIRST)
    await written(store, SECOND)
    steps = [Step(What.STOPPED, f"c{number}", at=100.0 - number) for number in range(9)]
    await store.write(lambda tx: incidents.note(tx, FIRST, steps))
    await store.write(lambda tx: incidents.note(tx, SECOND, [Step(What.TAKEN, person="olga", words="mine", at=1.0)]))
    assert await store.read(lambda tx: incidents.course(tx, FIRST, 100)) == steps
    assert await store.read(lambda tx: incidents.course(tx, FIRST, 3)) == steps[-3:]
    assert await store.read(lambda tx: incidents.course(tx, SECOND, 3)) == [
        Step(What.TAKEN, person="olga", words="mine", at=1.0)
    ]


async def test_the_newest_word_of_a_person_on_each_component_is_found_of_what_is_not_over(store: Store) -> None:
    for incident in (FIRST, SECOND):
        await written(store, incident)
        said = [
            Step(What.VERIFIED, "crane", "otto", "out", at=1.0),
            Step(What.VERIFIED, "crane", "olga", "still out", at=2.0),
            Step(What.VERIFIED, "walker", "otto", "lies there", at=1.5),
            Step(What.TAKEN, person="otto", at=3.0),
        ]
        await store.write(lambda tx, incident=incident, said=said: incidents.note(tx, incident, said))
    await store.write(lambda tx: incidents.end(tx, SECOND))
    newest = await store.read(lambda tx: incidents.latest(tx, What.VERIFIED))
    assert sorted((incident, step.component, step.person) for incident, step in newest) == [
        (FIRST, "crane", "olga"),
        (FIRST, "walker", "otto"),
    ]
