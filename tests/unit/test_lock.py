"""One holder at a time, and it is named."""

import os
from pathlib import Path

import pytest

from bot.store.lock import Lock
from bot.words.errors import StoreError, StoreInUse


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    first.take()
    with pytest.raises(StoreInUse, match=f"process {os.getpid()} on .*, since 2") as refused:
        second.take()
    assert str(tmp_path) in refused.value.what
    assert "Stop that one first" in refused.value.hint
    first.free()
    second.take()
    second.free()


def test_a_refused_one_does_not_take_the_name_away(tmp_path: Path) -> None:
    holder = Lock(tmp_path / "lock")
    holder.take()
    for _ in range(2):
        with pytest.raises(StoreInUse, match=f"process {os.getpid()}"):
            Lock(tmp_path / "lock").take()
    holder.free()


def test_what_a_dead_holder_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("process 1 on elsewhere, since long ago\n")
    lock = Lock(tmp_path / "lock")
    lock.take()
    assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")
    lock.free()


def test_freeing_twice_is_harmless(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    lock.take()
    lock.free()
    lock.free()


def test_a_lock_that_cannot_be_opened_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(StoreError, match="cannot be opened") as refused:
        Lock(tmp_path / "lock").take()
    assert not isinstance(refused.value, StoreInUse)
