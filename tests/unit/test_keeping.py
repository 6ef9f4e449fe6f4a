"""Retention: what is too old goes, bite by bite, and what must stay stays."""

import os
import time
from pathlib import Path

import pytest

from bot.store import Store, Tx, audit, inbox, incidents, keeping, outbox, pictures, pins, requests, said
from bot.store.keeping import Swept
from bot.store.requests import Request, State
from bot.store.said import Said
from bot.words.document import Picture, document
from bot.words.errors import StoreError
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account

DAY = 86_400.0
ROOM = Place("chat", "room")


def message(event: str) -> Message:
    return Message(ROOM, Account("chat", "olga"), event, "!status", Standing.ATTESTED, "PHONE", 0, 0.0)


def request(code: str, expires: float, state: State) -> Request:
    return Request(code, f"id {code}", "olga", message(code), "reset all", "digest", expires - 600, expires, state)


async def sweep(store: Store, days: float, most: int = 500) -> Swept:
    """Sweep as if so many days had gone by."""
    return await store.write(lambda tx: keeping.sweep(tx, time.time() + days * DAY, most))


async def column(store: Store, sql: str) -> list[object]:
    return [each for (each,) in await store.read(lambda tx: tx.execute(sql).fetchall())]


async def waiting(store: Store) -> list[tuple[int, str, bytes]]:
    """The posts that wait: number, key, words."""
    sql = "SELECT id, key, document FROM outbox WHERE state = 'waiting' ORDER BY id"
    return await store.read(lambda tx: tx.execute(sql).fetchall())


async def test_what_was_dealt_with_is_forgotten_after_thirty_days_and_what_is_open_never(store: Store) -> None:
    new = await store.write(lambda tx: inbox.accept(tx, "chat", [message(f"e{n}") for n in range(6)], "c"))
    await store.write(lambda tx: [inbox.done(tx, row.row) for row in new[:3]])
    await store.write(lambda tx: inbox.begin(tx, new[3].row))
    assert (await sweep(store, 29.9)).total == 0
    assert await sweep(store, 30.1) == Swept(inbox=3)
    assert await column(store, "SELECT event FROM inbox") == ["e3", "e4", "e5"]
    assert (await sweep(store, 3000)).total == 0


async def test_of_the_pictures_of_jobs_the_newest_stay_for_thirty_days(store: Store) -> None:
    seen = Picture("A curve", "image/png", b"PNG", 1, 1)
    now = time.time()

    def write(tx: Tx) -> None:
        for number in range(keeping.MOST_PICTURES + 3):
            pictures.keep(tx, f"job-{number}", "swarm", [seen], now + number)

    await store.write(write)
    assert await sweep(store, 0) == Swept(pictures=3)
    assert await store.read(lambda tx: pictures.of(tx, "job-2", 9)) == []
    assert await store.read(lambda tx: pictures.of(tx, "job-3", 9)) == [seen]
    assert (await sweep(store, 29)).total == 0
    assert await sweep(store, 31, most=100) == Swept(pictures=100)


async def test_the_number_of_a_message_is_never_given_again(store: Store) -> None:
    (row,) = await store.write(lambda tx: inbox.accept(tx, "chat", [message("e1")], "c"))
    await store.write(lambda tx: inbox.done(tx, row.row))
    await sweep(store, 31)
    (later,) = await store.write(lambda tx: inbox.accept(tx, "chat", [message("e2")], "c"))
    assert later.row > row.row  # the desk asks for what came after the row that it saw last


async def test_posts_that_are_over_or_failed_are_forgotten_and_those_that_wait_stay(store: Store) -> None:
    posts = [Post(ROOM, document(str(number)), Lane.ANSWER) for number in range(30)]
    await store.write(lambda tx: [outbox.queue(tx, post) for post in posts])
    rows = await waiting(store)
    await store.write(lambda tx: outbox.sent(tx, rows[0][0], "$sent"))
    await store.write(lambda tx: outbox.failed(tx, rows[1][0], "no"))
    await store.write(lambda tx: outbox.condense(tx, ROOM, Lane.ANSWER, time.time()))
    await store.write(lambda tx: outbox.discard(tx, [rows[-1][0]]))
    before = await waiting(store)
    assert (await sweep(store, 0.9)).total == 0
    assert await sweep(store, 29.9) == Swept(words=1)
    assert await sweep(store, 30.1) == Swept(outbox=24)
    assert set(await column(store, "SELECT state FROM outbox")) == {"waiting"}
    assert await waiting(store) == before


