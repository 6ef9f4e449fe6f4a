"""Proofs out of a real record: each entry is proven, names nobody unasked, and an altered record proves nothing."""

import json
from pathlib import Path

import pytest
import pytest_asyncio
import rfc8785

from bot.audit.errors import AuditError
from bot.audit.evidence import check
from bot.record.proving import prove
from bot.store import Store, audit, evidence, tree
from bot.words.errors import StoreError, UsageError
from tests.unit.ledger import COMMITS, OTHER, SIGNER, by_hand, recorded

KEYS = [SIGNER.verifier]
LAST = sum(COMMITS)


@pytest_asyncio.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "tocsin.db"
    await recorded(path, *COMMITS)
    return path


def proof(path: Path, number: int, *, open_people: bool = False) -> bytes:
    with evidence.opened(path) as tx:
        return prove(tx, number, open_people=open_people).encode()


async def test_each_entry_is_proven(path: Path) -> None:
    with evidence.opened(path) as tx:
        for number in range(1, LAST + 1):
            checked = check(prove(tx, number).encode(), KEYS)
            assert (checked.number, checked.size, checked.people) == (number, LAST, (None,))
            assert checked.entry.encode() == tree.entry(tx, number)


async def test_a_proof_stays_true_when_the_record_has_grown(path: Path) -> None:
    early = proof(path, 7)
    await recorded(path, 300)
    assert check(early, KEYS).size == LAST
    assert check(proof(path, 7), KEYS).size == LAST + 300
    assert check(proof(path, LAST + 300), KEYS).number == LAST + 300


async def test_it_names_nobody_unless_it_was_asked_to(path: Path) -> None:
    assert b"olga" not in proof(path, 7)
    assert check(proof(path, 7, open_people=True), KEYS).people == ('{"person":"olga"}',)


async def test_what_is_opened_opens_no_other_entry(path: Path) -> None:
    opened, other = (json.loads(proof(path, number, open_people=True)) for number in (7, 8))
    assert opened["people"] != other["people"]
    with pytest.raises(AuditError, match="does not open"):
        check(rfc8785.dumps({**other, "people": opened["people"]}), KEYS)
    with by_hand(path) as connection:
        (key,) = connection.execute("SELECT key FROM person_key").fetchone()
    assert key.hex() not in proof(path, 7, open_people=True).hex()


async def test_who_was_forgotten_stays_so(path: Path) -> None:
    async with Store.opened(path) as store:
        store.seal_with(tree.Seal(SIGNER))
        await store.write(
            lambda tx: audit.record(tx, "x", audit.about("otto", person="otto"), audit.about("olga", person="olga"))
        )
        await store.write(lambda tx: tx.execute("DELETE FROM person_key WHERE owner = 'otto'"))
    assert check(proof(path, LAST + 1, open_people=True), KEYS).people == (None, '{"person":"olga"}')


async def test_an_entry_that_names_nobody_is_opened_as_well(path: Path) -> None:
    async with Store.opened(path) as store:
        store.seal_with(tree.Seal(SIGNER))
        await store.write(lambda tx: audit.record(tx, "x"))
    assert check(proof(path, LAST + 1, open_people=True), KEYS).people == ()


async def test_a_running_store_proves_too(path: Path) -> None:
    async with Store.opened(path) as store:
        made = await store.read(lambda tx: prove(tx, 300))
    assert check(made.encode(), KEYS).number == 300


async def test_a_proof_of_another_record_is_not_vouched_for(path: Path) -> None:
    other = path.with_name("other.db")
    await recorded(other, 5, signer=OTHER)
    with pytest.raises(AuditError, match="none of the keys that were given"):
        check(proof(other, 1), KEYS)


@pytest.mark.parametrize("number", [0, -1, LAST + 1, 2**40])
async def test_what_is_not_there_is_not_proven(path: Path, number: int) -> None:
    with pytest.raises(UsageError, match=f"There is no entry {number}. The newest is {LAST}."):
        proof(path, number)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit SET entry = x'7b7d' WHERE seq = 300",
        "UPDATE audit SET entry = x'ff' WHERE seq = 300",
        "DELETE FROM tile",
        "UPDATE tile SET hashes = x'00'",
        "DELETE FROM audit WHERE seq = 301",
        "UPDATE checkpoint SET root = x'00' WHERE size = 340",
        "UPDATE checkpoint SET size = 400 WHERE size = 340",
        "DELETE FROM checkpoint WHERE size > 272",
        "UPDATE tree SET edge = x'00'",
    ],
)
async def test_a_record_that_was_altered_proves_nothing(path: Path, sql: str) -> None:
    with by_hand(path) as connection:
        connection.execute(sql)
    with pytest.raises(StoreError, match=r"Entry 300 cannot be proven: .* Run: tocsin audit verify"):
        proof(path, 300)


@pytest.mark.parametrize("table", ["tree", "checkpoint"])
async def test_what_was_never_signed_is_not_proven(path: Path, table: str) -> None:
    with by_hand(path) as connection:
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
    with pytest.raises(StoreError, match="Nothing here was ever signed"):
        proof(path, 300)


@pytest.mark.parametrize("value", ["NULL", "'text'", "1"])
async def test_a_record_of_other_types_proves_nothing(path: Path, value: str) -> None:
    with by_hand(path) as connection:
        rows = connection.execute("SELECT * FROM audit").fetchall()
        connection.execute("DROP TABLE audit")
        connection.execute("CREATE TABLE audit (seq, entry)")
        connection.executemany("INSERT INTO audit VALUES (?, ?)", rows)
        connection.execute(f"UPDATE audit SET entry = {value} WHERE seq = 301")  # noqa: S608 - our own words
    with pytest.raises(StoreError, match="Entry 300 cannot be proven"):
        proof(path, 300)
