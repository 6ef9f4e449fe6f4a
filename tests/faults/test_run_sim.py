"""A simulation in the room: started, changed while it runs, and ended with numbers and pictures."""

import contextlib
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from bot.enrol import enrol, stanza
from demo.process import Process
from tests.faults.field import Field, Said, environment, running, until
from wire.clock import boot_clock
from wire.envelope import read_unproven
from wire.messages import ROOT
from wire.work import Command, Job, JobState

SWARM = """\
import runpy
from tests.faults.short import be_short
be_short()
runpy.run_module("components.swarm", run_name="__main__", alter_sys=True)
"""
"""The program as it is, with leases as short as those of the bot, which it could not confirm a stop to else."""


@contextlib.asynccontextmanager
async def simulated(folder: Path) -> AsyncGenerator[tuple[Field, Process]]:
    """A bot with a swarm that works."""
    async with running(folder, walkers=1) as field:
        path = folder / "swarm.json"
        enrolment = enrol("swarm", ("sims",), ROOT, field.broker.address, field.bot_key.public, path)
        config = folder / "config.toml"
        config.write_text(config.read_text() + stanza(enrolment))
        await field.bot.stop()
        await field.begun()
        command = [sys.executable, "-c", SWARM, path, "--latch", folder / "swarm.latch"]
        async with Process(command, folder / "swarm.log", env=environment(folder), name="swarm") as swarm:
            await shows(field, "ready", 0.0)
            yield field, swarm


UNHEARD = ("nothing was heard of swarm", "has said what it can do")
"""So answers a bot that has just begun, and has not heard the swarm yet."""


async def runs(field: Field, answer: Said) -> None:
    """Wait until what was answered to is at work."""
    await until(
        lambda: [each for each in field.said() if answer.key in (each.key, each.edits) and "RUNNING" in each.words],
        "it runs",
        field.last_words,
    )


async def shows(field: Field, how: str, since: float) -> None:
    """Wait until the swarm says that it is so."""
    await until(lambda: [each for _, each in field.wire.states("swarm", since) if each.shown == how], f"it is {how}")


def job_of(answer: Said) -> str:
    """The beginning of the id of the job that an answer is about."""
    return answer.words.split("job ")[1][:8]


def said_of(field: Field, job: str) -> list[Job]:
    """What the swarm has said of a job. Nobody has verified it."""
    heard = [each for each in field.wire.on("job/swarm/") if f"/job/swarm/{job}" in each.topic and each.payload]
    return [Job.parse(read_unproven(each.payload, ROOT, "job")) for each in heard]


def told(field: Field) -> list[Command]:
    """What the swarm was told, once each."""
    return [Command.parse(read_unproven(each.payload, ROOT, "cmd")) for each in field.wire.on("cmd/swarm")]


async def goes_on(field: Field, answer: Said, session: str) -> Job:
    """Wait until the same job is at work in another session than this. Returns its first word there."""

    def there() -> list[Job]:
        return [
            each
            for each in said_of(field, job_of(answer))
            if each.session != session and each.state is JobState.RUNNING and each.message
        ]

    return (await until(there, "the same job goes on", field.last_words))[0]


