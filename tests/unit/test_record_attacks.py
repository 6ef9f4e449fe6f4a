"""What somebody does who has the file of the record, and who finds out.

`Told` is what verifying says without a witness; with a note that a witness took before, each of these is told as
altered. `not` means: nothing is found wrong, and it is said that no witness was asked.

| attack                                                     | told without a witness |
|------------------------------------------------------------|------------------------|
| an entry is changed                                        | altered                |
| an entry is changed, with its kept hash                    | altered                |
| an entry is deleted                                        | altered                |
| an entry is deleted, and the others move up                | altered                |
| an entry is put in between, and the others move down       | altered                |
| two entries change places                                  | altered                |
| the last entries are cut off                               | altered                |
| the last entries are cut off with all that is kept of them | not                    |
| all is deleted, as if nothing was ever recorded            | not: it is empty       |
| an old copy is put back                                    | not                    |
| an old copy is put back, and the bot goes on with it       | not                    |
| all is signed anew with a key of the same name             | not: an unknown key    |
| the last checkpoint is signed anew with the stolen key     | altered                |
| all is signed anew with the stolen key                     | not                    |
| the database of another bot is put in its place            | not: an unknown key    |
| the same, where the key of that bot is known as well       | not                    |
"""

import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from bot.audit.merkle import Frontier, leaf_hash
from bot.audit.note import Checkpoint, Signer
from bot.record.verdict import State
from bot.record.verifying import verify
from tests.unit.ledger import COMMITS, OTHER, SIGNER, by_hand, newest_note, notes, recorded, seal_anew, seen, told
from wire.envelope import PrivateKey

EARLIER = 272
SIZE = 340
OTHER_WORDS = b'{"kind":"nothing"}'
NAMESAKE = Signer(SIGNER.verifier.name, PrivateKey(bytes(32)))
PAGE = 4096

Attack = Callable[[Path], Awaitable[None]]


@pytest_asyncio.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "tocsin.db"
    await recorded(path, *COMMITS)
    return path


async def change(path: Path) -> None:
    with by_hand(path) as connection:
        connection.execute("UPDATE audit SET entry = ? WHERE seq = 200", (OTHER_WORDS,))


async def change_with_its_hash(path: Path) -> None:
    await change(path)
    with by_hand(path) as connection:
        (kept,) = connection.execute("SELECT hashes FROM tile WHERE level = 0").fetchone()
        forged = kept[: 199 * 32] + leaf_hash(OTHER_WORDS) + kept[200 * 32 :]
        connection.execute("UPDATE tile SET hashes = ? WHERE level = 0", (forged,))


async def delete(path: Path) -> None:
    with by_hand(path) as connection:
        connection.execute("DELETE FROM audit WHERE seq = 200")


def move(connection: sqlite3.Connection, behind: int, by: int) -> None:
    connection.execute("UPDATE audit SET seq = -seq WHERE seq > ?", (behind,))
    connection.execute("UPDATE audit SET seq = -seq + ? WHERE seq < 0", (by,))


async def delete_and_move_up(path: Path) -> None:
    with by_hand(path) as connection:
        connection.execute("DELETE FROM audit WHERE seq = 200")
        move(connection, 200, -1)


async def insert(path: Path) -> None:
    with by_hand(path) as connection:
        move(connection, 199, 1)
        connection.execute("INSERT INTO audit VALUES (200, ?)", (OTHER_WORDS,))


async def reorder(path: Path) -> None:
    with by_hand(path) as connection:
        for old, new in ((200, -1), (100, 200), (-1, 100)):
            connection.execute("UPDATE audit SET seq = ? WHERE seq = ?", (new, old))


async def cut_off(path: Path) -> None:
    with by_hand(path) as connection:
        connection.execute("DELETE FROM audit WHERE seq > ?", (EARLIER,))


async def cut_off_cleanly(path: Path) -> None:
    with by_hand(path) as connection:
        connection.execute("DELETE FROM audit WHERE seq > ?", (EARLIER,))
        connection.execute("DELETE FROM checkpoint WHERE size > ?", (EARLIER,))
        counted = Frontier()
        counted.extend(leaf_hash(entry) for (entry,) in connection.execute("SELECT entry FROM audit ORDER BY seq"))
        connection.execute("UPDATE tree SET size = ?, edge = ?", (EARLIER, b"".join(counted.hashes)))


