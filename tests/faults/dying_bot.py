"""A bot that dies on purpose: its parts as they are, between a network of files and a world of files.

    python dying_bot.py points FOLDER            die once at each step of its work, then start again
    python dying_bot.py random FOLDER KILLS SEED  be killed at random moments, again and again

It prints what became of everything, as JSON, and judges nothing. Each life is a forked process: a death is real.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from bot.bridge import Health
from bot.desk.approvals import Approvals
from bot.desk.authority import Action, Authority
from bot.desk.call import Call
from bot.desk.catalogue import Catalogue
from bot.desk.command import Command, Hit, Stakes, command
from bot.desk.desk import Desk
from bot.desk.limits import Limit, Limits
from bot.desk.plans import Plans
from bot.desk.rest import Rest
from bot.fleet.helm import Helm
from bot.fleet.jobs import Jobs
from bot.fleet.maintenance import Maintenance
from bot.fleet.registry import Listed, Registry
from bot.identities import Identities
from bot.intake import Intake
from bot.outgoing import Outgoing
from bot.stop.bell import Bell, Enrolled
from bot.store import Store, audit, inbox, incidents, outbox
from bot.system import System
from bot.words import packed
from bot.words.document import Document, document
from bot.words.message import Message, Place, Post, Standing
from bot.words.people import Account, People, Person, Role
from bot.words.plain import to_plain
from commands.requests import approve
from commands.shutdown import shutdown
from wire.broker import QoS
from wire.envelope import PrivateKey
from wire.messages import ROOT

NETWORK = "chat"
ALL_OF_IT_S = 300.0


class Steps:
    """Counts what is done, and dies before the step that was chosen."""

    def __init__(self, last: int | None) -> None:
        self._last = last
        self._count = itertools.count(1)
        self.names: list[str] = []

    def step(self, name: str) -> None:
        """One more."""
        self.names.append(name)
        if next(self._count) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


class Lines:
    """A file to which whole lines are added. The kernel keeps them when the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, *words: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(words) + "\n")

    def all(self) -> list[list[str]]:
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]


class FileNetwork:
    """A network whose messages lie ready, and which says nothing twice under one key."""

    def __init__(self, folder: Path, steps: Steps) -> None:
        self._said = Lines(folder / "said")
        self._keys = {line[0] for line in self._said.all()}
        self._steps = steps

    def health(self) -> Health:
        return Health(ready=True)

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def send(self, post: Post, *, key: str) -> str:
        self._steps.step("before a send")
        if key not in self._keys:
            self._keys.add(key)
            self._said.add(key, post.reply_to or "", to_plain(post.document))
        self._steps.step("after a send")
        return f"$sent-{key}"


def commands(marks: Lines, steps: Steps) -> tuple[Command, ...]:
    """One that changes something, one that takes two persons, one that reads, and the stop."""

    def mark(call: Call, what: str) -> Document:
        steps.step(f"{what} begins")
        marks.add(call.id, what)
        steps.step(f"{what} ends")
        return document(f"{what} done")

    @command("mark", role=Role.OPERATOR, action=Action.RUN, summary="Leave a mark")
    async def one(call: Call) -> Document:
        return mark(call, "mark")

    async def at_stake(_: Call) -> Stakes:
        return Stakes((Hit("tower", "stands"),))

    @command("fire", role=Role.OPERATOR, action=Action.RUN, two_persons=True, preview=at_stake, summary="Fire")
    async def two(call: Call) -> Document:
        return mark(call, "fire")

    @command("look", role=Role.VIEWER, summary="Look")
    async def look(_: Call) -> Document:
        steps.step("look")
        return document("look done")

    return (one, two, look, approve, shutdown)