async def test_a_swarm_repairs_is_changed_while_it_does_and_shows_curves_and_maps(tmp_path: Path) -> None:
    async with simulated(tmp_path) as (field, swarm):
        assert "repair" in (await field.answer("!run-sim")).words
        answer = await field.answer("!run-sim swarm bots=1e5 size=4096 damage=20% seeds=1..4 until=99%")
        await until(lambda: [each for each in field.said() if each.words.startswith("RUNNING swarm")], "it runs")
        assert (await field.answer("!weather swarm noise=10%")).words.startswith("DONE swarm weather")
        ended = await field.hears("DONE swarm repair", answer.to)
        assert "law" in ended.words
        assert "steps max" in ended.words
        assert "curve" not in ended.words, "what is for programs alone is left out"
        pictures = [each.topic for each in field.wire.heard if "/picture/swarm/" in each.topic and each.payload]
        assert len(set(pictures)) == 2
        assert "has not come" not in ended.words
        assert ended.words.count("simulated") >= 1, "who cannot see the pictures reads what they show"
        await until(
            lambda: (
                {each.topic for each in field.wire.heard if "/picture/" in each.topic and not each.payload}
                == set(pictures)
            ),
            "the broker need not keep them any more",
        )
        assert (await field.answer("!at +1s run-sim swarm bots=1e3 size=128 seeds=1")).words.startswith("Planned")
        await until(lambda: len(field.news("DONE swarm repair")) == 2, "it runs at its time", field.last_words)
        answer = await field.answer("!run-sim swarm bots=1e3 size=4096")
        await runs(field, answer)
        mine = await field.answer("!commander swarm")
        assert "alice commands swarm until" in mine.words
        await field.bot.stop()
        await field.begun()
        denied = await field.answer("!customize swarm speed=2", "bob")
        while any(each in denied.words for each in UNHEARD):
            await shows(field, "busy", boot_clock())
            denied = await field.answer("!customize swarm speed=2", "bob")
        assert "alice commands swarm" in denied.words
        assert (await field.answer("!customize swarm speed=2")).words.startswith("DONE swarm customize")
        assert "In command: bob" in (await field.answer("!commander take swarm alice sleeps", "bob")).words
        assert "alice sleeps" in (await field.hears("TAKEN", mine.to)).words
        assert (await field.answer("!kill swarm 1%", "bob")).words.startswith("DONE swarm kill")
        assert "Over" in (await field.answer("!commander end swarm", "bob")).words
        before = said_of(field, job_of(answer))[-1]
        await swarm.stop()
        await swarm.start()
        after = await goes_on(field, answer, before.session)
        assert (after.progress or 0) >= (before.progress or 0) > 0, "it did not begin from its beginning"
        assert "Told to end" in (await field.answer(f"!cancel {job_of(answer)}")).words
        await field.hears("CANCELLED swarm repair", answer.to)
        on = await field.answer("!run swarm resume")
        await runs(field, on)
        assert "Told to end" in (await field.answer(f"!cancel {job_of(on)}")).words
        await field.hears("CANCELLED swarm resume", on.to)
        wrong = await field.answer("!run-sim swarm bots=many")
        assert "bots" in (await field.hears("FAILED swarm repair", wrong.to)).words


async def test_a_job_goes_on_by_itself_after_its_swarm_was_killed_unless_it_was_stopped_meanwhile(
    tmp_path: Path,
) -> None:
    async with simulated(tmp_path) as (field, swarm):
        answer = await field.answer("!run-sim swarm bots=1e5 size=4096 damage=20% seeds=1..4")
        await runs(field, answer)
        await until((tmp_path / "swarm.swarm").exists, "its state is kept")
        session = said_of(field, job_of(answer))[-1].session
        await swarm.kill()
        await swarm.start()
        after = await goes_on(field, answer, session)
        ended = await field.hears("DONE swarm repair", answer.to)
        assert "has not come" not in ended.words
        pictures = {each.topic for each in field.wire.heard if "/picture/swarm/" in each.topic and each.payload}
        assert len(pictures) == 2
        assert (await field.answer(f"!job {job_of(answer)}")).words.startswith("DONE swarm repair")
        assert len(field.news("DONE swarm repair", answer.to)) == 1
        assert [(each.command, dict(each.args)) for each in told(field)[1:]] == [("resume", {"of": after.job})]
        await stopped_while_it_is_away(field, swarm)


async def stopped_while_it_is_away(field: Field, swarm: Process) -> None:
    """Nothing goes on then, also when two persons have let it go."""
    answer = await field.answer("!run-sim swarm bots=1e3 size=4096")
    await runs(field, answer)
    await swarm.kill()
    stop = await field.answer("!shutdown swarm")
    killed = boot_clock()
    await swarm.start()
    await shows(field, "stopped", killed)
    await field.hears("STOPPED", stop.to)
    lost = await field.hears("LOST swarm repair", answer.to)
    assert "It was stopped or cancelled since. To go on where it was: !run swarm resume" in lost.words
    reset = await field.reset()
    await shows(field, "ready", reset)
    assert (await field.answer("!run swarm look")).words.startswith("DONE swarm look")
    assert (await field.answer(f"!job {job_of(answer)}")).words.startswith("LOST swarm repair")
    assert [each.command for each in told(field)[-2:]] == ["repair", "look"]
    assert {each.session for each in said_of(field, job_of(answer))} == {said_of(field, job_of(answer))[0].session}
