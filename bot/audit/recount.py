"""A tree counted anew from its leaves, a tile's worth at a time, with its root at every size on the way."""

from collections.abc import Sequence

from bot.audit.errors import BadTree
from bot.audit.merkle import Frontier, fold, parents
from bot.audit.tiles import WIDTH


class Recount:
    """What it keeps does not grow with the leaves, but for the roots of the full tiles."""

    def __init__(self) -> None:
        self.size = 0
        self.tile_roots: list[bytes] = []
        """Of the full tiles of the lowest level, in order: the row above it."""
        self._full = Frontier()
        self._edge_before: tuple[bytes, ...] = ()
        """The edge when the last tile began."""
        self._rows: list[list[bytes]] = []
        """The last tile, level by level."""
        self._start = 0

    def add(self, leaves: Sequence[bytes]) -> None:
        """Put the next leaf hashes at the end: 256 of them each time but the last."""
        if self.size % WIDTH or not 0 < len(leaves) <= WIDTH:
            raise BadTree(f"Leaves are counted anew {WIDTH} at a time, and fewer only at the end.")
        rows = [list(leaves)]
        while len(rows[-1]) > 1:
            rows.append(parents(rows[-1]))
        self._edge_before, self._rows = self._full.hashes, rows
        self._start = self.size
        self.size += len(leaves)
        if len(leaves) == WIDTH:
            self.tile_roots.append(rows[-1][0])
            self._full.add(rows[-1][0])

    def edge(self, size: int) -> tuple[bytes, ...]:
        """The perfect subtrees of the tree when it had this many leaves, which is a size within the last tile."""
        rest = size - self._start
        if not 0 <= rest <= self.size - self._start:
            raise BadTree(f"The edge of a tree of {size} leaves is asked for when it has gone by, or not yet come.")
        if rest == WIDTH:
            return self._full.hashes
        peaks, first = list(self._edge_before), 0
        for level in range(rest.bit_length() - 1, -1, -1):
            if rest >> level & 1:
                peaks.append(self._rows[level][first >> level])
                first += 1 << level
        return tuple(peaks)

    def root(self, size: int) -> bytes:
        """The root of that tree."""
        return fold(self.edge(size))
