"""The torus and its damage: one bit for each cell, set where the cell is damaged. Its sides are powers of two.

Bits count from the lowest of a word, and bytes, too: it is made for machines that keep them so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from components.swarm.kernels import CHANCE_DIGITS, Words, scatter, spoil

LEAST_LOG2, MOST_LOG2 = 6, 13
PATTERNS = ("uniform", "disc", "stripes", "clusters", "checker")
STRIPES = 8
CLUSTERS = 24
BYTE = 8

Places: TypeAlias = NDArray[np.float64]
Inside = Callable[[Places, Places], NDArray[np.bool_]]
"""Which cells are meant, by where they lie from left to right and from top to bottom, both from 0 to 1."""


@dataclass(slots=True)
class Lattice:
    """Damaged cells of a torus."""

    log2: int
    words: Words

    @classmethod
    def whole(cls, size: int) -> "Lattice":
        """One of this side without damage. Raises ValueError where it cannot be."""
        log2 = size.bit_length() - 1
        if size != 1 << log2 or not LEAST_LOG2 <= log2 <= MOST_LOG2:
            raise ValueError(f"size must be a power of two from {1 << LEAST_LOG2} to {1 << MOST_LOG2}, not {size}.")
        return cls(log2, np.zeros(size * size // 64, np.uint64))

    @property
    def size(self) -> int:
        """Cells from one side to the other."""
        return 1 << self.log2

    @property
    def cells(self) -> int:
        """All of them."""
        return self.size * self.size

    @property
    def damaged(self) -> int:
        """How many are damaged, counted."""
        return int(np.bitwise_count(self.words).sum())

    def spoil(self, chance: float, random: np.random.Generator) -> int:
        """Damage each cell with this chance. Returns how many were not damaged before."""
        return int(spoil(self.words, chosen(self.cells, chance, random)))

    def scatter(self, chance: float, random: np.random.Generator) -> int:
        """Each cell is damaged with this chance, and whole else. Returns how many are damaged."""
        key = random.integers(0, 1 << 64, dtype=np.uint64)
        scatter(self.words, np.uint64(min(round(chance * 2**CHANCE_DIGITS), 2**CHANCE_DIGITS - 1)), key)
        return self.damaged

    def spoil_inside(self, inside: Inside) -> int:
        """Damage all cells that are meant. Returns how many were not damaged before."""
        before = self.damaged
        middles = (np.arange(self.size) + 0.5) / self.size
        band = max(1, min(self.size, (1 << 20) // self.size))  # so that no large picture of it is made
        rows = self.words.reshape(self.size, -1)
        for top in range(0, self.size, band):
            meant = inside(middles[None, :], middles[top : top + band, None])
            if not meant.any():
                continue
            whole = np.broadcast_to(meant, (band, self.size))
            rows[top : top + band] |= np.packbits(whole, axis=1, bitorder="little").view(np.uint64)
        return self.damaged - before

    def in_squares(self, squares: int) -> NDArray[np.int64]:
        """Damaged cells in each of so many squares a side; a square is 8 cells wide or more."""
        side = self.size // squares
        counts = np.bitwise_count(self.words.view(np.uint8)).reshape(squares, side, squares, side // BYTE)
        return counts.sum(axis=(1, 3), dtype=np.int64)

    def picture(self, most: int = 256) -> NDArray[np.float32]:
        """The share of damaged cells in each square of a small map."""
        squares = min(most, self.size)
        side = self.size // squares
        if side < BYTE:
            cells = np.unpackbits(self.words.view(np.uint8), bitorder="little")
            return cells.reshape(squares, side, squares, side).mean(axis=(1, 3), dtype=np.float32)
        return (self.in_squares(squares) / (side * side)).astype(np.float32)


def chosen(many: int, chance: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Which of so many are hit, where each is with this chance. It takes the time of those that are."""
    if chance <= 0:
        return np.empty(0, np.int64)
    expected = many * chance
    found = [np.empty(0, np.int64)]
    at = -1
    while at < many:
        gaps = random.geometric(chance, int(expected + 6 * expected**0.5) + 16)
        hits = at + np.cumsum(gaps)
        found.append(hits[hits < many])
        at = int(hits[-1])
    return np.concatenate(found)


def damage(lattice: Lattice, pattern: str, share: float, random: np.random.Generator) -> int:
    """Damage this share of all cells, in a pattern. Returns how many are damaged."""
    if pattern == "uniform":
        return lattice.scatter(share, random)
    if pattern == "clusters":
        return _clusters(lattice, share, random)
    return lattice.spoil_inside(_shape(pattern, share))


def disc(x: float, y: float, radius: float) -> Inside:
    """A disc on the torus."""

    def inside(across: Places, down: Places) -> NDArray[np.bool_]:
        dx, dy = np.abs(across - x), np.abs(down - y)
        dx, dy = np.minimum(dx, 1 - dx), np.minimum(dy, 1 - dy)
        if dy.min() >= radius:
            return np.zeros((1, 1), np.bool_)
        return dx < np.sqrt(np.maximum(radius * radius - dy * dy, 0))

    return inside


def _shape(pattern: str, share: float) -> Inside:
    if pattern == "disc":
        return disc(0.5, 0.5, (share / np.pi) ** 0.5) if share < np.pi / 4 else _corners_left_out(share)
    if pattern == "stripes":
        return lambda across, down: (across * STRIPES % 1 < share) & (down >= 0)
    if pattern == "checker":
        if share > 1 / 2:
            raise ValueError("a checker board damages at most half of the cells: say damage=50% or less.")
        return _board((2 * share) ** 0.5)
    raise ValueError(f"pattern must be one of {', '.join(PATTERNS)}, not {pattern!r}.")


def _board(side: float) -> Inside:
    """On every other field of a board a square of this side, seen from the field's own."""

    def inside(across: Places, down: Places) -> NDArray[np.bool_]:
        (x, in_x), (y, in_y) = ((each * STRIPES // 1 % 2, each * STRIPES % 1 < side) for each in (across, down))
        return (x == y) & in_x & in_y

    return inside


def _corners_left_out(share: float) -> Inside:
    """A disc that is larger than the lattice is wide would meet itself: what is left out is a disc in the corners."""
    healthy = disc(0, 0, ((1 - share) / np.pi) ** 0.5)
    return lambda across, down: ~healthy(across, down)


def _clusters(lattice: Lattice, share: float, random: np.random.Generator) -> int:
    """Discs at random places, until so many cells are damaged."""
    wanted = round(share * lattice.cells)
    done = 0
    while done < wanted:
        x, y = random.random(2)
        left = (wanted - done) / lattice.cells
        size = min(share / CLUSTERS, left)
        done += lattice.spoil_inside(disc(float(x), float(y), max((size / np.pi) ** 0.5, 0.75 / lattice.size)))
    return done
