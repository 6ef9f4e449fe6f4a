"""Tiles: where they lie, what is in them, and that proofs come out of few of them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.audit.errors import BadTile
from bot.audit.merkle import MOST_ENTRIES, Frontier, leaf_hash, leaf_hashes
from bot.audit.proofs import check_consistency, check_inclusion, prove_consistency, prove_inclusion, tree_root
from bot.audit.tiles import (
    ENTRIES,
    LONGEST_ENTRY,
    MOST_REMEMBERED,
    Tile,
    TileNodes,
    bundle,
    cut,
    join,
    row_above,
    tiles_of,
    unbundle,
)

SIZE = 70_000
"""The specification's own example: two levels of tiles and the beginning of a third."""
LEAVES = leaf_hashes(b"%d" % place for place in range(SIZE))
EXAMPLES = [
    (Tile(0, 1_234_067), "tile/0/x001/x234/067"),  # the specification's
    (Tile(0, 0), "tile/0/000"),
    (Tile(0, 999), "tile/0/999"),
    (Tile(0, 1000), "tile/0/x001/000"),
    (Tile(2, 5, 1), "tile/2/005.p/1"),
    (Tile(63, 12_345, 255), "tile/63/x012/345.p/255"),
    (Tile(ENTRIES, 1_234_067), "tile/entries/x001/x234/067"),
    (Tile(ENTRIES, 0, 17), "tile/entries/000.p/17"),
    (Tile(1, MOST_ENTRIES), "tile/1/x009/x223/x372/x036/x854/x775/807"),
]
TILES = st.builds(Tile, st.integers(ENTRIES, 63), st.integers(0, MOST_ENTRIES), st.integers(1, 256))


def tiled(leaves: list[bytes]) -> dict[Tile, bytes]:
    """All tiles of a tree, level by level."""
    tiles: dict[Tile, bytes] = {}
    level, row = 0, leaves
    while row:
        tiles |= cut(level, row)
        level, row = level + 1, row_above(row)
    return tiles


ALL = tiled(LEAVES)


def grown(tile: Tile) -> bytes:
    """A tile as it lies there today, however little of it there was in an older tree."""
    return next(content for each, content in ALL.items() if (each.level, each.index) == (tile.level, tile.index))


@pytest.mark.parametrize(("tile", "path"), EXAMPLES)
def test_a_tile_has_the_path_that_the_specification_gives_it(tile: Tile, path: str) -> None:
    assert str(tile) == path
    assert Tile.parse(path) == tile


@given(TILES)
def test_a_path_leads_back_to_its_tile(tile: Tile) -> None:
    assert Tile.parse(str(tile)) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x000/x001/000",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/X001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/-1",
        "tile/0/../000",
        "tile/0/x009/x223/x372/x036/x854/x775/808",  # 2 ** 63
        "tile/0/" + "x001/" * 7 + "000",
        "tile/0/" + "x001/" * 10_000 + "000",
        "tile/0/00\N{ARABIC-INDIC DIGIT ZERO}",
        "tile/\N{ARABIC-INDIC DIGIT ZERO}/000",
    ],
)
def test_any_other_path_is_refused(path: str) -> None:
    with pytest.raises(BadTile):
        Tile.parse(path)


@given(st.text() | st.from_regex(r"tile/(entries|[0-9]{1,3})/(x?[0-9]{2,4}/?){1,4}(\.p/[0-9]{0,4})?"))
def test_a_text_is_the_one_path_of_a_tile_or_refused(text: str) -> None:
    try:
        tile = Tile.parse(text)
    except BadTile:
        return
    assert str(tile) == text


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [(-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 2**63, 1), (0, 0, 0), (0, 0, 257), (0, 0, -1), (10**5000, 0, 1)],
    ids=map(str, range(8)),
)
def test_a_tile_out_of_bounds_cannot_be(level: int, index: int, width: int) -> None:
    with pytest.raises(BadTile):
        Tile(level, index, width)


def test_a_tree_has_the_tiles_that_the_specification_counts() -> None:
    tiles = list(tiles_of(SIZE))
    assert [tile for tile in tiles if tile.level == 0] == [*(Tile(0, index) for index in range(273)), Tile(0, 273, 112)]
    assert [tile for tile in tiles if tile.level > 0] == [Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


def test_the_tiles_that_are_cut_are_those_that_a_tree_has() -> None:
    assert sorted(ALL, key=str) == sorted(tiles_of(SIZE), key=str)
    assert join(content for tile, content in ALL.items() if tile.level == 0) == LEAVES


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_a_tree_that_has_grown_has_its_new_tiles_and_those_that_it_had(one: int, other: int) -> None:
    since, size = sorted([one, other])
    had, has, new = set(tiles_of(since)), set(tiles_of(size)), list(tiles_of(size, since))
    assert has - had == set(new)
    assert len(new) == len(set(new))


@pytest.mark.parametrize(("size", "since"), [(5, 6), (5, -1), (-1, -1), (2**63, 0)])
def test_a_tree_does_not_shrink(size: int, since: int) -> None:
    with pytest.raises(BadTile):
        list(tiles_of(size, since))


def test_a_row_may_be_cut_where_a_tile_begins() -> None:
    later = dict(cut(0, LEAVES[256 * 270 :], first=270))
    assert later == {tile: content for tile, content in ALL.items() if tile.level == 0 and tile.index >= 270}
    assert list(cut(0, [])) == []


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33)])
def test_what_is_no_hash_is_not_cut(wrong: bytes) -> None:
    with pytest.raises(BadTile, match="32 bytes"):
        list(cut(0, [bytes(32), wrong]))


