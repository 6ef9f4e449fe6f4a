"""A simulation in the room: started, changed while it runs, and ended with numbers and pictures."""

import contextlib
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from bot.enrol import enrol, stanza
from demo.process import Process
from tests.faults.field import Field, Said, environment, running, until
from wire.clock import boot_clock
from wire.messages import ROOT


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
        command = [sys.executable, "-m", "components.swarm", path, "--latch", folder / "swarm.latch"]
        async with Process(command, folder / "swarm.log", env=environment(folder), name="swarm") as swarm:
            await shows(field, "ready", 0.0)
            yield field, swarm


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


async def test_a_swarm_repairs_is_changed_while_it_does_and_shows_curves_and_maps(tmp_path: Path) -> None:
    async with simulated(tmp_path) as (field, swarm):
        assert "repair" in (await field.answer("!run-sim")).words
        answer = await field.answer("!run-sim swarm bots=1e5 size=4096 damage=20% seeds=1..8 until=99%")
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
        await shows(field, "busy", boot_clock())
        assert "alice commands swarm" in (await field.answer("!customize swarm speed=2", "bob")).words
        assert (await field.answer("!customize swarm speed=2")).words.startswith("DONE swarm customize")
        assert "In command: bob" in (await field.answer("!commander take swarm alice sleeps", "bob")).words
        assert "alice sleeps" in (await field.hears("TAKEN", mine.to)).words
        assert (await field.answer("!kill swarm 1%", "bob")).words.startswith("DONE swarm kill")
        assert "Over" in (await field.answer("!commander end swarm", "bob")).words
        await swarm.stop()
        stopped = boot_clock()
        await swarm.start()
        await shows(field, "ready", stopped)
        lost = await field.hears("LOST swarm repair", answer.to)
        assert "To go on where it was: !run swarm resume" in lost.words
        on = await field.answer("!run swarm resume")
        await runs(field, on)
        assert "Told to end" in (await field.answer(f"!cancel {on.words.split('job ')[1][:8]}")).words
        await field.hears("CANCELLED swarm resume", on.to)
        wrong = await field.answer("!run-sim swarm bots=many")
        assert "bots" in (await field.hears("FAILED swarm repair", wrong.to)).words