def die_around_commits(store: Store, steps: Steps) -> asyncio.Event:
    """A step before each commit and one behind it, in the writer's own thread. What this returns is set by each."""
    committed, loop = asyncio.Event(), asyncio.get_running_loop()
    commit: Callable[[list[object]], None] = store._commit  # pyright: ignore[reportPrivateUsage, reportAssignmentType] - to die in its midst

    def dying(batch: list[object]) -> None:
        steps.step("before a commit")
        commit(batch)
        steps.step("after a commit")
        loop.call_soon_threadsafe(committed.set)

    store._commit = dying  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    return committed


def message(number: int, text: str, account: str) -> Message:
    return Message(
        place=Place(NETWORK, "room"),
        account=Account(NETWORK, account),
        event=f"$event{number}",
        text=text,
        standing=Standing.ATTESTED,
        device="PHONE",
        sent_ms=1,
        age_s=0.0,
    )


async def live(folder: Path, batches: Sequence[Sequence[tuple[str, str]]], steps: Steps) -> None:
    """One life: take what lies ready behind the cursor, and end when all is done and said."""
    people = People(
        tuple(Person(name, Role.OPERATOR, frozenset({Account(NETWORK, name)})) for name in ("olga", "otto"))
    )
    enrolled = {"walker": Enrolled(PrivateKey(b"walker".ljust(32, b".")).public, frozenset())}
    stops = Lines(folder / "stops")

    async def publish(topic: str, payload: bytes, *, qos: QoS = 0, retain: bool = False) -> None:  # noqa: ARG001 - the interface
        stops.add(topic, payload.decode())

    async with Store.opened(folder / "tocsin.db") as store:
        committed = die_around_commits(store, steps)
        network = FileNetwork(folder, steps)
        out = Outgoing(NETWORK, network, store)
        bell = Bell(store, PrivateKey(b"bot".ljust(32, b".")), ROOT, enrolled, publish=publish, queued=out.wake)
        approvals = Approvals(store, queued=out.wake)
        system = System(
            catalogue=Catalogue(commands(Lines(folder / "marks"), steps)),
            registry=(registry := Registry({name: Listed(each.groups) for name, each in enrolled.items()})),
            maintenance=Maintenance(store, registry.groups_of),
            jobs=Jobs(store, bell, registry, ROOT, "tocsin", publish=publish, queued=out.wake),
            helm=Helm(store, people, queued=out.wake),
            plans=Plans(store, people, queued=out.wake),
            bell=bell,
            store=store,
            people=people,
            identities=Identities(store, people),
            authority=Authority(),
            approvals=approvals,
            rest=Rest(),
            ways_out={NETWORK: out},
            file_sets=lambda _: False,
        )
        plenty = Limit(1_000_000, 1_000.0)
        desk = Desk(system, queued=out.wake, limits=Limits(plenty, plenty, plenty, plenty, plenty))
        intake = Intake(NETWORK, store, desk, approvals, system.plans, queued=out.wake)
        parts = [asyncio.create_task(bell.run())]
        await bell.ready.wait()
        parts += [asyncio.create_task(desk.run()), asyncio.create_task(out.run())]
        async with asyncio.timeout(ALL_OF_IT_S):
            taken = int(await intake.cursor() or 0)
            numbers = itertools.count(sum(len(batch) for batch in batches[:taken]))
            for cursor, batch in enumerate(batches[taken:], start=taken + 1):
                await settled(store, committed)
                ready = [(next(numbers), *each) for each in batch]
                texts = [(number, await with_code(store, text), who) for number, text, who in ready]
                steps.step("before a batch")
                await intake.accept([message(*each) for each in texts], cursor=str(cursor))
                steps.step("after a batch")
            await settled(store, committed)
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)


async def with_code(store: Store, text: str) -> str:
    """`!approve` is for the request that was made last."""
    if text != "!approve":
        return text
    row = await store.read(lambda tx: tx.execute("SELECT code FROM request ORDER BY made DESC LIMIT 1").fetchone())
    return f"!approve {row[0] if row else 'NONE'}"


