"""The bot as a process: it runs without a broker, and ends when it is told to, whatever hangs."""

import asyncio
import contextlib
import dataclasses
import functools
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from pydantic import BaseModel

import bot
from bot import absences, keys, runtime, settings
from bot.bridge import Health, Office, Plugin, Unreadable
from bot.desk import catalogue
from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import Command, command
from bot.store import Store, outbox, overlay
from bot.words.document import Document, document
from bot.words.errors import OutOfService, Unreachable
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account, Role
from bot.words.plain import to_plain

pytestmark = pytest.mark.usefixtures("starts_are_cheap")

HOME = Path(bot.__file__).parents[1]
PATIENCE_S = 30.0
CONFIG = """\
[bot]
folder = "state"

[mqtt]
host = "127.0.0.1"
port = 1
"""
"""Nobody listens on port 1."""
PEOPLE = """\
[people.carol]
role = "commander"
matrix = ["@carol:example.org"]
[people.alice]
role = "operator"
suspended = false
matrix = ["@alice:example.org"]
"""

HANGS = """\
import asyncio, sys, threading
from pathlib import Path
from bot import app, logs, runtime, settings

async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

async def main():
    loop = asyncio.get_running_loop()
    {hang}
    await runtime.run(settings.load(Path(sys.argv[1])))

runtime.END_WITHIN_S, runtime.THREADS_END_WITHIN_S = 1.0, 0.1
logs.set_up()
asyncio.run(app._until_told(main()))
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def peopled(config: Path) -> Path:
    """With two people, one of whom the file itself does not suspend."""
    config.write_text(CONFIG + PEOPLE)
    return config


@contextlib.contextmanager
def started(*words: str | Path, until: str = '"running"') -> Generator[tuple[subprocess.Popen[str], list[str]]]:
    """A bot that has said so in its log, and what it said until then."""
    with subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, *words], env={"PYTHONPATH": str(HOME)}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said: list[str] = []
        try:
            for line in process.stderr:
                said.append(line)
                if until in line:
                    break
            else:
                pytest.fail("".join(said))
            yield process, said
        finally:
            process.kill()


def ended(process: subprocess.Popen[str], said: list[str], *signals: signal.Signals) -> str:
    """Send the signals, and return all that it has said at its end."""
    for each in signals:
        process.send_signal(each)
    _, rest = process.communicate(timeout=PATIENCE_S)
    return "".join(said) + rest


def recorded(config: Path) -> list[str]:
    """The kinds of what stands in the record."""
    with contextlib.closing(sqlite3.connect(config.parent / "state" / "tocsin.db")) as database:
        return [json.loads(entry)["kind"] for (entry,) in database.execute("SELECT entry FROM audit ORDER BY seq")]


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)],
)
def test_it_ends_well_when_it_is_told_to(config: Path, signals: tuple[signal.Signals, ...]) -> None:
    with started("-m", "bot", "run", "--config", config) as (process, said):
        log = ended(process, said, *signals)
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert [json.loads(line)["level"] for line in log.splitlines() if "No connection" not in line] == ["info"]
    assert recorded(config) == ["record begun", "started", "configuration changed", "key changed", "stopped"]


def test_it_ends_well_while_the_broker_is_away(config: Path) -> None:
    with started("-m", "bot", "run", "--config", config, until="No connection to the broker") as (process, said):
        log = ended(process, said, signal.SIGTERM)
    assert (process.returncode, recorded(config)) == (
        0,
        ["record begun", "started", "configuration changed", "key changed", "stopped"],
    ), log


@pytest.mark.parametrize(
    ("hang", "name"),
    [
        ("loop.call_soon(loop.run_in_executor, None, threading.Event().wait)", "asyncio_"),
        ("loop.call_soon(threading.Thread(target=threading.Event().wait, name='theirs').start)", "theirs"),
        ("loop.call_soon(lambda: loop.create_task(stubborn(), name='stubborn'))", "stubborn"),
    ],
)
def test_what_hangs_is_named_and_does_not_keep_the_process(config: Path, hang: str, name: str) -> None:
    with started("-c", HANGS.format(hang=hang), config) as (process, said):
        log = ended(process, said, signal.SIGTERM)
    (last,) = [json.loads(line) for line in log.splitlines() if "something hangs" in line]
    assert any(what.startswith(name) for what in last["what"])
    assert process.returncode == 1
    assert recorded(config) == ["record begun", "started", "configuration changed", "key changed", "stopped"]


def test_it_leaves_no_task_and_no_thread(config: Path) -> None:
    before = set(threading.enumerate())

    async def live() -> set[asyncio.Task[object]]:
        running = asyncio.create_task(runtime.run(settings.load(config)))
        async with asyncio.timeout(PATIENCE_S):
            while not any(task.get_name() == "desk" for task in asyncio.all_tasks()):  # noqa: ASYNC110 - see below
                await asyncio.sleep(0)  # there is no event for it; each turn of the loop brings it nearer
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(live()) == set()
    assert set(threading.enumerate()) == before
    assert recorded(config) == ["record begun", "started", "configuration changed", "key changed", "stopped"]


class Network:
    """A bridge to a network of this test, and what becomes of it."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.diary: list[str] = []
        self.fault: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self.receives = asyncio.Event()
        self.away = False
        self.tried = asyncio.Event()
        self.said = asyncio.Event()

    def health(self) -> Health:
        return Health(ready=self.receives.is_set())

    async def run(self) -> None:
        self.receives.set()
        try:
            raise await self.fault
        finally:
            self.diary.append("stops")

    async def send(self, post: Post, *, key: str) -> str:
        self.tried.set()
        if self.away:
            raise Unreachable("It is away.")
        self.diary.append(f"says {to_plain(post.document)}")
        self.said.set()
        return key

    async def hears(self, words: str) -> None:
        """Carol says something."""
        carol = Account("matrix", "@carol:example.org")
        message = Message(Place("matrix", "ops"), carol, f"${words}", words, Standing.ATTESTED, "PHONE", 1, 0.0)
        await self.office.inlet.accept([message], cursor="c")


