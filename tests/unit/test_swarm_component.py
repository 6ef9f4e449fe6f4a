"""The swarm as a component on a real broker: its jobs, what changes it while it works, and its stops."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from components.engine import Engine
from components.swarm import keeping
from components.swarm.__main__ import beside_latch
from components.swarm.component import desk, swarm
from components.swarm.desk import Desk
from components.swarm.order import Order
from components.swarm.study import Study
from components.swarm.swarm import warm_up
from demo.broker import LocalBroker
from demo.process import Process
from tests.system.played_bot import BOT, NAME, PATIENCE, Bot, X, running
from wire.clock import boot_clock
from wire.enrolment import Enrolment
from wire.messages import Shown
from wire.work import Job, JobState, Status

LONG = {"bots": "100", "size": "4096", "seeds": "1,2"}
"""Seconds of work, in blocks that are short."""
SHORT = {"bots": "2e3", "size": "128", "seeds": "1,2"}
STARTS_WITHIN_S = 60.0


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    warm_up()


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[LocalBroker]:
    async with LocalBroker(tmp_path / "broker", kind="mosquitto") as local:
        yield local


@pytest.fixture
def enrolment(broker: LocalBroker) -> Enrolment:
    return Enrolment(NAME, "swarm", (), broker.address, BOT.public, (), bytes(range(32)))


@pytest_asyncio.fixture
async def bot(enrolment: Enrolment) -> AsyncGenerator[Bot]:
    bot = Bot(enrolment)
    async with running(bot):
        async with asyncio.timeout(PATIENCE):
            await bot.link.ready()
        yield bot


@pytest_asyncio.fixture
async def started(enrolment: Enrolment, tmp_path: Path) -> AsyncGenerator[Engine]:
    """It runs, and may not work yet."""
    desk.study, desk.path = None, tmp_path / "state.swarm"
    engine = Engine(swarm, enrolment, tmp_path / "latch")
    async with running(engine):
        yield engine
    desk.path = None


@pytest_asyncio.fixture
async def engine(bot: Bot, started: Engine) -> Engine:
    """It may work."""
    await bot.lets()
    return started


@pytest.fixture
def blocks(started: Engine, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each block of steps that has begun, whether work was let then."""
    begun: list[bool] = []
    advance = Study.advance

    def noted(study: Study, seconds: float) -> None:
        begun.append(started.latch.may_work(boot_clock()))
        advance(study, seconds)

    monkeypatch.setattr(Study, "advance", noted)
    return begun


async def begun(bot: Bot, command: str = "repair", args: Mapping[str, Any] = LONG) -> str:
    """A job that has taken steps."""
    order = await bot.orders(command, args)
    await working(bot, order)
    return order


async def working(bot: Bot, order: str) -> Job:
    while "step" not in (said := await bot.job(order, JobState.RUNNING)).message:
        pass
    return said


async def ended(bot: Bot, order: str) -> Job:
    over = (JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.STOPPED)
    async with asyncio.timeout(STARTS_WITHIN_S):
        while True:
            with contextlib.suppress(TimeoutError):
                return await bot.job(order, *over)


async def test_its_birth_offers_what_a_swarm_can_do(bot: Bot, engine: Engine) -> None:
    birth = await bot.births.get()
    jobs = {name for name, offer in birth.commands.items() if offer.job}
    assert jobs == {"repair", "resume"}
    assert {*birth.commands} - jobs == {"customize", "weather", "levolution", "kill", "look", "cancel"}
    assert "simulated" in birth.title
    assert engine.latch.may_work(boot_clock())


async def test_a_repair_comes_to_its_numbers(bot: Bot, engine: Engine) -> None:
    assert (await bot.asks("look")).result == {"runs": False}
    done = await ended(bot, await bot.orders("repair", SHORT))
    assert (done.state, done.progress) == (JobState.DONE, 1)
    assert done.result["seeds_that_reached_it"] == 2
    assert done.result["ratio_to_law"] == pytest.approx(1, rel=0.3)
    assert desk.path is not None
    assert not desk.path.exists()
    assert not engine.latch.open