async def settled(store: Store, committed: asyncio.Event) -> None:
    """Everything is dealt with, and said. Only a commit can make it so."""
    while True:
        committed.clear()
        if await store.read(lambda tx: (inbox.open_rows(tx), outbox.waiting_at(tx))) == ([], []):
            return
        await committed.wait()


def life(folder: Path, batches: Sequence[Sequence[tuple[str, str]]], last: int | None) -> int:
    """Fork a life. Returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    with contextlib.suppress(BaseException):
        steps = Steps(last)
        asyncio.run(live(folder, batches, steps))
        (folder / "steps").write_text(json.dumps(steps.names), encoding="utf-8")
        code = 0
    os._exit(code)


def ended(pid: int) -> int:
    """How it ended: 0, or the signal that killed it, negative."""
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


@dataclasses.dataclass(frozen=True)
class Life:
    """What there is to see at the end of all lives in a folder."""

    ends: list[int]
    step: str
    marks: list[list[str]]
    said: list[list[str]]
    stops: list[str]
    outcomes: list[list[str]]
    incidents: int


async def seen(folder: Path, ends: list[int], step: str) -> Life:
    async with Store.opened(folder / "tocsin.db") as store:
        entries = await store.read(audit.everything)
        rows = await store.read(incidents.all_incidents)
    records = [entry.all for entry in entries]
    return Life(
        ends=ends,
        step=step,
        marks=Lines(folder / "marks").all(),
        said=Lines(folder / "said").all(),
        stops=sorted({payload for _, payload in Lines(folder / "stops").all()}),
        outcomes=[
            [str(each[name]) for name in ("id", "event", "result")] for each in records if each["kind"] == "outcome"
        ],
        incidents=len(rows),
    )


def points(folder: Path) -> list[Life]:
    """Die at each step, one after the other, until a life is long enough to see no death."""
    batches = [
        [("!look", "olga"), ("!mark", "olga")],
        [("!shutdown all", "olga")],
        [("!fire", "olga")],
        [("!approve", "otto")],
    ]
    lives: list[Life] = []
    names: list[str] = []
    for last in itertools.count(1):
        own = folder / str(last)
        own.mkdir()
        first = ended(life(own, batches, last))
        second = ended(life(own, batches, None)) if first else 0
        if not names:
            whole = folder / "whole"
            whole.mkdir()
            ended(life(whole, batches, None))
            names = json.loads((whole / "steps").read_text(encoding="utf-8"))
        step = names[last - 1] if last <= len(names) else "the end"
        lives.append(asyncio.run(seen(own, [first, second], f"{last}: {step}")))
        if first == 0:
            return lives
    raise AssertionError


def at_random(folder: Path, kills: int, seed: int) -> list[Life]:
    """Kill lives at random moments of a long day."""
    dice = random.Random(seed)
    kinds = ("!look", "!mark", "!mark", "!shutdown all")
    batches = [[(dice.choice(kinds), "olga") for _ in range(dice.randint(1, 12))] for _ in range(kills * 30)]
    ends: list[int] = []
    while ends.count(-signal.SIGKILL) < kills and 0 not in ends:
        pid = life(folder, batches, None)
        time.sleep(dice.uniform(0.01, 0.3))  # a moment of its life; nothing is awaited
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        ends.append(ended(pid))
    ends.append(ended(life(folder, batches, None)))
    return [asyncio.run(seen(folder, ends, f"{len(batches)} batches"))]


def main(how: str, folder: str, *rest: str) -> None:
    """Do it, and print it. What the bot logs goes elsewhere."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    packed.load(packed.dump(document("")))  # what this builds once, each life would build anew
    lives = points(Path(folder)) if how == "points" else at_random(Path(folder), int(rest[0]), int(rest[1]))
    print(json.dumps([dataclasses.asdict(each) for each in lives]))  # noqa: T201 - this is what it is for


if __name__ == "__main__":
    main(*sys.argv[1:])
