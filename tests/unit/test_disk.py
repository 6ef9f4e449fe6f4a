"""A component's latch on a real disk: it keeps what it was given whole, and takes nothing else for a good latch."""

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.disk import Disk
from wire.envelope import PrivateKey
from wire.latch import MOST_RESET, Kept
from wire.messages import LARGEST_STOP, Open, Roster

ANY_TEXT = st.text(st.characters(codec=None))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ANY_TEXT, inner, max_size=5),
    max_leaves=10,
)
INCIDENTS = st.from_regex(r"(own-)?[0-9a-f]{32}", fullmatch=True)
KEYS = st.binary(min_size=32, max_size=32).map(lambda seed: PrivateKey(seed).public)
KEPT = st.builds(
    Kept,
    open=st.lists(st.builds(Open, INCIDENTS, st.none() | st.binary(max_size=LARGEST_STOP)), max_size=5).map(tuple),
    reset=st.lists(INCIDENTS, max_size=5).map(tuple),
    enrolled=st.text("0123456789abcdef", max_size=16),
    key=st.none() | KEYS,
    roster=st.none() | st.builds(Roster, st.integers(0, 2**53), st.lists(KEYS.map(str), max_size=3).map(tuple)),
)
STOPPED = Kept(
    (Open("1" * 32, b"signed"), Open("own-" + "2" * 32)),
    ("3" * 32,),
    "ab" * 8,
    PrivateKey(b"k" * 32).public,
    Roster(7, (str(PrivateKey(b"r" * 32).public),)),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("disk") / "latch"


@given(kept=KEPT)
@settings(deadline=None, max_examples=30)
def test_what_is_written_is_read(file: Path, kept: Kept) -> None:
    assert Disk(file).write(kept)
    assert Disk(file).read() == kept


def test_a_missing_file_is_a_new_latch(tmp_path: Path) -> None:
    assert Disk(tmp_path / "latch").read() == Kept()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    assert Disk(tmp_path / "latch").write(STOPPED)
    assert stat.S_IMODE((tmp_path / "latch").stat().st_mode) == 0o600


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "latch")
    for kept in (STOPPED, Kept(), STOPPED):
        assert disk.write(kept)
    assert [each.name for each in tmp_path.iterdir()] == ["latch"]


def test_a_write_that_was_cut_off_leaves_what_was_there(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "latch")
    assert disk.write(STOPPED)
    (tmp_path / "latch.new").write_bytes(b'{"open":[')
    assert disk.read() == STOPPED
    assert disk.write(Kept())
    assert disk.read() == Kept()


def test_a_write_that_fails_says_so_and_leaves_what_was_there(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "latch")
    assert disk.write(STOPPED)
    (tmp_path / "latch.new").mkdir()  # nothing can be written there
    assert not disk.write(Kept())
    assert disk.read() == STOPPED


def test_a_write_that_does_not_reach_the_disk_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    disk = Disk(tmp_path / "latch")
    assert disk.write(STOPPED)
    monkeypatch.setattr(os, "fsync", full)
    assert not disk.write(Kept())
    assert disk.read() == STOPPED


def test_a_write_without_its_folder_fails(tmp_path: Path) -> None:
    assert not Disk(tmp_path / "missing" / "latch").write(STOPPED)


def test_what_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "latch").mkdir()
    assert Disk(tmp_path / "latch").read() is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 64,  # what some file systems leave after a power cut
        b"{}",
        b'{"reset":[]}',
        b'{"open":null,"reset":[]}',
        b'{"open":{},"reset":[]}',
        b'{"open":[{}],"reset":[]}',
        b'{"open":["11111111111111111111111111111111"],"reset":[]}',
        b'{"open":[{"id":"1"}],"reset":[]}',
        b'{"open":[],"reset":[1]}',
        b"[" * 10_000,
    ],
)
def test_what_is_no_latch_is_damaged(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "latch").write_bytes(content)
    assert Disk(tmp_path / "latch").read() is None


def test_a_file_that_was_cut_anywhere_is_damaged(file: Path) -> None:
    assert Disk(file).write(STOPPED)
    whole = file.read_bytes()
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        assert Disk(file).read() is None


def test_a_changed_bit_is_damage(file: Path) -> None:
    assert Disk(file).write(STOPPED)
    whole = file.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            file.write_bytes(changed)
            assert Disk(file).read() is None


@given(content=st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
@settings(deadline=None)
def test_any_other_content_is_damaged(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert Disk(file).read() is None


@given(field=st.sampled_from(["open", "reset"]), value=ANY_JSON)
@settings(deadline=None)
def test_a_file_with_anything_in_one_field_is_read_or_damaged(file: Path, field: str, value: object) -> None:
    file.write_text(json.dumps({"open": [], "reset": [], field: value}))
    kept = Disk(file).read()
    assert kept is None or value == []


def test_a_file_of_the_first_version_is_read(tmp_path: Path) -> None:
    stop = base64.b64encode(b"signed").decode()
    first = {"open": [{"id": "1" * 32, "stop": stop}, {"id": "own-" + "2" * 32, "stop": None}], "reset": ["3" * 32]}
    (tmp_path / "latch").write_text(json.dumps(first))
    disk = Disk(tmp_path / "latch")
    kept = disk.read()
    assert kept == Kept(STOPPED.open, STOPPED.reset)
    assert disk.write(STOPPED)
    assert disk.read() == STOPPED


def test_a_key_is_taken_from_no_file_without_its_digest(file: Path) -> None:
    assert Disk(file).write(STOPPED)
    line = file.read_bytes().split(b"\n")[0]
    for content in (line, line.replace(b'"version":2', b'"version":1'), line.replace(b'"version":2,', b"")):
        file.write_bytes(content)
        assert Disk(file).read() is None


def test_what_is_there_is_not_missing_however_broken(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "latch")
    assert disk.is_missing()
    (tmp_path / "latch").symlink_to(tmp_path / "nowhere")
    assert not disk.is_missing()


def test_the_newest_resets_are_remembered(file: Path) -> None:
    resets = [f"{number:032x}" for number in range(MOST_RESET + 10)]
    file.write_text(json.dumps({"open": [], "reset": resets}))
    kept = Disk(file).read()
    assert kept is not None
    assert kept.reset == tuple(resets[10:])


def test_a_link_to_the_file_is_followed_and_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "kept" / "latch", tmp_path / "latch"
    target.parent.mkdir()
    link.symlink_to(target)
    assert Disk(link).is_missing()
    assert Disk(link).write(Kept((Open("1" * 32),)))
    assert link.is_symlink()
    assert Disk(target).read() == Kept((Open("1" * 32),))
