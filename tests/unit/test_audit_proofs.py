"""Proofs: each true one passes, and whatever is changed in one is seen."""

import importlib
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.audit.errors import BadProof
from bot.audit.merkle import EMPTY_ROOT, MOST_ENTRIES, Frontier, leaf_hash, node_hash
from bot.audit.proofs import check_consistency, check_inclusion, prove_consistency, prove_inclusion, tree_root

pymerkle: Any = importlib.import_module("pymerkle")  # it has no types


class Remembered:
    """The nodes over some leaves, by the book: RFC 9162 cuts a tree at the largest power of two below its size."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = leaves

    def node(self, level: int, index: int) -> bytes:
        first, behind = index << level, (index + 1) << level
        assert behind <= len(self.leaves), "no such node"
        return self.over(first, behind)

    def over(self, first: int, behind: int) -> bytes:
        if behind == first + 1:
            return self.leaves[first]
        cut = largest_power_below(first, behind)
        return node_hash(self.over(first, cut), self.over(cut, behind))

    def consistency(self, old: int, first: int, behind: int, *, known: bool = True) -> list[bytes]:
        """SUBPROOF of section 2.1.4.1, with the old tree's end counted from the beginning of all."""
        if old == behind:
            return [] if known else [self.over(first, behind)]
        cut = largest_power_below(first, behind)
        if old <= cut:
            return [*self.consistency(old, first, cut, known=known), self.over(cut, behind)]
        return [*self.consistency(old, cut, behind, known=False), self.over(first, cut)]

    def root(self, size: int) -> bytes:
        return self.over(0, size) if size else EMPTY_ROOT


def largest_power_below(first: int, behind: int) -> int:
    """Where a tree over these entries is cut in two."""
    return first + (1 << ((behind - first - 1).bit_length() - 1))


LARGEST = 80
TREE = Remembered([leaf_hash(b"%d" % place) for place in range(LARGEST)])
ROOTS = [TREE.root(size) for size in range(LARGEST + 1)]
SIZES = st.integers(1, LARGEST)
Broken = list[bytes]

# From the reference implementation: github.com/google/certificate-transparency, cpp/merkletree/merkle_tree_test.cc
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
REFERENCE = Remembered([leaf_hash(bytes.fromhex(entry)) for entry in INPUTS])
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
G = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
H = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
I = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"  # noqa: E741 - one of a row of letters


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [(0, 1, []), (0, 8, [A, B, C]), (5, 8, [D, E, F]), (2, 3, [G]), (1, 5, [H, B, D])],
)
def test_the_paths_are_those_of_the_reference(index: int, size: int, path: list[str]) -> None:
    assert [each.hex() for each in prove_inclusion(REFERENCE, index, size)] == path


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [I, E, F]), (2, 5, [B, D])],
)
def test_the_proofs_of_consistency_are_those_of_the_reference(old: int, new: int, path: list[str]) -> None:
    assert [each.hex() for each in prove_consistency(REFERENCE, old, new)] == path


def test_every_entry_is_proved_to_be_in_every_tree_that_holds_it() -> None:
    for size in range(1, LARGEST + 1):
        assert tree_root(TREE, size) == ROOTS[size]
        for index in range(size):
            check_inclusion(TREE.leaves[index], index, size, prove_inclusion(TREE, index, size), ROOTS[size])


def test_every_tree_is_proved_to_be_the_beginning_of_every_later_one() -> None:
    assert tree_root(TREE, 0) == EMPTY_ROOT
    for new in range(LARGEST + 1):
        for old in range(new + 1):
            path = prove_consistency(TREE, old, new)
            check_consistency(old, new, path, ROOTS[old], ROOTS[new])
            assert path == (TREE.consistency(old, 0, new) if old else [])


def test_the_proofs_are_those_of_another_library() -> None:
    drawn = random.Random(9162)
    entries = [drawn.randbytes(drawn.randrange(60)) for _ in range(300)]
    theirs = pymerkle.InmemoryTree.init_from_entries(entries, algorithm="sha256")
    ours = Remembered([leaf_hash(entry) for entry in entries])
    for _ in range(300):
        new = drawn.randint(1, len(entries))
        old, index = drawn.randint(1, new), drawn.randrange(new)
        old_root, new_root = tree_root(ours, old), tree_root(ours, new)
        assert (old_root, new_root) == (theirs.get_state(old), theirs.get_state(new))
        # Their path begins with the leaf itself.
        assert [ours.leaves[index], *prove_inclusion(ours, index, new)] == theirs.prove_inclusion(index + 1, new).path
        # Their proof of consistency has a form of its own, so each side convinces itself of the other's roots.
        pymerkle.verify_consistency(old_root, new_root, theirs.prove_consistency(old, new))
        check_consistency(old, new, prove_consistency(ours, old, new), theirs.get_state(old), theirs.get_state(new))


