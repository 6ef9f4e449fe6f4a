"""A bot, walkers and a broker as processes of their own, with a wire between any two that breaks when a test says so.

What the room was told and what the walkers did are written down by different processes on one clock, and compared.
"""

import array
import asyncio
import contextlib
import dataclasses
import os
import re
import shutil
import signal
import sqlite3
import sys
import time
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from bot import keys
from bot.enrol import enrol, stanza
from bot.store import audit
from bot.words.message import Lane
from demo.broker import ROOT as HOME
from demo.broker import LocalBroker
from demo.process import Process
from tests.faults.feed import Lines
from tests.faults.proxy import Proxy
from tests.faults.short import TTL_S
from wire.clock import boot_clock
from wire.enrolment import Enrolment
from wire.envelope import PrivateKey, read_unproven
from wire.messages import ROOT, Shown, State, Stop
from wire.mqtt import Broker, Delivery, Link

SHORT = Path(__file__).with_name("short.py")
PATIENCE = 60.0
LOOK_EVERY_S = 0.02
LARGEST = 16 * 1024 * 1024
"""What a test may say. No other link says so much."""
CODE = re.compile(r"!approve ([A-Z0-9-]+)")
PLUGIN = "[tocsin.bridges]\nfeed = tests.faults.feed:plugin\n"
CONFIG = """\
[bot]
folder = "{state}"
alarms = ["feed:alarms"]

[mqtt]
host = "{broker.host}"
port = {broker.port}

[health]
port = 0

[feed]
folder = "{feed}"

[people.alice]
role = "operator"
feed = ["alice"]
stop_keys = ["{stop_key}"]

[people.bob]
role = "operator"
feed = ["bob"]

"""

GROUP = "walkers"
STOP_KEY = PrivateKey(b"alice's stop key".ljust(32, b"."))
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Said:
    """Something that the bot has said, and when."""

    key: str
    at: float
    words: str
    to: str | None
    edits: str | None
    lane: Lane


