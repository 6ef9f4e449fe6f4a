"""One pass over the record: each entry hashed, and what is kept beside the entries compared. It judges nothing."""

import contextlib
import dataclasses
import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from bot.audit.errors import BadNote, Unsigned
from bot.audit.merkle import EMPTY_ROOT, HASH_LENGTH, leaf_hashes
from bot.audit.note import VerifierKey, open_note
from bot.audit.recount import Recount
from bot.audit.tiles import WIDTH, Tile, cut, row_above
from bot.record.verdict import Finding, State
from bot.store import Tx, evidence
from bot.store.evidence import Damaged, KeptCheckpoint
from bot.words.errors import StoreError

BLOCKS_BETWEEN_NEWS = 16
_KEEP_IT = "Keep the file as it is, and compare it with a backup."

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Is told how many entries were read, and of about how many."""


class Signed(enum.Enum):
    """What a signature is worth."""

    TRULY = enum.auto()
    FALSELY = enum.auto()
    BY_UNKNOWN = enum.auto()


@dataclasses.dataclass(slots=True)
class Facts:
    """What the pass has seen."""

    findings: list[Finding] = dataclasses.field(default_factory=list[Finding])
    """What could not be read, and where the entries ended before their end."""
    cut_short: bool = False
    """The entries ended before their end, for a reason that is among the findings."""
    size: int = 0
    root: bytes = EMPTY_ROOT
    edge: tuple[bytes, ...] = ()
    head: KeptCheckpoint | None = None
    """The newest checkpoint."""
    head_fits: bool = False
    """Its root is that of the entries."""
    mismatched: dict[Signed, KeptCheckpoint] = dataclasses.field(default_factory=dict[Signed, KeptCheckpoint])
    """The first checkpoint, by what its signature is worth, whose root is not that of the entries."""
    badly_signed: dict[Signed, int] = dataclasses.field(default_factory=dict[Signed, int])
    """The size of the first checkpoint with such a signature. Only where all were looked at."""
    unlike_kept: int | None = None
    """The first entry whose hash is not the one that is kept in a tile."""
    odd_tile: str | None = None
    """The first tile that is missing, is not there in such a tree, or does not fit the tiles below it."""
    hashes_up_to: int = 0
    """Tiles hold hashes of this many entries."""
    roots: dict[int, bytes] = dataclasses.field(default_factory=dict[int, bytes])
    """The roots at the sizes that were asked for and that were come by."""


class Pass:
    """Goes through the record once."""

    def __init__(
        self, tx: Tx, origin: str, keys: Sequence[VerifierKey], *, lacking: frozenset[str], all_signatures: bool
    ) -> None:
        self.facts = Facts()
        self._tx = tx
        self._origin = origin
        self._keys = keys
        self._all_signatures = all_signatures
        self._lacking = lacking
        self._tiles = self._readable("tile", "tiles", evidence.lowest_tiles)
        self._tile = next(self._tiles, None)
        self._checkpoints = self._readable("checkpoint", "checkpoints", evidence.checkpoints)
        self._checkpoint = next(self._checkpoints, None)
        self._count = Recount()

    def run(self, sizes: Iterable[int], progress: Progress) -> Facts:
        """All of it. The roots at these sizes are noted."""
        facts, count = self.facts, self._count
        asked = sorted(set(sizes), reverse=True)
        about = 0 if "audit" in self._lacking else self._expected()
        for number, rows in enumerate(self._readable("audit", "entries", evidence.blocks)):
            leaves = self._sound_leaves(rows, count.size + 1)
            if leaves:
                count.add(leaves)
                self._compare_hashes(number, leaves)
                self._compare_checkpoints()
                while asked and asked[-1] <= count.size:
                    size = asked.pop()
                    facts.roots[size] = count.root(size)
            if facts.cut_short:
                break
            if number % BLOCKS_BETWEEN_NEWS == 0:
                progress(count.size, max(about, count.size))
        facts.size, facts.root, facts.edge = count.size, count.root(count.size), count.edge(count.size)
        progress(facts.size, facts.size)
        self._look_at_what_is_left()
        return facts

    def signed(self, checkpoint: KeptCheckpoint) -> Signed:
        """What the signature of a kept checkpoint is worth."""
        try:
            _, signers = open_note(checkpoint.note(self._origin), *self._keys)
        except Unsigned:
            return Signed.BY_UNKNOWN
        except BadNote:
            return Signed.FALSELY
        # A record is signed in its own name. Whoever has the key of another record signs nothing here.
        return Signed.TRULY if any(key.name == self._origin for key in signers) else Signed.FALSELY

    def _expected(self) -> int:
        try:
            return evidence.highest_number(self._tx)
        except StoreError:
            return 0  # the pass itself comes to what is wrong, and tells where

    def _readable(self, table: str, rows_are: str, read: Callable[[Tx], Iterator[T]]) -> Iterator[T]:
        """What can be read of a table. What ends it too early is noted."""
        if table in self._lacking:
            return
        seen = 0
        try:
            for row in read(self._tx):
                yield row
                seen += 1
        except StoreError as error:
            place = f"behind entry {self._count.size:,}" if table == "audit" else "from some place on"
            state = State.ALTERED if isinstance(error, Damaged) else State.INCOMPLETE
            self.facts.findings.append(
                Finding(state, f"The {rows_are} cannot be read {place}. {error.what}", error.hint)
            )
            self.facts.cut_short |= table == "audit"

    def _sound_leaves(self, rows: Sequence[tuple[object, object]], first: int) -> list[bytes]:
        """The hashes of the entries up to where one is missing or is none."""
        if [number for number, _ in rows] == list(range(first, first + len(rows))):
            with contextlib.suppress(TypeError):  # what is no bytes has no hash
                return leaf_hashes([entry for _, entry in rows])  # pyright: ignore[reportArgumentType]
        sound: list[bytes] = []
        for expected, (number, entry) in enumerate(rows, start=first):
            if number != expected:
                self._end(f"Entry {expected:,} is missing: {_quoted(number)} follows on {expected - 1:,}.")
                break
            if not isinstance(entry, bytes):
                self._end(f"Entry {expected:,} is no entry: it has another type.")
                break
            sound.append(entry)
        return leaf_hashes(sound)

    def _end(self, what: str) -> None:
        self.facts.cut_short = True
        self.facts.findings.append(Finding(State.ALTERED, f"{what} Nothing behind it was checked.", _KEEP_IT))

    def _compare_hashes(self, number: int, leaves: Sequence[bytes]) -> None:
        """Compare a tile's worth with the tile that is kept of it."""
        kept = self._kept_tile(number)
        if kept is None:
            if len(leaves) == WIDTH:
                self._odd(str(Tile(0, number)))
            return
        joined = b"".join(leaves)
        if kept == joined or self.facts.unlike_kept is not None:
            return
        for place, leaf in enumerate(leaves):
            if kept[place * HASH_LENGTH :][:HASH_LENGTH] != leaf:
                self.facts.unlike_kept = number * WIDTH + place + 1
                return

    def _kept_tile(self, number: int) -> bytes | None:
        """The kept tile of this number. They come in order, so those before it do not belong there."""
        while self._tile is not None:
            found, hashes = self._tile
            if not isinstance(found, int) or found < number:
                self._odd(f"tile/0/{_quoted(found)}")
            elif found > number:
                return None
            else:
                self._tile = next(self._tiles, None)
                if isinstance(hashes, bytes) and len(hashes) == WIDTH * HASH_LENGTH:
                    self.facts.hashes_up_to = (number + 1) * WIDTH
                    return hashes
                self._odd(str(Tile(0, number)))
                return None
            self._tile = next(self._tiles, None)
        return None

    def _compare_checkpoints(self) -> None:
        """Compare the checkpoints within what was just counted."""
        while self._checkpoint is not None and self._checkpoint.size <= self._count.size:
            kept, self._checkpoint = self._checkpoint, next(self._checkpoints, None)
            is_in_order = kept.size > (self.facts.head.size if self.facts.head else 0)
            fits = is_in_order and kept.root == self._count.root(kept.size)
            if is_in_order:
                self.facts.head, self.facts.head_fits = kept, fits
            self._note(kept, fits=fits)

    def _note(self, kept: KeptCheckpoint, *, fits: bool) -> None:
        facts = self.facts
        explained = fits or Signed.TRULY in facts.mismatched  # what follows on a true mismatch does not fit either
        if explained and not self._all_signatures:
            return
        worth = self.signed(kept)
        if not explained:
            facts.mismatched.setdefault(worth, kept)
        if worth is not Signed.TRULY:
            facts.badly_signed.setdefault(worth, kept.size)

    def _look_at_what_is_left(self) -> None:
        """What is kept of entries that are not there, and the tiles above the lowest level."""
        facts = self.facts
        while self._checkpoint is not None:
            if facts.head is None or self._checkpoint.size > facts.head.size:
                facts.head, facts.head_fits = self._checkpoint, False
            if self._all_signatures and (worth := self.signed(self._checkpoint)) is not Signed.TRULY:
                facts.badly_signed.setdefault(worth, self._checkpoint.size)
            self._checkpoint = next(self._checkpoints, None)
        while self._tile is not None:
            number, hashes = self._tile
            if isinstance(number, int) and number >= 0 and isinstance(hashes, bytes):
                facts.hashes_up_to = max(facts.hashes_up_to, number * WIDTH + len(hashes) // HASH_LENGTH)
            self._tile = next(self._tiles, None)
        if not facts.cut_short and facts.hashes_up_to <= facts.size:
            self._compare_higher_tiles()

    def _compare_higher_tiles(self) -> None:
        expected: dict[tuple[object, object], bytes] = {}
        level, row = 1, self._count.tile_roots
        while row:
            expected |= {(level, tile.index): content for tile, content in cut(level, row)}
            level, row = level + 1, row_above(row)
        for level, number, hashes in self._readable("tile", "tiles", evidence.higher_tiles):
            if expected.pop((level, number), None) != hashes:
                self._odd(f"tile/{_quoted(level)}/{_quoted(number)}")
        for level, number in expected:
            self._odd(f"tile/{level}/{number}")

    def _odd(self, tile: str) -> None:
        self.facts.odd_tile = self.facts.odd_tile or tile


def _quoted(number: object) -> str:
    """A number as it stands in a table, where anything may stand."""
    return f"{number:,}" if isinstance(number, int) else "something else"
