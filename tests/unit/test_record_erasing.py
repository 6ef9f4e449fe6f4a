"""A person is forgotten: nothing in the database's files names them, and the record proves itself as before."""

import asyncio
import shutil
from pathlib import Path

import pytest

from bot import keys
from bot.record import erasing
from bot.record.opening import opened
from bot.store import Store, Tx, audit, forgetting, inbox, incidents, maintenance, outbox, pins, reporting, tree
from bot.store.maintenance import Work
from bot.store.reporting import Whom
from bot.words.document import document
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account
from tests.typed import tocsin
from wire.messages import ROOT

ALICE = Account("matrix", "@alice-of-the-lab:example.org")
ROOM = Place("matrix", "!room:example.org")
WHOM = Whom("alice-of-the-lab", frozenset({str(ALICE)}))


def about_alice(tx: Tx) -> None:
    message = Message(
        ROOM, ALICE, "$alice-event", "alice-of-the-lab wrote this", Standing.ATTESTED, "ALICEPHONE", 1, 0.0
    )
    (received,) = inbox.accept(tx, "matrix", [message], "c1", ())
    inbox.done(tx, received.row)
    outbox.queue(tx, Post(ROOM, document("You are alice-of-the-lab."), Lane.ANSWER, reply_to="$alice-event"))
    pins.pin(tx, ALICE, "key of alice", WHOM.name)
    maintenance.put(tx, Work("walk-1", 1e12, WHOM.name))
    incidents.open_incident(tx, "1" * 32, "all", None, ROOM, "$alice-event", at=1.0)
    step = incidents.Step(incidents.What.TAKEN, person=WHOM.name, words="alice-of-the-lab says", at=1.0)
    incidents.note(tx, "1" * 32, [step])
    who = audit.about(WHOM.name, person=WHOM.name, account=str(ALICE), device="ALICEPHONE", event="$alice-event")
    audit.record(tx, "outcome", who, audit.about("bob", approved_by="bob"), result="done")


def named_in(folder: Path) -> list[str]:
    """The files of a folder that name alice, or what is hers."""
    words = (b"alice-of-the-lab", b"ALICEPHONE", b"alice-event", b"key of alice")
    return [path.name for path in sorted(folder.iterdir()) if any(word in path.read_bytes() for word in words)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir()
    return path


async def written(folder: Path) -> None:
    async with opened(folder, ROOT) as store:
        await store.write(about_alice)


async def forgotten(folder: Path) -> int:
    async with opened(folder, ROOT) as store:
        return await erasing.erase(store, folder, WHOM)


async def test_nothing_in_the_files_names_who_was_forgotten_and_the_record_goes_on(folder: Path) -> None:
    await written(folder)
    assert named_in(folder) == [keys.DATABASE]
    assert await forgotten(folder) == 7
    assert named_in(folder) == []
    async with opened(folder, ROOT) as store:
        assert store.distrusted == ""
        entries = await store.read(audit.everything)
        (outcome,) = [each for each in entries if each.kind == "outcome"]
        assert outcome.people == [None, {"approved_by": "bob"}]
        assert await store.read(tree.last_number) == entries[-1].seq
        held = await store.read(lambda tx: reporting.held(tx, WHOM))
        assert [table for table, rows in held.items() if rows] == []


async def test_who_was_forgotten_is_forgotten_again_when_a_backup_comes_back(folder: Path, tmp_path: Path) -> None:
    await written(folder)
    shutil.copy(folder / keys.DATABASE, tmp_path / "backup.db")
    await forgotten(folder)
    shutil.copy(tmp_path / "backup.db", folder / keys.DATABASE)
    async with opened(folder, ROOT) as store:
        entries = await store.read(audit.everything)
        assert entries[-1].kind == "person forgotten again"
        (outcome,) = [each for each in entries if each.kind == "outcome"]
        assert outcome.people[0] is None
    assert named_in(folder) == []
    async with opened(folder, ROOT) as store:
        assert len(await store.read(audit.everything)) == len(entries)


async def test_one_that_was_cut_off_is_finished_at_the_next_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(folder)

    async def killed(_: object) -> None:
        raise KeyboardInterrupt

    async with opened(folder, ROOT) as store:
        monkeypatch.setattr(store, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            await erasing.erase(store, folder, WHOM)
    async with opened(folder, ROOT) as store:
        assert await store.read(lambda tx: forgetting.tags_of(tx, WHOM)) == []
    assert named_in(folder) == []


async def test_of_who_is_listed_no_more_the_record_knows_the_accounts(store: Store) -> None:
    await store.write(about_alice)
    assert await store.read(lambda tx: erasing.known_accounts(tx, WHOM.name)) == {str(ALICE)}
    assert await store.read(lambda tx: erasing.known_accounts(tx, "nobody")) == frozenset()


def test_of_each_table_that_can_name_somebody_it_is_decided_what_becomes_of_it() -> None:
    can = {table for table, find in reporting.TABLES.items() if not isinstance(find, str)}
    assert can == {table for table, _, _ in forgetting.GOES} | forgetting.STAYS.keys()


class TestTheCommand:
    @pytest.fixture
    def config(self, tmp_path: Path) -> Path:
        path = tmp_path / "config.toml"
        path.write_text('[mqtt]\nhost = "127.0.0.1"\n[people.bob]\nrole = "viewer"\n')
        return path

    async def run(self, config: Path, *words: str) -> tuple[int, str]:
        done = await asyncio.to_thread(tocsin, "audit", *words, "-c", config)
        return done.returncode, done.stderr + done.stdout

    async def test_it_asks_and_forgets(self, config: Path, folder: Path) -> None:
        await written(folder)
        code, said = await self.run(config, "erase", WHOM.name, "--yes", WHOM.name)
        assert (code, said.splitlines()[-1]) == (0, f"{WHOM.name} is forgotten."), said
        assert named_in(folder) == []

    async def test_without_the_name_twice_nothing_is_changed(self, config: Path, folder: Path) -> None:
        await written(folder)
        code, said = await self.run(config, "erase", WHOM.name, "--yes", "alice")
        assert code == 1
        assert "Nothing was changed" in said
        assert named_in(folder) == [keys.DATABASE]

    async def test_who_is_listed_and_who_is_unknown_are_not_forgotten(self, config: Path, folder: Path) -> None:
        await written(folder)
        assert "Take them out there first" in (await self.run(config, "erase", "bob", "--yes", "bob"))[1]
        assert "Nothing is recorded of eve" in (await self.run(config, "erase", "eve", "--yes", "eve"))[1]

    async def test_a_key_is_rotated(self, config: Path, folder: Path) -> None:
        await written(folder)
        code, said = await self.run(config, "rotate-key")
        assert code == 0, said
        assert said.count(f"{ROOT}/record/") == 2
