"""The id map: which message is a copy of which."""

import pytest

from bot.store import Store, moving, said
from bot.store.said import Said
from bot.words.message import Moved, Place

ROOM, STREAM, TOPIC = Place("matrix", "!room"), Place("zulip", "ops>status"), Place("mqtt", "chat")
ORIGIN = Said(ROOM, "$1")


async def link(store: Store, copy: Said, origin: Said = ORIGIN) -> None:
    await store.write(lambda tx: said.link(tx, copy, origin))


async def origin_of(store: Store, copy: Said) -> Said | None:
    return await store.read(lambda tx: said.origin_of(tx, copy))


async def test_a_copy_leads_to_its_origin(store: Store) -> None:
    copies = [Said(TOPIC, "7"), Said(STREAM, "42")]
    for copy in copies:
        await link(store, copy)
    assert [await origin_of(store, copy) for copy in copies] == [ORIGIN, ORIGIN]
    assert await origin_of(store, ORIGIN) is None


async def test_the_same_link_twice_is_one(store: Store) -> None:
    for _ in range(2):
        await link(store, Said(STREAM, "42"))
    assert await origin_of(store, Said(STREAM, "42")) == ORIGIN


async def test_a_link_is_never_changed(store: Store) -> None:
    await link(store, Said(STREAM, "42"))
    await link(store, Said(STREAM, "42"), Said(ROOM, "$2"))
    assert await origin_of(store, Said(STREAM, "42")) == ORIGIN


async def test_one_event_id_in_two_places_is_two_messages(store: Store) -> None:
    await link(store, Said(STREAM, "1"))
    await link(store, Said(TOPIC, "1"), Said(ROOM, "$2"))
    assert await origin_of(store, Said(STREAM, "1")) == ORIGIN
    assert await origin_of(store, Said(TOPIC, "1")) == Said(ROOM, "$2")
    assert await origin_of(store, Said(Place("zulip", "ops>other"), "1")) is None


async def test_a_copy_is_one_wherever_it_stands_and_known_where_that_is(store: Store) -> None:
    copy, moved = Said(STREAM, "42"), Said(Place("zulip", "ops>other"), "42")
    await link(store, copy)
    await store.write(lambda tx: moving.among_copies(tx, Moved(STREAM, moved.place, ("42",))))
    assert await store.read(lambda tx: said.copy(tx, "zulip", "42")) == (moved, ORIGIN)
    assert [await origin_of(store, each) for each in (copy, moved)] == [None, ORIGIN]
    assert await store.read(lambda tx: said.copy(tx, "matrix", "42")) is None


async def test_a_copy_stays_one_of_what_is_moved(store: Store) -> None:
    other = Place("matrix", "!other")
    for event, origin in (("42", ORIGIN), ("43", Said(ROOM, "$2"))):
        await link(store, Said(STREAM, event), origin)
    await store.write(lambda tx: moving.among_copies(tx, Moved(ROOM, other, ("$1",))))
    await store.write(lambda tx: moving.among_copies(tx, Moved(TOPIC, other, ("$2",))))
    assert await origin_of(store, Said(STREAM, "42")) == Said(other, "$1")
    assert await origin_of(store, Said(STREAM, "43")) == Said(ROOM, "$2"), "it was not there"
    await store.write(lambda tx: moving.all_of(tx, ROOM, other))
    assert await origin_of(store, Said(STREAM, "43")) == Said(other, "$2")
    await store.write(lambda tx: moving.all_of(tx, STREAM, Place("zulip", "ops>other")))
    assert await origin_of(store, Said(Place("zulip", "ops>other"), "43")) == Said(other, "$2")


@pytest.mark.parametrize(
    ("subject", "is_one"),
    [
        ("said zulip:4", True),
        ("file 3 said zulip:4", True),
        ("moved abc said zulip:4", False),
        ("reaction x said zulip:4", False),
        ("reaction file  said zulip:4", False),
        ("thread zulip:4/said ", False),
        ("said ", False),
        ("", False),
    ],
)
def test_what_is_said_of_a_message_is_known_by_its_subject(subject: str, *, is_one: bool) -> None:
    assert said.is_of_message(subject) is is_one


def test_what_is_said_of_a_message_is_the_same_wherever_it_stands() -> None:
    here, there = Said(STREAM, "42"), Said(Place("zulip", "ops>other"), "42")
    assert here.subject == there.subject == "said zulip:42"
    assert here.files == there.files
    assert len({here.subject, *here.files}) == 1 + said.MOST_FILES
    assert Said(ROOM, "42").subject != here.subject
