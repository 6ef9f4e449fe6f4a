"""Which sections of the file have changed since the last start is recorded, and never what stands in them."""

import asyncio
from pathlib import Path

import pytest

from bot import settings
from bot.settings import noting
from bot.store import Store, audit

FILE = """\
[mqtt]
host = "127.0.0.1"
[people.alice]
role = "operator"
[people.bob]
role = "viewer"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


async def noted(store: Store, path: Path, content: str = FILE) -> list[audit.Entry]:
    await asyncio.to_thread(path.write_text, content)
    loaded = settings.load(path)
    before = len(await store.read(audit.everything))
    await store.write(lambda tx: noting.note(tx, loaded))
    return (await store.read(audit.everything))[before:]


async def test_the_first_start_notes_all_and_the_next_nothing(store: Store, path: Path) -> None:
    (first,) = await noted(store, path)
    assert (first.fields["sections"], first.fields["count"]) == (["mqtt"], 3)
    assert first.people == [{"section": "people.alice"}, {"section": "people.bob"}]
    assert await noted(store, path) == []


async def test_what_changed_is_noted_and_not_what_it_says(store: Store, path: Path) -> None:
    await noted(store, path)
    (second,) = await noted(
        store, path, FILE.replace("127.0.0.1", "broker.example.org").replace("operator", "commander")
    )
    assert (second.fields["sections"], second.people) == (["mqtt"], [{"section": "people.alice"}])
    raw = await store.read(lambda tx: tx.execute("SELECT entry FROM audit").fetchall())
    assert b"broker.example.org" not in b"".join(entry for (entry,) in raw)


async def test_who_is_not_listed_any_more_is_counted_and_not_named(store: Store, path: Path) -> None:
    await noted(store, path)
    (second,) = await noted(store, path, FILE.partition("[people.bob]")[0])
    assert (second.fields["sections"], second.fields["count"], second.people) == ([], 1, [])


async def test_a_comment_and_the_order_of_keys_change_nothing(store: Store, path: Path) -> None:
    await noted(store, path)
    assert await noted(store, path, f"# A comment.\n{FILE}") == []