async def test_what_cannot_be_simulated_fails_with_a_way_out(bot: Bot, engine: Engine) -> None:
    failed = await ended(bot, await bot.orders("repair", {"bots": "1e3..1e6"}))
    assert failed.state is JobState.FAILED
    assert "bots must say how many values it has, at most 64: 1e3..1e6/4." in failed.message
    nothing = await ended(bot, await bot.orders("resume"))
    assert "There is nothing to go on with. Begin with repair." in nothing.message
    for command, args in (
        ("kill", {"fraction": "10%"}),
        ("levolution", {"region": "all"}),
        ("weather", {"noise": "1"}),
    ):
        reply = await bot.asks(command, args)
        assert reply.status is Status.REJECTED
        assert "No simulation runs" in reply.error
    assert "speed must be over 0" in (await bot.asks("customize", {"speed": "-1"})).error
    assert engine.latch.may_work(boot_clock())


async def test_a_swarm_is_changed_while_it_works(bot: Bot, engine: Engine) -> None:
    order = await begun(bot)
    for command, args in (
        ("customize", {"speed": "2", "rate": "90%"}),
        ("weather", {"noise": "5%", "failures": "1e-9"}),
        ("levolution", {"region": "centre"}),
        ("kill", {"fraction": "50%"}),
    ):
        reply = await bot.asks(command, args)
        assert (reply.status, reply.result["when"]) == (Status.DONE, "before the next step")
    await working(bot, order)
    await working(bot, order)
    now = (await bot.asks("look")).result
    assert (now["runs"], now["bots"], now["bots_lost"]) == (True, 50, 50)
    assert (now["speed"], now["rate"], now["noise"], now["failures"]) == (2, 0.9, 0.05, 1e-9)
    assert desk.study is not None
    assert desk.study.trial is not None
    marks = [words for _, words in desk.study.trial.marks]
    assert marks[:2] == ["speed 2, rate 90%", "noise 5%, failures 1e-9"]
    assert [words.partition(":")[0] for words in marks[2:]] == ["collapse centre", "lost 0.5"]
    await bot.asks("cancel", {"job": order})
    assert (await ended(bot, order)).state is JobState.CANCELLED
    assert not engine.latch.open


@pytest.mark.usefixtures("engine")
async def test_a_cancel_ends_it_and_it_can_be_taken_up_again(bot: Bot, blocks: list[bool]) -> None:
    order = await begun(bot)
    await bot.asks("cancel", {"job": order})
    assert (await ended(bot, order)).state is JobState.CANCELLED
    taken = len(blocks)
    step = (await bot.asks("look")).result["step"]
    assert len(blocks) == taken
    assert step > 0
    again = await begun(bot, "resume", {})
    assert (await bot.asks("look")).result["step"] > step
    await bot.asks("cancel", {"job": again})
    await ended(bot, again)


async def test_a_stop_ends_it_before_its_next_block_and_after_the_reset_it_goes_on(
    bot: Bot, engine: Engine, blocks: list[bool]
) -> None:
    order = await begun(bot)
    bot.answers = False
    await bot.stop(X, "all")
    stopped = await bot.hears(Shown.STOPPED)
    taken = len(blocks)
    assert (await ended(bot, order)).state is JobState.STOPPED
    assert desk.study is not None
    assert desk.study.trial is not None
    step = desk.study.trial.swarm.step
    assert blocks.count(False) <= 1  # it was let, and the stop came between the asking and this note
    desk.study = None  # as after a restart: what goes on is what was kept
    await bot.lease(stopped, cleared=[X])
    while (ready := await bot.hears(Shown.READY)).session == stopped.session:
        pass
    await bot.lease(ready)
    assert len(blocks) == taken
    again = await begun(bot, "resume", {})
    now = (await bot.asks("look")).result
    assert (now["seed"], now["step"] > step) == (1, True)
    await bot.asks("cancel", {"job": again})
    await ended(bot, again)
    assert not engine.latch.open


