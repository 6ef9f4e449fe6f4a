"""Pictures that components publish before the end of a job names them. What nobody signed for is shown to nobody.

They are kept in memory alone, within a bound: the oldest go.
"""

import collections
import hashlib
import struct
from collections.abc import Sequence

from bot.words.document import Block, Picture, text
from bot.words.glyphs import cut, one_line
from wire.picture import LARGEST_PICTURE, SHA256, MediaType, PictureNamed

MOST_BYTES = 16 * 1024 * 1024
LONGEST_ALT = 300
PNG = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">8sI4sII")


class Pictures:
    """What has come, by component and digest."""

    def __init__(self) -> None:
        self._held: collections.OrderedDict[tuple[str, str], bytes] = collections.OrderedDict()
        self._size = 0

    def take(self, component: str, sha256: str, data: bytes) -> bool:
        """Keep the bytes of a picture. False where they are not what their name says."""
        is_one = SHA256.fullmatch(sha256) is not None and 0 < len(data) <= LARGEST_PICTURE
        if not is_one or hashlib.sha256(data).hexdigest() != sha256:
            return False
        self._size += len(data) - len(self._held.pop((component, sha256), b""))
        self._held[component, sha256] = data
        while self._size > MOST_BYTES:
            _, oldest = self._held.popitem(last=False)
            self._size -= len(oldest)
        return True

    def shown(self, component: str, named: Sequence[PictureNamed]) -> list[Block]:
        """The pictures that an end names, as far as they have come."""
        return [self._one(component, each) for each in named]

    def _one(self, component: str, named: PictureNamed) -> Block:
        alt = cut(one_line(named.alt), LONGEST_ALT) or "A picture"
        data = self._held.get((component, named.sha256))
        if data is None or not named.is_of(data):
            return text(f"{alt}: this picture has not come.")
        size = _size_of(named.media_type, data)
        if size is None:
            return text(f"{alt}: this picture cannot be shown.")
        try:
            return Picture(alt, named.media_type, data, *size)
        except ValueError:
            return text(f"{alt}: this picture cannot be shown.")


def _size_of(media_type: MediaType, data: bytes) -> tuple[int, int] | None:
    """Width and height, as a PNG says at its beginning. Of other kinds nobody here can tell."""
    if media_type is not MediaType.PNG or len(data) < HEADER.size:
        return None
    magic, _, chunk, width, height = HEADER.unpack_from(data)
    return (width, height) if (magic, chunk) == (PNG, b"IHDR") else None
