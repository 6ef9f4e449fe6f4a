"""The tree over the entries: grown and signed in the commit that adds them, so that no entry is ever without it.

Entries are numbered from 1; in the tree they are counted from 0. Kept are the right edge of the tree, its full tiles
with the partial ones above the lowest level, and a checkpoint for each commit. What is in no full tile yet is made from
the entries.
"""

import dataclasses
from collections.abc import Callable, Iterator

from bot.audit.errors import AuditError
from bot.audit.merkle import HASH_LENGTH, Frontier, leaf_hashes
from bot.audit.note import Checkpoint, Signer
from bot.audit.tiles import WIDTH, Tile, TileNodes, join, row_above
from bot.store.store import Tx


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """What is known of the tree without looking at its entries."""

    origin: str
    """What the log is called, for ever."""
    frontier: Frontier


class _Gap(Exception):
    """The numbers of the entries do not follow each other."""


class Seal:
    """Puts what a transaction has recorded into the tree, and signs what the tree is then."""

    def __init__(self, *signers: Signer, wrong: Callable[[str], None] = lambda _: None) -> None:
        self._signers = signers
        self._wrong = wrong
        """Told why nothing can be sealed. What is recorded is kept all the same: a stop must not wait for it."""

    def __call__(self, tx: Tx) -> None:
        """To be called when all else in a transaction is done."""
        try:
            self._seal(tx)
        except (AuditError, _Gap) as error:
            self._wrong(str(error))

    def _seal(self, tx: Tx) -> None:
        tree = of(tx)
        before = tree.frontier.size if tree else 0
        rows = tx.execute("SELECT seq, entry FROM audit WHERE seq > ? ORDER BY seq", (before,)).fetchall()
        if not rows:
            return
        if rows[0][0] != before + 1 or rows[-1][0] != before + len(rows):
            raise _Gap("an entry is missing")
        origin = tree.origin if tree else self._signers[0].verifier.name
        frontier = tree.frontier if tree else Frontier()
        leaves = leaf_hashes(entry for _, entry in rows)
        frontier.extend(leaves)
        _keep_tiles(tx, before, leaves)
        checkpoint = Checkpoint(origin, frontier.size, frontier.root())
        tx.execute(
            "INSERT INTO checkpoint (size, root, signature) VALUES (?, ?, ?)",
            (checkpoint.size, checkpoint.root, "".join(each.line(str(checkpoint)) for each in self._signers)),
        )
        tx.execute(
            "INSERT INTO tree (id, origin, size, edge) VALUES (1, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET size = excluded.size, edge = excluded.edge",
            (origin, frontier.size, b"".join(frontier.hashes)),
        )


def of(tx: Tx) -> Tree | None:
    """The tree as it stands. Nothing, where nothing was ever sealed. Raises BadTree where it does not fit itself."""
    row = tx.execute("SELECT origin, size, edge FROM tree").fetchone()
    if row is None:
        return None
    origin, size, edge = row
    return Tree(origin, Frontier(size, [edge[at : at + HASH_LENGTH] for at in range(0, len(edge), HASH_LENGTH)]))


def newest_note(tx: Tx) -> bytes | None:
    """The newest checkpoint, as the signed note that it is."""
    return next(notes(tx, newest_first=True), None)


def notes(tx: Tx, *, newest_first: bool = False) -> Iterator[bytes]:
    """All checkpoints, as signed notes."""
    tree = tx.execute("SELECT origin FROM tree").fetchone()
    order = "DESC" if newest_first else "ASC"
    for size, root, signature in tx.execute(f"SELECT size, root, signature FROM checkpoint ORDER BY size {order}"):  # noqa: S608 - our own word
        yield f"{Checkpoint(tree[0], size, root)}\n{signature}".encode()


def last_number(tx: Tx) -> int:
    """The number of the newest entry; 0 where there is none."""
    return tx.execute("SELECT coalesce(max(seq), 0) FROM audit").fetchone()[0]


def entry(tx: Tx, seq: int) -> bytes | None:
    """One entry, as it stands there."""
    row = tx.execute("SELECT entry FROM audit WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else row[0]


def nodes(tx: Tx, size: int) -> TileNodes:
    """The nodes of the tree when it had this many entries."""
    return TileNodes(size, reader(tx))


def reader(tx: Tx) -> Callable[[Tile], bytes]:
    """Gives tiles as they are kept. The lowest one, while it is partial, is made from its entries."""

    def read(tile: Tile) -> bytes:
        kept = _kept(tx, tile.level, tile.index)
        return kept if kept or tile.level else b"".join(_leaves_of(tx, tile.index))

    return read


def _kept(tx: Tx, level: int, number: int) -> bytes:
    row = tx.execute("SELECT hashes FROM tile WHERE level = ? AND number = ?", (level, number)).fetchone()
    return b"" if row is None else row[0]


def _leaves_of(tx: Tx, number: int) -> list[bytes]:
    first = number * WIDTH
    rows = tx.execute("SELECT entry FROM audit WHERE seq > ? AND seq <= ? ORDER BY seq", (first, first + WIDTH))
    return leaf_hashes(entry for (entry,) in rows)


def _keep_tiles(tx: Tx, before: int, leaves: list[bytes]) -> None:
    """Keep each tile of the lowest level that is full now, and what stands above it."""
    after = before + len(leaves)
    for number in range(before // WIDTH, after // WIDTH):
        row = _leaves_of(tx, number) if before > number * WIDTH else leaves[number * WIDTH - before :][:WIDTH]
        tx.execute(
            "INSERT INTO tile (level, number, hashes) VALUES (0, ?, ?)"
            " ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes",
            (number, b"".join(row)),
        )
        level, index = 0, number
        while len(row) == WIDTH:
            level += 1
            above = join([kept]) if (kept := _kept(tx, level, index // WIDTH)) else []
            above += row_above(row)
            index //= WIDTH
            tx.execute(
                "INSERT INTO tile (level, number, hashes) VALUES (?, ?, ?)"
                " ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes",
                (level, index, b"".join(above)),
            )
            row = above
