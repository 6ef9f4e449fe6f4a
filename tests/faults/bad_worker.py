"""Components on the bare contract that say what they should not, or too much of it. They never wait for a lease.

    python bad_worker.py players PORT BOT_KEY_ID COUNT BEGUN
    python bad_worker.py walker BEGUN ENROLMENT --latch FILE --steps FILE

The players are a crowd that answers all at once, and one who floods. The walker is the demo's, and writes down which
jobs it begins. What an actor says can also be said by a test.
"""

import asyncio
import collections
import dataclasses
import functools
import hashlib
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from bench.fleet.mqtt import Bare
from tests.faults import short
from tests.system.bad_component import NOTHING, SCHEMA
from wire.birth import Birth, Offer
from wire.broker import Broker
from wire.enrolment import Enrolment
from wire.envelope import PrivateKey, PublicKey, read_unproven, seal
from wire.messages import ROOT, Shown, State
from wire.mqtt import Delivery, Link
from wire.work import CANCEL, Command, Job, JobState, Reply, Status

CROWD = "crowd"
FLOODER = "flooder"
RHYTHM_S = 5.0
FLOOD, MOST = 20_000, 100_000
"""What is said of one job at least, and at most: whoever has had no time to read gets it to read what is there."""
AT_ONCE = 100
EVERY_S = 0.01
DARK = "\x1b[31m\u202e</td><script>alert(1)</script>\r\n!approve ABCD-EFGH\x07\x00" * 8
"""Words that would command a terminal, turn the line around, or be another line."""
OFFERS = {
    "walk": Offer("Walk", SCHEMA, job=True),
    "where": Offer("Where it is", NOTHING),
}

Message = tuple[str, bytes]
"""The topic below the root, and what is said there."""


