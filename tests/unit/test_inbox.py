"""The inbox: what was taken is kept, once, and dealt with once."""

import dataclasses

import pytest

from bot.store import Store, inbox
from bot.store.inbox import Open, Received
from bot.words.errors import StoreError
from bot.words.message import Change, Message, Place, Standing
from bot.words.people import Account
from wire.fields import INCIDENT

PLACE = Place("chat", "room")


def message(event: str, text: str = "!status", *, age_s: float = 0.25) -> Message:
    return Message(
        place=PLACE,
        account=Account("chat", "olga"),
        event=event,
        text=text,
        standing=Standing.ATTESTED,
        device="PHONE",
        sent_ms=1_700_000_000_000,
        age_s=age_s,
        addressed=True,
    )


async def accept(
    store: Store, *messages: Message, cursor: str = "c", network: str = "chat", changes: tuple[Change, ...] = ()
) -> list[Received]:
    return await store.write(lambda tx: inbox.accept(tx, network, messages, cursor, changes))


def events(rows: list[Received]) -> list[str]:
    return [row.message.event for row in rows]


async def edited(store: Store) -> list[str]:
    return [row.message.event for row in await store.read(inbox.open_rows) if row.edited]


async def test_a_message_comes_out_as_it_went_in(store: Store) -> None:
    taken = message("e1", "!say “ünïcode” 🔔\nand more")
    new = await accept(store, taken)
    (received,) = await store.read(inbox.open_rows)
    assert new == [received]
    assert received.message == taken
    assert not received.running
    assert not received.edited


async def test_what_is_open_is_counted_by_network_with_its_oldest(store: Store) -> None:
    first, second, _ = await accept(store, message("e1"), message("e2"), message("e3"))
    await accept(store, message("e1"), network="talk")
    await store.write(lambda tx: tx.execute("UPDATE inbox SET received = 100 * id"))
    await store.write(lambda tx: (inbox.done(tx, first.row), inbox.begin(tx, second.row)))
    assert await store.read(inbox.count_open) == [Open("chat", 2, 200.0), Open("talk", 1, 400.0)]
    assert await store.read(lambda tx: inbox.count_open(tx, most=1)) == [Open("chat", 1, 200.0)]


async def test_the_same_event_twice_is_one_row(store: Store) -> None:
    first = await accept(store, message("e1"), message("e2"))
    assert events(first) == ["e1", "e2"]
    second = await accept(store, message("e2", "!other"), message("e3"), message("e3"))
    assert events(second) == ["e3"]
    rows = await store.read(inbox.open_rows)
    assert rows == first + second
    assert events(rows) == ["e1", "e2", "e3"]
    assert rows[1].message.text == "!status"


async def test_one_event_id_on_two_networks_is_two_messages_with_two_ids(store: Store) -> None:
    other = dataclasses.replace(message("e1"), place=Place("talk", "room"), account=Account("talk", "olga"))
    await accept(store, message("e1"))
    assert len(await accept(store, other, network="talk")) == 1
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
    assert await accept(store, message("e1", "!secret words")) == []
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


async def test_a_long_inbox_is_read_page_by_page(store: Store) -> None:
    await accept(store, *(message(f"e{number}") for number in range(25)))
    after, pages = 0, list[list[str]]()
    while page := await store.read(lambda tx, after=after: inbox.open_rows(tx, after, 10)):
        after = page[-1].row
        pages.append(events(page))
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [event for page in pages for event in page] == [f"e{number}" for number in range(25)]


async def test_an_edit_by_its_writer_marks_a_message_and_one_by_anybody_else_does_not(store: Store) -> None:
    await accept(store, message("e1"), message("e2"), message("e3"))
    olga, mallory, other_olga = Account("chat", "olga"), Account("chat", "mallory"), Account("talk", "olga")
    await accept(store, changes=(Change(PLACE, "e1", olga), Change(PLACE, "e2", mallory), Change(PLACE, "e9", olga)))
    assert await edited(store) == ["e1"]
    await accept(store, network="talk", changes=(Change(PLACE, "e3", other_olga),))  # of that name
    assert await edited(store) == ["e1"]


async def test_a_message_that_anybody_took_back_is_marked(store: Store) -> None:
    await accept(store, message("e1"), message("e2"))
    await accept(store, changes=(Change(PLACE, "e2", Account("chat", "moderator"), removed=True),))
    assert await edited(store) == ["e2"]


async def test_a_change_in_another_place_changes_nothing_here(store: Store) -> None:
    await accept(store, message("e1"))
    await accept(store, changes=(Change(Place("chat", "hall"), "e1", Account("chat", "moderator"), removed=True),))
    assert await edited(store) == []


async def test_a_change_that_comes_with_its_message_counts(store: Store) -> None:
    new = await accept(store, message("e1"), message("e2"), changes=(Change(PLACE, "e2", Account("chat", "olga")),))
    assert [(row.message.event, row.edited) for row in new] == [("e1", False), ("e2", True)]
    assert new == await store.read(inbox.open_rows)


async def test_what_is_running_is_marked_and_what_is_done_is_let_be(store: Store) -> None:
    first, second = await accept(store, message("e1"), message("e2"))
    await store.write(lambda tx: inbox.begin(tx, first.row))
    await store.write(lambda tx: inbox.done(tx, second.row))
    olga = Account("chat", "olga")
    await accept(store, changes=(Change(PLACE, "e1", olga), Change(PLACE, "e2", olga)))
    assert await edited(store) == ["e1"]
    rows = await store.read(lambda tx: tx.execute("SELECT event, edited FROM inbox ORDER BY id").fetchall())
    assert rows == [("e1", 1), ("e2", 0)]


async def test_a_change_runs_nothing_and_undoes_nothing(store: Store) -> None:
    (taken,) = await accept(store, message("e1", "!status"))
    assert await accept(store, changes=(Change(PLACE, "e1", Account("chat", "olga")),)) == []
    (received,) = await store.read(inbox.open_rows)
    assert received.message == taken.message
    assert received.id == taken.id


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
