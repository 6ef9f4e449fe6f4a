"""The global controller: it sees how much is damaged in each region, and assigns bots to regions by that.

A region keeps as many bots as it has of the damage. The others go to the nearest regions that have too few.
"""

import functools

import numpy as np
from numpy.typing import NDArray

from components.swarm import kernels
from components.swarm.kernels import Cells, Counts
from components.swarm.lattice import Lattice

EVERY = 16
"""Moves between two assignments."""
MOST_LOG2 = 5
"""Regions a side."""
LEAST_SIDE_LOG2 = 3
ROUNDS = 4
"""Whoever has found no region by then stays."""


def region_log2(log2: int) -> int:
    """The side of a region of such a lattice."""
    return max(LEAST_SIDE_LOG2, log2 - MOST_LOG2)


def assigned(bots: Cells, lattice: Lattice, rules: Counts) -> Cells:
    """The region of each bot."""
    squares = lattice.size >> region_log2(lattice.log2)
    damaged = lattice.in_squares(squares).ravel()
    there = np.zeros(damaged.size, np.int64)
    kernels.count(bots, rules, there)
    sums = np.round(np.cumsum(damaged) * (int(there.sum()) / max(1, int(damaged.sum())))).astype(np.int64)
    sources, targets, many = _flows(there, np.diff(sums, prepend=0), _distances(squares))
    order = np.argsort(sources, kind="stable")
    firsts = np.searchsorted(sources[order], np.arange(damaged.size + 1))
    regions = np.zeros(bots.size, np.uint32)
    kernels.assign(bots, regions, firsts, targets[order], many[order], rules)
    return regions


def _flows(there: Counts, wanted: Counts, distances: NDArray[np.int16]) -> tuple[Counts, Counts, Counts]:
    """From which region to which how many bots go. Those that stay come first."""
    every = np.arange(there.size)
    stay = np.minimum(there, wanted)
    surplus, deficit = there - stay, wanted - stay
    flows = [(every, every, stay)]
    for _ in range(ROUNDS):
        sources, open_ones = np.flatnonzero(surplus), np.flatnonzero(deficit)
        if not sources.size or not open_ones.size:
            break
        ways = distances[np.ix_(sources, open_ones)]
        nearest = ways.argmin(axis=1)
        order = np.lexsort((ways[np.arange(sources.size), nearest], nearest))
        sources, targets = sources[order], open_ones[nearest[order]]
        before = np.cumsum(surplus[sources]) - surplus[sources]
        before -= before[np.searchsorted(nearest[order], nearest[order])]  # what came earlier to the same region
        many = np.clip(deficit[targets] - before, 0, surplus[sources])
        np.subtract.at(surplus, sources, many)
        np.subtract.at(deficit, targets, many)
        flows.append((sources, targets, many))
    flows.append((every, every, surplus))
    sources, targets, many = (np.concatenate(each) for each in zip(*flows, strict=True))
    return sources, targets, many


@functools.cache
def _distances(squares: int) -> NDArray[np.int16]:
    """Steps from each region to each, in regions, on the torus."""
    apart = np.abs(np.arange(squares)[:, None] - np.arange(squares)[None, :])
    apart = np.minimum(apart, squares - apart).astype(np.int16)
    whole = apart[:, None, :, None] + apart[None, :, None, :]
    return whole.reshape(squares * squares, squares * squares)
