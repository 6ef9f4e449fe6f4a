"""Verifying the record: it knows a whole one, and names what is wrong with another as exactly as can be."""

import asyncio
import itertools
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.audit.errors import BadTree
from bot.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash
from bot.audit.note import Checkpoint, Signer, sign_note
from bot.audit.recount import Recount
from bot.audit.tiles import WIDTH
from bot.record import verifying
from bot.record.verdict import State
from bot.record.verifying import verify
from bot.store import Store, audit, evidence, tree
from bot.store.schema import STEPS
from tests.unit.ledger import COMMITS, OTHER, SIGNER, SIZES, by_hand, newest_note, notes, recorded, seen, told
from wire.envelope import PrivateKey

NAMESAKE = Signer(SIGNER.verifier.name, PrivateKey(bytes(32)))


@pytest_asyncio.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "tocsin.db"
    await recorded(path, *COMMITS)
    return path


def change_entry(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("UPDATE audit SET entry = ? WHERE seq = ?", (b'{"kind":"nothing"}', number))


def forge_tile(connection: sqlite3.Connection, *numbers: int) -> None:
    """Keep the hashes of the entries as they are now, in the tile of the first 256."""
    (kept,) = connection.execute("SELECT hashes FROM tile WHERE level = 0").fetchone()
    forged = bytearray(kept)
    for number in numbers:
        (entry,) = connection.execute("SELECT entry FROM audit WHERE seq = ?", (number,)).fetchone()
        forged[(number - 1) * 32 : number * 32] = leaf_hash(entry)
    connection.execute("UPDATE tile SET hashes = ? WHERE level = 0", (bytes(forged),))


async def test_a_whole_record_that_a_witness_has_seen_is_intact(path: Path) -> None:
    verdict = seen(path, newest_note(path))
    assert (verdict.state, verdict.findings) == (State.INTACT, ())
    assert (verdict.origin, verdict.size, verdict.witnessed, verdict.unwitnessed) == (
        "example.org/record/1",
        340,
        340,
        0,
    )
    with evidence.opened(path) as tx:
        kept = tree.of(tx)
    assert kept is not None
    assert verdict.root == kept.frontier.root()


async def test_what_came_since_the_witness_looked_is_counted(path: Path) -> None:
    verdict = seen(path, *notes(path)[:3])
    assert (verdict.state, verdict.witnessed, verdict.unwitnessed) == (State.INTACT, 271, 340 - 271)


async def test_without_a_witness_it_is_not_known(path: Path) -> None:
    verdict = seen(path)
    assert (verdict.state, verdict.witnessed, verdict.unwitnessed) == (State.INCOMPLETE, None, 340)
    assert "No witness was asked" in told(verdict)


@pytest.mark.parametrize("note", [b"", b"nothing", sign_note("too short\n", SIGNER), bytes(range(256))])
async def test_a_note_that_cannot_be_used_is_no_witness(path: Path, note: bytes) -> None:
    verdict = seen(path, note)
    assert verdict.state is State.INCOMPLETE
    assert "No witness could be used" in told(verdict)
    assert seen(path, note, newest_note(path)).state is State.INTACT
    assert "A note of a witness cannot be used" in told(seen(path, note, newest_note(path)))


async def test_a_note_signed_in_the_name_of_another_record_is_no_witness(path: Path) -> None:
    note = sign_note(str(Checkpoint(SIGNER.verifier.name, 400, bytes(32))), OTHER)
    verdict = verify(path, [SIGNER.verifier, OTHER.verifier], [note])
    assert verdict.state is State.INCOMPLETE
    assert "not signed in the name of its own record" in told(verdict)


@pytest.mark.parametrize("keys", [[], [OTHER.verifier], [NAMESAKE.verifier]])
async def test_without_its_key_it_is_not_known(path: Path, keys: list[verifying.VerifierKey]) -> None:
    verdict = verify(path, keys, [newest_note(path)])
    assert verdict.state is State.INCOMPLETE
    assert "signed by no key that is known" in told(verdict)


async def test_a_record_goes_on_under_its_next_key(path: Path) -> None:
    await recorded(path, 5, signer=NAMESAKE)
    keys = [SIGNER.verifier, NAMESAKE.verifier]
    assert verify(path, keys, notes(path), all_signatures=True).state is State.INTACT
    only_new = verify(path, keys[1:], [newest_note(path)], all_signatures=True)
    assert only_new.state is State.INCOMPLETE
    assert "The checkpoint of 1 entries is signed by no key" in told(only_new)
    assert verify(path, keys[1:], [newest_note(path)]).state is State.INTACT


async def test_it_reads_beside_a_bot_that_goes_on_writing(path: Path) -> None:
    async with Store.opened(path) as store:
        store.seal_with(tree.Seal(SIGNER))

        async def go_on() -> None:
            for _ in range(60):
                await store.write(lambda tx: audit.record(tx, "more"))

        writing = asyncio.create_task(go_on())
        verdicts = [await asyncio.to_thread(seen, path, newest_note(path)) for _ in range(10)]
        await writing
    assert {verdict.state for verdict in verdicts} == {State.INTACT}, told(verdicts[-1])


async def test_a_file_at_rest_is_left_as_it_is(path: Path) -> None:
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    assert seen(path, newest_note(path)).state is State.INTACT
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


async def test_where_somebody_begins_to_write_meanwhile_all_is_read_again(path: Path) -> None:
    note, times = newest_note(path), 0
    os.utime(path, ns=(0, 0))  # the clock of files stands still for milliseconds

    def begin(done: int, of: int) -> None:
        nonlocal times
        times += (done, of) == (256, 340)
        if times == 1:
            with by_hand(path) as connection:
                change_entry(connection, 272)

    assert "Entry 272 is not" in told(verify(path, [SIGNER.verifier], [note], progress=begin))
    assert times == 2


async def test_where_somebody_writes_again_and_again_nothing_is_known(path: Path) -> None:
    times = itertools.count()
    verdict = verify(
        path,
        [SIGNER.verifier],
        [newest_note(path)],
        progress=lambda _, __: os.utime(path, ns=(0, next(times))),
    )
    assert verdict.state is State.INCOMPLETE
    assert "was written to while it was read. Try again." in told(verdict)


async def test_it_tells_how_far_it_is(path: Path) -> None:
    heard: list[tuple[int, int]] = []
    verify(path, [SIGNER.verifier], [], progress=lambda done, of: heard.append((done, of)))
    assert heard[0] == (256, 340)
    assert heard[-1] == (340, 340)


@pytest.mark.parametrize("number", [1, 2, 41, 42, 200, 256])
async def test_an_entry_whose_hash_is_kept_is_named(path: Path, number: int) -> None:
    with by_hand(path) as connection:
        change_entry(connection, number)
    verdict = seen(path)
    assert verdict.state is State.ALTERED
    assert verdict.findings[0].what == f"Entry {number} is not the one that was recorded."


@pytest.mark.parametrize(
    ("number", "names"),
    [
        (257, "Among entries 42 to 271"),
        (271, "Among entries 42 to 271"),
        (272, "Entry 272 is not"),
        (273, "Among entries 273 to 332"),
        (340, "Among entries 333 to 340"),
    ],
)
async def test_an_entry_that_is_in_no_tile_is_looked_for_in_its_commit(path: Path, number: int, names: str) -> None:
    with by_hand(path) as connection:
        change_entry(connection, number)
    verdict = seen(path)
    assert verdict.state is State.ALTERED
    assert verdict.findings[0].what.startswith(names)


async def test_where_the_tiles_were_changed_too_the_commit_is_named(path: Path) -> None:
    with by_hand(path) as connection:
        change_entry(connection, 100)
        forge_tile(connection, 100)
    assert seen(path).findings[0].what.startswith("Among entries 42 to 271")


async def test_a_tile_that_was_changed_to_point_at_the_wrong_entry_is_not_believed(path: Path) -> None:
    with by_hand(path) as connection:
        change_entry(connection, 100)
        change_entry(connection, 150)
        forge_tile(connection, 100)
    (first, *_) = seen(path).findings
    assert first.what.startswith("Among entries 42 to 271")
    assert "point at entry 150" in first.what


async def test_a_tile_alone_that_was_changed_does_not_speak_against_the_entries(path: Path) -> None:
    with by_hand(path) as connection:
        (kept,) = connection.execute("SELECT hashes FROM tile WHERE level = 0").fetchone()
        forged = kept[: 99 * 32] + bytes(32) + kept[100 * 32 :]
        connection.execute("UPDATE tile SET hashes = ? WHERE level = 0", (forged,))
    verdict = seen(path, newest_note(path))
    assert verdict.state is State.ALTERED
    assert "kept of entry 100 is another than the entry's. The checkpoints agree with the entry" in told(verdict)


@pytest.mark.parametrize("all_signatures", [False, True])
@pytest.mark.parametrize("size", SIZES)
async def test_a_checkpoint_that_was_changed_is_named(path: Path, size: int, *, all_signatures: bool) -> None:
    note = newest_note(path)
    with by_hand(path) as connection:
        connection.execute("UPDATE checkpoint SET root = ? WHERE size = ?", (bytes(32), size))
    verdict = verify(path, [SIGNER.verifier], [note], all_signatures=all_signatures)
    assert verdict.state is State.ALTERED
    assert f"of {size} entries" in told(verdict)
    assert "not the one that was recorded" not in told(verdict)


async def test_a_signature_that_was_changed_is_found_where_all_are_looked_at(path: Path) -> None:
    note = newest_note(path)
    with by_hand(path) as connection:
        connection.execute(
            "UPDATE checkpoint SET signature = (SELECT signature FROM checkpoint WHERE size = 1) WHERE size = 41"
        )
    assert seen(path, note).state is State.INTACT
    verdict = verify(path, [SIGNER.verifier], [note], all_signatures=True)
    assert verdict.state is State.ALTERED
    assert "The checkpoint of 41 entries was changed: its signature is false" in told(verdict)


async def test_a_signature_that_is_no_text_is_told_as_any_other(path: Path) -> None:
    with by_hand(path) as connection:
        connection.execute("UPDATE checkpoint SET signature = CAST(x'ff' AS TEXT) WHERE size = 41")
    verdict = verify(path, [SIGNER.verifier], [newest_note(path)], all_signatures=True)
    assert "The checkpoint of 41 entries was changed: its signature is false" in told(verdict)


async def test_whoever_has_the_key_of_another_record_signs_nothing_here(path: Path) -> None:
    witnessed = newest_note(path)
    await recorded(path, 5, signer=OTHER)
    verdict = verify(path, [SIGNER.verifier, OTHER.verifier], [witnessed])
    assert verdict.state is State.ALTERED
    assert "The newest checkpoint, of 345 entries, was changed: its signature is false." in told(verdict)
    assert "Only entries 1 to 340 are surely those" in told(verdict)


async def test_where_all_but_the_signatures_was_made_anew_it_is_told_what_is_sure(path: Path) -> None:
    with by_hand(path) as connection:
        old = dict(connection.execute("SELECT size, signature FROM checkpoint").fetchall())
        change_entry(connection, 100)
        found = [entry for (entry,) in connection.execute("SELECT entry FROM audit ORDER BY seq")]
        counted = Frontier()
        for entry in found:
            counted.add(leaf_hash(entry))
            if counted.size in old:
                connection.execute("UPDATE checkpoint SET root = ? WHERE size = ?", (counted.root(), counted.size))
        connection.execute("UPDATE tree SET edge = ?", (b"".join(counted.hashes),))
        forge_tile(connection, 100)
    verdict = seen(path)
    assert verdict.state is State.ALTERED
    assert "its signature is false. Only entries 1 to 41 are surely" in told(verdict)


SPOILT: dict[str, tuple[str, str]] = {
    "missing": ("DELETE FROM audit WHERE seq = 100", "Entry 100 is missing: 101 follows on 99."),
    "first missing": ("DELETE FROM audit WHERE seq = 1", "Entry 1 is missing"),
    "before the first": ("INSERT INTO audit VALUES (0, x'00')", "Entry 1 is missing: 0 follows on 0."),
    "cut off": ("DELETE FROM audit WHERE seq > 332", "The end was cut off: entries 333 to 340"),
    "all gone": ("DELETE FROM audit", "The end was cut off: entries 1 to 340"),
    "added": ("INSERT INTO audit VALUES (341, x'00')", "No checkpoint is over entry 341"),
    "last checkpoint gone": ("DELETE FROM checkpoint WHERE size = 340", "No checkpoint is over entries 333 to 340"),
    "checkpoints gone": ("DELETE FROM checkpoint", "All checkpoints are gone"),
    "a size too large": ("UPDATE checkpoint SET size = 341 WHERE size = 340", "The end was cut off: entry 341"),
    "a size below one": ("UPDATE checkpoint SET size = -1 WHERE size = 1", "The checkpoint of -1 entries was changed"),
    "edge": ("UPDATE tree SET edge = x'00'", "the edge of the tree"),
    "size of the tree": ("UPDATE tree SET size = 339", "the edge of the tree"),
    "larger tree": ("UPDATE tree SET size = 1000", "The end was cut off: entries 341 to 1,000"),
    "origin": ("UPDATE tree SET origin = 'elsewhere'", "its signature is false. Nothing is sure"),
    "tree row": ("DELETE FROM tree", "What the record is called is gone"),
    "tile gone": ("DELETE FROM tile WHERE level = 0", "The kept hashes are damaged: tile/0/000"),
    "tile short": ("UPDATE tile SET hashes = x'00' WHERE level = 0", "The kept hashes are damaged: tile/0/000"),
    "tile above": ("UPDATE tile SET hashes = zeroblob(32) WHERE level = 1", "The kept hashes are damaged: tile/1/0"),
    "tile above gone": ("DELETE FROM tile WHERE level = 1", "The kept hashes are damaged: tile/1/0"),
    "tile too many": ("INSERT INTO tile VALUES (3, 7, x'00')", "The kept hashes are damaged: tile/3/7"),
    "tile below zero": ("INSERT INTO tile VALUES (0, -1, x'00')", "The kept hashes are damaged: tile/0/-1"),
    "tile of what is not there": ("INSERT INTO tile VALUES (0, 1, zeroblob(8192))", "cut off: entries 341 to 512"),
    "no audit": ("DROP TABLE audit", "The table audit is missing"),
    "no tree": ("DROP TABLE tree", "The table tree is missing"),
    "no tiles": ("DROP TABLE tile", "The table tile is missing"),
    "no checkpoints": ("DROP TABLE checkpoint", "The table checkpoint is missing"),
    "another column": ("ALTER TABLE audit RENAME COLUMN entry TO other", "The entries cannot be read"),
    "another column of the tree": ("ALTER TABLE tree RENAME COLUMN edge TO other", "What the record is called cannot"),
    "another column of tiles": ("ALTER TABLE tile RENAME COLUMN hashes TO other", "The tiles cannot be read"),
    "an entry of megabytes": (
        "UPDATE audit SET entry = zeroblob(5000000) WHERE seq = 9",
        "The entries cannot be read behind entry",
    ),
}


@pytest.mark.parametrize(("sql", "says"), SPOILT.values(), ids=SPOILT)
async def test_what_is_spoilt_is_told(path: Path, sql: str, says: str) -> None:
    with by_hand(path) as connection:
        connection.execute(sql)
    verdict = seen(path)
    assert verdict.state is State.ALTERED
    assert says in told(verdict)
    for finding in verdict.findings:
        assert finding.do


TYPES = {
    "audit": "CREATE TABLE audit (seq, entry)",
    "tile": "CREATE TABLE tile (level, number, hashes)",
    "checkpoint": "CREATE TABLE checkpoint (size, root, signature)",
    "tree": "CREATE TABLE tree (id, origin, size, edge)",
}


@pytest.mark.parametrize(
    "value", ["NULL", "'text'", "x'ff00'", "1.5", "-1", "CAST(x'ff' AS TEXT)", "9223372036854775807"]
)
@pytest.mark.parametrize("table", TYPES)
async def test_a_table_that_holds_anything_is_told(path: Path, table: str, value: str) -> None:
    with by_hand(path) as connection:
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - our own words
        connection.execute(f"DROP TABLE {table}")
        connection.execute(TYPES[table])
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - our own words
    assert seen(path, newest_note(path)).state is State.INTACT
    columns = TYPES[table].partition("(")[2].rstrip(")").split(", ")
    for column in columns:
        if column == "id":
            continue
        spoilt = path.with_name("spoilt.db")
        shutil.copy(path, spoilt)
        with by_hand(spoilt) as connection:
            last = f"SELECT max(rowid) FROM {table}"  # noqa: S608 - our own words
            connection.execute(f"UPDATE {table} SET {column} = {value} WHERE rowid = ({last})")  # noqa: S608 - so are these
        assert seen(spoilt, newest_note(path)).state is not State.INTACT


@pytest.mark.parametrize("value", ["NULL", "'text'", "1.5", "7"])
async def test_what_is_no_entry_is_named(path: Path, value: str) -> None:
    with by_hand(path) as connection:
        rows = connection.execute("SELECT * FROM audit").fetchall()
        connection.execute("DROP TABLE audit")
        connection.execute(TYPES["audit"])
        connection.executemany("INSERT INTO audit VALUES (?, ?)", rows)
        connection.execute(f"UPDATE audit SET entry = {value} WHERE seq = 300")  # noqa: S608 - our own words
    verdict = seen(path, newest_note(path))
    assert verdict.state is State.ALTERED
    assert verdict.size == 299
    assert "Entry 300 is no entry: it has another type. Nothing behind it was checked." in told(verdict)


async def test_a_view_in_place_of_the_entries_is_not_looked_through(path: Path) -> None:
    with by_hand(path) as connection:
        connection.execute("DROP TABLE audit")
        connection.execute(
            "CREATE VIEW audit AS WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n)"
            " SELECT seq, x'00' AS entry FROM n"
        )
    assert "The table audit is missing" in told(seen(path))


async def test_where_there_is_nothing_to_read_nothing_is_known(tmp_path: Path) -> None:
    verdict = seen(tmp_path / "nothing.db")
    assert verdict.state is State.INCOMPLETE
    assert "There is no database" in told(verdict)
    assert not (tmp_path / "nothing.db").exists()
    assert seen(tmp_path).state is State.INCOMPLETE


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100, b"SQLite format 3\0" + bytes(4080)])
async def test_what_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.db").write_bytes(content)
    assert seen(tmp_path / "odd.db").state is not State.INTACT


