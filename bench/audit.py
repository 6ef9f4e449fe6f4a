"""The record: what its tree and its signatures cost beside bare inserts, and how long it takes to check and to prove.

It works in a folder beside the code, on the disk that is really there.
"""

import asyncio
import functools
import hashlib
import itertools
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.measure import Row, in_turn
from bot.audit.merkle import leaf_hash
from bot.audit.note import Checkpoint, Signer, open_note
from bot.audit.proofs import check_inclusion, prove_inclusion
from bot.store import Store, Tx, audit, schema, tree
from wire.envelope import PrivateKey

GROUP = 64
GROUPS = 200
COMMITS = 400
RUNS = 5
ENTRIES = 1_000_000
PROOFS = 200
AT_LEAST = 0.5
MOST_TIMES = 2.0
MOST_MB = 300
MOST_MS = 1.0
SIGNER = Signer("bench/record", PrivateKey(bytes(range(32))))
CHECK = """
import resource, sys
from pathlib import Path
from time import perf_counter
from bot.audit.note import VerifierKey
from bot.record.verdict import State
from bot.record.verifying import verify
path, key, note = Path(sys.argv[1]), VerifierKey.parse(sys.argv[2]), Path(sys.argv[3]).read_bytes()
start = perf_counter()
verdict = verify(path, [key], [note])
took = perf_counter() - start
assert verdict.state is State.INTACT, verdict
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def run() -> list[Row]:
    """Append, commit, check, prove."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path(__file__).parents[1]) as folder:
        fresh = (Path(folder, f"{number}.db") for number in itertools.count())
        groups = in_turn(
            lambda: _appended(next(fresh), GROUP, GROUPS, seal=True),
            lambda: _appended(next(fresh), GROUP, GROUPS, seal=False),
            runs=RUNS,
        )
        commits = in_turn(
            lambda: 1000 / _appended(next(fresh), 1, COMMITS, seal=True),
            lambda: 1000 / _appended(next(fresh), 1, COMMITS, seal=False),
            runs=RUNS,
        )
        recorded = in_turn(
            lambda: asyncio.run(_recorded(next(fresh))),
            lambda: 1000 / _appended(next(fresh), 1, COMMITS, seal=False),
            runs=RUNS,
        )
        large = next(fresh)
        note = _filled(large)
        megabytes: list[float] = []
        checks = in_turn(lambda: _checked(large, note, megabytes), lambda: _hashed(large), runs=RUNS)
        proof = _proven(large)
    return [
        Row(
            name="groups of 64",
            ours=groups.ours,
            reference=groups.reference,
            what=f"entries/s with tree, tiles and a signed checkpoint for each group; reference: the same bytes, bare,"
            f" {GROUP} in a commit, with the same pragmas",
            ratio=groups.ratio,
            goal=f"at least {AT_LEAST}",
            holds=groups.ratio >= AT_LEAST,
        ),
        Row(
            name="one a commit",
            ours=commits.ours,
            reference=commits.reference,
            what="ms for one entry, its tree and its signed checkpoint in a commit; reference: the same bytes, bare",
            ratio=commits.ratio,
            goal=f"at most {MOST_TIMES:.0f} times",
            holds=commits.ratio <= MOST_TIMES,
        ),
        Row(
            name="recording",
            ours=recorded.ours,
            reference=recorded.reference,
            what="ms for the same as the bot does it: an entry is formed, somebody's name put into a box, and the store"
            " confirms it to the event loop; reference: a bare insert and commit",
            ratio=recorded.ratio,
            goal=f"at most {MOST_TIMES:.0f} times",
            holds=recorded.ratio <= MOST_TIMES,
        ),
        Row(
            name="checking",
            ours=checks.ours,
            reference=checks.reference,
            what=f"s for {ENTRIES:,} entries with {ENTRIES // GROUP:,} checkpoints, against head and"
            " witness; reference: two SHA-256 calls an entry and nothing else",
            ratio=checks.ratio,
            goal=f"at most {MOST_TIMES:.0f} times",
            holds=checks.ratio <= MOST_TIMES,
        ),
        Row(
            name="memory of it",
            ours=max(megabytes),
            reference=MOST_MB,
            what="MB, the whole process at its largest; reference: what it may take",
            ratio=max(megabytes) / MOST_MB,
            goal="at most 1",
            holds=max(megabytes) <= MOST_MB,
        ),
        Row(
            name="a proof",
            ours=proof,
            reference=MOST_MS,
            what=f"ms for the path of one of {ENTRIES:,} entries; reference: what it may take",
            ratio=proof / MOST_MS,
            goal="at most 1",
            holds=proof <= MOST_MS,
        ),
    ]


