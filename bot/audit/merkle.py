"""The tree over the entries, as RFC 6962 (section 2.1) and RFC 9162 define it. It keeps the right edge and no entries.

https://www.rfc-editor.org/rfc/rfc9162.html#section-2.1
"""

from collections.abc import Iterable
from hashlib import sha256

from bot.audit.errors import BadTree

HASH_LENGTH = 32
MOST_ENTRIES = 2**63 - 1
"""No tree is larger. Whoever names a larger size is refused before anything is counted."""
EMPTY_ROOT = sha256(b"").digest()
_begun_leaf, _begun_node = sha256(b"\0").copy, sha256(b"\1").copy
"""A hash that goes on from a copy of one of these costs less than one that begins anew: a tenth of verifying."""


def leaf_hash(entry: bytes) -> bytes:
    """What stands in the tree for an entry."""
    state = _begun_leaf()
    state.update(entry)
    return state.digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The same for many, faster."""
    hashes: list[bytes] = []
    for entry in entries:
        state = _begun_leaf()
        state.update(entry)
        hashes.append(state.digest())
    return hashes


def node_hash(left: bytes, right: bytes) -> bytes:
    """What stands in the tree for two nodes side by side."""
    state = _begun_node()
    state.update(left + right)
    return state.digest()


def parents(row: list[bytes]) -> list[bytes]:
    """The nodes above a row, pair by pair. Where the last one has no partner, nothing stands for it yet."""
    # Written out here, in leaf_hashes and in Frontier.add: a call for each node would cost a fifth of verifying.
    one_by_one = iter(row)
    above: list[bytes] = []
    for left, right in zip(one_by_one, one_by_one, strict=False):
        state = _begun_node()
        state.update(left + right)
        above.append(state.digest())
    return above


def fold(peaks: Iterable[bytes]) -> bytes:
    """The root over the perfect subtrees that a tree is made of, the largest first."""
    ordered = list(peaks)
    if not ordered:
        return EMPTY_ROOT
    root = ordered.pop()
    while ordered:
        root = node_hash(ordered.pop(), root)
    return root


class Frontier:
    """The roots of the perfect subtrees at the right edge: all that a tree needs in order to grow, and for its root."""

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """An empty tree, or one made anew from its size and its hashes. Raises BadTree where they do not fit."""
        peaks = list(hashes)
        if not 0 <= size <= MOST_ENTRIES:
            raise BadTree("A tree cannot be of that size.")
        if len(peaks) != size.bit_count() or any(len(peak) != HASH_LENGTH for peak in peaks):
            raise BadTree(f"The edge of a tree of {size} entries is {size.bit_count()} hashes of {HASH_LENGTH} bytes.")
        self.size = size
        self._peaks = peaks

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The edge, the largest subtree first: with the size, all that must be kept."""
        return tuple(self._peaks)

    def add(self, leaf: bytes) -> None:
        """Put one leaf hash at the end."""
        peaks, index = self._peaks, self.size
        while index & 1:
            leaf = sha256(b"\1" + peaks.pop() + leaf).digest()
            index >>= 1
        peaks.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Put many leaf hashes at the end, level by level. They may come in parts of any size."""
        row = list(leaves)
        index, size = self.size, self.size + len(row)
        edge: list[bytes] = []
        while row:  # where nothing goes on upwards, the larger subtrees stay as they are
            if index & 1:
                row.insert(0, self._peaks.pop())
            if len(row) & 1:
                edge.append(row.pop())
            row = parents(row)
            index >>= 1
        self._peaks += reversed(edge)
        self.size = size

    def root(self) -> bytes:
        """The hash that stands for all entries."""
        return fold(self._peaks)