def breaks(draw: st.DrawFn, path: Broken) -> Broken:
    """The same path with one thing wrong: a hash is added, dropped, repeated, swapped, or changed."""
    place = draw(st.integers(0, max(len(path) - 1, 0)))
    before, this, behind = path[:place], path[place : place + 1], path[place + 1 :]
    ways = [[*before, draw(st.binary(min_size=32, max_size=32)), *this, *behind]]
    if this:
        changed = flipped(this[0], draw(st.integers(0, 255)))
        ways += [[*before, *other, *behind] for other in ([], this * 2, [changed], [this[0][1:]], [this[0] + b"\0"])]
    if behind:
        ways += [[*before, behind[-1], *behind[:-1], *this]]
    return draw(st.sampled_from(ways))


@st.composite
def inclusions(draw: st.DrawFn) -> tuple[int, int, Broken]:
    size = draw(SIZES)
    index = draw(st.integers(0, size - 1))
    return index, size, breaks(draw, prove_inclusion(TREE, index, size))


@st.composite
def consistencies(draw: st.DrawFn) -> tuple[int, int, Broken]:
    new = draw(SIZES)
    old = draw(st.integers(0, new))
    return old, new, breaks(draw, prove_consistency(TREE, old, new))


@given(inclusions())
def test_a_path_with_anything_changed_is_refused(proof: tuple[int, int, Broken]) -> None:
    index, size, path = proof
    with pytest.raises(BadProof):
        check_inclusion(TREE.leaves[index], index, size, path, ROOTS[size])


@given(consistencies())
def test_a_proof_of_consistency_with_anything_changed_is_refused(proof: tuple[int, int, Broken]) -> None:
    old, new, path = proof
    with pytest.raises(BadProof):
        check_consistency(old, new, path, ROOTS[old], ROOTS[new])


