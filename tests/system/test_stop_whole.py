"""`tocsin stop` with a whole system: a real bot, real components, another user's terminal. With the bot and without."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from bot import keys
from bot.enrol import enrol, issue_stop_key, stanza, stop_key_line
from demo.broker import LocalBroker
from demo.process import Process
from wire.envelope import read_unproven
from wire.messages import ROOT, Shown, State
from wire.mqtt import Delivery, Link

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a client as another user"),
    pytest.mark.skipif(sys.platform != "linux", reason="the console works on Linux only"),
]

PATIENCE = 60.0
DAEMON = 1
HOME = Path(__file__).parents[2]
AS_ANOTHER = """
import os, sys
import concurrent.futures.thread, encodings.idna, rich.live, stringprep, typer
from rich.console import Console
from bot.words.document import document, progress, table
from bot.words.terminal import to_terminal
from bridges.console import stop_asking
from bridges.console.chat import chat
from bridges.console.stop import stop

# Another user may not be able to read this Python's own files: what is imported late is imported here.
shown = to_terminal(document(table(("a",), [("b",)]), progress(1)))
Console(file=open(os.devnull, "w"), force_terminal=True).print(shown)
os.setgroups([])
os.setresgid(1, 1, 1)
os.setresuid(1, 1, 1)
typer.run({"stop": stop, "chat": chat}[sys.argv.pop(1)])
"""


class House:
    """A broker, two walkers and a bot, and alice, who has a console and a stop key."""

    def __init__(self, folder: Path, broker: LocalBroker) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.key = folder / "alice.stop.key"
        issued = issue_stop_key("alice", ROOT, broker.address, self.key)
        os.chown(self.key, DAEMON, DAEMON)
        bot_key = keys.load_or_make(folder / "state" / keys.KEY).public
        self.issued = issued
        public = str(issued.key.public)
        enrolled = [
            enrol(name, ("sims",), ROOT, broker.address, bot_key, folder / f"{name}.json", stop_keys=[public])
            for name in ("walk-1", "walk-2")
        ]
        people = stop_key_line("alice", [public]) + 'role = "commander"\nconsole = ["daemon"]\n'
        self.config.write_text(
            f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.address.port}\n[console]\nsocket = "chat.sock"\n{people}'
            + "".join(map(stanza, enrolled))
        )
        self.walkers = [self._python("demo.walker", each.id, folder / f"{each.id}.json") for each in enrolled]
        self.bot = self._python("bot", "bot", "run", "-c", self.config)

    def _python(self, module: str, name: str, *words: str | Path) -> Process:
        latch = ("--latch", self.folder / f"{name}.latch") if module == "demo.walker" else ()
        env = os.environ | {"PYTHONPATH": str(HOME)}
        return Process([sys.executable, "-m", module, *words, *latch], self.folder / f"{name}.log", env=env)

    async def alice(self, word: str, *words: str) -> tuple[int, str]:
        """What alice gets for an answer in her terminal."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", AS_ANOTHER, word, "-c", str(self.config), *words, cwd=self.folder,
            env={"PYTHONPATH": str(HOME), "TOCSIN_STOP_KEY": str(self.key)}, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate()
        assert process.returncode is not None
        assert b"Traceback" not in said
        return process.returncode, said.decode()

    @contextlib.asynccontextmanager
    async def heard(self) -> AsyncGenerator["asyncio.Queue[State]"]:
        """What the components say of themselves from now on."""
        states: asyncio.Queue[State] = asyncio.Queue()

        def receive(delivery: Delivery) -> None:
            states.put_nowait(State.parse(read_unproven(delivery.payload, ROOT, "state")))

        link = Link(self.issued.broker, "listening", receive=receive)
        await link.subscribe(f"{ROOT}/state/+")
        running = asyncio.create_task(link.run())
        try:
            async with asyncio.timeout(PATIENCE):
                await link.ready()
                yield states
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def work(self) -> None:
        """Wait until both components say that they work."""
        async with self.heard() as states:
            working: set[str] = set()
            while len(working) < len(self.walkers):
                state = await states.get()
                if state.shown in (Shown.READY, Shown.BUSY):
                    working.add(state.id)

    async def until_status(self, pattern: str) -> str:
        """Ask the bot how all is until it says so: each time that a component has said something."""
        async with self.heard() as states:
            while True:
                _, said = await self.alice("chat", "!status")
                if re.search(pattern, said, re.DOTALL):
                    return said
                await states.get()

    async def until_told_of(self, change: Awaitable[tuple[int, str]]) -> str:
        """Change whose stops count, and wait until both components say that they know of it."""
        async with self.heard() as states:
            before = [(await states.get()).roster for _ in range(4)]
            _, said = await change
            told: set[str] = set()
            while len(told) < len(self.walkers):
                state = await states.get()
                if state.roster > max(before):
                    told.add(state.id)
        return said


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder that every user can enter; those of pytest let nobody in."""
    made = Path(tempfile.mkdtemp(prefix="stop-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest_asyncio.fixture
async def house(folder: Path) -> AsyncIterator[House]:
    async with LocalBroker(folder / "broker") as broker:
        house = House(folder, broker)
        async with house.walkers[0], house.walkers[1], house.bot:
            await house.work()
            await house.until_status(r"walk-1 +(ready|busy).*walk-2 +(ready|busy)")
            yield house


async def test_the_bot_is_asked_and_the_stop_is_its_own(house: House) -> None:
    status, said = await house.alice("stop", "sims", "--reason", "can't see the floor")
    assert status == 0, said
    assert "STOPPING group sims" in said
    assert "STOPPED group sims: 2 of 2 confirmed it." in said
    assert "stop key" not in said


async def test_a_bot_that_is_frozen_does_not_keep_anybody_from_stopping_and_takes_it_over_later(house: House) -> None:
    os.kill(house.bot.pid, signal.SIGSTOP)
    try:
        status, said = await house.alice("stop", "all")
    finally:
        os.kill(house.bot.pid, signal.SIGCONT)
    assert status == 0, said
    assert "The bot has not answered within 2 s." in said
    assert "STOPPED everything: 2 of 2 listed components say so, signed." in said
    found = re.search(r"Incident ([0-9a-f]{8})", said)
    assert found is not None
    shown = await house.until_status(found[1])
    assert "stopped" in shown


async def test_without_a_bot_the_key_stops_and_the_bot_learns_of_it_when_it_is_back(house: House) -> None:
    await house.bot.kill()
    status, said = await house.alice("stop", "walk-1")
    assert status == 0, said
    assert "The bot does not carry it out." in said
    assert "STOPPED walk-1: 1 of 1 listed components say so, signed." in said
    found = re.search(r"Incident ([0-9a-f]{8})", said)
    assert found is not None
    await house.bot.start()
    await house.until_status(found[1])
    _, shown = await house.alice("chat", f"!incident {found[1]}")
    assert "stop key of alice" in shown


async def test_a_key_that_was_revoked_stops_nothing_any_more(house: House) -> None:
    said = await house.until_told_of(house.alice("chat", f"!stop-key revoke {house.issued.key.public.id}"))
    assert "Revoked: the stop key" in said
    status, said = await house.alice("stop", "all", "--now", "--wait", "2")
    assert status == 1
    assert "NOT CONFIRMED everything: 0 of 2 listed components have stopped." in said
    await house.until_status(r"walk-1 +(ready|busy).*walk-2 +(ready|busy)")
    assert "revoked" in (await house.alice("chat", "!keys"))[1]
    status, said = await house.alice("stop", "all", "--wait", "20")
    assert (status, "STOPPED everything: 2 of 2 confirmed it." in said) == (0, True)