class Walker:
    """One walker, its wire, and what it did."""

    def __init__(self, enrolment: Enrolment, folder: Path, proxy: Proxy) -> None:
        self.name = enrolment.id
        self.enrolment = enrolment
        self.proxy = proxy
        self.latch = folder / "latch" / f"{self.name}.json"
        self.latch.parent.mkdir(exist_ok=True)
        self._steps = folder / f"{self.name}.steps"
        words = ["walker", folder / f"{self.name}.json", "--latch", self.latch, "--steps", self._steps]
        self.process = Process([sys.executable, SHORT, *words], folder / f"{self.name}.log", env=environment(folder))

    def steps(self, since: float = 0.0, until: float = float("inf")) -> list[float]:
        """When it began a step, as it wrote down itself."""
        if not self._steps.exists():
            return []
        times = array.array("d")
        content = self._steps.read_bytes()
        times.frombytes(content[: len(content) // 8 * 8])
        return [each for each in times if since <= each < until]

    async def works(self) -> None:
        """Wait until it begins a step."""
        now = boot_clock()
        await until(lambda: bool(self.steps(now)), f"{self.name} works")


@dataclasses.dataclass(frozen=True)
class Heard:
    """Something that was on the wire by then."""

    at: float
    topic: str
    payload: bytes


class Wire:
    """Hears all that is said on the broker, and says what a test has made up."""

    def __init__(self, broker: Broker, name: str = "spy") -> None:
        self.heard: list[Heard] = []
        self.link = Link(broker, name, receive=self._receive, largest=LARGEST, draw=lambda: 0.1)

    def on(self, topic: str, since: float = 0.0) -> list[Heard]:
        """What was said on a topic, or on all that begin so where it ends with a slash."""
        whole = f"{ROOT}/{topic}"
        return [
            each
            for each in self.heard
            if each.at >= since and (each.topic == whole or (topic.endswith("/") and each.topic.startswith(whole)))
        ]

    def states(self, name: str, since: float = 0.0) -> list[tuple[float, State]]:
        """What was stated on the topic of a component, and when it was heard. Nobody has verified it."""
        heard = self.on(f"state/{name}", since)
        return [(each.at, State.parse(read_unproven(each.payload, ROOT, "state"))) for each in heard]

    def stopped_at(self, name: str, since: float) -> float:
        """When it was heard first that a component stands still."""
        return next(at for at, state in self.states(name, since) if state.shown is Shown.STOPPED)

    def stops(self, since: float = 0.0) -> list[Stop]:
        """The stops that were said. Nobody has verified them."""
        heard = [each.payload for each in self.on("stop/", since) if b"tocsin.stop+json" in each.payload]
        return [Stop.parse(read_unproven(each, ROOT, "stop")) for each in heard]

    def _receive(self, delivery: Delivery) -> None:
        self.heard.append(Heard(boot_clock(), delivery.topic, delivery.payload))

    async def say(self, kind: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish, whoever may listen."""
        await self.link.publish(f"{ROOT}/{kind}", payload, qos=1, retain=retain)


class Field:
    """All of it."""

    def __init__(self, folder: Path, state: Path, broker: LocalBroker, bot_proxy: Proxy) -> None:
        self.folder = folder
        self.state = state
        self.broker = broker
        self.bot_proxy = bot_proxy
        self.walkers: dict[str, Walker] = {}
        self.bot = Process(
            [sys.executable, SHORT, "bot", "run", "--config", folder / "config.toml"],
            folder / "bot.log",
            env=environment(folder),
            name="bot",
        )
        self.wire = Wire(broker.address)
        self._heard = Lines(folder / "heard")
        self._said = Lines(folder / "said")
        self._told: dict[str, Said] = {}
        self._told_until = 0
        self._tricks = Lines(folder / "tricks")
        self._asked = 0

    def is_whole(self) -> bool:
        """Everybody works, and nothing is stopped."""
        processes = (self.bot, self.broker.process, *(each.process for each in self.walkers.values()))
        if not all(each.alive for each in processes):
            return False
        at_work = all(each.steps(boot_clock() - TTL_S) for each in self.walkers.values())
        return at_work and not self.open_incidents()

    @property
    def bot_key(self) -> PrivateKey:
        return keys.load_or_make(self.state / keys.KEY)

    def say(self, text: str, who: str = "alice") -> str:
        """Somebody says something in the room. Returns its event."""
        self._asked += 1
        event = f"$event{self._asked}"
        self._heard.add(who=who, text=text, event=event, at=boot_clock(), sent_ms=time.time_ns() // 1_000_000)
        return event

    def said(self) -> list[Said]:
        """All that the bot has said, each thing once, as a network does that knows its key already."""
        lines, self._told_until = self._said.read(self._told_until)
        for each in lines:
            if "key" in each:
                said = Said(each["key"], each["at"], each["words"], each["to"], each["edits"], Lane(each["lane"]))
                self._told.setdefault(said.key, said)
        return sorted(self._told.values(), key=lambda each: each.at)

    def news(self, words: str, to: str | None = None) -> list[Said]:
        """What it has said with these words, without the tables that change."""
        said = [each for each in self.said() if words in each.words and to in (None, each.to)]
        return [each for each in said if each.edits is None and each.lane is not Lane.PROGRESS]

    async def hears(self, words: str, to: str | None = None) -> Said:
        """Wait until the bot has said something."""
        return (await until(lambda: self.news(words, to), f"the room hears {words!r}", self.last_words))[0]

    async def answer(self, text: str, who: str = "alice") -> Said:
        """Say something, and wait for the first word to it."""
        event = self.say(text, who)
        heard = await until(lambda: self.news("", event), f"an answer to {text!r}", self.last_words)
        return heard[0]

    async def answered(self, event: str) -> Said:
        """Wait for the first word to an order: its answer, or how it goes on where that took the answer's place."""
        words = await until(
            lambda: [each for each in self.said() if each.to == event and each.edits is None],
            f"an answer to {event}",
            self.last_words,
        )
        return words[0]

    async def stopped(self, text: str = "!shutdown all") -> str:
        """Order a stop and wait until it is confirmed. Returns its event."""
        order = self.say(text)
        await self.hears("STOPPED", order)
        return order

    def all_stand_in(self, status: str) -> bool:
        """Whether an answer to !status shows everybody as stopped just now, and not as last heard."""
        return all(re.search(rf"{name}\s+stopped\s", status) for name in self.walkers)

    async def all_stand(self, since: float) -> None:
        """Wait until each has said that it stands still."""
        for name in self.walkers:
            await until(
                lambda name=name: [state for _, state in self.wire.states(name, since) if state.shown is Shown.STOPPED],
                f"{name} stands",
                self.last_words,
            )

    async def reset(self, incident: str = "") -> float:
        """Two persons let everybody go, and everybody works again. Returns when the second one agreed."""
        asked = await self.answer(f"!reset {incident}".strip(), "alice")
        code = CODE.search(asked.words)
        assert code is not None, asked.words
        before = len(self.news("READY"))
        agreed = boot_clock()
        self.say(f"!approve {code[1]}", "bob")
        await until(lambda: len(self.news("READY")) > before, "all is ready", self.last_words)
        return agreed

    async def work(self) -> None:
        """Wait until everybody works."""
        await asyncio.gather(*(each.works() for each in self.walkers.values()))

    async def work_or_stand(self) -> None:
        """Wait until everybody has been answered by the bot that runs now: who may work, works."""
        now = boot_clock()
        for name in self.walkers:
            await until(lambda name=name: len(self.wire.on(f"lease/{name}", now)) > 1, f"{name} is answered")

    def forget(self) -> None:
        """What people have said is not there any more, as on a network that gives it once."""
        path = self._heard.path
        path.write_bytes(b" " * (path.stat().st_size - 1) + b"\n")

    @contextlib.asynccontextmanager
    async def twin(self, folder: Path, name: str, proxy: Proxy) -> AsyncGenerator["Field"]:
        """A second bot on the same components, with the folder of the first and a room of its own."""
        twin = Field(folder, folder / "state", self.broker, proxy)
        twin.walkers, twin.wire = self.walkers, self.wire
        shutil.copytree(self.state, twin.state)
        (folder / "plugins").symlink_to(self.folder / "plugins")
        config = (self.folder / "config.toml").read_text()
        for mine, its in (
            ("[bot]\n", f'[bot]\nname = "{name}"\n'),
            (str(self.folder), str(folder)),
            (f"port = {self.bot_proxy.address.port}", f"port = {proxy.address.port}"),
        ):
            config = config.replace(mine, its)
        (folder / "config.toml").write_text(config)
        try:
            await twin.begun()
            yield twin
        finally:
            await twin.bot.stop(0.5)

    def play(self, trick: str, value: Any) -> None:
        """Something happens to the bot's process from within: see `short.py`."""
        self._tricks.add(trick=trick, value=value)

    async def begun(self) -> None:
        """Start the bot, and wait until its bridge receives."""
        before = self._said.read()[1]
        await self.bot.start()

        async def up() -> bool:
            return any("began" in each for each in self._said.read(before)[0])

        await self.bot.until(up, seconds=PATIENCE)

    async def metrics(self) -> dict[str, float]:
        """What the bot counts, by name and labels."""
        port = int(re.findall(r'"port": ?(\d+)', self._log_of_this_life())[-1])

        def get() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return answer.read().decode()

        lines = [each for each in (await asyncio.to_thread(get)).splitlines() if not each.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    async def refused(self) -> float:
        """How many messages on MQTT the bot has refused since it began."""
        return (await self.metrics())["tocsin_mqtt_refused_messages_total"]

    async def refuses(self, beyond: float) -> None:
        """Wait until it has refused more than so many."""
        async with asyncio.timeout(PATIENCE):
            while await self.refused() <= beyond:  # noqa: ASYNC110 - another process counts
                await asyncio.sleep(LOOK_EVERY_S)

    def records(self, *kinds: str) -> list[dict[str, Any]]:
        """What the bot has recorded of these kinds, in its order."""
        with contextlib.closing(sqlite3.connect(self.state / keys.DATABASE)) as database:
            entries = audit.everything(database)
        return [each.all for each in entries if each.kind in kinds]

    def incidents(self) -> list[str]:
        """The ids of all incidents that the bot has on its disk."""
        with contextlib.closing(sqlite3.connect(self.state / keys.DATABASE)) as database:
            return [row[0] for row in database.execute("SELECT id FROM incident ORDER BY opened")]

    def open_incidents(self) -> list[str]:
        """The ids of those that are not over."""
        with contextlib.closing(sqlite3.connect(self.state / keys.DATABASE)) as database:
            return [row[0] for row in database.execute("SELECT id FROM incident WHERE over IS NULL")]

    def last_words(self) -> str:
        """What a test that fails wants to know."""
        said = "\n".join(f"{each.at:.2f} {each.words!r}" for each in self.said()[-12:])
        return f"the room was told:\n{said}\nthe bot's log:\n{self.bot.tail() if self.bot.alive else '(it is dead)'}"

    def _log_of_this_life(self) -> str:
        return self.bot.log.read_text(encoding="utf-8", errors="replace")


async def until(holds: Callable[[], T], what: str, why: Callable[[], str] = str) -> T:
    """Wait until something holds that other processes bring about."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not (found := holds()):  # noqa: ASYNC110 - other processes bring it about
                await asyncio.sleep(LOOK_EVERY_S)
            return found
    except TimeoutError:
        raise AssertionError(f"never: {what}\n{why()}") from None


async def passed(moment: float) -> None:
    """Wait until a moment is over on the clock of leases."""
    await until(lambda: boot_clock() > moment, f"the clock shows {moment}")


def held_since(walkers: Iterable[Walker], fault: float) -> None:
    """No lease was given after the fault: so nobody began more than the one step that was let within its time."""
    for each in walkers:
        late = each.steps(fault + TTL_S)
        assert len(late) <= 1, f"{each.name} took {len(late)} steps, up to {late[-1] - fault:.3f} s after the fault"


def stood_still(walkers: Iterable[Walker], since: float, until_: float = float("inf"), *, may_end: int = 0) -> None:
    """Nobody has begun a step, but for those that were let already and that only had to be written down."""
    for each in walkers:
        steps = each.steps(since, until_)
        assert len(steps) <= may_end, f"{each.name} took {len(steps)} steps, up to {steps[-1] - since:.3f} s later"


def environment(folder: Path) -> dict[str, str]:
    """With the plug-in installed, as a team's own would be."""
    return os.environ | {"PYTHONPATH": f"{folder / 'plugins'}{os.pathsep}{HOME}"}


@contextlib.asynccontextmanager
async def paused(process: Process) -> AsyncGenerator[None]:
    """It stands as if the machine had stopped it, and goes on as if nothing had been."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if process.alive:
            os.kill(process.pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def running(folder: Path, *, walkers: int = 3, state: Path | None = None) -> AsyncGenerator[Field]:
    """The whole field, with everybody at work, until the block ends."""
    state = state or folder / "state"
    plugin = folder / "plugins" / "feed-0.dist-info"
    plugin.mkdir(parents=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: feed\nVersion: 0\n")
    (plugin / "entry_points.txt").write_text(PLUGIN)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(LocalBroker(folder / "broker", kind="mosquitto"))
        field = Field(folder, state, broker, await stack.enter_async_context(Proxy(broker.address)))
        config = CONFIG.format(state=state, broker=field.bot_proxy.address, feed=folder, stop_key=STOP_KEY.public)
        for number in range(1, walkers + 1):
            proxy = await stack.enter_async_context(Proxy(broker.address))
            path = folder / f"walk-{number}.json"
            enrolment = enrol(path.stem, (GROUP,), ROOT, proxy.address, field.bot_key.public, path)
            field.walkers[enrolment.id] = Walker(enrolment, folder, proxy)
            config += stanza(enrolment)
        (folder / "config.toml").write_text(config)
        await stack.enter_async_context(heard(field.wire))
        for process in (field.bot, *(each.process for each in field.walkers.values())):
            stack.push_async_callback(process.stop, 0.5)
        starting: list[Awaitable[None]] = [each.process.start() for each in field.walkers.values()]
        await asyncio.gather(field.begun(), *starting)
        await field.work()
        yield field


@contextlib.asynccontextmanager
async def heard(wire: Wire) -> AsyncGenerator[Wire]:
    """Hear all, until the block ends."""
    await wire.link.subscribe(f"{ROOT}/#", 1)
    listening = asyncio.create_task(wire.link.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await wire.link.ready()
        yield wire
    finally:
        listening.cancel()
        await asyncio.wait([listening])
