"""Commands a second through inbox, outcome and outbox, durable, beside bare inserts of the same bytes.

It never measures on a disk in memory: it works in a folder beside the code, on the disk that is really there.
"""

import asyncio
import base64
import contextlib
import functools
import hashlib
import itertools
import sqlite3
import tempfile
from collections.abc import Generator
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from bench.measure import Row, in_turn
from bot.desk.outcome import said_by
from bot.store import Store, Tx, audit, inbox, outbox, schema
from bot.store.inbox import Received
from bot.words.document import Document, Tone, document, mono, strong, table, text
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account, Person, Role

BATCH = 64
BATCHES = 120
NETWORKS = 2
COMMITS = 500
RUNS = 5
AT_LEAST = 0.5
AT_MOST = 3.0

NETWORK = "matrix"
PLACE = Place(NETWORK, "!operations:example.org")
OLGA = Account(NETWORK, "@olga:example.org")
OLGA_HERSELF = Person("olga", Role.OPERATOR, frozenset({OLGA}))
TABLES = ("inbox", "audit", "outbox")


def run() -> list[Row]:
    """Compare the store with plain sqlite3: in commands a second, and in how long one commit takes."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path(__file__).parents[1]) as folder:
        fresh = (Path(folder, f"{number}.db") for number in itertools.count())
        model = next(fresh)
        asyncio.run(_commands(model))
        commands = in_turn(
            lambda: asyncio.run(_commands(next(fresh))), lambda: _bare_inserts(model, next(fresh)), runs=RUNS
        )
        commits = in_turn(lambda: asyncio.run(_writes(next(fresh))), lambda: _bare_commits(next(fresh)), runs=RUNS)
    return [
        Row(
            name="commands/s",
            ours=commands.ours,
            reference=commands.reference,
            what=f"from {NETWORKS} networks in batches of {BATCH}: accepted, and for each its outcome and an answer of"
            f" five rows; reference: the same rows inserted bare, those of {BATCH} commands in one commit",
            ratio=commands.ratio,
            goal=f"at least {AT_LEAST}",
            holds=commands.ratio >= AT_LEAST,
        ),
        Row(
            name="p99 of a commit",
            ours=commits.ours,
            reference=commits.reference,
            what=f"ms, the slowest in a hundred of {COMMITS} small writes, one at a time; reference: bare commits",
            ratio=commits.ratio,
            goal=f"at most {AT_MOST:.0f}",
            holds=commits.ratio <= AT_MOST,
        ),
    ]


async def _commands(path: Path) -> float:
    """Ours, as in the bot: each network's next batch is accepted while the outcomes of its last one are written."""
    batches = [[_message(batch * BATCH + number) for number in range(BATCH)] for batch in range(BATCHES)]
    answer = _answer()
    async with Store.opened(path) as store:
        start = perf_counter()
        await asyncio.gather(*(_network(store, batches[each::NETWORKS], answer) for each in range(NETWORKS)))
        return BATCH * BATCHES / (perf_counter() - start)


async def _network(store: Store, batches: list[list[Message]], answer: Document) -> None:
    accepted: list[Received] = []
    for batch in [*batches, []]:
        accepting = asyncio.create_task(store.write(functools.partial(_accept, batch)))
        await asyncio.gather(*(store.write(functools.partial(_conclude, each, answer)) for each in accepted))
        accepted = await accepting


def _accept(batch: list[Message], tx: Tx) -> list[Received]:
    return inbox.accept(tx, NETWORK, batch, batch[-1].event if batch else "end")


def _conclude(received: Received, answer: Document, tx: Tx) -> None:
    message = received.message
    inbox.done(tx, received.row)
    audit.record(
        tx,
        "outcome",
        said_by(message, OLGA_HERSELF),
        result="done",
        id=received.id,
        command="status",
        standing=message.standing,
    )
    outbox.queue(tx, Post(message.place, answer, Lane.ANSWER, reply_to=message.event))


def _bare_inserts(model: Path, path: Path) -> float:
    """What lies in the tables of a model, inserted bare: messages by the batch, what follows from each one by one."""
    with _bare(model) as other:
        rows = {name: other.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in TABLES}  # noqa: S608 - our own names
    into = {name: f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[name][0]))})" for name in TABLES}  # noqa: S608 - our own names
    with _bare(path) as database:
        start = perf_counter()
        for first in range(0, BATCH * BATCHES, BATCH):
            database.execute("BEGIN IMMEDIATE")
            group = slice(first, first + BATCH)
            database.executemany(into["inbox"], rows["inbox"][group])
            for entry, post in zip(rows["audit"][group], rows["outbox"][group], strict=True):
                database.execute(into["audit"], entry)
                database.execute(into["outbox"], post)
            database.execute("COMMIT")
        return BATCH * BATCHES / (perf_counter() - start)


async def _writes(path: Path) -> float:
    taken: list[float] = []
    async with Store.opened(path) as store:
        for _ in range(COMMITS):
            start = perf_counter()
            await store.write(_insert)
            taken.append(perf_counter() - start)
    return _p99_ms(taken)


def _bare_commits(path: Path) -> float:
    taken: list[float] = []
    with _bare(path) as database:
        for _ in range(COMMITS):
            start = perf_counter()
            database.execute("BEGIN IMMEDIATE")
            _insert(database)
            database.execute("COMMIT")
            taken.append(perf_counter() - start)
    return _p99_ms(taken)


def _insert(tx: Tx) -> None:
    tx.execute("INSERT INTO audit (entry) VALUES (?)", (b"x" * 300,))


def _p99_ms(taken: list[float]) -> float:
    return quantiles(taken, n=100)[98] * 1000


@contextlib.contextmanager
def _bare(path: Path) -> Generator[sqlite3.Connection]:
    """Plain sqlite3, with the same tables and the same pragmas as the store's."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            database.execute(f"PRAGMA {pragma}")
        schema.migrate(database)
        yield database


def _message(number: int) -> Message:
    return Message(
        place=PLACE,
        account=OLGA,
        event="$" + base64.urlsafe_b64encode(hashlib.sha256(b"%d" % number).digest()).decode().rstrip("="),
        text=f"!status walker-{number}",
        standing=Standing.ATTESTED,
        device="ABCDEFGHIJ",
        sent_ms=1_700_000_000_000 + number,
        age_s=0.25,
    )


def _answer() -> Document:
    rows = ((mono(f"walker-{number}"), strong("ready", Tone.GOOD), "14:02", "30 %", "legs") for number in range(5))
    return document(
        text(strong("5 components"), " can be seen."), table(("id", "state", "since", "load", "groups"), rows)
    )
