"""What names a person in the record, in boxes that open with that person's key alone."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.store import Store, Tx, audit, boxes


async def test_an_entry_names_nobody_to_who_has_no_keys(store: Store) -> None:
    def write(tx: Tx) -> None:
        audit.record(tx, "approval", audit.about("olga", by="olga"), audit.about("@eve:x", account="@eve:x"), id="1")

    await store.write(write)
    (bare,) = await store.read(lambda tx: tx.execute("SELECT entry FROM audit").fetchone())
    for name in (b"olga", b"eve"):
        assert name not in bare
    (entry,) = await store.read(lambda tx: audit.last(tx, 1))
    assert entry.people == [{"by": "olga"}, {"account": "@eve:x"}]
    assert {"kind": "approval", "id": "1", "by": "olga", "account": "@eve:x"}.items() <= entry.all.items()


async def test_without_the_key_of_one_the_others_are_still_known(store: Store) -> None:
    def write(tx: Tx) -> None:
        audit.record(tx, "incident reset", audit.about("olga", person="olga"), audit.about("otto", person="otto"))

    await store.write(write)
    before = await store.read(lambda tx: tx.execute("SELECT entry FROM audit").fetchone())
    await store.write(lambda tx: tx.execute("DELETE FROM person_key WHERE owner = 'olga'"))
    (entry,) = await store.read(lambda tx: audit.last(tx, 1))
    assert entry.people == [None, {"person": "otto"}]
    assert entry.all["person"] == [audit.FORGOTTEN, "otto"]
    assert await store.read(lambda tx: tx.execute("SELECT entry FROM audit").fetchone()) == before


async def test_a_person_has_one_tag_and_no_two_boxes_are_alike(store: Store) -> None:
    shut = [await store.write(lambda tx: boxes.shut(tx, "olga", b"words")) for _ in range(2)]
    (tag,) = {tag for tag, _ in shut}
    assert len({box for _, box in shut}) == 2
    assert await store.read(boxes.tags) == {tag: "olga"}


async def test_the_key_of_one_box_opens_no_other(store: Store) -> None:
    (tag, first), (_, second) = [await store.write(lambda tx: boxes.shut(tx, "olga", b"words")) for _ in range(2)]
    (key,) = await store.read(lambda tx: tx.execute("SELECT key FROM person_key").fetchone())
    given_away = boxes.box_key(key, base64.b64decode(first)[: boxes.SALT_LENGTH])
    assert boxes.open_with(given_away, tag, first) == b"words"
    assert boxes.open_with(given_away, tag, second) is None
    assert boxes.open_with(given_away, "another tag", first) is None


@given(box=st.text(max_size=80) | st.binary(max_size=80).map(lambda raw: base64.b64encode(raw).decode()))
def test_what_is_no_box_opens_to_nothing(box: str) -> None:
    assert boxes.open_with(bytes(32), "tag", box) is None


@pytest.mark.parametrize("box", ["", "!", "AAAA", "half \ud800"])
async def test_what_is_no_box_in_an_entry_is_shown_as_forgotten(store: Store, box: str) -> None:
    tag, _ = await store.write(lambda tx: boxes.shut(tx, "olga", b"words"))
    assert await store.read(lambda tx: boxes.opened(tx, tag, box)) is None


async def test_a_key_that_was_given_to_somebody_else_is_nobodys(store: Store) -> None:
    await store.write(lambda tx: boxes.shut(tx, "olga", b"words"))
    await store.write(lambda tx: boxes.shut(tx, "pavel", b"words"))
    await store.write(lambda tx: tx.execute("UPDATE person_key SET owner = 'x' WHERE owner = 'olga'"))
    await store.write(lambda tx: tx.execute("UPDATE person_key SET owner = 'olga' WHERE owner = 'pavel'"))
    assert await store.read(boxes.tags) == {}