@given(data=st.data(), size=SIZES, bit=st.integers(0, 255))
def test_a_bit_changed_in_leaf_or_root_is_refused(data: st.DataObject, size: int, bit: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = prove_inclusion(TREE, index, size)
    for leaf, root in (
        (flipped(TREE.leaves[index], bit), ROOTS[size]),
        (TREE.leaves[index], flipped(ROOTS[size], bit)),
    ):
        with pytest.raises(BadProof, match="does not lead"):
            check_inclusion(leaf, index, size, path, root)


@given(data=st.data(), new=SIZES, bit=st.integers(0, 255))
def test_a_bit_changed_in_a_root_is_refused(data: st.DataObject, new: int, bit: int) -> None:
    old = data.draw(st.integers(0, new))
    path = prove_consistency(TREE, old, new)
    with pytest.raises(BadProof):
        check_consistency(old, new, path, flipped(ROOTS[old], bit), ROOTS[new])
    assume(old > 0)  # whatever a tree holds now, it was empty once
    with pytest.raises(BadProof):
        check_consistency(old, new, path, ROOTS[old], flipped(ROOTS[new], bit))


def flipped(value: bytes, bit: int) -> bytes:
    return (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")


def test_a_path_does_for_its_own_index_and_no_other() -> None:
    for size in range(1, LARGEST + 1):
        for index in {0, 1, size // 2, size - 1} & set(range(size)):
            path = prove_inclusion(TREE, index, size)
            for other in range(-1, size + 2):
                if other != index:
                    with pytest.raises(BadProof):
                        check_inclusion(TREE.leaves[index], other, size, path, ROOTS[size])


def test_a_path_does_for_no_other_tree() -> None:
    for size in range(1, LARGEST + 1):
        index = size // 3
        path = prove_inclusion(TREE, index, size)
        for other in range(LARGEST + 1):
            if other != size:
                with pytest.raises(BadProof):
                    check_inclusion(TREE.leaves[index], index, other, path, ROOTS[other])


def test_a_proof_of_consistency_does_for_no_other_trees() -> None:
    for new in range(2, 40):
        for old in range(1, new):
            path = prove_consistency(TREE, old, new)
            for other in range(1, 40):
                if other != old:
                    with pytest.raises(BadProof):
                        check_consistency(other, new, path, ROOTS[other], ROOTS[new])
                    with pytest.raises(BadProof):
                        check_consistency(other, new, path, ROOTS[old], ROOTS[new])
                if other != new:
                    with pytest.raises(BadProof):
                        check_consistency(old, other, path, ROOTS[old], ROOTS[other])


def test_a_size_alone_is_not_proved_so_it_is_taken_from_where_its_root_is() -> None:
    path = prove_inclusion(TREE, 0, 3)
    check_inclusion(TREE.leaves[0], 0, 3, path, ROOTS[3])
    check_inclusion(TREE.leaves[0], 0, 4, path, ROOTS[3])  # the same two steps lead up from the first of four
    with pytest.raises(BadProof):
        check_inclusion(TREE.leaves[0], 0, 4, path, ROOTS[4])


def test_a_tree_that_was_rewritten_is_not_the_end_of_the_old_one() -> None:
    rewritten = Remembered([*TREE.leaves[:10], leaf_hash(b"another"), *TREE.leaves[11:]])
    for old in range(11, 40):
        path = prove_consistency(rewritten, old, 40)
        with pytest.raises(BadProof):
            check_consistency(old, 40, path, ROOTS[old], rewritten.root(40))


@pytest.mark.parametrize(
    ("old", "new", "roots"),
    [
        (0, 0, (ROOTS[1], ROOTS[1])),
        (0, 0, (EMPTY_ROOT, ROOTS[1])),
        (0, 5, (ROOTS[1], ROOTS[5])),
        (5, 5, (ROOTS[5], ROOTS[6])),
        (6, 5, (ROOTS[6], ROOTS[5])),
    ],
)
def test_trees_that_cannot_be_are_refused_without_a_proof(old: int, new: int, roots: tuple[bytes, bytes]) -> None:
    with pytest.raises(BadProof):
        check_consistency(old, new, [], *roots)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_hash_of_a_wrong_length_is_refused(length: int) -> None:
    wrong = bytes(length)
    for leaf, root in ((wrong, ROOTS[1]), (ROOTS[1], wrong)):
        with pytest.raises(BadProof, match="32 bytes"):
            check_inclusion(leaf, 0, 1, [], root)
    for roots in ((wrong, wrong), (wrong, ROOTS[3]), (ROOTS[2], wrong)):
        with pytest.raises(BadProof, match="32 bytes"):
            check_consistency(2, 3, prove_consistency(TREE, 2, 3), *roots)
    with pytest.raises(BadProof, match="32 bytes"):
        check_consistency(5, 5, [], wrong, wrong)
    with pytest.raises(BadProof, match="32 bytes"):
        check_inclusion(TREE.leaves[0], 0, 3, [TREE.leaves[1], wrong], ROOTS[3])
    with pytest.raises(BadProof, match="32 bytes"):
        check_consistency(2, 3, [wrong], ROOTS[2], ROOTS[3])


@pytest.mark.parametrize("odd", [-(10**5000), -1, MOST_ENTRIES + 1, 2**64, 10**5000], ids=map(str, range(5)))
def test_numbers_that_no_tree_has_are_refused_in_making_and_in_checking(odd: int) -> None:
    root = ROOTS[80]
    for one, other in ((odd, 80), (0, odd), (80, odd), (odd, odd)):
        with pytest.raises(BadProof):
            check_inclusion(root, one, other, [root] * 7, root)
        with pytest.raises(BadProof):
            prove_inclusion(TREE, one, other)
        with pytest.raises(BadProof):
            check_consistency(one, other, [], root, root)
        with pytest.raises(BadProof):
            prove_consistency(TREE, one, other)
    with pytest.raises(BadProof):
        tree_root(TREE, odd)


def test_an_entry_or_a_tree_beyond_the_tree_is_refused_in_making() -> None:
    with pytest.raises(BadProof, match="not in a tree of 80"):
        prove_inclusion(TREE, 80, 80)
    with pytest.raises(BadProof, match="not the beginning"):
        prove_consistency(TREE, 80, 79)


@given(
    st.integers(0, MOST_ENTRIES),
    st.integers(0, MOST_ENTRIES),
    st.lists(st.binary(min_size=32, max_size=32), max_size=70),
)
def test_anything_else_is_refused(one: int, other: int, path: list[bytes]) -> None:
    assume(one not in {0, other})
    with pytest.raises(BadProof):
        check_inclusion(ROOTS[1], one, other, path, ROOTS[2])
    with pytest.raises(BadProof):
        check_consistency(one, other, path, ROOTS[1], ROOTS[2])


def test_a_proof_in_the_largest_tree_is_of_63_hashes() -> None:
    class Endless:
        def node(self, level: int, index: int) -> bytes:
            assert (index + 1) << level <= MOST_ENTRIES
            return leaf_hash(b"%d %d" % (level, index))

    assert len(prove_inclusion(Endless(), 0, MOST_ENTRIES)) == 63
    assert len(prove_consistency(Endless(), MOST_ENTRIES - 1, MOST_ENTRIES)) <= 64


def test_the_root_is_that_of_the_edge() -> None:
    frontier = Frontier()
    for size, leaf in enumerate(TREE.leaves, 1):
        frontier.add(leaf)
        assert tree_root(TREE, size) == frontier.root()
