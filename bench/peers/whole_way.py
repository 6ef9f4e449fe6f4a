"""Ours: the whole way of a command, from a message as the inbox holds it to the answer as Matrix takes it.

The words are parsed and typed, the person and their right looked up, age and limits checked, the command run within its
time, the outcome recorded in a database in memory, and the answer rendered twice. It leaves out the disk and no more.
"""

import asyncio
import contextlib
import itertools
import sqlite3
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from bench.peers.watch import Watch
from bot.desk.approvals import Approvals
from bot.desk.authority import Authority
from bot.desk.call import Call
from bot.desk.catalogue import Catalogue
from bot.desk.command import Command, command
from bot.desk.limits import Limit, Limits
from bot.desk.plans import Plans
from bot.desk.rest import Rest
from bot.desk.way import Way
from bot.fleet.helm import Helm
from bot.fleet.jobs import Jobs
from bot.fleet.maintenance import Maintenance
from bot.fleet.registry import Registry
from bot.identities import Identities
from bot.stop.bell import Bell
from bot.store import Store
from bot.store.inbox import Received
from bot.store.schema import migrate
from bot.system import System
from bot.words.document import Document, document, mono, strong, text
from bot.words.html import to_html
from bot.words.message import Message, Place, Standing
from bot.words.people import Account, People, Person, Role
from bot.words.plain import to_plain
from wire.broker import QoS
from wire.envelope import PrivateKey
from wire.messages import ROOT

ANNA = Account("matrix", "@anna:example.org")
OPS = Place("matrix", "!ops:example.org")


def numbered(name: str, watch: Watch) -> Command:
    """One of many commands, with a word, a number and a flag."""

    @command(name, role=Role.OPERATOR, summary="Answer in one sentence")
    async def handler(call: Call, target: str, count: int = 1, *, deep: bool = False) -> Document:
        watch.called += 1
        return document(
            text(strong(name), " took ", mono(target), f" {count} times for {call.person.name}", " deeply" * deep)
        )

    return handler


@contextlib.asynccontextmanager
async def running(commands: tuple[Command, ...]) -> AsyncGenerator[System]:
    """The real parts of a bot that the way of a command goes through."""

    async def publish(topic: str, payload: bytes, *, qos: QoS = 0, retain: bool = False) -> None:
        raise AssertionError(f"nothing here is said on {topic}: {payload!r} {qos} {retain}")

    with tempfile.TemporaryDirectory() as folder:
        async with Store.opened(Path(folder) / "tocsin.db") as store:
            bell = Bell(store, PrivateKey(bytes(32)), ROOT, {}, publish=publish, queued=lambda: None)
            ringing = asyncio.create_task(bell.run())
            await bell.ready.wait()
            yield System(
                catalogue=Catalogue(commands),
                registry=(registry := Registry({})),
                maintenance=Maintenance(store, registry.groups_of),
                jobs=Jobs(store, bell, registry, ROOT, "tocsin", publish=publish, queued=lambda: None),
                helm=Helm(store, People(), queued=lambda: None),
                plans=Plans(store, People(), queued=lambda: None),
                bell=bell,
                store=store,
                people=People((Person("anna", Role.OPERATOR, frozenset({ANNA})),)),
                identities=Identities(store, People()),
                authority=Authority(),
                approvals=Approvals(store, queued=lambda: None),
                rest=Rest(),
                ways_out={},
                alarms=(),
                file_sets=lambda _: False,
            )
            ringing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ringing


def received(row: int, words: str) -> Received:
    """A message as the inbox hands it over."""
    now = time.time()
    message = Message(OPS, ANNA, f"$said-{row}", words, Standing.ATTESTED, "PHONE", round(now * 1000), 0.1)
    return Received(row, message, now, running=False, edited=False)


async def measure(watch: Watch) -> None:
    """Call each command with three arguments, each in a task of its own, as the desk does."""
    endless = Limit(10**9, 10.0**9)
    record = sqlite3.connect(":memory:", isolation_level=None)
    migrate(record)
    record.execute("BEGIN")
    rows = itertools.count(1)
    lines = [f"!{name} alpha 1e3 --deep" for name in watch.names]
    async with running(tuple(numbered(name, watch) for name in watch.names)) as system:
        way = Way(system, limits=Limits(person=endless, place=endless))
        while watch.goes_on():
            for line in lines:
                taken = received(next(rows), line)
                outcome = await asyncio.create_task(way.take(taken))
                outcome.record(record, taken)
                if outcome.result != "done" or outcome.answer is None:
                    raise SystemExit(f"{line} came to {outcome.result!r}.")
                to_html(outcome.answer)
                to_plain(outcome.answer)
    watch.report()


asyncio.run(measure(Watch("ours")))
