"""Brings what is in a file from the network that keeps it, when it is to be sent on. Nothing of it is ever stored."""

import asyncio
import collections
import dataclasses
import time
from collections.abc import Callable, Mapping

import structlog

from bot.bridge import Bridge, Keeping, Sender
from bot.words.document import OCTETS, Block, Brought, Document, Enclosed, text
from bot.words.errors import NetworkError, Unreachable
from bot.words.message import Post
from bot.words.talk import LARGEST_FILE

AT_ONCE = 2
"""Files in memory at the same time."""
PATIENCE_S = 600.0
"""So long a place waits for a file that its network does not give now. Then it gets the words without it."""
REMEMBERED = 1_000
BEGINNINGS = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "application/pdf": (b"%PDF-",),
}
"""How files of these types begin. One that does not is of no type that is known."""

log = structlog.get_logger(__name__)


class Bringer:
    """A way to say a post with all that it encloses."""

    def __init__(
        self, sender: Sender, bridges: Mapping[str, Bridge], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sender = sender
        self._clock = clock
        self._missed: collections.OrderedDict[tuple[str, str], float] = collections.OrderedDict()
        """Since when a file could not be had, by its network and its reference."""
        self._bridges = bridges
        self._room = asyncio.Semaphore(AT_ONCE)

    async def send(self, post: Post, *, key: str) -> str:
        """As a bridge does it. Where a file cannot be brought now, all of the post waits."""
        if not any(isinstance(block, Enclosed) for block in post.document.blocks):
            return await self._sender.send(post, key=key)
        async with self._room:
            blocks = [await self._whole(block) for block in post.document.blocks]
            return await self._sender.send(dataclasses.replace(post, document=Document(tuple(blocks))), key=key)

    async def _whole(self, block: Block) -> Block:
        if not isinstance(block, Enclosed):
            return block
        bridge = self._bridges.get(block.network)
        left = text(f"(The file {block.name} could not be brought.)")
        if not isinstance(bridge, Keeping):
            return left
        try:
            content = await bridge.bring(block.reference, LARGEST_FILE)
        except Unreachable:
            if self._is_worth_waiting_for(block):
                raise
            log.warning("a file stays behind, after a long wait", network=block.network)
            return left
        except NetworkError as error:
            log.warning("a file stays behind", network=block.network, error=error.what)
            return left
        return Brought(dataclasses.replace(block, size=len(content), type=_type_of(block, content)), content)

    def _is_worth_waiting_for(self, file: Enclosed) -> bool:
        """Whoever sends a file that nobody can fetch must not keep a place from all that comes after it."""
        since = self._missed.setdefault((file.network, file.reference), self._clock())
        if len(self._missed) > REMEMBERED:
            self._missed.popitem(last=False)
        return self._clock() - since < PATIENCE_S


def _type_of(file: Enclosed, content: bytes) -> str:
    """What it says it is, where it is no other thing."""
    beginnings = BEGINNINGS.get(file.type)
    return file.type if beginnings is None or content.startswith(beginnings) else OCTETS
