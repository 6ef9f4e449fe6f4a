"""The inbox: what was taken is kept, once, and dealt with once."""

import dataclasses

import pytest

from bot.store import Store, inbox
from bot.words.errors import StoreError
from bot.words.message import Message, Place, Standing
from bot.words.people import Account
from wire.fields import INCIDENT


def message(event: str, text: str = "!status", *, age_s: float = 0.25) -> Message:
    return Message(
        place=Place("chat", "room"),
        account=Account("chat", "olga"),
        event=event,
        text=text,
        standing=Standing.ATTESTED,
        device="PHONE",
        sent_ms=1_700_000_000_000,
        age_s=age_s,
        addressed=True,
    )


async def accept(store: Store, *messages: Message, cursor: str = "c", network: str = "chat") -> int:
    return await store.write(lambda tx: inbox.accept(tx, network, messages, cursor))


async def test_a_message_comes_out_as_it_went_in(store: Store) -> None:
    taken = message("e1", "!say “ünïcode” 🔔\nand more")
    assert await accept(store, taken) == 1
    (received,) = await store.read(inbox.open_rows)
    assert received.message == taken
    assert not received.running


async def test_the_same_event_twice_is_one_row(store: Store) -> None:
    assert await accept(store, message("e1"), message("e2")) == 2
    assert await accept(store, message("e2", "!other"), message("e3"), message("e3")) == 1
    rows = await store.read(inbox.open_rows)
    assert [row.message.event for row in rows] == ["e1", "e2", "e3"]
    assert rows[1].message.text == "!status"


async def test_one_event_id_on_two_networks_is_two_messages_with_two_ids(store: Store) -> None:
    other = dataclasses.replace(message("e1"), place=Place("talk", "room"), account=Account("talk", "olga"))
    await accept(store, message("e1"))
    assert await accept(store, other, network="talk") == 1
    first, second = await store.read(inbox.open_rows)
    assert second.message == other
    assert first.id != second.id


async def test_an_id_is_the_same_after_every_restart_and_fits_an_incident(store: Store) -> None:
    await accept(store, message("$abc"))
    (received,) = await store.read(inbox.open_rows)
    assert received.id == "01a7bca54c962d917826ab865a59f28c"
    assert INCIDENT.fullmatch(received.id)
    again = dataclasses.replace(received, row=77, received=0.0, running=True)
    assert again.id == received.id


async def test_the_cursor_moves_in_the_same_commit(store: Store) -> None:
    assert await store.read(lambda tx: inbox.cursor(tx, "chat")) is None
    await accept(store, message("e1"), cursor="c1")
    broken = dataclasses.replace(message("e3"), sent_ms=2**70)
    with pytest.raises(OverflowError):
        await accept(store, message("e2"), broken, cursor="c2")
    assert await store.read(lambda tx: inbox.cursor(tx, "chat")) == "c1"
    assert [row.message.event for row in await store.read(inbox.open_rows)] == ["e1"]
    await accept(store, cursor="c3")
    assert await store.read(lambda tx: inbox.cursor(tx, "chat")) == "c3"
    assert await store.read(lambda tx: inbox.cursor(tx, "talk")) is None


async def test_what_is_done_loses_its_text_and_is_never_taken_again(store: Store) -> None:
    await accept(store, message("e1", "!secret words"))
    (received,) = await store.read(inbox.open_rows)
    await store.write(lambda tx: inbox.done(tx, received.row))
    assert await accept(store, message("e1", "!secret words")) == 0
    assert await store.read(inbox.open_rows) == []
    rows = await store.read(lambda tx: tx.execute("SELECT event, text, state FROM inbox").fetchall())
    assert rows == [("e1", "", "done")]


async def test_what_was_begun_says_so(store: Store) -> None:
    await accept(store, message("e1"))
    (received,) = await store.read(inbox.open_rows)
    await store.write(lambda tx: inbox.begin(tx, received.row))
    (again,) = await store.read(inbox.open_rows)
    assert again.running
    assert again.id == received.id


async def test_only_what_came_after_a_row_is_read_again(store: Store) -> None:
    await accept(store, message("e1"), message("e2"))
    first, _ = await store.read(inbox.open_rows)
    assert [row.message.event for row in await store.read(lambda tx: inbox.open_rows(tx, first.row))] == ["e2"]


async def test_an_age_grows_with_the_wait_and_never_shrinks(store: Store) -> None:
    await accept(store, message("e1", age_s=5.0))
    (received,) = await store.read(inbox.open_rows)
    assert received.age_s(received.received + 7) == 12.0
    assert received.age_s(received.received - 3600) == 5.0  # somebody has set the clock back


async def test_a_message_from_the_future_is_not_younger_than_new(store: Store) -> None:
    await accept(store, message("e1", age_s=-3600.0))
    (received,) = await store.read(inbox.open_rows)
    assert received.age_s(received.received + 61) == 61.0


async def test_an_age_that_is_no_number_is_not_taken(store: Store) -> None:
    with pytest.raises(StoreError):
        await accept(store, message("e1", age_s=float("nan")))
