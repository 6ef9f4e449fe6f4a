"""A file as a witness: real disks that are full, read-only or hang, and what is told of them."""

import asyncio
import errno
import os
import subprocess
import threading
from pathlib import Path

import pytest
import structlog.testing

from bot.audit.note import Checkpoint, Signer, sign_note
from bot.record.witnesses.court import Court
from bot.record.witnesses.file import FileWitness
from bot.record.witnesses.notebook import notes_in
from bot.record.witnesses.witness import NotWitnessed
from bot.store import Store
from tests.faults import small_disk
from wire.envelope import PrivateKey

NAME = "tocsin.checkpoints"
SIGNER = Signer("example.org/log", PrivateKey(bytes(32)))
NEEDS_A_DISK = pytest.mark.skipif(bool(small_disk.impossible()), reason=small_disk.impossible())


def note(size: int) -> bytes:
    return sign_note(str(Checkpoint("example.org/log", size, bytes(32))), SIGNER)


async def refused(witness: FileWitness) -> NotWitnessed:
    with pytest.raises(NotWitnessed) as raised:
        await witness.publish(note(1), 1)
    return raised.value


async def test_each_note_is_added_and_the_last_is_given(tmp_path: Path) -> None:
    path = tmp_path / NAME
    assert await FileWitness(path).latest() is None
    for size in (1, 2, 3):
        await FileWitness(path).publish(note(size), size)
        assert await FileWitness(path).latest() == note(size)
    assert notes_in(path.read_bytes()) == [note(1), note(2), note(3)]
    assert path.stat().st_mode & 0o022 == 0


async def test_a_torn_end_is_passed_over_and_closed_off(tmp_path: Path) -> None:
    path = tmp_path / NAME
    witness = FileWitness(path)
    await witness.publish(note(1), 1)
    with path.open("ab") as file:
        file.write(note(2)[:-5])
    assert await witness.latest() == note(1)
    await witness.publish(note(3), 3)
    assert await witness.latest() == note(3)


async def test_a_file_that_grows_too_large_makes_room_and_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / NAME
    older = path.with_name(f"{path.name}.1")
    witness = FileWitness(path, largest=2 * len(note(1)) + 10)
    for size in (1, 2, 3, 4, 5):
        await witness.publish(note(size), size)
    assert notes_in(older.read_bytes()) == [note(3), note(4)]
    assert notes_in(path.read_bytes()) == [note(5)]
    path.unlink()  # as a crash between the two steps leaves it
    assert await witness.latest() == note(4)
    path.write_bytes(note(6)[:20])
    assert await witness.latest() == note(4)


async def test_only_the_end_of_a_large_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with path.open("wb") as file:
        file.truncate(4 * 1024**3)  # nobody could hold it
    witness = FileWitness(path, largest=5 * 1024**3)
    await witness.publish(note(1), 1)
    assert await witness.latest() == note(1)


@NEEDS_A_DISK
async def test_a_full_disk_is_told_and_leaves_no_half_note(tmp_path: Path) -> None:
    with small_disk.mounted(tmp_path / "small", "64k") as folder:
        path = folder / "checkpoints"
        witness = FileWitness(path)
        await witness.publish(note(1), 1)
        before = path.read_bytes()
        with small_disk.full(folder):
            with path.open("ab") as file:
                file.write(b"\n" * (small_disk.PIECE - len(before) - 20))  # a part of the next note still fits
            filled = path.read_bytes()
            error = await refused(witness)
            assert (error.what, error.hint) == (
                f"{path} cannot be used: {os.strerror(errno.ENOSPC)}.",
                "Make room on its disk.",
            )
            assert path.read_bytes() == filled
        assert await witness.latest() == note(1)
        await witness.publish(note(2), 2)
        assert await witness.latest() == note(2)


@NEEDS_A_DISK
async def test_a_disk_that_is_read_only_is_told_and_can_be_read(tmp_path: Path) -> None:
    with small_disk.mounted(tmp_path / "small", "64k") as folder:
        witness = FileWitness(folder / "checkpoints")
        await witness.publish(note(1), 1)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)  # noqa: ASYNC221, S603, S607 - a moment
        error = await refused(witness)
        assert os.strerror(errno.EROFS) in error.what
        assert error.hint == "Mount its disk so that one can write on it."
        assert await witness.latest() == note(1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_file_of_somebody_else_is_told(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.touch(mode=0o400)
    assert "bot runs as" in (await refused(FileWitness(path))).hint


async def test_a_folder_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    error = await refused(FileWitness(tmp_path / "not mounted" / "checkpoints"))
    assert error.hint == "Make its folder, or mount the disk that it is on."
    assert not (tmp_path / "not mounted").exists()


async def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    assert "/dev/null is no file" in (await refused(FileWitness(Path("/dev/null")))).what
    assert os.strerror(errno.EISDIR) in (await refused(FileWitness(tmp_path))).what


async def test_a_disk_that_hangs_keeps_one_thread_and_is_used_again_when_it_answers(tmp_path: Path) -> None:
    path = tmp_path / NAME
    os.mkfifo(path)  # whoever opens it to read hangs until somebody writes
    witness = FileWitness(path)
    before = {*threading.enumerate()}  # some of them may end meanwhile
    asking = asyncio.ensure_future(witness.latest())
    await asyncio.wait([asking], timeout=0)
    for _ in range(3):
        assert "still hangs" in (await refused(witness)).what
    hanging = [*{*threading.enumerate()} - before]
    assert [(each.name, each.daemon) for each in hanging] == [(f"witness {path.name}", True)]
    asking.cancel()
    await asyncio.wait([asking])
    path.open("wb").close()
    await asyncio.to_thread(hanging[0].join, 10)
    path.unlink()
    await witness.publish(note(1), 1)
    assert await witness.latest() == note(1)


async def test_a_folder_that_is_not_there_is_a_witness_that_is_away_and_not_one_that_has_seen_nothing(
    tmp_path: Path,
) -> None:
    with pytest.raises(NotWitnessed, match="is not there"):
        await FileWitness(tmp_path / "not mounted" / NAME).latest()


async def test_a_note_that_no_key_of_ours_has_signed_is_told_and_keeps_nobody_from_working(store: Store) -> None:
    stranger = Signer("example.org/other", PrivateKey(bytes(range(1, 33))))
    held = sign_note(str(Checkpoint("example.org/log", 5, bytes(32))), stranger)
    court = Court(store, [SIGNER.verifier], (), queued=lambda: None)
    with structlog.testing.capture_logs():
        compared = await court.hear(held, "a file")
    assert "not signed by a key of this record" in compared.wrong
    assert store.distrusted
    assert not store.superseded
    with structlog.testing.capture_logs():
        await court.hear(note(5), "another file")
    assert store.superseded, "our own key knows of more"