async def test_a_record_that_was_never_sealed_is_not_known(tmp_path: Path) -> None:
    async with Store.opened(tmp_path / "tocsin.db") as store:
        pass
    assert "The record is empty" in told(seen(store.path))
    async with Store.opened(store.path) as store:
        await store.write(lambda tx: audit.record(tx, "x"))
    assert seen(store.path).state is State.INCOMPLETE
    assert "There is no checkpoint" in told(seen(store.path))


async def test_databases_of_other_versions_are_told(path: Path, tmp_path: Path) -> None:
    with by_hand(path) as connection:
        connection.execute("PRAGMA user_version = 1000")
    assert "this Tocsin knows up to" in told(seen(path))
    older = tmp_path / "older.db"
    with by_hand(older) as connection:
        for statement in STEPS[0].split(";"):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
    assert seen(older).state is State.INCOMPLETE
    assert "did not seal" in told(seen(older))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(counts=st.lists(st.integers(1, 600), min_size=1, max_size=4))
async def test_every_record_that_a_store_writes_is_intact(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("log") / "tocsin.db"
    await recorded(path, *counts)
    verdict = verify(path, [SIGNER.verifier], notes(path), all_signatures=True)
    assert (verdict.state, verdict.size, verdict.unwitnessed) == (State.INTACT, sum(counts), 0)


@given(count=st.integers(0, 3 * WIDTH))
def test_counting_anew_comes_to_the_root_at_every_size(count: int) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(count)]
    counted, plain = Recount(), Frontier()
    assert counted.root(0) == EMPTY_ROOT
    for start in range(0, count, WIDTH):
        counted.add(leaves[start : start + WIDTH])
        for leaf in leaves[start : start + WIDTH]:
            plain.add(leaf)
            assert (counted.edge(plain.size), counted.root(plain.size)) == (plain.hashes, plain.root())


def test_counting_anew_refuses_what_it_cannot_count() -> None:
    counted = Recount()
    for size in (-1, 1, WIDTH):
        with pytest.raises(BadTree):
            counted.edge(size)
    for count in (0, WIDTH + 1):
        with pytest.raises(BadTree):
            counted.add([bytes(32)] * count)
    counted.add([bytes(32)])
    with pytest.raises(BadTree):
        counted.add([bytes(32)])


async def test_an_entry_is_named_in_a_record_of_many_tiles(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    await recorded(path, *(64,) * 40)
    with by_hand(path) as connection:
        change_entry(connection, 1_000)
        change_entry(connection, 2_000)
    assert seen(path).findings[0].what == "Entry 1,000 is not the one that was recorded."
