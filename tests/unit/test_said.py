"""The id map: which message is a copy of which."""

from bot.store import Store, said
from bot.store.said import Said
from bot.words.message import Place

ROOM, STREAM, TOPIC = Place("matrix", "!room"), Place("zulip", "ops>status"), Place("mqtt", "chat")
ORIGIN = Said(ROOM, "$1")


async def link(store: Store, copy: Said, origin: Said = ORIGIN) -> None:
    await store.write(lambda tx: said.link(tx, copy, origin))


async def origin_of(store: Store, copy: Said) -> Said | None:
    return await store.read(lambda tx: said.origin_of(tx, copy))


async def copies_of(store: Store, origin: Said = ORIGIN) -> list[Said]:
    return await store.read(lambda tx: said.copies_of(tx, origin))


async def test_a_copy_leads_to_its_origin_and_back(store: Store) -> None:
    copies = [Said(TOPIC, "7"), Said(STREAM, "42")]
    for copy in copies:
        await link(store, copy)
    assert [await origin_of(store, copy) for copy in copies] == [ORIGIN, ORIGIN]
    assert await copies_of(store) == copies
    assert await origin_of(store, ORIGIN) is None
    assert await copies_of(store, copies[0]) == []


async def test_the_same_link_twice_is_one(store: Store) -> None:
    for _ in range(2):
        await link(store, Said(STREAM, "42"))
    assert await copies_of(store) == [Said(STREAM, "42")]


async def test_a_link_is_never_changed(store: Store) -> None:
    await link(store, Said(STREAM, "42"))
    await link(store, Said(STREAM, "42"), Said(ROOM, "$2"))
    assert await origin_of(store, Said(STREAM, "42")) == ORIGIN
    assert await copies_of(store, Said(ROOM, "$2")) == []


async def test_one_event_id_in_two_places_is_two_messages(store: Store) -> None:
    await link(store, Said(STREAM, "1"))
    await link(store, Said(TOPIC, "1"), Said(ROOM, "$2"))
    assert await origin_of(store, Said(STREAM, "1")) == ORIGIN
    assert await origin_of(store, Said(TOPIC, "1")) == Said(ROOM, "$2")
    assert await origin_of(store, Said(Place("zulip", "ops>other"), "1")) is None
