"""The tree and its entries in tiles of 256, as C2SP lays them out. Where they lie is not known here.

A tile of level 0 holds leaf hashes. A tile of a higher level holds the roots of full tiles of the level below.
https://c2sp.org/tlog-tiles
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from bot.audit.errors import BadTile
from bot.audit.merkle import HASH_LENGTH, MOST_ENTRIES, parents

WIDTH = 256
HEIGHT = 8
"""Levels of the tree in one tile: 2 ** HEIGHT = WIDTH."""
ENTRIES = -1
"""The level of the tiles that hold the entries themselves."""
HIGHEST_LEVEL = 63
LONGEST_ENTRY = 2**16 - 1
MOST_REMEMBERED = 64
"""A proof in the largest tree touches sixteen tiles."""

_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([0-9]{1,3}))?")


@dataclasses.dataclass(frozen=True, slots=True)
class Tile:
    """Which tile: its level, its place in the level, and how much of it there is."""

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        """Refuse what no log can have."""
        if not (ENTRIES <= self.level <= HIGHEST_LEVEL and 0 <= self.index <= MOST_ENTRIES and 0 < self.width <= WIDTH):
            raise BadTile("There is no such tile: its level, index or width is out of bounds.")

    @classmethod
    def parse(cls, path: str) -> "Tile":
        """The tile that lies at this path. Each tile has one path and no other."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise BadTile("This is not the path of a tile.")
        level, index, width = match.groups()
        tile = cls(
            ENTRIES if level == "entries" else int(level),
            int(index.replace("/", "").replace("x", "")),
            WIDTH if width is None else int(width),
        )
        if str(tile) != path:
            raise BadTile(f"The path of this tile is written {tile}, and not as it came.")
        return tile

    def __str__(self) -> str:
        digits = str(self.index)
        digits = digits.zfill(len(digits) + -len(digits) % 3)
        groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{''.join(f'x{group}/' for group in groups[:-1])}{groups[-1]}{partial}"


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """The tiles of hashes that a tree of this size has and that it did not have at the size `since`."""
    if not 0 <= since <= size <= MOST_ENTRIES:
        raise BadTile("There are no tiles from that size to that size.")
    level = 0
    while size > since:
        full, rest = divmod(size, WIDTH)
        yield from (Tile(level, index) for index in range(since // WIDTH, full))
        if rest:
            yield Tile(level, full, rest)
        level, size, since = level + 1, full, since // WIDTH


def cut(level: int, hashes: Sequence[bytes], first: int = 0) -> Iterator[tuple[Tile, bytes]]:
    """A row of hashes, which begins where tile `first` does, as tiles. Only the last one may be partial."""
    if any(len(each) != HASH_LENGTH for each in hashes):
        raise BadTile(f"A hash in a tile is {HASH_LENGTH} bytes long.")
    for start in range(0, len(hashes), WIDTH):
        part = hashes[start : start + WIDTH]
        yield Tile(level, first + start // WIDTH, len(part)), b"".join(part)


def join(tiles: Iterable[bytes]) -> list[bytes]:
    """The row of hashes that stands in neighbouring tiles. Only the last one may be partial."""
    row: list[bytes] = []
    for content in tiles:
        if len(row) % WIDTH:
            raise BadTile("A tile follows one that is not full.")
        if not 0 < len(content) <= WIDTH * HASH_LENGTH or len(content) % HASH_LENGTH:
            raise BadTile(f"A tile is 1 to {WIDTH} hashes of {HASH_LENGTH} bytes, not {len(content)} bytes.")
        row += [content[start : start + HASH_LENGTH] for start in range(0, len(content), HASH_LENGTH)]
    return row


def row_above(hashes: Sequence[bytes]) -> list[bytes]:
    """The roots of the full tiles of a row: what stands in the tiles of the next level."""
    row = list(hashes)
    for _ in range(HEIGHT):
        row = parents(row)
    return row


def bundle(entries: Sequence[bytes]) -> bytes:
    """Up to 256 entries as one tile of entries."""
    if not 0 < len(entries) <= WIDTH:
        raise BadTile(f"A bundle is 1 to {WIDTH} entries, not {len(entries)}.")
    longest = max(len(entry) for entry in entries)
    if longest > LONGEST_ENTRY:
        raise BadTile(f"An entry of {longest} bytes is over the bound of {LONGEST_ENTRY}.")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundle(content: bytes) -> list[bytes]:
    """The entries in a tile of entries."""
    entries: list[bytes] = []
    place = 0
    while place < len(content):
        start = place + 2
        place = start + int.from_bytes(content[place:start], "big")
        if place > len(content):
            raise BadTile(f"A bundle of entries is cut off in its entry {len(entries)}.")
        if len(entries) == WIDTH:
            raise BadTile(f"A bundle holds more than {WIDTH} entries.")
        entries.append(content[start:place])
    if not entries:
        raise BadTile("A bundle of entries is empty.")
    return entries


class TileNodes:
    """The nodes of a tree of one size, out of its tiles. It reads no more tiles than it is asked about."""

    def __init__(self, size: int, read: Callable[[Tile], bytes]) -> None:
        """`read` gives a tile's content, and may give more of a partial tile, which has grown since."""
        if not 0 <= size <= MOST_ENTRIES:
            raise BadTile("There are no tiles of a tree of that size.")
        self._size = size
        self._read = read
        self._remembered: dict[Tile, list[bytes]] = {}

    def node(self, level: int, index: int) -> bytes:
        """The hash of a perfect subtree. Raises BadTile where the tree has no such one."""
        if not (0 <= level <= HIGHEST_LEVEL and index >= 0 and (index + 1) << level <= self._size):
            raise BadTile(f"A tree of {self._size} entries has no such node.")
        tile_level, height = divmod(level, HEIGHT)
        tile_index, start = divmod(index << height, WIDTH)
        row = self._hashes(tile_level, tile_index)[start : start + (1 << height)]
        while len(row) > 1:
            row = parents(row)
        return row[0]

    def _hashes(self, level: int, index: int) -> list[bytes]:
        there_are = (self._size >> HEIGHT * level) - index * WIDTH
        tile = Tile(level, index, min(WIDTH, there_are))
        if tile not in self._remembered:
            hashes = join([self._read(tile)])
            if len(hashes) < tile.width:
                raise BadTile(f"{tile} holds {len(hashes)} hashes and must hold {tile.width}.")
            if len(self._remembered) == MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[tile] = hashes
        return self._remembered[tile]