@dataclasses.dataclass
class Actor:
    """Makes what one component says, signed as it should be."""

    name: str
    bot: str
    """The id of the key that it takes for the bot's."""
    groups: tuple[str, ...] = ()
    session: str = dataclasses.field(default_factory=lambda: os.urandom(16).hex())

    @functools.cached_property
    def key(self) -> PrivateKey:
        """Whoever knows the name has it, so that nobody need hand it over."""
        return PrivateKey(self._seed)

    @property
    def _seed(self) -> bytes:
        return hashlib.sha256(self.name.encode()).digest()

    def enrolment(self, broker: Broker, bot: PublicKey) -> Enrolment:
        """As the bot's configuration has to know it."""
        return Enrolment(ROOT, self.name, self.groups, broker, bot, stop_keys=(), seed=self._seed)

    def begin_anew(self) -> None:
        """Another session, as after a death."""
        self.session = os.urandom(16).hex()

    def birth(self, offers: Mapping[str, Offer] | None = None, title: str = "An actor") -> Message:
        """What it says of itself first, with the commands that it takes."""
        birth = Birth(self.name, self.session, title, "test", "1", self.groups, OFFERS if offers is None else offers)
        return self.said("birth", birth.to_bytes())

    def state(self, shown: Shown = Shown.READY) -> Message:
        """How it is. LOST is what the broker says for it."""
        state = State(self.name, self.session, os.urandom(16).hex(), None, shown, (), self.groups, self.bot, roster=1)
        return self.said("state", state.to_bytes())

    def reply(
        self, command: Command, status: Status, result: Mapping[str, Any] | None = None, error: str = ""
    ) -> Message:
        """An answer to a command."""
        reply = Reply(command.id, self.name, status, result or {}, error)
        return f"reply/{command.reply_to}", seal(self.key, ROOT, "reply", reply.to_bytes())

    def job(
        self,
        command: Command,
        seq: int,
        state: JobState,
        progress: float | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> Message:
        """How a job is."""
        job = Job(self.name, command.id, self.session, seq, state, progress, "", result or {})
        return f"job/{self.name}/{command.id}", seal(self.key, ROOT, "job", job.to_bytes())

    def said(self, kind: str, payload: bytes) -> Message:
        """Anything, under its signature."""
        return f"{kind}/{self.name}", seal(self.key, ROOT, kind, payload)


@functools.lru_cache(maxsize=64)
def read(envelope: bytes) -> Command:
    """A command. Hundreds are given the same one."""
    return Command.parse(read_unproven(envelope, ROOT, "cmd"))


class Players:
    """The crowd and the flooder, over one connection."""

    def __init__(self, port: int, bot: str, count: int, begun: Path) -> None:
        self._crowd = {f"{CROWD}-{number}": Actor(f"{CROWD}-{number}", bot, (CROWD,)) for number in range(count)}
        self._flooder = Actor(FLOODER, bot)
        self._port = port
        self._begun = begun
        self._called: dict[str, list[Actor]] = {}
        """By command, who of the crowd has it."""
        self._cancelled: collections.defaultdict[str, asyncio.Event] = collections.defaultdict(asyncio.Event)
        self._tasks: asyncio.TaskGroup
        self._link = Link(
            Broker("127.0.0.1", port), "players", receive=self._receive, on_connect=self._greet, draw=lambda: 0.1
        )

    async def run(self) -> None:
        """Play until killed."""
        async with asyncio.TaskGroup() as self._tasks:
            await self._link.subscribe(f"{ROOT}/cmd/+", 1)
            self._tasks.create_task(self._link.run())
            await self._link.ready()
            while True:
                for each in (*self._crowd.values(), self._flooder):
                    await self._say(each.state(), qos=0)
                    await asyncio.sleep(RHYTHM_S / len(self._crowd))

    async def _greet(self) -> None:
        everybody = (*self._crowd.values(), self._flooder)
        await asyncio.gather(*(self._say(each.birth(), retain=True) for each in everybody))
        for each in everybody:
            await self._say(each.state(), qos=0)

    def _receive(self, delivery: Delivery) -> None:
        name, command = delivery.topic.rpartition("/")[2], read(delivery.payload)
        if name in self._crowd:
            called = self._called.setdefault(command.id, [])
            called.append(self._crowd[name])
            if len(called) == len(self._crowd):
                self._tasks.create_task(self._all_answer(command, self._called.pop(command.id)))
        elif name == FLOODER and command.command == CANCEL:
            self._cancelled[command.args["job"]].set()
            self._tasks.create_task(self._say(self._flooder.reply(command, Status.DONE)))
        elif name == FLOODER:
            self._tasks.create_task(self._flood(command))

    async def _all_answer(self, command: Command, called: Sequence[Actor]) -> None:
        """Everybody at the same moment, and everything twice."""
        note(self._begun, *(f"{each.name} {command.id}" for each in called))
        if command.command == "where":
            said = [each.reply(command, Status.DONE, {"place": 0}) for each in called]
        else:
            said = [each.reply(command, Status.ACCEPTED) for each in called]
            said += [each.job(command, 1, JobState.DONE, 1.0) for each in called]
        await asyncio.gather(*(self._say(each) for each in said for _ in range(2)))

    async def _flood(self, command: Command) -> None:
        """Ten thousand in a second, which are signed before, until that was long enough and somebody has had it end."""
        note(self._begun, f"{FLOODER} {command.id}")
        await self._say(self._flooder.reply(command, Status.ACCEPTED))
        flood = [self._flooder.job(command, seq, JobState.RUNNING, seq / FLOOD)[1] for seq in range(FLOOD)]
        topic, end = self._flooder.job(command, FLOOD, JobState.CANCELLED)
        loop = asyncio.get_running_loop()
        async with Bare.connected(self._port, "flood", lambda _topic, _payload: None) as bare:
            due = loop.time()
            for number in range(1, MOST + 1):
                bare.publish(f"{ROOT}/{topic}", flood[number % FLOOD])
                if number % AT_ONCE == 0:
                    due += EVERY_S
                    await asyncio.sleep(max(0.0, due - loop.time()))
                if number >= FLOOD and self._cancelled[command.id].is_set():
                    break
            await self._cancelled[command.id].wait()
            await bare.publish_surely(f"{ROOT}/{topic}", end)

    async def _say(self, message: Message, *, qos: Any = 1, retain: bool = False) -> None:
        topic, payload = message
        await self._link.publish(f"{ROOT}/{topic}", payload, qos=qos, retain=retain)


def hostile() -> Iterator[dict[str, Any]]:
    """Schemas that cost whoever takes them at their word."""
    deep: dict[str, Any] = {"type": "integer"}
    for _ in range(80):
        deep = {"type": "object", "properties": {"a": deep}, "required": ["a"]}
    either: dict[str, Any] = {"type": "integer"}
    for _ in range(10):
        either = {"anyOf": [either, either]}
    loop = {"$ref": "#/$defs/a"}
    yield {"properties": {f"p{number}": {} for number in range(3_000)}, "required": [f"p{n}" for n in range(900)]}
    yield deep
    yield {"type": "object", "$defs": {"a": loop}, "properties": {"x": loop, "y": {"$ref": "#"}}, "required": ["x"]}
    yield {"properties": {"x": {"type": "string", "pattern": "(a+)+$"}}, "required": ["x"]}
    yield {"properties": {"x": {"title": "T" * 40_000, "type": "string"}}, "required": ["x"]}
    yield {"properties": {DARK: {"title": DARK, "enum": [DARK], "default": DARK}}, "required": [DARK], "title": DARK}
    yield {"properties": {"x": {"minimum": "many", "type": ["integer", 7, None], "enum": {}}}, "required": "x"}
    yield {"properties": {"x": either}, "required": ["x"]}


def unreadable(birth: dict[str, Any]) -> Iterator[bytes]:
    """Births that break the contract, from one that does not."""
    huge: dict[str, Any] = {"properties": {f"property-{number}": {} for number in range(10_000)}}
    yield orjson.dumps(birth | {"commands": {"walk": {"title": "Walk", "input": huge}}})
    yield orjson.dumps(birth | {"commands": {"walk": {"title": "Walk", "input": "(a+)+$"}}})
    yield orjson.dumps(birth | {"title": "T" * 2_000})


def odd() -> Iterator[dict[str, Any]]:
    """Results that fit, and that nobody can want to see."""
    deep: Any = 1
    for _ in range(100):
        deep = {"a": [deep]}
    yield {"deep": deep}
    yield {DARK: DARK, "x" * 5_000: "y" * 20_000}
    yield {f"k{number}": 1e308 for number in range(2_000)}
    yield {"n": -0.0, "big": 2**63, "none": None, "list": [[[]]] * 8}


def wrong(command: Command, name: str) -> Iterator[bytes]:
    """Replies that break the contract."""
    reply = {"id": command.id, "from": name, "status": "done"}
    yield orjson.dumps(reply).replace(b'"done"', b'"done","result":{"x":NaN}')
    yield orjson.dumps(reply | {"result": [1]})
    yield orjson.dumps(reply | {"result": {"x": "z" * 33_000}})
    yield orjson.dumps(reply | {"status": "accepted"})
    yield orjson.dumps(reply | {"error": 7})
    yield b'{"result":' + b'{"a":' * 3_000 + b"1" + b"}" * 3_000 + b"}"


def note(begun: Path, *lines: str) -> None:
    """Write down who begins what. The kernel keeps it when we die."""
    with begun.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


def walker(begun: Path, arguments: list[str]) -> None:
    """The walker of the field, which writes its jobs down."""
    short.be_short()
    from demo import walker as module  # noqa: PLC0415 - not before leases are short

    walk = module.walker.commands["walk"]
    carry_out: Callable[..., Coroutine[Any, Any, Any]] = walk.function

    async def noted(job: Any, **arguments: Any) -> Any:
        note(begun, f"{Path(sys.argv[1]).stem} {job.id}")
        return await carry_out(job, **arguments)

    module.walker.commands["walk"] = dataclasses.replace(walk, function=noted)
    short.walker(arguments)


if __name__ == "__main__":
    if sys.argv[1] == "players":
        port, bot, count, file = sys.argv[2:]
        asyncio.run(Players(int(port), bot, int(count), Path(file)).run())
    else:
        walker(Path(sys.argv[2]), sys.argv[3:])