def _entry(number: int) -> bytes:
    return audit.form({"kind": "outcome", "id": f"{number:032x}", "result": "done", "pad": "x" * 320})


def _database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    schema.migrate(database)
    return database


def _appended(path: Path, group: int, groups: int, *, seal: bool) -> float:
    """Entries a second."""
    database = _database(path)
    sealing: Callable[[Tx], None] = tree.Seal(SIGNER) if seal else lambda _: None
    entries = [[_entry(first + number) for number in range(group)] for first in range(0, group * groups, group)]
    start = perf_counter()
    for each in entries:
        database.execute("BEGIN IMMEDIATE")
        for entry in each:
            database.execute("INSERT INTO audit (entry) VALUES (?)", (entry,))
        sealing(database)
        database.execute("COMMIT")
    took = perf_counter() - start
    database.close()
    return group * groups / took


async def _recorded(path: Path) -> float:
    """Milliseconds a commit, as the bot records an outcome."""
    async with Store.opened(path) as store:
        store.seal_with(tree.Seal(SIGNER))
        who = audit.about("olga", person="olga", account="matrix:@olga:example.org", event="$" + "x" * 43)
        work = functools.partial(_record, who)
        await store.write(work)
        start = perf_counter()
        for _ in range(COMMITS):
            await store.write(work)
        return (perf_counter() - start) / COMMITS * 1000


def _record(who: audit.About, tx: Tx) -> None:
    audit.record(tx, "outcome", who, id="1" * 32, command="status", standing="attested", result="done")


def _filled(path: Path) -> Path:
    """A large record, and its newest checkpoint in a file, as a witness has it."""
    database = _database(path)
    database.execute("PRAGMA synchronous = OFF")
    seal = tree.Seal(SIGNER)
    for first in range(0, ENTRIES, GROUP):
        database.execute("BEGIN")
        several = ((_entry(number),) for number in range(first, min(first + GROUP, ENTRIES)))
        database.executemany("INSERT INTO audit (entry) VALUES (?)", several)
        seal(database)
        database.execute("COMMIT")
    note = path.with_suffix(".note")
    note.write_bytes(tree.newest_note(database) or b"")
    database.close()
    return note


def _checked(path: Path, note: Path, megabytes: list[float]) -> float:
    """In a process of its own, as `tocsin audit verify` is."""
    words = [sys.executable, "-c", CHECK, str(path), str(SIGNER.verifier), str(note)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ})  # noqa: S603 - our own
    took, memory = done.stdout.split()
    megabytes.append(float(memory))
    return float(took)


def _hashed(path: Path) -> float:
    """The same entries, each hashed once, and as many nodes above them."""
    database = sqlite3.connect(path)
    entries = [entry for (entry,) in database.execute("SELECT entry FROM audit LIMIT 100000")]
    database.close()
    node, sha256 = bytes(65), hashlib.sha256
    start = perf_counter()
    for _ in range(ENTRIES // len(entries)):
        for entry in entries:
            sha256(entry).digest()
            sha256(node).digest()
    return perf_counter() - start


def _proven(path: Path) -> float:
    """Milliseconds for a path, the median of many all over the record. Each is checked."""
    database = sqlite3.connect(path)
    head = Checkpoint.parse(open_note(tree.newest_note(database) or b"", SIGNER.verifier)[0])
    took: list[float] = []
    for index in _all_over(head.size):
        start = perf_counter()
        proof = prove_inclusion(tree.nodes(database, head.size), index, head.size)
        took.append((perf_counter() - start) * 1000)
        entry = tree.entry(database, index + 1) or b""
        check_inclusion(leaf_hash(entry), index, head.size, proof, head.root)
    database.close()
    return median(took)


def _all_over(size: int) -> Iterator[int]:
    yield from range(0, size, size // PROOFS)
    yield size - 1
