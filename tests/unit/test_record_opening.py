"""The database is opened with the key that seals its record; where the two do not fit, nothing privileged is run."""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import pytest

from bot import keys, rotation
from bot.audit.note import Checkpoint, VerifierKey, open_note
from bot.desk import intent
from bot.private import write_private
from bot.record import held_keys, opening
from bot.record.opening import opened
from bot.store import Store, Tx, audit, tree
from bot.words.errors import Refused, StoreError
from wire.messages import ROOT

DUMPS = sorted((Path(__file__).parent / "old_databases").glob("*.sql"))[:4]  # a later one has a tree of its own


async def note(store: Store, words: str) -> None:
    await store.write(lambda tx: audit.record(tx, "noted", words=words))


async def head(store: Store) -> Checkpoint:
    """The newest checkpoint, where the newest of the keys that everybody may read has signed it."""
    *_, key = (store.path.parent / opening.PUBLIC).read_text().split()
    signed = await store.read(tree.newest_note)
    assert signed is not None
    return Checkpoint.parse(open_note(signed, VerifierKey.parse(key))[0])


def run_on(folder: Path, *statements: str) -> None:
    """Somebody changes the database while the bot does not run."""
    with sqlite3.connect(folder / keys.DATABASE) as database:
        for each in statements:
            database.execute(each)
    database.close()


async def test_the_first_start_begins_a_record_and_the_next_goes_on(tmp_path: Path) -> None:
    async with opened(tmp_path, ROOT) as store:
        await note(store, "one")
        first = await head(store)
        assert (first.size, store.distrusted) == (2, "")
        assert first.origin.startswith(f"{ROOT}/record/")
        (begun, _) = await store.read(audit.everything)
        assert (begun.kind, begun.fields["earlier"]) == ("record begun", 0)
    async with opened(tmp_path, ROOT) as store:
        await note(store, "two")
        second = await head(store)
        assert (second.size, second.origin, store.distrusted) == (3, first.origin, "")
    assert (tmp_path / opening.KEY).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / opening.PUBLIC).stat().st_mode & 0o777 == 0o644


async def test_two_records_are_never_called_the_same(tmp_path: Path) -> None:
    names: set[str] = set()
    for each in ("a", "b"):
        (tmp_path / each).mkdir()
        async with opened(tmp_path / each, ROOT) as store:
            names.add((await head(store)).origin)
    assert len(names) == 2


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: f"version {dump.stem}")
async def test_what_an_older_version_recorded_goes_into_the_tree_and_names_nobody(tmp_path: Path, dump: Path) -> None:
    plain = {"kind": "outcome", "person": "olga", "account": "@olga:x", "approved_by": "otto", "result": "done"}
    reset = {"kind": "incident reset", "people": ["olga", "otto"], "components": ["all"]}
    laid_down(tmp_path, dump, plain, reset)
    async with opened(tmp_path, ROOT) as store:
        assert store.distrusted == ""
        *_, outcome, both, begun = await store.read(audit.everything)
        assert outcome.fields == {"kind": "outcome", "result": "done"}
        assert outcome.people == [{"account": "@olga:x", "person": "olga"}, {"approved_by": "otto"}]
        assert (both.all["person"], both.fields["components"]) == (["olga", "otto"], ["all"])
        assert begun.fields["earlier"] == both.seq
        assert (await head(store)).size == begun.seq
        raw = await store.read(lambda tx: tx.execute("SELECT entry FROM audit").fetchall())
        assert not [entry for (entry,) in raw if b"olga" in entry or b"otto" in entry]


def laid_down(folder: Path, dump: Path, *entries: Mapping[str, object]) -> None:
    with sqlite3.connect(folder / keys.DATABASE) as database:
        database.executescript(dump.read_text(encoding="utf-8"))
        for each in entries:
            database.execute("INSERT INTO audit (entry) VALUES (?)", (orjson.dumps(each),))
    database.close()


CHANGES = {
    "the end is cut off": ["DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)"],
    "the newest entry is changed": ["UPDATE audit SET entry = x'7b7d' WHERE seq = (SELECT max(seq) FROM audit)"],
    "an entry is added": ["INSERT INTO audit (entry) VALUES (x'7b7d')"],
    "the tree is set back": ["UPDATE tree SET size = 2, edge = (SELECT root FROM checkpoint WHERE size = 2)"],
    "the edge is changed": ["UPDATE tree SET edge = zeroblob(length(edge))"],
    "the edge does not fit": ["UPDATE tree SET edge = x'00'"],
    "a root is changed": ["UPDATE checkpoint SET root = zeroblob(32)"],
    "a signature is taken away": ["UPDATE checkpoint SET signature = ''"],
    "all checkpoints are gone": ["DELETE FROM checkpoint"],
}


