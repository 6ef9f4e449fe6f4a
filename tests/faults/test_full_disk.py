"""A disk that takes nothing any more, the bot's own: a stop goes out all the same, and is told when it is back."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.faults.field import running, stood_still, until
from tests.faults.small_disk import full, impossible, mounted
from wire.clock import boot_clock


@pytest.fixture
def small(tmp_path: Path) -> Generator[Path]:
    """A folder on a disk of its own, that is soon full."""
    if reason := impossible():
        pytest.skip(reason)
    with mounted(tmp_path / "small", "24m") as folder:
        yield folder


async def test_a_stop_goes_out_from_a_full_disk_and_is_told_when_there_is_room_again(
    small: Path, tmp_path: Path
) -> None:
    async with running(tmp_path, state=small) as field:
        with full(small):
            began = boot_clock()
            order = field.say("!shutdown all")
            await field.all_stand(began)
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