@pytest.mark.parametrize(
    "tiles",
    [[b""], [bytes(31)], [bytes(33)], [bytes(257 * 32)], [bytes(32), bytes(32)], [bytes(256 * 32), b""]],
)
def test_what_is_no_tile_is_not_joined(tiles: list[bytes]) -> None:
    with pytest.raises(BadTile):
        join(tiles)


@given(st.lists(st.binary(max_size=400), min_size=1, max_size=20))
def test_entries_come_out_of_a_bundle_as_they_went_in(entries: list[bytes]) -> None:
    assert unbundle(bundle(entries)) == entries


def test_each_entry_is_led_by_its_length() -> None:
    assert bundle([b"", b"abc", b"x" * 258]) == b"\0\0" + b"\0\3abc" + b"\1\2" + b"x" * 258


def test_the_bounds_of_a_bundle_are_held() -> None:
    assert unbundle(bundle([b"x" * LONGEST_ENTRY])) == [b"x" * LONGEST_ENTRY]
    assert unbundle(bundle([b""] * 256)) == [b""] * 256
    with pytest.raises(BadTile, match="65536 bytes is over the bound"):
        bundle([b"", b"x" * (LONGEST_ENTRY + 1)])
    for entries in ([], [b""] * 257):
        with pytest.raises(BadTile, match="1 to 256 entries"):
            bundle(entries)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\0", "cut off in its entry 0"),
        (b"\0\1", "cut off in its entry 0"),
        (b"\0\0\0", "cut off in its entry 1"),
        (b"\0\1a\0\3ab", "cut off in its entry 1"),
        (b"\xff\xff", "cut off in its entry 0"),
        (b"\0\0" * 257, "more than 256"),
    ],
)
def test_what_is_no_bundle_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(BadTile, match=said):
        unbundle(content)


@given(st.binary(max_size=600))
def test_bytes_are_the_one_form_of_a_bundle_or_refused(content: bytes) -> None:
    try:
        entries = unbundle(content)
    except BadTile:
        return
    assert bundle(entries) == content


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, SIZE])
def test_proofs_come_out_of_tiles(size: int) -> None:
    nodes = TileNodes(size, tiled(LEAVES[:size]).__getitem__)
    frontier = Frontier()
    frontier.extend(LEAVES[:size])
    root = tree_root(nodes, size)
    assert root == frontier.root()
    for index in {0, size // 3, size - 2, size - 1} & set(range(size)):
        check_inclusion(LEAVES[index], index, size, prove_inclusion(nodes, index, size), root)
        earlier = Frontier()
        earlier.extend(LEAVES[:index])
        check_consistency(index, size, prove_consistency(nodes, index, size), earlier.root(), root)


@given(st.integers(1, SIZE), st.data())
def test_an_older_tree_is_proved_from_tiles_that_have_grown_since(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    nodes = TileNodes(size, grown)
    frontier = Frontier()
    frontier.extend(LEAVES[:size])
    check_inclusion(LEAVES[index], index, size, prove_inclusion(nodes, index, size), frontier.root())


@given(st.integers(0, 999_999))
def test_a_proof_touches_few_tiles(index: int) -> None:
    size = 1_000_000
    reads = counted(lambda tile: leaf_hash(str(tile).encode()) * tile.width)
    prove_inclusion(TileNodes(size, reads), index, size)
    for level in range(3):
        asked = [tile for tile in reads.asked if tile.level == level]
        assert len(asked) <= 2
        assert len([tile for tile in asked if tile.width == 256]) <= 1
    assert len(reads.asked) == len(set(reads.asked))
    assert set(reads.asked) <= set(tiles_of(size))


class counted:  # noqa: N801 - it stands where a function would
    """Reads tiles, and remembers which."""

    def __init__(self, read: Callable[[Tile], bytes]) -> None:
        self.read = read
        self.asked: list[Tile] = []

    def __call__(self, tile: Tile) -> bytes:
        self.asked.append(tile)
        return self.read(tile)


def test_no_more_tiles_are_remembered_than_a_proof_needs() -> None:
    reads = counted(ALL.__getitem__)
    nodes = TileNodes(SIZE, reads)
    for index in range(MOST_REMEMBERED + 5):
        assert nodes.node(0, index * 256) == LEAVES[index * 256]
    assert nodes.node(0, 0) == LEAVES[0]
    assert reads.asked.count(Tile(0, 0)) == 2


@pytest.mark.parametrize(
    ("level", "index"),
    [(-1, 0), (0, -1), (0, SIZE), (16, 1), (17, 0), (64, 0), (10**6, 0), (10**5000, 0), (0, 10**5000)],
    ids=map(str, range(9)),
)
def test_a_node_that_the_tree_does_not_have_is_refused(level: int, index: int) -> None:
    with pytest.raises(BadTile, match="no such node"):
        TileNodes(SIZE, ALL.__getitem__).node(level, index)


@pytest.mark.parametrize("size", [-1, 2**63])
def test_there_are_no_tiles_of_a_tree_of_no_possible_size(size: int) -> None:
    with pytest.raises(BadTile):
        TileNodes(size, ALL.__getitem__)


@pytest.mark.parametrize("content", [b"", bytes(16 * 32), bytes(17 * 32 + 1), bytes(257 * 32)])
def test_a_tile_that_holds_less_than_the_tree_needs_is_refused(content: bytes) -> None:
    with pytest.raises(BadTile):
        TileNodes(17, lambda _: content).node(0, 0)
