"""The tree: the roots that the whole world has for these entries, however they come in."""

import importlib
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.audit.errors import BadTree
from bot.audit.merkle import EMPTY_ROOT, MOST_ENTRIES, Frontier, fold, leaf_hash, leaf_hashes, node_hash, parents

# From the reference implementation: github.com/google/certificate-transparency, cpp/merkletree/merkle_tree_test.cc
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(bytes.fromhex(entry)) for entry in INPUTS]
pymerkle: Any = importlib.import_module("pymerkle")  # it has no types


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_the_roots_are_those_of_the_reference(size: int) -> None:
    one_by_one = Frontier()
    for leaf in LEAVES[:size]:
        one_by_one.add(leaf)
    at_once = Frontier()
    at_once.extend(LEAVES[:size])
    assert one_by_one.root().hex() == at_once.root().hex() == ROOTS[size]
    assert one_by_one.size == at_once.size == size


def test_an_empty_tree_has_the_root_that_the_standard_names() -> None:
    assert EMPTY_ROOT.hex() == ROOTS[0]
    assert Frontier().root() == fold([]) == EMPTY_ROOT


def test_a_leaf_never_passes_for_a_node() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)


def test_many_leaf_hashes_are_those_of_each() -> None:
    assert leaf_hashes(bytes.fromhex(entry) for entry in INPUTS) == LEAVES


def test_a_node_without_a_partner_has_nothing_above_it_yet() -> None:
    assert parents(LEAVES[:3]) == [node_hash(*LEAVES[:2])]
    assert parents(LEAVES[:1]) == parents([]) == []


def test_the_roots_are_those_of_another_library() -> None:
    drawn = random.Random(6962)
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    frontier = Frontier()
    for size in range(1, 600):
        entry = drawn.randbytes(drawn.randrange(100))
        tree.append(entry)
        frontier.add(leaf_hash(entry))
        assert frontier.root() == tree.get_state(), size


@given(parts=st.lists(st.integers(0, 70), max_size=8))
def test_leaves_may_come_in_parts_of_any_size(parts: list[int]) -> None:
    at_once, one_by_one = Frontier(), Frontier()
    for number, part in enumerate(parts):
        leaves = [leaf_hash(b"%d %d" % (number, place)) for place in range(part)]
        at_once.extend(leaves)
        for leaf in leaves:
            one_by_one.add(leaf)
        assert at_once.hashes == one_by_one.hashes
        assert at_once.size == one_by_one.size
    one_by_one.add(LEAVES[0])
    at_once.add(LEAVES[0])
    assert at_once.root() == one_by_one.root()


@given(before=st.integers(0, 300), after=st.integers(0, 300))
def test_a_tree_that_is_made_anew_goes_on_as_if_nothing_had_been(before: int, after: int) -> None:
    leaves = [leaf_hash(b"%d" % place) for place in range(before + after)]
    first = Frontier()
    first.extend(leaves[:before])
    anew = Frontier(first.size, first.hashes)
    assert anew.root() == first.root()
    for leaf in leaves[before:]:
        anew.add(leaf)
    first.extend(leaves[before:])
    assert (anew.size, anew.hashes) == (first.size, first.hashes)


def test_what_is_given_to_a_tree_stays_as_it_is() -> None:
    leaves = list(LEAVES[:3])
    frontier = Frontier()
    frontier.extend(leaves)
    edge = list(frontier.hashes)
    Frontier(3, edge).extend(leaves)
    assert leaves == LEAVES[:3]
    assert edge == list(frontier.hashes)


@pytest.mark.parametrize(
    ("size", "hashes"),
    [
        (-1, []),
        (-1, LEAVES[:1]),
        (0, LEAVES[:1]),
        (1, []),
        (3, LEAVES[:1]),
        (4, LEAVES[:2]),
        (1, [b""]),
        (1, [LEAVES[0] + b"\0"]),
        (3, [LEAVES[0], LEAVES[1][:-1]]),
        (MOST_ENTRIES + 1, LEAVES[:1]),
        (1 << 100_000, LEAVES[:1]),  # Python would refuse to write it
    ],
    ids=map(str, range(11)),
)
def test_an_edge_that_does_not_fit_its_size_is_refused(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(BadTree):
        Frontier(size, hashes)
