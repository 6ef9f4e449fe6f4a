"""The way from one version of the tables to the next."""

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest

from bot.store import schema
from bot.words.errors import StoreError


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def version(database: sqlite3.Connection) -> int:
    return database.execute("PRAGMA user_version").fetchone()[0]


def test_an_empty_database_is_brought_up_to_date(database: sqlite3.Connection) -> None:
    schema.migrate(database)
    assert version(database) == len(schema.STEPS)
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"inbox", "cursor", "outbox", "audit", "incident", "told_to", "affected", "pin"} <= tables


def test_migrating_twice_is_harmless(database: sqlite3.Connection) -> None:
    schema.migrate(database)
    database.execute("INSERT INTO cursor (network, token) VALUES ('chat', '7')")
    schema.migrate(database)
    assert database.execute("SELECT token FROM cursor").fetchall() == [("7",)]


def test_a_newer_database_is_refused_and_not_touched(database: sqlite3.Connection) -> None:
    newer = len(schema.STEPS) + 1
    database.execute(f"PRAGMA user_version = {newer}")
    with pytest.raises(StoreError, match=f"version {newer}, written by a newer Tocsin"):
        schema.migrate(database)
    assert version(database) == newer
    assert database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_a_step_that_fails_leaves_the_version_before_it(
    database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, "CREATE TABLE more (x TEXT); SELECT absent FROM nowhere;"))
    with pytest.raises(sqlite3.Error):
        schema.migrate(database)
    database.execute("ROLLBACK")  # what closing the database does
    assert version(database) == len(schema.STEPS) - 1
    assert database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'more'").fetchone() == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        "INSERT INTO cursor (network, token) VALUES ('chat', NULL)",
        "INSERT INTO inbox VALUES (1, 'n', 'e', 'p', 'a', 'd', 's', 0, 't', 0, 0, 0, 'lost')",
        "INSERT INTO incident (id, target, opened, told) VALUES ('i', 'all', 0, 'something')",
        "INSERT INTO incident (id, target, opened) VALUES ('i', 'all', 'yesterday')",
    ],
)
def test_what_is_out_of_form_is_not_taken(database: sqlite3.Connection, wrong: str) -> None:
    schema.migrate(database)
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(wrong)
