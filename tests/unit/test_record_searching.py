"""Entries are found by what stands in them, and by nothing that only looks like it."""

import contextlib
import datetime as dt
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.record import finding
from bot.store import Store, Tx, audit, searching
from bot.store.schema import migrate
from bot.store.searching import Found, Record, Sought
from bot.words.errors import StoreError, UsageError
from bot.words.people import People

ID = "051739a8" + "0" * 24
OTHER = "051739b9" + "0" * 24


@pytest.fixture
def tx() -> Iterator[Tx]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        migrate(database)
        yield database


def numbers(found: Iterator[Found]) -> list[int]:
    return [each.entry.seq for each in found]


def both_ways(tx: Tx, sought: Sought) -> list[int]:
    """What is found, oldest first; newest first it must be the same."""
    record = Record(tx)
    found = numbers(record.oldest_first(sought))
    assert numbers(record.newest_first(sought)) == found[::-1]
    return found


@pytest.fixture(autouse=True)
def in_small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "CHUNK", 3)


def test_somebody_is_found_by_their_box_whatever_it_says_of_them(tx: Tx) -> None:
    mine = [
        audit.record(tx, "incident joined", audit.about("olga", place="chat:room"), id=ID),
        audit.record(tx, "outcome", audit.about("chat:olga", account="chat:olga")),
        audit.record(tx, "incident reset", audit.about("otto", person="otto"), audit.about("olga", person="olga")),
        audit.record(tx, "key changed", owner="olga"),
    ]
    for owner in ("otto", "olga-b", "chat:olgas"):
        audit.record(tx, "outcome", audit.about(owner, person=owner), why="olga")
    assert both_ways(tx, Sought(owners=frozenset({"olga", "chat:olga"}))) == mine
    assert both_ways(tx, Sought(owners=frozenset({"olga"}))) == [mine[0], *mine[2:]]
    assert both_ways(tx, Sought(owners=frozenset({"eve"}))) == []


def test_who_was_forgotten_is_not_found_and_the_entry_stands(tx: Tx) -> None:
    seq = audit.record(tx, "incident joined", audit.about("olga", place="chat:room"), id=ID)
    tx.execute("DELETE FROM person_key WHERE owner = 'olga'")
    assert both_ways(tx, Sought(owners=frozenset({"olga"}))) == []
    found = Record(tx).one(seq)
    assert found is not None
    assert (found.owners, found.entry.people, found.id) == ((None,), [None], ID)


def test_a_target_is_found_as_a_command_names_it_and_as_an_incident_does(tx: Tx) -> None:
    found = [
        audit.record(tx, "x", target="id/legs"),
        audit.record(tx, "x", target="group/legs"),
        audit.record(tx, "x", component="legs"),
        audit.record(tx, "x", components=["arms", "legs"]),
        audit.record(tx, "x", targets=["legs"]),
    ]
    audit.record(tx, "x", target="id/legs-2", components=["my legs"], why="legs")
    audit.record(tx, "legs", target="all")
    assert both_ways(tx, Sought(target="legs")) == found
    assert both_ways(tx, Sought(target="all")) == [7]


def test_a_command_and_an_id_are_found_in_their_fields_alone(tx: Tx) -> None:
    tricks = [f'"id":"{ID}"', '"command":"shutdown"', f'\\"id\\":\\"{ID}', ID]
    for trick in tricks:
        audit.record(tx, "x", id=trick, command=trick, why=trick, targets=[trick, *tricks])
    seq = audit.record(tx, "x", id=ID, command="shutdown")
    audit.record(tx, "x", id=OTHER, command="shutdown-all")
    assert both_ways(tx, Sought(command="shutdown")) == [seq]
    assert both_ways(tx, Sought(id=ID[:8])) == [len(tricks), seq]
    assert both_ways(tx, Sought(id=ID[:6])) == [len(tricks), seq, seq + 1]
    assert both_ways(tx, Sought(id=ID[:6], command="shutdown")) == [seq]


WORDS = st.text(st.sampled_from('ab"\\:,{}é\n'), max_size=6)


@given(
    entries=st.lists(st.tuples(WORDS, WORDS, st.lists(WORDS, max_size=2)), max_size=8),
    command=WORDS,
    target=WORDS,
    beginning=WORDS,
)
def test_what_the_database_leaves_out_was_not_meant(
    entries: list[tuple[str, str, list[str]]], command: str, target: str, beginning: str
) -> None:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        migrate(database)
        for named, about, several in entries:
            audit.record(database, "x", command=named, id=about, components=several, target=about)
        meant = [
            seq
            for seq, (named, about, several) in enumerate(entries, start=1)
            if (not command or named == command)
            and (not target or {about, *several} & {target, f"id/{target}", f"group/{target}"})
            and about.startswith(beginning)
        ]
        assert both_ways(database, Sought(command=command, target=target, id=beginning)) == meant


def test_a_span_has_its_beginning_and_not_its_end(tx: Tx, monkeypatch: pytest.MonkeyPatch) -> None:
    for ms in (1_000_000, 1_000_001, 999_999, 1_000_002):  # the clock was set back once
        monkeypatch.setattr(time, "time_ns", lambda ms=ms: ms * 1_000_000)
        audit.record(tx, "x")

    def at(ms: int) -> dt.datetime:
        return dt.datetime.fromtimestamp(ms / 1000, dt.timezone(dt.timedelta(hours=2)))

    assert both_ways(tx, Sought(since=at(1_000_001))) == [2, 4]
    assert both_ways(tx, Sought(until=at(1_000_001))) == [1, 3]
    assert both_ways(tx, Sought(since=at(1_000_000), until=at(1_000_002))) == [1, 2]


