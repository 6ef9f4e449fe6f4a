"""What the bot knows of its own messages in Zulip: all of a day. The disk is read for it once."""

import asyncio
import os
import threading
import time
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.private import Secret
from bot.words.errors import NetworkError, Unreachable
from bridges.zulip import notes
from bridges.zulip.fetching import Fetcher
from bridges.zulip.notes import FOLDER, KEPT_S, Note, Notes


def said(*ids: int, before: tuple[int, ...] = ()) -> Note:
    return Note((), 0, ids, before)


@pytest.fixture(autouse=True)
def patient_with_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's disk may take longer than anybody waits for it."""
    monkeypatch.setattr(notes, "DISK_MAY_TAKE_S", 60.0)


async def written(folder: Path, *posts: tuple[str, Note]) -> Notes:
    kept = Notes(folder)
    for key, note in posts:
        kept.keep(key, note)
        kept.end(key)
    await kept.settled()
    return kept


async def test_all_messages_of_a_post_are_known_together_also_after_a_restart(tmp_path: Path) -> None:
    first = await written(tmp_path, ("one", said(3, 4, before=(1,))), ("two", said(5)))
    for kept in (first, Notes(tmp_path)):
        assert await kept.together(4) == (3, 4, 1)
        assert await kept.together(5) == (5,)
        assert await kept.together(6) == (6,)
        assert await kept.owners() == {3: kept.owner("one"), 4: kept.owner("one"), 5: kept.owner("two")}


async def test_the_disk_is_read_once_however_often_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await written(tmp_path, ("one", said(3, 4)))
    looked: list[Path] = []
    scandir = os.scandir

    def counted(folder: Path) -> object:
        looked.append(folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", counted)
    kept = Notes(tmp_path)
    for _ in range(3):
        assert await kept.together(3) == (3, 4)
        assert await kept.owners() == dict.fromkeys((3, 4), kept.owner("one"))
    assert looked == [tmp_path / FOLDER]


async def test_what_is_dropped_while_the_disk_is_read_is_not_said_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(tmp_path, ("one", said(3)))
    has_read, goes_on = threading.Event(), threading.Event()
    stat = Path.stat

    def slow(path: Path) -> os.stat_result:
        found = stat(path)
        has_read.set()
        goes_on.wait()
        return found

    monkeypatch.setattr(Path, "stat", slow)
    kept = Notes(tmp_path)
    asking = asyncio.create_task(kept.owners())
    try:
        await asyncio.to_thread(has_read.wait)
        kept.drop("one")
        await kept.settled()
    finally:
        goes_on.set()
    assert await asking == {}


async def test_what_was_said_meanwhile_counts_more_than_what_is_read(tmp_path: Path) -> None:
    await written(tmp_path, ("one", said(3)), ("two", said(9)))
    kept = Notes(tmp_path)
    kept.keep("one", said(3, 4))
    kept.keep("three", said(9, before=(2,)))  # the server gives ids again
    assert await kept.together(3) == (3, 4)
    assert await kept.together(9) == (9, 2)
    await kept.settled()


async def test_after_a_day_it_is_not_known_any_more(tmp_path: Path) -> None:
    now = time.time()
    kept = Notes(tmp_path, clock=lambda: now)
    kept.keep("one", said(3, 4))
    now += KEPT_S / 2
    kept.keep("two", said(5, 6))
    now += KEPT_S / 2 + 60
    kept.keep("three", said(7))
    assert set(await kept.owners()) == {5, 6, 7}
    assert await kept.together(4) == (4,)
    await kept.settled()


async def test_a_folder_that_cannot_be_read_is_read_again(tmp_path: Path) -> None:
    await written(tmp_path, ("one", said(3, 4)))
    folder, away = tmp_path / FOLDER, tmp_path / "away"
    folder.rename(away)
    folder.write_bytes(b"")
    kept = Notes(tmp_path)
    assert await kept.together(3) == (3,)
    folder.unlink()
    away.rename(folder)
    assert await kept.together(3) == (3, 4)


keys = st.sampled_from("abc")
ids = st.lists(st.integers(1, 9), unique=True, max_size=3).map(tuple)
steps = st.lists(st.tuples(keys, ids, st.booleans()), max_size=8)


@settings(max_examples=40, deadline=None)
@given(steps, steps)
def test_what_is_remembered_is_what_the_disk_has(
    tmp_path_factory: pytest.TempPathFactory, before: list[tuple[str, tuple[int, ...], bool]],
    after: list[tuple[str, tuple[int, ...], bool]],
) -> None:  # fmt: skip
    async def run() -> None:
        folder = tmp_path_factory.mktemp("notes")
        for done in (before, after):
            kept = Notes(folder)
            for number, (key, messages, is_dropped) in enumerate(done):
                own = tuple(100 * "abc".index(key) + each for each in messages)
                if is_dropped:
                    kept.drop(key)
                else:
                    kept.keep(key, Note(("words",), 0, own))
                if number == 1:
                    await kept.owners()
            await kept.settled()
            assert dict(await kept.owners()) == dict(await Notes(folder).owners())

    asyncio.run(run())


@pytest.mark.parametrize(
    "address", ["http://[", "https://[::", "http://elsewhere.test/emoji.json", "file:///etc/passwd"]
)
async def test_an_address_that_is_none_of_the_web_is_refused(address: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(NetworkError) as refused:
            await Fetcher("https://here.test", Secret("key"), session).published(address, 1_000)
    assert not isinstance(refused.value, Unreachable)