async def forget_all(path: Path) -> None:
    with by_hand(path) as connection:
        for table in ("audit", "tree", "tile", "checkpoint"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words


async def put_back_an_old_copy(path: Path) -> None:
    old = path.with_name("old.db")
    await recorded(old, 1, 40)
    shutil.copy(old, path)


async def put_back_an_old_copy_and_go_on(path: Path) -> None:
    await cut_off_cleanly(path)
    await recorded(path, SIZE - EARLIER, 5)


async def sign_anew_as_a_namesake(path: Path) -> None:
    await change(path)
    with by_hand(path) as connection:
        seal_anew(connection, NAMESAKE)


async def sign_the_last_anew(path: Path) -> None:
    await change_with_its_hash(path)
    with by_hand(path) as connection:
        counted = Frontier()
        counted.extend(leaf_hash(entry) for (entry,) in connection.execute("SELECT entry FROM audit ORDER BY seq"))
        line = SIGNER.line(str(Checkpoint(SIGNER.verifier.name, counted.size, counted.root())))
        connection.execute("UPDATE checkpoint SET root = ?, signature = ? WHERE size = ?", (counted.root(), line, SIZE))
        connection.execute("UPDATE tree SET edge = ?", (b"".join(counted.hashes),))


async def sign_all_anew(path: Path) -> None:
    await change(path)
    with by_hand(path) as connection:
        seal_anew(connection)


async def swap(path: Path) -> None:
    other = path.with_name("other.db")
    await recorded(other, *COMMITS, signer=OTHER)
    shutil.copy(other, path)


ATTACKS: dict[Attack, tuple[str, str]] = {
    change: ("Entry 200 is not the one", "Among entries 42 to 271"),
    change_with_its_hash: ("Among entries 42 to 271", "Among entries 42 to 271"),
    delete: ("Entry 200 is missing", "Entry 200 is missing"),
    delete_and_move_up: ("The kept hashes point at entry 200.", "Among entries 42 to 271"),
    insert: ("The kept hashes point at entry 200.", "Among entries 42 to 271"),
    reorder: ("Entry 100 is not the one", "Among entries 42 to 271"),
    cut_off: ("The end was cut off: entries 273 to 340", "a witness has seen 340 entries, and the record has 272"),
    cut_off_cleanly: ("", "a witness has seen 340 entries, and the record has 272"),
    forget_all: ("The record is empty.", "a witness has seen 340 entries, and the record has 0"),
    put_back_an_old_copy: ("", "a witness has seen 340 entries, and the record has 41"),
    put_back_an_old_copy_and_go_on: ("", "Among entries 273 to 332"),
    sign_anew_as_a_namesake: ("signed by no key that is known", "Among entries 42 to 271"),
    sign_the_last_anew: ("whoever made it had the key", "Among entries 42 to 271"),
    sign_all_anew: ("", "Among entries 42 to 271"),
    swap: (
        "signed by no key that is known",
        "has seen the record example.org/record/1, and this is example.org/record/2",
    ),
}
"""What is said without a witness, where anything is, and what is said with one."""
KNOWN_WITHOUT = {change, change_with_its_hash, delete, delete_and_move_up, insert, reorder, cut_off, sign_the_last_anew}


def each(attack: Attack) -> str:
    return str(getattr(attack, "__name__", attack)).replace("_", " ")


@pytest.mark.parametrize("attack", ATTACKS, ids=each)
async def test_with_a_witness_it_is_told(path: Path, attack: Attack) -> None:
    witnessed = notes(path)
    await attack(path)
    verdict = seen(path, *witnessed)
    assert verdict.state is State.ALTERED
    assert ATTACKS[attack][1] in told(verdict)


@pytest.mark.parametrize("attack", ATTACKS, ids=each)
async def test_one_note_is_enough(path: Path, attack: Attack) -> None:
    witnessed = newest_note(path)
    await attack(path)
    assert seen(path, witnessed).state is State.ALTERED


@pytest.mark.parametrize("attack", ATTACKS, ids=each)
async def test_without_a_witness_it_is_told_or_it_is_said_that_nobody_can_know(path: Path, attack: Attack) -> None:
    await attack(path)
    verdict = seen(path)
    assert verdict.state is (State.ALTERED if attack in KNOWN_WITHOUT else State.INCOMPLETE)
    assert ATTACKS[attack][0] in told(verdict)
    assert "No witness was asked" in told(verdict)
    silent = not ATTACKS[attack][0]
    assert (len(verdict.findings) == 1) is silent


async def test_who_knows_the_key_of_another_bot_needs_a_witness_to_see_its_database_in_the_place_of_ours(
    path: Path,
) -> None:
    witnessed, keys = newest_note(path), [SIGNER.verifier, OTHER.verifier]
    await swap(path)
    assert verify(path, keys, [witnessed]).state is State.ALTERED
    assert told(verify(path, keys, [])).startswith("No witness was asked")


async def test_a_witness_that_saw_less_protects_what_it_saw(path: Path) -> None:
    early, *_, last = notes(path)
    await put_back_an_old_copy_and_go_on(path)
    assert seen(path, early).state is State.INTACT
    assert seen(path, early, last).state is State.ALTERED


@pytest.mark.parametrize("seed", range(4))
def test_a_byte_that_was_changed_anywhere_is_told_or_makes_no_difference(path: Path, seed: int) -> None:
    whole, witnessed = path.read_bytes(), newest_note(path)
    chance = random.Random(seed)
    header = range(seed * 25, seed * 25 + 25)
    found: set[State] = set()
    for offset in (*header, *chance.sample(range(len(whole)), 100)):
        spoilt = bytearray(whole)
        spoilt[offset] ^= chance.randrange(1, 256)
        path.write_bytes(spoilt)
        found.add(outcome(path, witnessed))
    assert State.ALTERED in found


def test_a_page_that_is_lost_is_told_or_held_nothing_of_the_record(path: Path) -> None:
    whole, witnessed = path.read_bytes(), newest_note(path)
    found: set[State] = set()
    for start in range(0, len(whole), PAGE):
        before, behind = whole[:start], whole[start + PAGE :]
        for content in (before, *(before + page + behind for page in (bytes(PAGE), whole[:PAGE], b"\xff" * PAGE))):
            path.write_bytes(content)
            found.add(outcome(path, witnessed))
    assert State.ALTERED in found


def outcome(path: Path, witnessed: bytes) -> State:
    """Whatever it is: an intact record is a whole one, and of every other something is said."""
    verdict = seen(path, witnessed)
    if verdict.state is State.INTACT:
        assert (verdict.size, verdict.unwitnessed) == (SIZE, 0)
    else:
        assert told(verdict)
    return verdict.state
