"""Brings what is in a file from the network that keeps it, when it is to be sent on. Nothing of it is ever stored.

A file that does not come costs those who wait behind it seconds, whoever has sent it.
"""

import asyncio
import collections
import contextlib
import dataclasses
import time
from collections.abc import AsyncGenerator, Callable, Mapping

import structlog

from bot.bridge import Bridge, Keeping, Sender
from bot.words.document import OCTETS, Block, Brought, Document, Enclosed, text
from bot.words.errors import NetworkError, TocsinError, Unreachable
from bot.words.message import Place, Post
from bot.words.talk import LARGEST_FILE

AT_ONCE = 2
"""Files in memory at the same time."""
MAY_TAKE_S = 10.0
"""So long a file may take to come, and to wait for those before it."""
BRINGING_TAKES_S = 2 * MAY_TAKE_S
IN_HASTE_S = 2.0
"""The same at a place where one has not come in time, though its network is there, for as long as the patience."""
PATIENCE_S, PATIENCE_WHILE_THERE_S = 600.0, 30.0
"""So long a place waits for a network that does not give its files, and for one that is there and does not give them.
Then it gets the words without them, until one comes."""
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
Way = tuple[str, Place]
"""From which network to which place."""


class Unbrought(TocsinError):
    """A file is not there yet; the same again later may work. It says nothing of where it is to go."""

    def __init__(self, what: str, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class Bringer:
    """A way to say a post with all that it encloses."""

    def __init__(
        self, sender: Sender, bridges: Mapping[str, Bridge], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sender = sender
        self._bridges = bridges
        self._clock = clock
        self._missed: collections.OrderedDict[Way, float] = collections.OrderedDict()
        """Since when no file could be had."""
        self._hung: collections.OrderedDict[Way, float] = collections.OrderedDict()
        """When one has not come in time, though its network is there."""
        self._room = asyncio.Semaphore(AT_ONCE)

    async def send(self, post: Post, *, key: str) -> str:
        """As a bridge does it. Raises Unbrought where a file may be had later: then nothing is said.

        A network that keeps no files is told their names alone.
        """
        files = [block for block in post.document.blocks if isinstance(block, Enclosed)]
        if not files or not isinstance(self._sender, Keeping):
            return await self._sender.send(post, key=key)
        async with self._slot():
            blocks = [await self._whole(block, post.place) for block in post.document.blocks]
            whole = dataclasses.replace(post, document=Document(tuple(blocks)))
            if any(isinstance(block, Brought) for block in blocks):
                return await self._sender.send(whole, key=key)
        return await self._sender.send(whole, key=key)

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(MAY_TAKE_S):
                await self._room.acquire()
        except TimeoutError:
            raise Unbrought("Other files are on their way.") from None
        try:
            yield
        finally:
            self._room.release()

    async def _whole(self, block: Block, place: Place) -> Block:
        if not isinstance(block, Enclosed):
            return block
        bridge, way = self._bridges.get(block.network), (block.network, place)
        left = text(f"(The file {block.name} could not be brought.)")
        if not isinstance(bridge, Keeping):
            return left
        try:
            async with asyncio.timeout(IN_HASTE_S if self._has_hung(way) else MAY_TAKE_S):
                content = await bridge.bring(block.reference, LARGEST_FILE)
        except TimeoutError:
            if bridge.health().ready:
                _note(self._hung, way, self._clock())
                log.warning("a file stays behind: it does not come in time", network=block.network)
                return left
            self._wait_for(way, "It does not come in time.", PATIENCE_S)
        except Unreachable as error:
            patience_s = PATIENCE_WHILE_THERE_S if bridge.health().ready else PATIENCE_S
            self._wait_for(way, error.what, patience_s, error.retry_after)
        except NetworkError as error:
            log.warning("a file stays behind", network=block.network, error=error.what)
        else:
            self._missed.pop(way, None)
            return Brought(dataclasses.replace(block, size=len(content), type=_type_of(block, content)), content)
        return left

    def _has_hung(self, way: Way) -> bool:
        return way in self._hung and self._clock() - self._hung[way] < PATIENCE_S

    def _wait_for(self, way: Way, why: str, patience_s: float, retry_after: float | None = None) -> None:
        """Raises Unbrought, as long as there is patience: no file keeps a place from all that comes after it."""
        since = self._missed.get(way, self._clock())
        _note(self._missed, way, since)
        if self._clock() - since < patience_s:
            raise Unbrought(why, retry_after)
        log.warning("a file stays behind, after a long wait", network=way[0])


def _note(times: collections.OrderedDict[Way, float], way: Way, time: float) -> None:
    times[way] = time
    if len(times) > REMEMBERED:
        times.popitem(last=False)


def _type_of(file: Enclosed, content: bytes) -> str:
    """What it says it is, where it is no other thing."""
    beginnings = BEGINNINGS.get(file.type)
    return file.type if beginnings is None or content.startswith(beginnings) else OCTETS
