"""The tree over the record grows and is signed in the commit that adds to it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.audit.errors import BadTree
from bot.audit.merkle import Frontier, leaf_hash
from bot.audit.note import Checkpoint, Signer, open_note
from bot.audit.proofs import check_consistency, check_inclusion, prove_consistency, prove_inclusion, tree_root
from bot.store import Store, Tx, audit, tree
from wire.envelope import PrivateKey

SIGNER = Signer("example.org/log", PrivateKey(bytes(range(32))))


@pytest.fixture
def sealed(store: Store) -> Store:
    store.seal_with(tree.Seal(SIGNER))
    return store


def several(count: int) -> Callable[[Tx], None]:
    def write(tx: Tx) -> None:
        for number in range(count):
            audit.record(tx, "x", number=number)

    return write


async def entries(store: Store) -> list[bytes]:
    return [entry for (entry,) in await store.read(lambda tx: tx.execute("SELECT entry FROM audit ORDER BY seq"))]


def plain_root(found: list[bytes]) -> bytes:
    frontier = Frontier()
    for each in found:
        frontier.add(leaf_hash(each))
    return frontier.root()


async def test_each_commit_has_a_checkpoint_over_all_that_there_is(sealed: Store) -> None:
    for count in (1, 3, 300, 1):
        await sealed.write(several(count))
    found = await entries(sealed)
    notes = await sealed.read(lambda tx: [*tree.notes(tx)])
    checkpoints = [Checkpoint.parse(open_note(note, SIGNER.verifier)[0]) for note in notes]
    assert [each.size for each in checkpoints] == [1, 4, 304, 305]
    assert [each.root for each in checkpoints] == [plain_root(found[: each.size]) for each in checkpoints]
    assert await sealed.read(tree.newest_note) == notes[-1]
    assert {each.origin for each in checkpoints} == {"example.org/log"}


async def test_what_fails_leaves_nothing_in_the_tree_and_others_are_sealed(sealed: Store) -> None:
    def fails(tx: Tx) -> None:
        audit.record(tx, "lost")
        raise ValueError("no")

    works = [several(1), fails, several(2)]
    results = await asyncio.gather(*(sealed.write(each) for each in works), return_exceptions=True)
    assert [type(each) for each in results] == [type(None), ValueError, type(None)]
    kept = await sealed.read(tree.of)
    assert kept is not None
    assert (kept.frontier.size, kept.frontier.root()) == (3, plain_root(await entries(sealed)))


async def test_a_write_that_records_nothing_signs_nothing(sealed: Store) -> None:
    await sealed.write(several(1))
    await sealed.write(lambda tx: tx.execute("DELETE FROM cursor"))
    assert len(await sealed.read(lambda tx: [*tree.notes(tx)])) == 1


async def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    for life in (1, 2, 3):
        async with Store.opened(tmp_path / "log.db") as store:
            store.seal_with(tree.Seal(SIGNER))
            await store.write(several(200))
            kept = await store.read(tree.of)
            assert kept is not None
            assert (kept.frontier.size, kept.frontier.root()) == (200 * life, plain_root(await entries(store)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(counts=st.lists(st.integers(1, 400), min_size=1, max_size=5), data=st.data())
async def test_every_entry_is_proven_in_every_later_tree(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], data: st.DataObject
) -> None:
    async with Store.opened(tmp_path_factory.mktemp("log") / "log.db") as store:
        store.seal_with(tree.Seal(SIGNER))
        for count in counts:
            await store.write(several(count))
        found = await entries(store)
        size = data.draw(st.integers(1, len(found)))
        index = data.draw(st.integers(0, size - 1))
        old = data.draw(st.integers(1, size))

        def prove(tx: Tx) -> None:
            nodes = tree.nodes(tx, size)
            root = plain_root(found[:size])
            assert tree_root(nodes, size) == root
            check_inclusion(leaf_hash(found[index]), index, size, prove_inclusion(nodes, index, size), root)
            check_consistency(old, size, prove_consistency(nodes, old, size), plain_root(found[:old]), root)

        await store.read(prove)


async def test_tiles_above_the_lowest_level_are_kept(sealed: Store) -> None:
    await sealed.write(several(256 * 3 + 7))
    await sealed.write(several(256 * 254))
    summed = "SELECT level, count(*), max(length(hashes)) FROM tile GROUP BY level"
    rows = await sealed.read(lambda tx: tx.execute(summed).fetchall())
    assert rows == [(0, 257, 8192), (1, 2, 8192), (2, 1, 32)]
    found = await entries(sealed)
    assert await sealed.read(lambda tx: tree_root(tree.nodes(tx, len(found)), len(found))) == plain_root(found)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit WHERE seq = 7",
        "UPDATE tree SET edge = x'00'",
        "INSERT INTO tile (level, number, hashes) VALUES (1, 0, x'00')",
    ],
)
async def test_what_cannot_be_sealed_is_kept_and_told(store: Store, statement: str) -> None:
    wrong: list[str] = []
    store.seal_with(tree.Seal(SIGNER, wrong=wrong.append))
    await store.write(several(6))
    store.seal_with(lambda _: None)
    await store.write(several(2))
    await store.write(lambda tx: tx.execute(statement))
    store.seal_with(tree.Seal(SIGNER, wrong=wrong.append))
    await store.write(several(300))
    assert wrong
    assert len(await entries(store)) > 300


async def test_a_tile_that_was_there_too_early_is_replaced(sealed: Store) -> None:
    await sealed.write(lambda tx: tx.execute("INSERT INTO tile (level, number, hashes) VALUES (0, 0, x'00')"))
    await sealed.write(several(300))
    found = await entries(sealed)
    assert await sealed.read(lambda tx: tree_root(tree.nodes(tx, 300), 300)) == plain_root(found)


async def test_an_edge_that_does_not_fit_is_told(sealed: Store) -> None:
    await sealed.write(several(5))
    sealed.seal_with(lambda _: None)
    await sealed.write(lambda tx: tx.execute("UPDATE tree SET size = 6"))
    assert (await sealed.read(lambda tx: tx.execute("SELECT size FROM tree").fetchone())) == (6,)
    await sealed.write(lambda tx: tx.execute("UPDATE tree SET size = 7"))
    with pytest.raises(BadTree):
        await sealed.read(tree.of)