async def test_the_words_of_a_failed_post_go_a_day_after_it_failed_and_the_failure_after_thirty(store: Store) -> None:
    await store.write(lambda tx: outbox.queue(tx, Post(ROOM, document("the words"), Lane.ANSWER)))
    await store.write(lambda tx: tx.execute("UPDATE outbox SET queued = queued - 1e6"))  # it waited long before
    await store.write(lambda tx: outbox.failed(tx, 1, "The room is gone."))
    assert (await sweep(store, 0.9)).total == 0
    assert await sweep(store, 1.1) == Swept(words=1)
    (failure,) = await store.read(lambda tx: outbox.failures(tx, 10))
    assert (failure.words, failure.error) == ("words gone", "The room is gone.")
    assert (await sweep(store, 29.9)).total == 0
    assert await sweep(store, 30.1) == Swept(outbox=1)


@pytest.mark.parametrize("state", State)
async def test_the_words_of_a_request_go_after_a_day_and_the_request_after_thirty(store: Store, state: State) -> None:
    await store.write(lambda tx: requests.ask(tx, request("K7", time.time(), state)))
    finished = state not in {State.OPEN, State.RUNNING}
    assert (await sweep(store, 0.9)).total == 0
    assert await sweep(store, 1.1) == Swept(words=int(finished))
    assert await column(store, "SELECT text || asked FROM request") == ["" if finished else "!statusreset all"]
    assert await sweep(store, 30.1) == Swept(requests=int(finished))


async def test_links_between_messages_are_forgotten_after_ninety_days(store: Store) -> None:
    for event in ("1", "2"):
        await store.write(lambda tx, event=event: said.link(tx, Said(ROOM, event), Said(Place("talk", "t"), event)))
    assert (await sweep(store, 89.9)).total == 0
    assert await sweep(store, 90.1) == Swept(said=2)


async def test_the_record_the_incidents_and_the_pins_stay_for_ever(store: Store) -> None:
    def fill(tx: Tx) -> None:
        audit.record(tx, "started")
        incidents.open_incident(tx, "1" * 32, "all", b"signed", ROOM, "$order")
        incidents.affect(tx, (("1" * 32, "walker"),))
        incidents.join(tx, "1" * 32, ROOM, "$too")
        pins.pin(tx, Account("chat", "olga"), "key", "olga")

    tables = ("audit", "incident", "affected", "told_to", "pin")
    await store.write(fill)
    before = [await column(store, f"SELECT count(*) FROM {table}") for table in tables]  # noqa: S608 - our own names
    assert (await sweep(store, 100_000)).total == 0
    assert [await column(store, f"SELECT count(*) FROM {table}") for table in tables] == before  # noqa: S608 - our own names


async def test_one_bite_takes_no_more_than_it_may_and_the_next_goes_on(store: Store) -> None:
    new = await store.write(lambda tx: inbox.accept(tx, "chat", [message(f"e{n}") for n in range(25)], "c"))
    await store.write(lambda tx: [inbox.done(tx, row.row) for row in new])
    await store.write(
        lambda tx: [said.link(tx, Said(ROOM, str(n)), Said(Place("talk", "t"), str(n))) for n in range(25)]
    )
    bites = [await sweep(store, 91, most=10) for _ in range(4)]
    assert [bite.inbox for bite in bites] == [10, 10, 4, 0]  # the newest stays
    assert [bite.said for bite in bites] == [10, 10, 5, 0]


def test_a_disk_is_between_empty_and_full(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    full = keeping.fullness(tmp_path)
    meanwhile = 0.05  # others write there, too
    assert 0 < full < 1
    assert full >= 1 - disk.f_bfree / disk.f_blocks - meanwhile  # what is kept for root is not for us
    assert full == pytest.approx(keeping.fullness(tmp_path), abs=meanwhile)


def test_a_disk_that_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be looked at"):
        keeping.fullness(tmp_path / "absent")
