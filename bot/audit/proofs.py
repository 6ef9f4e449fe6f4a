"""Proofs that an entry is in a tree, and that a tree is the beginning of another: made, and checked without the tree.

A proof speaks of sizes that somebody else has vouched for. Take a size and its root from one signed checkpoint, never
the size from the proof: some paths fit trees of several sizes.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from bot.audit.errors import BadProof
from bot.audit.merkle import EMPTY_ROOT, HASH_LENGTH, MOST_ENTRIES, fold, node_hash


class Nodes(Protocol):
    """Whoever knows the perfect subtrees of a tree."""

    def node(self, level: int, index: int) -> bytes:
        """The hash over the entries from `index << level` up to `(index + 1) << level`."""
        ...


def tree_root(nodes: Nodes, size: int) -> bytes:
    """The root of the tree when it had this many entries."""
    _require_size(size)
    return fold(_peaks(nodes, 0, size))


def prove_inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """The path from an entry to the root of a tree of this size."""
    _require_index(index, size)
    return _path(nodes, 0, index, size)


def prove_consistency(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """What shows that a tree of the old size is the beginning of one of the new size."""
    _require_order(old, new)
    if old in {0, new}:
        return []
    level, index = _last_peak(old)
    path = _path(nodes, level, index, new)
    return path if index == 0 else [nodes.node(level, index), *path]


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """See that the leaf hash stands at this index in the tree of this size and root. Raises BadProof if it does not."""
    _require_index(index, size)
    sides = _sides(0, index, size)
    _require_hashes((leaf, root))
    _require_path(path, len(sides))
    for is_left, sibling in zip(sides, path, strict=True):
        leaf = node_hash(sibling, leaf) if is_left else node_hash(leaf, sibling)
    if leaf != root:
        raise BadProof(f"The proof does not lead from entry {index} to the root of the tree of {size}.")


def check_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """See that the old tree is the beginning of the new one. Raises BadProof if it is not."""
    _require_order(old, new)
    _require_hashes((old_root, new_root))
    if old == 0 and old_root != EMPTY_ROOT:
        raise BadProof("A tree without entries has the root of one with entries.")
    if old == new and old_root != new_root:
        raise BadProof(f"Two trees of {old} entries have different roots.")
    if old in {0, new}:
        _require_path(path, 0)
        return
    level, index = _last_peak(old)
    sides = _sides(level, index, new)
    if index == 0:  # the old tree is one perfect subtree: its root begins the path, and is not sent
        path = [old_root, *path]
    _require_path(path, len(sides) + 1)
    old_seen = new_seen = path[0]
    for is_left, sibling in zip(sides, path[1:], strict=True):
        if is_left:
            old_seen, new_seen = node_hash(sibling, old_seen), node_hash(sibling, new_seen)
        else:
            new_seen = node_hash(new_seen, sibling)
    if old_seen != old_root or new_seen != new_root:
        raise BadProof(f"The proof does not show that the tree of {old} is the beginning of the tree of {new}.")


def _siblings(level: int, index: int, size: int) -> Iterator[tuple[int, int]]:
    """Level and index of the siblings on the way from a node up to the root. One with an even index is on the left."""
    last = (size - 1) >> level
    while last:
        sibling = index ^ 1
        if sibling <= last:
            yield level, sibling
        level, index, last = level + 1, index >> 1, last >> 1


def _sides(level: int, index: int, size: int) -> list[bool]:
    """For each sibling on the way up, whether it is on the left."""
    return [sibling % 2 == 0 for _, sibling in _siblings(level, index, size)]


def _path(nodes: Nodes, level: int, index: int, size: int) -> list[bytes]:
    return [_hash_at(nodes, *sibling, size) for sibling in _siblings(level, index, size)]


def _hash_at(nodes: Nodes, level: int, index: int, size: int) -> bytes:
    """The hash of a node, which at the right edge of the tree may be over less than its level could hold."""
    return fold(_peaks(nodes, index << level, min((index + 1) << level, size)))


def _peaks(nodes: Nodes, first: int, behind: int) -> Iterator[bytes]:
    """The perfect subtrees over the entries from `first` to just before `behind`, the largest first."""
    rest = behind - first
    for level in reversed(range(rest.bit_length())):
        if rest >> level & 1:
            yield nodes.node(level, first >> level)
            first += 1 << level


def _last_peak(size: int) -> tuple[int, int]:
    """Level and index of the last perfect subtree of a tree. The index is 0 where it is the whole tree."""
    level = (size & -size).bit_length() - 1
    return level, (size >> level) - 1


def _require_size(size: int) -> None:
    if not 0 <= size <= MOST_ENTRIES:
        raise BadProof("A proof speaks of a tree of a size that no tree has.")


def _require_index(index: int, size: int) -> None:
    _require_size(size)
    if not 0 <= index < size:
        raise BadProof(f"A proof speaks of an entry that is not in a tree of {size}.")


def _require_order(old: int, new: int) -> None:
    _require_size(old)
    _require_size(new)
    if old > new:
        raise BadProof(f"A tree of {old} entries is not the beginning of a tree of {new}.")


def _require_path(path: Sequence[bytes], length: int) -> None:
    if len(path) != length:
        raise BadProof("A proof has another number of hashes than its sizes ask for.")
    _require_hashes(path)


def _require_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(each) != HASH_LENGTH for each in hashes):
        raise BadProof(f"A hash in a proof is not {HASH_LENGTH} bytes long.")
