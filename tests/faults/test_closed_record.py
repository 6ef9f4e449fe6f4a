"""Where the record cannot be kept, or cannot be believed, nothing privileged is run. Stops and reading go on."""

import contextlib
import sqlite3
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from bot import keys
from bot.store import audit
from demo.process import ProcessError
from tests.faults.field import Field, running, until
from tests.faults.small_disk import full, impossible, mounted
from wire.clock import boot_clock

PRIVILEGED = "!maintenance walk-1 for 10m"


@contextlib.contextmanager
def locked(database: Path) -> Generator[None]:
    """Nobody else writes."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def all_stand(field: Field, since: float) -> None:
    for name in field.walkers:
        await until(
            lambda name=name: [state for _, state in field.wire.states(name, since) if state.shown == "stopped"],
            f"{name} stands",
            field.last_words,
        )


def outcomes(field: Field, event: str) -> list[dict[str, audit.Value]]:
    return [each for each in field.records("outcome") if each["event"] == event]


async def refuses_and_a_stop_goes(field: Field, way: contextlib.AbstractContextManager[None]) -> None:
    """While the disk takes nothing a stop stops, what only reads is shown, and nothing privileged is done, ever."""
    with way:
        began = boot_clock()
        privileged, order = field.say(PRIVILEGED), field.say("!shutdown all")
        await all_stand(field, began)
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
