"""The way from one version of the tables to the next."""

import contextlib
import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.store import Store, audit, inbox, incidents, outbox, pins, schema
from bot.words.document import Items, Table, Text
from bot.words.errors import StoreError
from bot.words.message import Lane, Place
from bot.words.people import Account

OLD = sorted((Path(__file__).parent / "old_databases").glob("*.sql"))
OF_VERSION_2 = OLD[1]
"""The step after it is a long one."""
PATIENCE = 30.0


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
    assert {"request", "overlay", "said"} <= tables


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
    assert not database.in_transaction
    assert version(database) == len(schema.STEPS) - 1
    assert database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'more'").fetchone() == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        "INSERT INTO cursor (network, token) VALUES ('chat', NULL)",
        "INSERT INTO inbox VALUES (1, 'n', 'e', 'p', 'a', 'd', 's', 0, 't', 0, 0, 0, 'lost', 0, '', '')",
        "INSERT INTO outbox (key,lane,network,place,document,queued,state,ended) VALUES ('',1,'','',x'',0,'gone',0)",
        "INSERT INTO outbox (key,lane,network,place,document,queued,state,ended) VALUES ('',1,'','',x'',0,'sent',NULL)",
        "INSERT INTO incident (id, target, opened, told) VALUES ('i', 'all', 0, 'something')",
        "INSERT INTO incident (id, target, opened) VALUES ('i', 'all', 'yesterday')",
    ],
)
def test_what_is_out_of_form_is_not_taken(database: sqlite3.Connection, wrong: str) -> None:
    schema.migrate(database)
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(wrong)


def everything(database: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """All that is in it: the form of every table, its rows, and the version."""
    form = database.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    tables = [name for name, sql in form if sql and sql.startswith("CREATE TABLE")]
    rows = {name: database.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in tables}  # noqa: S608 - our own names
    return {"form": form, "version": [(version(database),)], **rows}


def columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]


def filled(path: Path, dump: Path) -> Path:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(dump.read_text(encoding="utf-8"))
    return path


def test_each_version_that_has_shipped_is_kept_to_test_with() -> None:
    assert [int(dump.stem) for dump in OLD] == list(range(1, len(schema.STEPS)))


@pytest.mark.parametrize("dump", OLD, ids=lambda dump: f"version {dump.stem}")
def test_an_old_database_becomes_what_a_new_one_is(database: sqlite3.Connection, dump: Path) -> None:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        schema.migrate(fresh)
        wanted = everything(fresh)["form"]
    database.executescript(dump.read_text(encoding="utf-8"))
    assert version(database) == int(dump.stem)
    before = everything(database)
    schema.migrate(database)
    assert everything(database)["form"] == wanted
    assert version(database) == len(schema.STEPS)
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with contextlib.closing(sqlite3.connect(":memory:")) as old:
        old.executescript(dump.read_text(encoding="utf-8"))
        for table in before.keys() - {"form", "version"}:
            assert before[table], f"the dump has nothing in {table}"
            kept = ", ".join(columns(old, table))
            rows = database.execute(f"SELECT {kept} FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608 - our own names
            assert rows == [tuple(map(as_it_is_now, row)) for row in before[table]]


def as_it_is_now(value: object) -> object:
    """What a message is called that something is said of: its network and its own id, since version 8."""
    called = re.fullmatch(r"((?:file \d+ |reaction \S+ )?said )(\[.*])", value) if isinstance(value, str) else None
    if called is None:
        return value
    network, _, event = json.loads(called[2])
    return f"{called[1]}{network}:{event}"


def test_messages_that_an_older_version_knew_twice_are_known_once(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(filled(tmp_path / "7.db", OLD[6]), isolation_level=None)) as database:
        again = "INSERT INTO said VALUES ('zulip', '4/other', '42', 'matrix', '!room', '$third', 1763700009.5)"
        database.execute(again)
        schema.migrate(database)
        assert database.execute("SELECT place FROM said WHERE event = '42'").fetchall() == [("4/status",)]


@pytest.mark.parametrize("dump", OLD, ids=lambda dump: f"version {dump.stem}")
async def test_what_an_old_bot_left_is_taken_up(tmp_path: Path, dump: Path) -> None:
    async with Store.opened(filled(tmp_path / "tocsin.db", dump)) as store:
        running, waiting = await store.read(inbox.open_rows)
        assert (running.message.event, running.running, running.edited) == ("$second", True, False)
        assert (waiting.message.event, waiting.running) == ("$third", False)
        (head,) = await store.read(lambda tx: outbox.heads(tx, "matrix", (), 10))
        assert (head.key, head.lane, head.reply_to) == ("1123456789abcdef0123456789abcdef", Lane.STOP, "$second")
        assert [type(block) for block in head.post.document.blocks] == [Text, Table, Items]
        (failure,) = await store.read(lambda tx: outbox.failures(tx, 10))
        assert (failure.error, failure.words) == ("The room is gone.", "Not run.")
        assert len(await store.read(incidents.all_incidents)) == 2
        assert await store.read(incidents.all_joined) == [("1" * 32, Place("matrix", "!other:example.org"), "$joined")]
        assert len(await store.read(incidents.all_affected)) == 2
        known = await store.read(lambda tx: pins.of(tx, Account("matrix", "@olga:example.org")))
        assert known is not None
        assert (known.key, known.shown) == ("b64key", None)
        assert await store.read(lambda tx: inbox.cursor(tx, "matrix")) == "s72_5"
        assert len(await store.read(lambda tx: audit.last(tx, 10))) == 1


def test_a_migration_that_is_interrupted_anywhere_leaves_the_old_version_whole() -> None:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.executescript(OLD[-1].read_text(encoding="utf-8"))
        before, image = everything(database), database.serialize()
    interruptions = 0
    for beats in range(1, 100_000):
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
            database.deserialize(image)
            left = iter(range(beats))
            database.set_progress_handler(lambda left=left: next(left, None) is None, 10)
            try:
                schema.migrate(database)
            except sqlite3.OperationalError as error:
                interruptions += 1
                database.set_progress_handler(None, 0)
                assert str(error) == "interrupted"  # noqa: PT017 - the last round ends without an error
                assert not database.in_transaction
                assert everything(database) == before
            else:
                break
    assert interruptions > 20


DYING = """
import os, signal, sqlite3, sys
from bot.store import schema

path, statement = sys.argv[1], int(sys.argv[2])
database = sqlite3.connect(path, isolation_level=None)
database.execute("PRAGMA journal_mode = WAL")
database.execute("PRAGMA cache_size = 1")
seen = iter(range(statement))
database.set_trace_callback(lambda _: next(seen, None) is None and os.kill(os.getpid(), signal.SIGKILL))
schema.migrate(database)
"""


@pytest.mark.parametrize("statement", [4, 5, 7, 9, 11])
def test_a_bot_that_is_killed_while_it_migrates_leaves_the_old_version_whole(tmp_path: Path, statement: int) -> None:
    path = filled(tmp_path / "tocsin.db", OF_VERSION_2)
    with contextlib.closing(sqlite3.connect(path)) as database:
        before = everything(database)
    died = subprocess.run([sys.executable, "-c", DYING, path, str(statement)], timeout=PATIENCE, check=False)  # noqa: S603 - our own code
    assert died.returncode == -signal.SIGKILL
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert everything(database) == before
        schema.migrate(database)
        assert version(database) == len(schema.STEPS)
