"""A disk that takes nothing any more, the bot's own: a stop goes out all the same, and is told when it is back."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from demo.broker import mosquitto
from tests.faults.field import Field, running, stood_still, until
from wire.clock import boot_clock

SIZE = "24m"
PIECE = 4096


@pytest.fixture
def small(tmp_path: Path) -> Generator[Path]:
    """A folder on a disk of its own, that is soon full."""
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk, and only Linux has this one")
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tocsin-test", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 - the same


@contextlib.contextmanager
def full(folder: Path) -> Generator[None]:
    """Nothing more fits on the disk of this folder."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * PIECE)
    try:
        yield
    finally:
        filler.unlink()


async def test_a_stop_goes_out_from_a_full_disk_and_is_told_when_there_is_room_again(
    small: Path, tmp_path: Path
) -> None:
    async with running(tmp_path, state=small) as field:
        with full(small):
            began = boot_clock()
            order = field.say("!shutdown all")
            await all_stand(field, began)
            stood = boot_clock()
            assert "Not recorded yet." in (await field.hears("STOP", order)).words
            (incident,) = {each.incident for each in field.wire.stops(began)}
            assert field.incidents() == []
        told = await field.hears("STOPPED everything: 3 of 3", order)
        assert field.incidents() == [incident]
        assert len(field.news("STOPPED", order)) == 1
        agreed = await field.reset()
        stood_still(field.walkers.values(), min(stood, told.at), agreed)
        await field.work()


@pytest.mark.soak
async def test_no_reset_counts_while_the_disk_is_full(small: Path, tmp_path: Path) -> None:
    async with running(tmp_path, state=small) as field:
        order = await field.stopped()
        told = field.news("STOPPED", order)[0]
        asked = await field.answer("!reset")
        code = asked.words.split("!approve ")[1].split()[0]
        with full(small):
            approval = field.say(f"!approve {code}", "bob")
            full_at = boot_clock()
            await field.hears("Not run: it cannot be recorded.", approval)
            for name in field.walkers:
                await until(lambda name=name: field.wire.states(name, full_at)[3:], f"{name} asks on")
            stood_still(field.walkers.values(), told.at)
        await until(lambda: [each for each in field.records("outcome") if each["event"] == approval], "it is recorded")
        full_until = boot_clock()
        for name in field.walkers:
            await until(lambda name=name: field.wire.states(name, full_until)[3:], f"{name} asks on")
        stood_still(field.walkers.values(), told.at)
        field.say(f"!approve {code}", "bob")
        await field.hears("READY", order)
        await field.work()


async def all_stand(field: Field, since: float) -> None:
    """Each has said that it stands still."""
    for name in field.walkers:
        await until(
            lambda name=name: [state for _, state in field.wire.states(name, since) if state.shown == "stopped"],
            f"{name} stands",
            field.last_words,
        )
