"""Where the record cannot be kept, or cannot be believed, nothing privileged is run. Stops and reading go on."""

import contextlib
import sqlite3
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from bot import keys
from bot.store import audit
from demo.process import ProcessError
from tests.faults.field import Field, running, stood_still, until
from tests.faults.small_disk import Ext4, full, impossible, mounted, no_ext4, write_protected
from wire.clock import boot_clock

PRIVILEGED = "!maintenance walk-1 for 10m"


@contextlib.contextmanager
def locked(database: Path) -> Generator[None]:
    """Nobody else writes."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def outcomes(field: Field, event: str) -> list[dict[str, audit.Value]]:
    return [each for each in field.records("outcome") if each["event"] == event]


async def refuses_and_a_stop_goes(field: Field, way: contextlib.AbstractContextManager[None]) -> None:
    """While the disk takes nothing a stop stops, what only reads is shown, and nothing privileged is done, ever."""
    with way:
        began = boot_clock()
        privileged, order = field.say(PRIVILEGED), field.say("!shutdown all")
        await field.all_stand(began)
        refused = await field.hears("Not run: it cannot be recorded.", privileged)
        assert "Send it again when that is mended" in refused.words
        await field.hears("Not recorded yet.", order)
        assert "walk-1" in (await field.answer("!status")).words
        assert not [*outcomes(field, privileged), *outcomes(field, order)]
    await field.hears("STOPPED everything: 3 of 3", order)
    for event, result in (order, "done"), (privileged, "refused: no record"):
        await until(lambda event=event: outcomes(field, event), "it is recorded", field.last_words)
        (outcome,) = outcomes(field, event)
        assert (outcome["result"], outcome["late"]) == (result, True)
        kinds = [each["kind"] for each in field.records("intent", "outcome") if each["id"] == outcome["id"]]
        assert kinds == (["intent", "outcome"] if event == order else ["outcome"])
    await field.reset()


async def test_a_lock_that_somebody_holds_and_a_byte_that_was_flipped(tmp_path: Path) -> None:
    async with running(tmp_path) as field:
        await refuses_and_a_stop_goes(field, locked(field.state / keys.DATABASE))
        await field.bot.stop()
        flip_one_bit_of_an_entry(field.state / keys.DATABASE)
        await field.begun()
        before = len(field.records("intent"))
        refused = await field.answer(PRIVILEGED)
        assert "Not run: the record cannot be trusted" in refused.words
        assert "tocsin audit verify" in refused.words
        assert len(field.records("intent")) == before
        assert "walk-1" in (await field.answer("!status")).words
        await field.stopped()


@pytest.mark.soak  # each time: `test_full_disk.py`
async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    if reason := impossible():
        pytest.skip(reason)
    with mounted(tmp_path / "small", "24m") as small:
        async with running(tmp_path, state=small) as field:
            await refuses_and_a_stop_goes(field, full(small))


async def test_a_file_that_becomes_read_only(tmp_path: Path) -> None:
    if reason := impossible():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as disk:  # not all memory knows write protection
        async with running(tmp_path, state=Path(disk)) as field:
            database = field.state / keys.DATABASE
            await refuses_and_a_stop_goes(field, write_protected(database, database.with_name(f"{database.name}-wal")))


@pytest.mark.soak  # each time: a file, above
async def test_a_disk_that_breaks_and_becomes_read_only(tmp_path: Path) -> None:
    """Its machine has to be started again, so what only the process knew is lost: the components know of the stop."""
    if reason := no_ext4():
        pytest.skip(reason)
    disk = Ext4(tmp_path / "image", tmp_path / "small")
    disk.mount()
    try:
        async with running(tmp_path, state=tmp_path / "small" / "state") as field:
            disk.break_down()
            began = boot_clock()
            privileged, order = field.say(PRIVILEGED), field.say("!shutdown all")
            await field.all_stand(began)
            stood = boot_clock()
            await field.hears("Not run: it cannot be recorded.", privileged)
            await field.hears("Not recorded yet.", order)
            assert "walk-1" in (await field.answer("!status")).words
            (incident,) = {each.incident for each in field.wire.stops(began)}
            await field.bot.kill()
            disk.unmount()
            disk.mend()
            disk.mount()
            field.forget()
            await field.begun()
            await until(lambda: field.incidents() == [incident], "the bot knows of the stop again", field.last_words)
            agreed = await field.reset()
            stood_still(field.walkers.values(), stood, agreed)
    finally:
        disk.unmount()


def remounted(folder: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=True)  # noqa: S603, S607 - our own words


async def test_a_disk_that_is_read_only_at_the_start(tmp_path: Path) -> None:
    if reason := impossible():
        pytest.skip(reason)
    with mounted(tmp_path / "small", "24m") as small:
        async with running(tmp_path, state=small) as field:
            await field.bot.stop()
            remounted(small, "ro")
            with pytest.raises(ProcessError, match=r"Error: .*[Rr]ead-only"):
                await field.begun()
            remounted(small, "rw")
            await field.begun()
            await field.work()
            await field.stopped()


def flip_one_bit_of_an_entry(database: Path) -> None:
    content = bytearray(database.read_bytes())
    place = content.index(b'"kind":"started"')
    content[place + 8] ^= 1
    database.write_bytes(content)