class Section(BaseModel):
    """It has no settings."""


@dataclasses.dataclass(frozen=True, slots=True)
class Life:
    """A bot that runs here."""

    network: Network
    other: Network
    task: asyncio.Task[None]


@contextlib.asynccontextmanager
async def living(loaded: settings.Settings) -> AsyncGenerator[Life]:
    """A bot with two bridges, one of them to watch. At the end it is stopped as by SIGTERM."""
    opened: asyncio.Future[Network] = asyncio.get_running_loop().create_future()

    def open_bridge(_: Section, office: Office) -> Network:
        opened.set_result(Network(office))
        return opened.result()

    others: list[Network] = []

    def open_another(_: Section, office: Office) -> Network:
        others.append(Network(office))
        return others[0]

    loaded.bridges["matrix"] = (Plugin(Section, open_bridge), Section())
    loaded.bridges["talk"] = (Plugin(Section, open_another), Section())
    running = asyncio.create_task(runtime.run(loaded))
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait([opened, running], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        network = await opened
        await network.receives.wait()
        try:
            yield Life(network, others[0], running)
        finally:
            running.cancel()
            await asyncio.wait([running])
    assert running.cancelled()


async def test_what_waits_is_said_before_its_bridge_is_stopped(config: Path) -> None:
    async with living(settings.load(config)) as life:
        post = Post(Place("matrix", "ops"), document("the last word"), Lane.ANSWER)
        await life.network.office.store.write(lambda tx: outbox.queue(tx, post))  # nobody is woken for it
    assert life.network.diary == ["says the last word", "stops"]


async def test_a_place_that_a_bridge_knows_to_be_back_hears_at_once_what_waited_for_it(
    peopled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absences, "FIRST_WAIT_S", 3600.0)  # by itself it comes too late for this test
    async with living(settings.load(peopled)) as life:
        life.network.away = True
        await life.network.hears("!whoami")
        await life.network.tried.wait()
        assert not life.network.said.is_set()
        life.network.away = False
        life.network.office.back(Place("matrix", "ops"))
        await life.network.said.wait()


async def test_a_suspension_that_the_file_overrules_says_so(peopled: Path) -> None:
    async with living(settings.load(peopled)) as life:
        await life.network.hears("!person suspend alice")
        await life.network.said.wait()
    assert life.network.diary[0].startswith("says Suspended: alice.")
    assert "The configuration file says otherwise" in life.network.diary[0]


async def test_what_a_bridge_cannot_read_is_told_in_its_place(peopled: Path) -> None:
    async with living(settings.load(peopled)) as life:
        written = Unreadable(Place("matrix", "ops"), Account("matrix", "@alice:example.org"), "PHONE", "$1", 1)
        await life.network.office.inlet.accept([], cursor="c", unreadable=[written])
        await life.network.said.wait()
    assert life.network.diary[0].startswith("says ALARM: I cannot read what alice")


async def test_a_bot_that_nobody_can_reach_any_more_ends_with_the_reason(peopled: Path) -> None:
    with pytest.raises(ExceptionGroup) as ended:  # noqa: PT012 - it is raised at its end
        async with living(settings.load(peopled)) as life:
            life.network.fault.set_result(OutOfService("It is gone."))  # and nobody has an account on the other
            await asyncio.wait([life.task])
            life.task.result()
    assert [str(fault) for fault in ended.value.exceptions] == ["It is gone."]


async def test_a_network_that_falls_out_costs_itself_alone_and_is_told_of_on_another(peopled: Path) -> None:
    loaded = settings.load(peopled)
    loaded.bot = loaded.bot.model_copy(update={"alarms": (Place("matrix", "ops"),)})
    async with living(loaded) as life:
        life.other.fault.set_result(OutOfService("Its login is gone.", hint="Log it in."))
        await life.network.said.wait()
        life.network.said.clear()
        await life.network.hears("!whoami")
        await life.network.said.wait()
    alarm, answer, _ = life.network.diary
    assert alarm.startswith("says ALARM: talk is out of service. Its login is gone. Log it in.")
    assert answer.startswith("says You are carol.")
    assert "alarm" in recorded(peopled)


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A command as an installed package offers it."""

    made: Command
    name: str = "theirs"
    value: str = "theirs:command"

    def load(self) -> Command:
        return self.made


async def test_a_command_that_runs_at_the_end_ends_well_and_is_answered(
    peopled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    @command("climb", role=Role.OPERATOR, action=Action.RUN, summary="Climb")
    async def climb(_: Call) -> Document:
        begun.set()
        await go_on.wait()
        return document("at the top")

    def offered(*, group: str) -> list[Entry]:
        return [Entry(climb)] if group == "tocsin.commands" else []

    monkeypatch.setattr(catalogue, "entry_points", offered)
    async with living(settings.load(peopled)) as life:
        await life.network.hears("!climb")
        await begun.wait()
        life.task.cancel()
        while not any(task.get_name() == "commands: finish" for task in asyncio.all_tasks()):
            assert not life.task.done()
            await asyncio.sleep(0)  # there is no event for it; each turn of the loop brings it nearer
        go_on.set()
    assert life.network.diary == ["says at the top", "stops"]
    assert recorded(peopled) == [
        "record begun",
        "started",
        "configuration changed",
        "key changed",
        "intent",
        "outcome",
        "stopped",
    ]


@pytest.mark.parametrize(("suspended", "counts"), [("", False), ("suspended = false", True)])
def test_who_was_suspended_from_chat_stays_so_unless_the_file_says_otherwise(
    config: Path, suspended: str, counts: bool
) -> None:
    config.write_text(f'{CONFIG}[people.alice]\nrole = "operator"\n{suspended}\nmatrix = ["@alice:example.org"]\n')
    loaded = settings.load(config)

    async def before() -> None:
        loaded.bot.folder.mkdir(mode=0o700)
        keys.load_or_make(loaded.bot.folder / "bot.key")
        async with Store.opened(loaded.bot.folder / "tocsin.db") as store:
            for name in ("alice", "nobody"):
                await store.write(functools.partial(overlay.put, key=f"people.{name}.suspended", value=True, by="bob"))

    async def after() -> bool:
        async with living(loaded):
            return loaded.people.is_suspended("alice")

    asyncio.run(before())
    assert asyncio.run(after()) is not counts


def test_what_is_not_configured_is_not_imported(config: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bot import runtime, settings; settings.load(Path(sys.argv[1]));"
        "print(sorted({'aiohttp', 'prometheus_client', 'nio', 'typer'} & sys.modules.keys()))"
    )
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code, config], env={"PYTHONPATH": str(HOME)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_port_that_is_taken_is_told_in_a_sentence_and_ends_the_bot(config: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config.write_text(f"{CONFIG}[health]\nport = {taken.getsockname()[1]}\n")
        with started("-m", "bot", "run", "--config", config) as (process, said):
            log = ended(process, said)
    assert process.returncode == 1
    assert "Error: Health cannot be served at 127.0.0.1:" in log
    assert "Traceback" not in log
    assert recorded(config) == ["record begun", "started", "configuration changed", "key changed", "stopped"]


def test_health_is_served_where_it_is_configured(config: Path) -> None:
    config.write_text(f"{CONFIG}[health]\nport = 0\n")
    with started("-m", "bot", "run", "--config", config, until="health is served") as (process, said):
        served = json.loads(said[-1])
        with urllib.request.urlopen(f"http://127.0.0.1:{served['port']}/healthz", timeout=PATIENCE_S) as answer:
            assert answer.read().startswith(b"ok\n")
        ended(process, said, signal.SIGTERM)
    assert process.returncode == 0