@pytest.mark.parametrize("statements", CHANGES.values(), ids=CHANGES)
async def test_a_record_that_was_changed_is_not_sealed_over_and_nothing_privileged_is_run(
    tmp_path: Path, statements: list[str]
) -> None:
    async with opened(tmp_path, ROOT) as store:
        for words in ("one", "two", "three"):
            await note(store, words)
    run_on(tmp_path, *statements)
    async with opened(tmp_path, ROOT) as store:
        assert store.distrusted
        checkpoints = await store.read(lambda tx: tx.execute("SELECT count(*) FROM checkpoint").fetchone())
        await note(store, "a stop")
        assert await store.read(lambda tx: tx.execute("SELECT count(*) FROM checkpoint").fetchone()) == checkpoints
        with pytest.raises(Refused, match="Not run: the record cannot be trusted") as refused:
            await intent.before(store, lambda tx: audit.record(tx, "intent"))
        assert "tocsin audit verify" in refused.value.hint
        assert [each.kind for each in await store.read(audit.everything)].count("intent") == 0
    with pytest.raises(Refused, match="Nothing was changed"):
        await rotation.rotate_audit_key(tmp_path, ROOT)


@pytest.mark.parametrize("theirs", [True, False])
async def test_a_record_without_its_key_is_not_sealed_with_another(tmp_path: Path, *, theirs: bool) -> None:
    for each in ("a", "b"):
        (tmp_path / each).mkdir()
        async with opened(tmp_path / each, ROOT) as store:
            await note(store, each)
    if theirs:
        shutil.copy(tmp_path / "b" / opening.KEY, tmp_path / "a" / opening.KEY)
    else:
        (tmp_path / "a" / opening.KEY).unlink()
    async with opened(tmp_path / "a", ROOT) as store:
        assert opening.KEY in store.distrusted


async def test_another_record_in_its_place_does_not_pass(tmp_path: Path) -> None:
    for each in ("a", "b"):
        (tmp_path / each).mkdir()
        async with opened(tmp_path / each, ROOT) as store:
            await note(store, each)
    shutil.copy(tmp_path / "b" / keys.DATABASE, tmp_path / "a" / keys.DATABASE)
    async with opened(tmp_path / "a", ROOT) as store:
        assert "not signed" in store.distrusted


async def test_a_key_is_rotated_with_a_checkpoint_that_both_have_signed(tmp_path: Path) -> None:
    async with opened(tmp_path, ROOT) as store:
        await note(store, "before")
    old, new = await rotation.rotate_audit_key(tmp_path, ROOT)
    assert (tmp_path / opening.PUBLIC).read_text().split() == [str(old), str(new)]
    async with opened(tmp_path, ROOT) as store:
        signed = await store.read(tree.newest_note)
        assert signed is not None
        _, signers = open_note(signed, old, new)
        assert signers == (old, new)
        await note(store, "after")
        assert (await head(store)).size == 4
        (rotated,) = [each for each in await store.read(audit.everything) if each.kind == "key rotated"]
        assert (rotated.fields["was"], rotated.fields["key"]) == (str(old), str(new))


@pytest.mark.parametrize("had_signed", [True, False])
async def test_a_rotation_that_was_cut_off_is_finished_or_undone(tmp_path: Path, *, had_signed: bool) -> None:
    async with opened(tmp_path, ROOT) as store:
        await note(store, "before")
    before = (tmp_path / opening.KEY).read_bytes()
    if had_signed:
        await rotation.rotate_audit_key(tmp_path, ROOT)
        (tmp_path / opening.KEY).rename(tmp_path / opening.NEXT)
        (tmp_path / opening.KEY).write_bytes(before)
        (tmp_path / opening.KEY).chmod(0o600)
    else:
        keys.load_or_make(tmp_path / "elsewhere" / "any.key").public  # noqa: B018 - makes a file with a key
        shutil.move(tmp_path / "elsewhere" / "any.key", tmp_path / opening.NEXT)
    async with opened(tmp_path, ROOT) as store:
        assert store.distrusted == ""
        await note(store, "after")
    assert not (tmp_path / opening.NEXT).exists()
    assert ((tmp_path / opening.KEY).read_bytes() == before) is not had_signed


def open_to_others(folder: Path) -> None:
    (folder / opening.KEY).chmod(0o644)


