"""Talk through inbox, channel and outbox, beside bare inserts of the same rows, on the disk that the code lies on.

A message counts when its copy is queued: what the network it goes to makes of it is not measured here.
"""

import asyncio
import contextlib
import itertools
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from time import perf_counter

from bot.channels import Channel, Channels
from bot.desk.desk import Desk
from bot.intake import Intake
from bot.store import Store, schema
from bot.words.message import Message, Place, Standing
from bot.words.people import Account, People, Person, Role
from tests.unit.office import office

BATCH = 64
BATCHES = 60
"""Of each network. So many that less waits at a place than a channel lets wait."""
STANDINGS = {"matrix": Standing.ATTESTED, "zulip": Standing.NAMED}
CHANNELS = tuple(
    Channel(
        f"lab-{number}",
        (Place("matrix", f"!lab-{number}:example.org"), Place("zulip", f"4/lab {number}")),
        share_encrypted=True,
    )
    for number in range(8)
)
PEOPLE = People(
    tuple(
        Person(name, Role.OPERATOR, frozenset(Account(network, f"{name}@example.org") for network in STANDINGS))
        for name in ("olga", "otto")
    )
)
TABLES = ("inbox", "outbox")


async def ours(path: Path) -> float:
    """Messages a second, as two bridges hand them in: the next batch when the last one is on disk."""
    batches = {network: [*_batches(network)] for network in STANDINGS}
    async with Store.opened(path) as store, office(store, PEOPLE) as there:
        system, desk = there.system, Desk(there.system, queued=_nobody)
        channels = Channels(CHANNELS, PEOPLE, is_encrypted=lambda _: False, clock=_unlimited())
        intakes = {
            network: Intake(network, store, desk, system.approvals, system.plans, queued=_nobody, channels=channels)
            for network in STANDINGS
        }
        start = perf_counter()
        await asyncio.gather(*(_hand_in(intakes[network], batches[network]) for network in STANDINGS))
        took = perf_counter() - start
        (queued,) = await store.read(lambda tx: tx.execute("SELECT count(*) FROM outbox").fetchone())
    if queued != len(STANDINGS) * BATCHES * BATCH:
        raise SystemExit(f"{queued} copies are queued, and not as many as there are messages.")
    return queued / took


async def _hand_in(intake: Intake, batches: list[list[Message]]) -> None:
    for batch in batches:
        await intake.accept(batch, cursor=batch[-1].event)


def bare(model: Path, path: Path) -> float:
    """What lies in the tables of a model, inserted bare, a batch in one commit."""
    with _database(model) as other:
        rows = {name: other.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in TABLES}  # noqa: S608 - our own names
    into = {name: f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[name][0]))})" for name in TABLES}  # noqa: S608 - our own names
    count = len(rows["inbox"])
    with _database(path) as database:
        start = perf_counter()
        for first in range(0, count, BATCH):
            database.execute("BEGIN IMMEDIATE")
            for name in TABLES:
                database.executemany(into[name], rows[name][first : first + BATCH])
            database.execute("COMMIT")
        return count / (perf_counter() - start)


@contextlib.contextmanager
def _database(path: Path) -> Generator[sqlite3.Connection]:
    """Plain sqlite3, with the same tables and the same pragmas as the store's."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            database.execute(f"PRAGMA {pragma}")
        schema.migrate(database)
        yield database


def _batches(network: str) -> Iterator[list[Message]]:
    """Each from all places in turn."""
    numbers = itertools.count()
    for _ in range(BATCHES):
        yield [_message(network, number) for number in itertools.islice(numbers, BATCH)]


def _message(network: str, number: int) -> Message:
    place = next(each for each in CHANNELS[number % len(CHANNELS)].places if each.network == network)
    return Message(
        place=place,
        account=Account(network, f"{('olga', 'otto')[number // len(CHANNELS) % 2]}@example.org"),
        event=f"${network}-{number:040}",
        text=f"The lamp at bench {number} is on, and somebody has left the door open again.",
        standing=STANDINGS[network],
        device="PHONE",
        sent_ms=time.time_ns() // 1_000_000,
        age_s=0.1,
    )


def _unlimited() -> Callable[[], float]:
    """A clock by which so much time goes by between two messages that no limit is ever reached."""
    return itertools.count(step=3600.0).__next__


def _nobody() -> None:
    """Nobody waits for what is queued."""
