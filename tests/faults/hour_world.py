"""A whole system for an hour: homeserver, broker, bot, twenty walkers, alice in a room, and who watches all of it."""

import asyncio
import contextlib
import dataclasses
import os
import re
import secrets
import sqlite3
import sys
import urllib.request
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from http.client import HTTPException
from pathlib import Path

from bot import keys
from bot.enrol import enrol, stanza
from demo.broker import ROOT as HOME
from demo.broker import LocalBroker
from demo.homeserver import Homeserver
from demo.operator import Operator
from demo.process import Process
from tests.faults.hour_watch import WORKING, Watch
from wire.envelope import PrivateKey, PublicKey
from wire.messages import ROOT
from wire.mqtt import Link

WALKER = Path(__file__).with_name("hour_walker.py")
COMPONENTS = 20
GROUPS = ("east", "west")
ASKER = "hour"
"""To whom components answer the commands that the test gives."""
PLUGIN = "[tocsin.commands]\npicture = tests.faults.hour_picture:render\n"
PATIENCE = 120.0
PORT = re.compile(r'"port": ?(\d+)')
LAG = re.compile(r"^tocsin_event_loop_lag_seconds (\S+)$", re.MULTILINE)
CONFIG = """\
[bot]
folder = "{state}"

[mqtt]
host = "{broker.host}"
port = {broker.port}

[health]
port = 0

[matrix]
homeserver = "{homeserver}"
user = "@tocsin:localhost"
password_file = "matrix-password"

[people.alice]
role = "operator"
matrix = ["@alice:localhost"]

"""


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """Everything that runs."""

    folder: Path
    state: Path
    homeserver: Homeserver
    bot: Process
    walkers: Mapping[str, Process]
    key: PrivateKey
    """The bot's own."""
    alice: Operator
    room: str
    link: Link
    watch: Watch

    @property
    def logs(self) -> tuple[Path, ...]:
        """Of the bot and of all walkers."""
        return (self.bot.log, *(each.log for each in self.walkers.values()))

    @property
    def database_bytes(self) -> int:
        """How large the bot's database is, with what lies beside it."""
        return sum(each.stat().st_size for each in self.state.glob(f"{keys.DATABASE}*"))

    @property
    def memory_bytes(self) -> int:
        """What the bot has of the machine's memory; 0 while it is away, or where nobody says so."""
        try:
            lines = Path(f"/proc/{self.bot.pid}/status").read_text(encoding="ascii").splitlines()
        except (OSError, RuntimeError):
            return 0
        return next((int(each.split()[1]) * 1024 for each in lines if each.startswith("VmRSS:")), 0)

    async def lag(self) -> float | None:
        """The longest in a minute that the bot's event loop kept a timer waiting, where it answers."""
        ports = PORT.findall(self.bot.log.read_text(encoding="utf-8", errors="replace"))

        def get() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[-1]}/metrics", timeout=5) as answer:
                return answer.read().decode()

        try:
            found = LAG.search(await asyncio.to_thread(get)) if ports else None
        except (OSError, HTTPException):  # it is away, or was killed in mid-sentence
            return None
        return float(found[1]) if found else None

    def incidents(self) -> int:
        """How many there ever were."""
        with contextlib.closing(sqlite3.connect(self.state / keys.DATABASE)) as database:
            return database.execute("SELECT count(*) FROM incident").fetchone()[0]


@asynccontextmanager
async def running(folder: Path, state: Path) -> AsyncGenerator[World]:
    """All of it, with everybody at work, until the block ends."""
    environment = _with_plugin(folder / "plugins")
    key = keys.load_or_make(state / keys.KEY)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(LocalBroker(folder / "broker", kind="mosquitto"))
        homeserver = await stack.enter_async_context(Homeserver(folder / "homeserver"))
        passwords = {name: secrets.token_urlsafe() for name in ("alice", "tocsin")}
        for name, password in passwords.items():
            await homeserver.register(name, password)
        secret = folder / "matrix-password"
        secret.touch(mode=0o600)
        secret.write_text(passwords["tocsin"])

        config = CONFIG.format(state=state, broker=broker.address, homeserver=homeserver.url)
        public: dict[str, PublicKey] = {}
        walkers: dict[str, Process] = {}
        for number in range(1, COMPONENTS + 1):
            path = folder / f"walk-{number:02}.json"
            enrolment = enrol(path.stem, (GROUPS[number % 2],), ROOT, broker.address, key.public, path)
            public[enrolment.id] = enrolment.key.public
            config += stanza(enrolment)
            command = [sys.executable, WALKER, path, "--latch", path.with_suffix(".latch")]
            walkers[enrolment.id] = Process(command, path.with_suffix(".log"), env=environment, name=path.stem)
        (folder / "config.toml").write_text(config)

        watch = Watch(public, key.public)
        link = await stack.enter_async_context(_listening(Link(broker.address, ASKER, receive=watch.receive)))
        command = [sys.executable, "-m", "bot", "run", "--config", folder / "config.toml"]
        bot = Process(command, folder / "bot.log", env=environment, name="bot")
        for process in (bot, *walkers.values()):
            stack.push_async_callback(process.stop, 1.0)
        await bot.start()
        everybody = frozenset({"@alice:localhost", "@tocsin:localhost"})
        alice = await stack.enter_async_context(
            Operator.online(homeserver.url, "@alice:localhost", passwords["alice"], folder / "alice", knows=everybody)
        )
        room = await alice.create_room("Control room", "@tocsin:localhost")
        await alice.joined(room, "@tocsin:localhost")
        await asyncio.gather(*(each.start() for each in walkers.values()))
        await watch.until(lambda: watch.all_say(*WORKING), "everybody works", within=PATIENCE)
        watch.judges = True
        yield World(folder, state, homeserver, bot, walkers, key, alice, room, link, watch)


@asynccontextmanager
async def _listening(link: Link) -> AsyncGenerator[Link]:
    for topic in ("state/+", "lease/+", "job/+/+", f"reply/{ASKER}", "stop/#"):
        await link.subscribe(f"{ROOT}/{topic}", 1)
    listening = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await link.ready()
        yield link
    finally:
        listening.cancel()
        await asyncio.wait([listening])


def _with_plugin(folder: Path) -> dict[str, str]:
    """An environment in which the test's command is installed as a team's own would be."""
    info = folder / "hour-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hour\nVersion: 0\n")
    (info / "entry_points.txt").write_text(PLUGIN)
    return os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{HOME}"}
