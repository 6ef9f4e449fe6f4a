"""The component in JavaScript, as a process on a real broker: it keeps the same contract as ours, to the byte.

The judge of all components says most of it. The rest is what the judge does not ask.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from demo.broker import ROOT, Doors, LocalBroker
from demo.certificates import Authority
from demo.process import Process
from tests.system.played_bot import BOT, NAME, STOP_KEY, Bot, X, running
from wire.enrolment import Enrolment
from wire.envelope import unseal
from wire.messages import Drill, Shown, State, Stop, Target
from wire.mqtt import Broker, Tls
from wire.work import Job, JobState, Reply, Status

INSTALLING = 120.0
JUDGING = 240.0
STEPS = 1_000_000
NODE = ROOT / "scripts" / "node"
WALKER = ROOT / ".venv" / "js" / "walker.mjs"
KEPT = "76 kept, 2 not for this component"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Our own scripts and programs, to their end."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALLING)  # noqa: S603 - ours


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    made = run(ROOT / "scripts" / "node-component")
    if made.returncode:
        pytest.skip(f"the component in JavaScript cannot be installed here: {made.stderr.strip()}")


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[LocalBroker]:
    async with LocalBroker(tmp_path / "broker", kind="mosquitto") as local:
        yield local


def enrolled(broker: LocalBroker, folder: Path) -> Enrolment:
    """Its file, beside which it will keep its latch."""
    keys = (STOP_KEY.public,)
    enrolment = Enrolment(NAME, "walker", ("walkers",), broker.address, BOT.public, keys, bytes(range(32)))
    enrolment.save(folder / "enrolment.json")
    return enrolment


def walking(folder: Path) -> Process:
    """The program, enrolled in this folder."""
    command = [NODE, WALKER, folder / "enrolment.json", folder / "latch.json"]
    return Process(command, folder / "walker.log", env=dict(os.environ), name="walker")


@pytest.fixture
def enrolment(broker: LocalBroker, tmp_path: Path) -> Enrolment:
    return enrolled(broker, tmp_path)


@pytest_asyncio.fixture
async def bot(enrolment: Enrolment) -> AsyncGenerator[Bot]:
    bot = Bot(enrolment)
    async with running(bot):
        await bot.link.ready()
        yield bot


@pytest.fixture
def walker(enrolment: Enrolment, tmp_path: Path) -> Process:
    assert enrolment.id == "walker"
    return walking(tmp_path)


async def begun(bot: Bot, steps: int) -> str:
    """Let it work, and begin a walk. Returns its id."""
    await bot.lets()
    accepted = await bot.asks("walk", {"steps": steps})
    assert accepted.status is Status.ACCEPTED
    return accepted.id


async def ended(bot: Bot, job: str) -> Job:
    """How it ended."""
    return await bot.job(job, JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.STOPPED)


def test_it_holds_against_the_vectors_and_the_scripts_of_the_documents() -> None:
    vectors = WALKER.with_name("vectors.mjs")
    told = run(NODE, vectors, ROOT / "docs")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.endswith("hold, 0 do not\n")


async def test_it_passes_the_judge_of_all_components(broker: LocalBroker) -> None:
    judge = ("-m", "components.check", "--broker", str(broker.address), "--", NODE, WALKER, "{enrolment}", "{latch}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *judge, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=ROOT
    )
    async with asyncio.timeout(JUDGING):
        told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    assert KEPT in told.decode()


async def test_a_walk_ends_with_where_it_is(bot: Bot, walker: Process) -> None:
    async with walker:
        done = await ended(bot, await begun(bot, 2))
        where = await bot.asks("where")
    assert (done.state, done.progress, done.result) == (JobState.DONE, 1.0, where.result)
    assert where.status is Status.DONE


async def test_what_it_cannot_do_is_rejected_with_the_reason(bot: Bot, walker: Process) -> None:
    async def refusal(command: str, **args: object) -> str:
        reply: Reply = await bot.asks(command, args)
        assert reply.status is Status.REJECTED
        return reply.error

    async with walker:
        job = await begun(bot, STEPS)
        assert await refusal("walk", steps=1) == f"the job {job} is not over"
        assert await refusal("cancel", job="ff") == "there is no such job"
        for unknown in ("constructor", "fly"):
            assert await refusal(unknown) == f"there is no command {unknown}"
        assert (await bot.asks("cancel", {"job": job})).status is Status.DONE
        assert (await ended(bot, job)).state is JobState.CANCELLED
        assert await refusal("cancel") == "there is no such job"
        for wrong in (0, STEPS + 1, 1.5, "2"):
            assert "steps must be" in await refusal("walk", steps=wrong)


async def test_a_stop_of_a_stop_key_is_shown_whole(bot: Bot, walker: Process) -> None:
    async with walker:
        job = await begun(bot, STEPS)
        await bot.stop(X, "group/walkers", key=STOP_KEY)
        assert (await ended(bot, job)).state is JobState.STOPPED
        (shown,) = (await bot.hears(Shown.STOPPED)).incidents
    assert shown.incident == X
    assert shown.stop is not None
    assert Stop.parse(unseal(shown.stop, NAME, "stop", STOP_KEY.public)).target == Target(group="walkers")


async def test_a_drill_of_the_bot_is_said_and_stops_nothing(bot: Bot, walker: Process) -> None:
    async with walker:
        await bot.lets()
        await bot.says("stop/all", "drill", Drill("d1", Target(), 0).to_bytes(), key=STOP_KEY)
        await bot.says("stop/all", "drill", Drill("d2", Target(), 0).to_bytes())
        said = await heard_drill(bot)
    assert (said.drill, said.shown) == ("d2", Shown.READY)


async def heard_drill(bot: Bot) -> State:
    """The first statement that names a drill."""
    while (state := await bot.hears()).drill is None:
        pass
    return state


async def test_a_latch_file_in_which_one_letter_has_changed_is_damaged(
    bot: Bot, walker: Process, tmp_path: Path
) -> None:
    async with walker:
        await bot.lets()
    kept = (tmp_path / "latch.json").read_bytes()
    (tmp_path / "latch.json").write_bytes(kept.replace(b'"serial":0', b'"serial":9'))
    async with walker:
        stopped = await bot.hears(Shown.STOPPED)
    assert [each.incident.partition("-")[0] for each in stopped.incidents] == ["own"]
    assert stopped.roster == 0


async def test_objects_of_any_depth_are_no_danger(bot: Bot, walker: Process) -> None:
    async with walker:
        await bot.lets()
        for depth in (4_000, 10_000):
            await bot.says("cmd/walker", "cmd", b'{"args":' * depth + b"{}" + b"}" * depth)
        assert (await bot.asks("where")).status is Status.DONE


async def test_it_comes_back_with_the_broker_and_goes_on(bot: Bot, walker: Process, broker: LocalBroker) -> None:
    async with walker:
        job = await begun(bot, STEPS)
        session = bot.session
        await broker.kill()
        await bot.lost()
        await broker.start()
        while bot.link.counts.reconnects == 0:
            await bot.hears()
        while (state := await bot.hears()).shown is Shown.LOST:
            pass
        await bot.job(job, JobState.RUNNING)
        assert state.session == session
        assert bot.order.index("birth") < bot.order.index("job")
        await bot.stop(X, "all")
        assert (await ended(bot, job)).state is JobState.STOPPED


async def test_an_end_that_nobody_could_hear_is_said_again(bot: Bot, walker: Process, broker: LocalBroker) -> None:
    async with walker:
        job = await begun(bot, 5)
        await broker.kill()
        await asyncio.sleep(1)  # it ends meanwhile, and there is nobody whom it could tell
        await broker.start()
        assert (await ended(bot, job)).state is JobState.DONE


async def test_it_comes_in_with_its_certificate_and_its_password(tmp_path: Path) -> None:
    authority = Authority.made(tmp_path)
    theirs, ours = authority.certify("broker", "localhost"), authority.certify("walker")
    doors = Doors(theirs.certificate, theirs.key, clients_ca=authority.file, people=(("walker", "open sesame"),))
    tls = Tls(authority.file, ours.certificate, ours.key)
    door = Broker("localhost", 0, "walker", "open sesame", tls)
    async with LocalBroker(tmp_path / "broker", kind="mosquitto", doors=doors, address=door) as broker:
        enrolment = enrolled(broker, tmp_path)
        bot = Bot(enrolment)
        async with running(bot), walking(tmp_path):
            assert (await bot.lets()).shown is Shown.READY


def test_what_cannot_keep_a_stop_does_not_start(enrolment: Enrolment, tmp_path: Path) -> None:
    def start() -> str:
        told = run(NODE, WALKER, tmp_path / "enrolment.json", tmp_path / "latch.json")
        assert told.returncode == 1
        return told.stderr

    (tmp_path / "latch.json").mkdir()
    assert "what cannot keep a stop must not work" in start()
    (tmp_path / "enrolment.json").chmod(0o644)
    assert "others can read it" in start()
    assert enrolment.id == "walker"
