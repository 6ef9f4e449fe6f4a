"""What was changed from chat: kept with who and when, and read from outside while the bot runs."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from bot.store import Store, Tx, overlay
from bot.store.looking import changed_from_chat
from bot.store.overlay import Entry
from bot.words.errors import StoreError

KEY = "people.olga.suspended"


def said(entry: Entry) -> tuple[str, object, str]:
    return entry.key, entry.value, entry.by


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def test_a_key_has_its_last_value_until_it_is_dropped(store: Store) -> None:
    await store.write(lambda tx: overlay.put(tx, KEY, value=True, by="carol"))
    await store.write(lambda tx: overlay.put(tx, "people.ann.suspended", value=True, by="carol"))
    await store.write(lambda tx: overlay.put(tx, KEY, value=False, by="cleo"))
    kept = await store.read(overlay.entries)
    assert list(map(said, kept)) == [("people.ann.suspended", True, "carol"), (KEY, False, "cleo")]
    assert kept[0].at <= kept[1].at
    await store.write(lambda tx: overlay.drop(tx, KEY))
    await store.write(lambda tx: overlay.drop(tx, KEY))
    assert [each.key for each in await store.read(overlay.entries)] == ["people.ann.suspended"]


async def test_it_outlives_the_bot_and_can_be_read_while_it_runs_and_after(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    async with Store.opened(path) as store:
        await store.write(lambda tx: overlay.put(tx, KEY, value=True, by="carol"))
        assert list(map(said, changed_from_chat(path))) == [(KEY, True, "carol")]
    beside = names(tmp_path)
    assert list(map(said, changed_from_chat(path))) == [(KEY, True, "carol")]
    assert names(tmp_path) == beside
    async with Store.opened(path) as store:
        assert list(map(said, await store.read(overlay.entries))) == [(KEY, True, "carol")]


async def test_reading_it_from_outside_holds_no_writer_up(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    async with Store.opened(path) as store:

        def look_in_the_middle(tx: Tx) -> list[Entry]:
            overlay.put(tx, KEY, value=True, by="carol")
            return changed_from_chat(path)

        assert await store.write(look_in_the_middle) == []
        assert list(map(said, changed_from_chat(path))) == [(KEY, True, "carol")]


def test_where_no_bot_ran_or_only_an_older_one_nothing_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    assert changed_from_chat(path) == []
    assert names(tmp_path) == []
    sqlite3.connect(path).close()
    assert changed_from_chat(path) == []


@pytest.mark.parametrize("name", ["a b?mode=rwc&x=%41#.db", "é.db"])
def test_any_name_of_a_file_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE overlay (key TEXT, value TEXT, by TEXT, at REAL)")
        connection.execute("INSERT INTO overlay VALUES ('k', '3', 'carol', 1.0)")
    connection.close()
    assert changed_from_chat(path) == [Entry("k", 3, "carol", 1.0)]


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"tocsin\.db cannot be read"):
        changed_from_chat(path)


@tried(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    value=st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
)
def test_a_value_comes_back_as_it_was(key: str, value: overlay.Value) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE overlay (key TEXT PRIMARY KEY, value TEXT, by TEXT, at REAL)")
    overlay.put(connection, key, value, "carol")
    (entry,) = overlay.entries(connection)
    assert said(entry) == (key, value, "carol")
    assert type(entry.value) is type(value)
    connection.close()


async def test_a_value_that_is_none_is_told_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    async with Store.opened(path) as store:
        await store.write(lambda tx: tx.execute("INSERT INTO overlay VALUES ('k', 'no json', 'carol', 0.0)"))
    with pytest.raises(StoreError, match="cannot be read"):
        changed_from_chat(path)