def test_how_far_it_has_come_is_told_to_the_end(tx: Tx) -> None:
    for _ in range(7):
        audit.record(tx, "x")
    for read in (Record(tx).oldest_first, Record(tx).newest_first):
        told: list[tuple[int, int]] = []
        assert numbers(read(Sought(command="none"), lambda done, total, told=told: told.append((done, total)))) == []
        assert told == [(3, 7), (6, 7), (7, 7)]


def test_the_newest_and_those_behind_one(tx: Tx) -> None:
    assert (Record(tx).last, Record(tx).newest(3), Record(tx).one(1)) == (0, [], None)
    for _ in range(5):
        audit.record(tx, "x")
    record = Record(tx)
    assert record.last == 5
    assert numbers(iter(record.newest(2))) == [4, 5]
    assert numbers(iter(record.after(2, 2))) == [3, 4]
    assert record.after(5, 2) == []


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"at":"2026-11-20T14:02:00.001+00:00"}',
        b'{"at":"now","kind":"x"}',
        b'{"at":7,"kind":"x"}',
        b'{"at":"2026-11-20T14:02:00.001+00:00","kind":"x","people":[["tag"]]}',
        b'{"at":"2026-11-20T14:02:00.001+00:00","kind":"x","people":[[1,2]]}',
        b'{"at":"2026-11-20T14:02:00.001+00:00","kind":1}',
    ],
)
def test_an_entry_that_is_none_is_told(tx: Tx, damaged: bytes) -> None:
    audit.record(tx, "x")
    tx.execute("INSERT INTO audit (entry) VALUES (?)", (damaged,))
    with pytest.raises(StoreError, match=r"Entry 2 of the record is none\. Run: tocsin audit verify"):
        both_ways(tx, Sought())


def test_an_id_is_meant_by_its_beginning_and_a_number_by_itself(tx: Tx) -> None:
    for name in (ID, OTHER, ID):
        audit.record(tx, "x", id=name)
    record = Record(tx)

    def meant(word: str) -> int | list[int]:
        found = finding.meant(record, word)
        return found.entry.seq if isinstance(found, Found) else [each.entry.seq for each in found]

    assert meant("2") == meant("#2") == 2
    assert meant("051739a") == meant(ID.upper()) == [1, 3]


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("05173", "There is no entry '05173'. The newest is 3."),
        ("#4", "There is no entry '#4'. The newest is 3."),
        ("0", "There is no entry '0'"),
        ("9" * 18, "There is no entry"),
        ("051739", "2 ids begin with '051739': 051739a80000, 051739b90000. Type more of it."),
        ("abc", "'abc' is too short. Give 6 characters of an id at least."),
        ("abcdef", "Nothing is recorded under an id that begins with 'abcdef'."),
        ('051739"', "Nothing is recorded under"),
        ("\ud800bcdef", "Nothing is recorded under"),
        ("", "'' is too short"),
    ],
)
def test_what_is_not_clearly_meant_is_asked_for(tx: Tx, word: str, what: str) -> None:
    for name in (ID, OTHER, ID):
        audit.record(tx, "x", id=name)
    with pytest.raises(UsageError) as refused:
        finding.meant(Record(tx), word)
    assert str(refused.value).startswith(what)


def test_a_number_that_also_begins_an_id_is_asked_for(tx: Tx) -> None:
    audit.record(tx, "x", id="123456" + "a" * 26)
    tx.execute("UPDATE audit SET seq = 123456")
    with pytest.raises(UsageError, match="Type #123456 for the entry, or more of the id: 123456aaaaaa"):
        finding.meant(Record(tx), "123456")
    found = finding.meant(Record(tx), "#123456")
    assert isinstance(found, Found)


def test_many_ids_that_begin_alike_are_counted(tx: Tx) -> None:
    for number in range(8):
        audit.record(tx, "x", id=f"abcdef{number}")
    with pytest.raises(UsageError, match=r"8 ids begin with 'abcdef': abcdef0, .*, abcdef4 and 3 more\."):
        finding.meant(Record(tx), "abcdef")


def test_somebody_is_named_by_the_file_or_as_they_stand_in_the_record(tx: Tx, people: People) -> None:
    audit.record(tx, "x", audit.about("chat:eve", account="chat:eve"), audit.about("olaf", person="olaf"))

    def owners(word: str) -> frozenset[str]:
        return finding.owners(people, Record(tx), word)

    assert owners("carol") == {"carol", "chat:carol", "chat:carol-at-home"}
    assert owners("chat:eve") == {"chat:eve"}
    assert owners("olaf") == {"olaf"}  # who is not in the file any more
    with pytest.raises(UsageError, match="lists nobody called 'nobody', and nothing of them is recorded"):
        owners("nobody")


async def test_the_database_is_read_beside_a_running_bot_as_it_is_at_one_moment(store: Store) -> None:
    await store.write(lambda tx: audit.record(tx, "x"))
    with searching.opened(store.path) as tx:
        assert Record(tx).last == 1
        await store.write(lambda tx: audit.record(tx, "x"))
        assert Record(tx).last == 1
        with pytest.raises(StoreError, match="readonly"), searching.opened(store.path) as another:
            another.execute("DELETE FROM audit")
    with searching.opened(store.path) as tx:
        assert Record(tx).last == 2


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    with pytest.raises(StoreError, match="There is no database"), searching.opened(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 1")
        database.commit()
    with pytest.raises(StoreError, match=r"is of version 1; .*Start the bot of this version once"):  # noqa: SIM117
        with searching.opened(path):
            pass
    path.write_bytes(orjson.dumps("no database at all") * 1000)
    with pytest.raises(StoreError, match="not a database"), searching.opened(path):
        pass