async def test_it_goes_on_with_the_job_that_it_has_kept_and_with_no_other(bot: Bot, engine: Engine) -> None:
    births = (await bot.births.get()).commands
    assert {name: each.goes_on_by for name, each in births.items() if each.job} == dict.fromkeys(
        ("repair", "resume"), "resume"
    )
    none = await ended(bot, await bot.orders("resume", {"of": "ab" * 16}))
    assert (none.state, none.message) == (JobState.FAILED, "There is nothing to go on with. Begin with repair.")
    order = await begun(bot)
    await bot.asks("cancel", {"job": order})
    await ended(bot, order)
    for in_memory in (True, False):
        desk.study = desk.study if in_memory else None  # as after a restart
        other = await ended(bot, await bot.orders("resume", {"of": "ab" * 16}))
        assert (other.state, other.message) == (
            JobState.FAILED,
            "What is kept is of another job. To go on with it: resume.",
        )
    step = kept_step()
    again = await begun(bot, "resume", {"of": order})
    assert (await bot.asks("look")).result["step"] > step > 0
    await bot.asks("cancel", {"job": again})
    await ended(bot, again)
    assert (await ended(bot, await bot.orders("resume", {"of": order}))).state is JobState.FAILED
    last = await begun(bot, "resume", {"of": again})  # whoever carries it out has it
    await bot.asks("cancel", {"job": last})
    await ended(bot, last)
    assert engine.latch.may_work(boot_clock())


def kept_step() -> int:
    """At which step what lies on the disk is."""
    study = desk.kept()
    assert study.trial is not None
    return study.trial.swarm.step


def test_what_an_older_swarm_has_kept_is_of_no_job(tmp_path: Path) -> None:
    study = Study(Order(bots="1e3", size="128"), threads=1)
    study.job = "5e" * 16
    kept, arrays = study.state()
    assert Study.restored(kept, arrays, threads=1).job == "5e" * 16
    del kept["job"]
    keeping.save(tmp_path / "older.swarm", kept, arrays)
    older = Desk(threads=1)
    older.path = tmp_path / "older.swarm"
    assert older.kept().job == ""
    with pytest.raises(ValueError, match="of another job"):
        older.kept("5e" * 16)


async def test_held_it_waits_and_goes_on_by_itself(bot: Bot, blocks: list[bool]) -> None:
    await bot.lease(await bot.hears(Shown.HELD), ttl_ms=1500)
    await bot.hears(Shown.READY)
    order = await begun(bot)
    held = await bot.job(order, JobState.HELD)
    taken = len(blocks)
    bot.answers = True
    await bot.lease(await bot.hears(Shown.HELD))
    went_on = await working(bot, order)
    assert (went_on.progress or 0) >= (held.progress or 0)
    assert len(blocks) > taken
    assert blocks.count(False) <= 1
    await bot.asks("cancel", {"job": order})
    await ended(bot, order)


async def test_as_a_program_it_goes_on_after_it_was_told_to_end_and_after_it_was_killed(
    bot: Bot, enrolment: Enrolment, tmp_path: Path
) -> None:
    enrolment.save(tmp_path / "swarm.json")
    program = Process([sys.executable, "-m", "components.swarm", tmp_path / "swarm.json"], tmp_path / "log")
    bot.answers = True
    async with program, asyncio.timeout(STARTS_WITHIN_S):
        await first_statement(bot)
        await begun(bot)
        told = (await bot.asks("look")).result["step"]
        for end in (program.stop, program.kill):
            await end()
            await program.start()
            await first_statement(bot)
            await begun(bot, "resume", {})
            assert (await bot.asks("look")).result["step"] > told > 0


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["e.json"], "e.swarm"),
        (["e.json", "--latch", "kept/l.json"], "kept/l.swarm"),
        (["--latch=l", "e.json"], "l.swarm"),
        (["--help"], None),
    ],
)
def test_its_state_lies_beside_its_latch(arguments: list[str], place: str | None) -> None:
    assert beside_latch(arguments) == (None if place is None else Path(place))


async def first_statement(bot: Bot) -> None:
    """It has started, which takes longer where all must be compiled, and may work."""
    lost = bot.session
    while bot.session == lost:
        with contextlib.suppress(TimeoutError):
            await bot.hears()
    await bot.hears(Shown.READY, Shown.BUSY)
