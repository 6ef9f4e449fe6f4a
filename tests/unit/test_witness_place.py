"""A room as a witness: what waits to be said is overtaken, and what was said is never edited."""

from pathlib import Path

import pytest

from bot.audit.note import Checkpoint, Signer, sign_note
from bot.record.witnesses.place import PlaceWitness
from bot.store import Store, Tx, outbox
from bot.words.document import Code, document
from bot.words.message import Lane, Place, Post
from bot.words.plain import to_plain
from wire.envelope import PrivateKey

HERE = Place("chat", "witness")
SIGNER = Signer("example.org/log", PrivateKey(bytes(32)))


def note(size: int) -> bytes:
    return sign_note(str(Checkpoint("example.org/log", size, bytes(32))), SIGNER)


class Woken:
    """Counts how often the ways out were woken."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def witness(store: Store, woken: Woken) -> PlaceWitness:
    return PlaceWitness(store, HERE, queued=woken)


async def waiting(store: Store) -> int:
    return sum(each.count for each in await store.read(outbox.waiting_at) if each.lane is Lane.WITNESS)


async def say_next(store: Store) -> Post:
    """What its network takes next."""

    def take(tx: Tx) -> Post:
        (head,) = outbox.heads(tx, HERE.network, [], 1)
        outbox.sent(tx, head.row, f"${head.row}")
        return head.post

    return await store.write(take)


async def test_a_checkpoint_is_said_with_how_long_the_record_is(
    store: Store, witness: PlaceWitness, woken: Woken
) -> None:
    await witness.publish(note(12345), 12345)
    post = await say_next(store)
    assert (post.place, post.lane, woken.count) == (HERE, Lane.WITNESS, 1)
    assert to_plain(post.document).startswith("Checkpoint of the record: 12,345 entries.")
    assert [each.text for each in post.document.blocks if isinstance(each, Code)] == [note(12345).decode()]
    await witness.publish(note(1), 1)
    assert "1 entry." in to_plain((await say_next(store)).document)


async def test_while_nothing_can_be_said_the_newest_overtakes_the_one_before(
    store: Store, witness: PlaceWitness
) -> None:
    for size in range(1, 8):
        await witness.publish(note(size), size)
    assert await waiting(store) == 2
    said = [to_plain((await say_next(store)).document) for _ in range(2)]
    assert ["1 entry" in said[0], "7 entries" in said[1]] == [True, True]


async def test_nothing_that_was_said_is_ever_edited(store: Store, witness: PlaceWitness) -> None:
    for round_, burst in enumerate((1, 2, 3, 1, 5)):
        for size in range(burst):
            await witness.publish(note(100 * round_ + size + 2), 100 * round_ + size + 2)
        for _ in range(await waiting(store)):
            assert (await say_next(store)).edits is None
    await witness.publish(note(900), 900)
    await witness.publish(note(901), 901)
    assert (await say_next(store)).edits is None  # it was first, and may have been on its way
    await witness.publish(note(902), 902)
    assert (await say_next(store)).edits is None
    assert (await say_next(store)).edits is None


async def test_after_a_restart_it_goes_on(tmp_path: Path) -> None:
    for life in (1, 2):
        async with Store.opened(tmp_path / "tocsin.db") as store:
            witness = PlaceWitness(store, HERE, queued=lambda: None)
            for size in range(10 * life, 10 * life + 5):
                await witness.publish(note(size), size)
            assert await waiting(store) == life + 1


async def test_everything_else_is_said_first(store: Store, witness: PlaceWitness) -> None:
    await witness.publish(note(2), 2)
    await store.write(lambda tx: outbox.queue(tx, Post(HERE, document("Hello."), Lane.PROGRESS)))
    assert [(await say_next(store)).lane for _ in range(2)] == [Lane.PROGRESS, Lane.WITNESS]