def half_a_key(folder: Path) -> None:
    (folder / opening.KEY).write_bytes(b"short")


def a_key_in_a_circle(folder: Path) -> None:
    (folder / opening.KEY).unlink()
    (folder / opening.KEY).symlink_to(folder / opening.KEY)


def an_empty_next_key(folder: Path) -> None:
    (folder / opening.NEXT).touch(mode=0o600)


def no_text_of_the_forgotten(folder: Path) -> None:
    (folder / "forgotten").write_bytes(b"\xff")


def a_root_that_is_too_short(folder: Path) -> None:
    run_on(folder, "UPDATE checkpoint SET root = zeroblob(31)")


def no_name(folder: Path) -> None:
    run_on(folder, "UPDATE tree SET origin = ' '")


def no_table(folder: Path) -> None:
    run_on(folder, "DROP TABLE tile", "DROP TABLE person_key")


@pytest.mark.parametrize(
    "spoil",
    [
        open_to_others,
        half_a_key,
        a_key_in_a_circle,
        an_empty_next_key,
        no_text_of_the_forgotten,
        a_root_that_is_too_short,
        no_name,
        no_table,
    ],
)
async def test_whatever_is_wrong_beside_the_record_it_opens_and_is_not_trusted(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    async with opened(tmp_path, ROOT) as store:
        await note(store, "signed")
    spoil(tmp_path)
    async with opened(tmp_path, ROOT) as store:
        assert store.distrusted
        await store.write(lambda tx: audit.record(tx, "a stop"))


async def test_a_public_file_that_says_anything_keeps_nobody_from_anything(tmp_path: Path) -> None:
    async with opened(tmp_path, ROOT) as store:
        await note(store, "signed")
    public = tmp_path / opening.PUBLIC
    key = public.read_text()
    public.write_bytes(b"# mine \xff\n" + key.encode())
    async with opened(tmp_path, ROOT) as store:
        assert store.distrusted == ""
    assert [str(each) for each in held_keys.beside_the_record(public)] == key.split()


async def test_a_work_that_only_reads_needs_no_trust(tmp_path: Path) -> None:
    async with opened(tmp_path, ROOT) as store:
        store.distrust("somebody says so")

        def look(tx: Tx) -> int:
            return tree.last_number(tx)

        assert await store.read(look) == 1


async def test_what_was_recorded_without_the_key_is_taken_in_when_a_person_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path, ROOT) as store:
        await note(store, "signed")
    key = (tmp_path / opening.KEY).read_bytes()
    (tmp_path / opening.KEY).unlink()
    async with opened(tmp_path, ROOT) as store:
        await note(store, "without the key")
    write_private(tmp_path / opening.KEY, key)
    async with opened(tmp_path, ROOT) as store:
        assert "entries 3 to 3 were never signed" in store.distrusted
        assert "tocsin audit resume" in store.distrusted
    async with Store.opened(tmp_path / keys.DATABASE) as store:
        assert await opening.take_in(store, tmp_path) == (3, 3)
    async with opened(tmp_path, ROOT) as store:
        assert store.distrusted == ""
        assert (await head(store)).size == 4
        (taken,) = [each for each in await store.read(audit.everything) if each.kind == "unsigned entries taken in"]
        assert (taken.fields["first"], taken.fields["last"]) == (3, 3)
        with pytest.raises(StoreError, match="no entry is without a signature"):
            await opening.take_in(store, tmp_path)


@pytest.mark.parametrize("statement", ["UPDATE checkpoint SET root = zeroblob(32)", "UPDATE audit SET entry = x'7b7d'"])
async def test_nothing_is_taken_in_behind_what_was_altered(tmp_path: Path, statement: str) -> None:
    async with opened(tmp_path, ROOT) as store:
        await note(store, "signed")
    run_on(tmp_path, statement, "INSERT INTO audit (entry) VALUES (x'7b7d')")
    async with Store.opened(tmp_path / keys.DATABASE) as store:
        with pytest.raises(StoreError, match="Nothing was changed"):
            await opening.take_in(store, tmp_path)


async def test_a_tree_that_is_gone_is_not_begun_anew_over_what_is_there(tmp_path: Path) -> None:
    async with opened(tmp_path, ROOT) as store:
        await note(store, "signed")
    run_on(tmp_path, "DELETE FROM tree", "DELETE FROM tile", "DELETE FROM checkpoint")
    async with opened(tmp_path, ROOT) as store:
        assert store.distrusted == "its tree is gone"
