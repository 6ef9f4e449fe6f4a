"""A bot that comes back with the folder of another day, or beside itself: what was stopped stays so, and is told."""

import contextlib
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.faults.field import Field, running, stood_still, until
from tests.faults.proxy import Proxy
from wire.clock import boot_clock
from wire.messages import ROOT, Shown

pytestmark = pytest.mark.asyncio(loop_scope="module")


@contextlib.asynccontextmanager
async def kept(field: Field, folder: Path) -> AsyncGenerator[Path]:
    """The bot's folder as it is now. Backups are made of a bot that does not run."""
    await field.bot.stop()
    shutil.copytree(field.state, folder)
    await field.begun()
    await field.work_or_stand()
    yield folder
    await field.bot.kill()
    shutil.rmtree(field.state)
    shutil.copytree(folder, field.state)


async def test_a_folder_from_before_a_stop_has_it_adopted_from_the_components_and_told_again(
    field: Field, tmp_path: Path
) -> None:
    async with kept(field, tmp_path / "backup"):
        first = await field.answer("!shutdown all", "bob")
        await field.hears("STOPPED everything: 3 of 3", first.to)
        stopped = boot_clock()
        (incident,) = field.open_incidents()
    field.forget()
    await field.begun()
    told = await until(lambda: [each for each in field.news("STOPPED everything: 3 of 3") if each.at > stopped], "told")
    assert field.open_incidents() == [incident]
    assert len(told) == 1
    stood_still(field.walkers.values(), stopped, await field.reset())
    await field.work()


async def test_a_folder_from_before_a_reset_stops_everybody_again_and_says_so(field: Field, tmp_path: Path) -> None:
    await field.stopped()
    async with kept(field, tmp_path / "backup"):
        await field.reset()
        await field.work()
    field.forget()
    back = boot_clock()
    await field.begun()
    told = await until(
        lambda: [each for each in field.news("STOPPED everything: 3 of 3") if each.at > back],
        "the room hears that they are stopped again",
        field.last_words,
    )
    assert len(told) == 1
    stood_still(field.walkers.values(), told[0].at, await field.reset())
    await field.work()


async def test_a_folder_that_its_witness_knows_to_be_old_lets_nobody_work_until_a_person_has_agreed(
    tmp_path: Path,
) -> None:
    """Whoever was away when the stop came has it from nobody: the bot has forgotten it, and must not let it work."""
    async with running(tmp_path) as field:
        witness = tmp_path / "witness.log"
        config = tmp_path / "config.toml"
        config.write_text(config.read_text() + f'\n[audit]\nwitness_files = ["{witness}"]\n')
        away = field.walkers["walk-1"]
        async with kept(field, tmp_path / "backup"):
            await away.process.kill()
            before = witness.read_bytes()
            order = field.say("!shutdown walk-1")
            await field.hears("STOPPING", order)
            await until(lambda: witness.read_bytes() != before, "the witness knows of it")
            field.say("!shutdown walk-2")
            await field.hears("STOPPED", "$event2")
        await field.wire.link.publish(f"{ROOT}/stop/id/walk-1", b"", qos=1, retain=True)  # a broker forgets, too
        field.forget()
        back = boot_clock()
        await field.begun()
        alarm = await field.hears("The record is older than its witness")
        assert "No component is let work until a person has looked" in alarm.words
        await away.process.start()
        await field.hears("STOPPED walk-2: 1 of 1")  # that one brought it along, and it can still be confirmed
        for name in field.walkers:
            await until(lambda name=name: field.wire.states(name, back)[5:], f"{name} asks on")
        assert away.steps(back) == []
        held = {name: field.wire.states(name, back)[-1][1].shown for name in field.walkers}
        assert held == {"walk-1": Shown.HELD, "walk-2": Shown.STOPPED, "walk-3": Shown.HELD}
        asked = await field.answer("!reset")
        agreed = await field.answer(f"!approve {asked.words.split('!approve ')[1].split()[0]}", "bob")
        assert "Not run: the record cannot be trusted" in agreed.words

        await field.bot.stop()
        witness.rename(tmp_path / "kept.log")  # the person has agreed
        await field.begun()
        await away.works()
        await field.walkers["walk-3"].works()
        await field.reset()
        await field.work()


@pytest.mark.soak
async def test_a_bot_that_is_only_started_again_says_nothing_twice(field: Field) -> None:
    order = await field.stopped()
    before = field.said()
    await field.bot.stop()
    await field.begun()
    back = boot_clock()
    for name in field.walkers:
        await until(lambda name=name: field.wire.states(name, back)[5:], f"{name} asks on")
    assert field.said() == before
    stood_still(field.walkers.values(), field.news("STOPPED", order)[0].at, await field.reset())
    await field.work()


async def test_of_two_bots_with_the_same_key_one_steps_back_and_says_so_and_each_can_stop(
    field: Field, tmp_path: Path
) -> None:
    await field.bot.stop()
    async with Proxy(field.broker.address) as proxy, field.twin(tmp_path, "second", proxy) as second:
        await field.begun()
        (alarm, *_) = await until(
            lambda: [*field.news("under my key"), *second.news("under my key")], "one of them is alarmed"
        )
        assert alarm.words.startswith("ALARM: another bot answers")
        before = second.open_incidents()
        order = field.say("!shutdown all")
        await until(lambda: second.open_incidents() != before, "the other one takes it over")
        assert second.open_incidents() == field.open_incidents()
        await until(
            lambda: [*field.news("STOPPED everything: 3 of 3", order), *second.news("STOPPED everything: 3 of 3")],
            "who still gives leases confirms it",
        )
        stopped = boot_clock()
    await field.bot.kill()
    await field.begun()
    await field.hears("STOPPED everything: 3 of 3")
    stood_still(field.walkers.values(), stopped, await field.reset())
    await field.work()
