"""Listens for stops while the stream stands still, because a disk does not take what came, or keys do not come.

It changes nothing and moves no cursor: all that it hears comes again when the stream goes on.
"""

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog
from nio import MatrixRoom, MegolmEvent, SyncResponse
from nio.crypto import Olm

from bot.words.errors import NetworkError, StoreError, TocsinError
from bridges.matrix.connection import Connection
from bridges.matrix.disk import on_disk
from bridges.matrix.ears import Ears
from bridges.matrix.patience import patiently
from bridges.matrix.reading import Arrived

MAY_STAND_S = 0.5
"""What the stream may take for a batch before somebody listens beside it."""
LONG_POLL_MS = 10_000
AGAIN_S = 1.0
"""Between two looks: the second one brings again what the first one brought."""
LONGEST_REST_S = 30.0
"""How long a disk that took something, and then did not, is left alone."""

Hear = Callable[[SyncResponse, Sequence[Arrived], Olm, float, str], Awaitable[None]]
"""What is done about messages that nobody has heard yet, with who opened them, when they came, and what troubles the
disk of the device, if that is why the stream stands."""

log = structlog.get_logger(__name__)
Result = TypeVar("Result")


class LookOut:
    """Hears who stops something, and nothing else."""

    def __init__(self, connection: Connection, hear: Hear, sealed: Callable[[], Sequence[Arrived]]) -> None:
        self._connection = connection
        self._hear = hear
        self._sealed = sealed
        """What came before and could not be read yet."""
        self._trouble = ""

    async def beside(self, work: Awaitable[Result], since: str | None) -> Result:
        """The result of some work on the stream. Where it takes long, what comes after a cursor is heard meanwhile.

        Before the first cursor of all there is nothing that was said to the bot.
        """
        working = asyncio.ensure_future(work)
        try:
            await asyncio.wait([working], timeout=MAY_STAND_S)
            if not working.done() and since is not None:
                await self._until(working, since)
            return await working
        finally:
            working.cancel()
            await asyncio.wait([working])

    async def until_the_disk_writes(self, since: str | None, faults: int, trouble: str) -> None:
        """Wait until what failed may be tried again, longer where it fails again and again, and listen meanwhile.

        The connection knows more than the disk: it sends nothing more, and must be opened anew then.
        """
        self._connection.read_only()
        self._trouble = trouble
        try:
            await self.beside(self._probe(min(LONGEST_REST_S, AGAIN_S * 2 ** min(faults, 10))), since)
        finally:
            self._trouble = ""

    async def _probe(self, rest_s: float) -> None:
        while True:
            await asyncio.sleep(rest_s)
            try:
                self._connection.probe()
            except StoreError as error:
                log.error("the disk does not take the keys; stops are heard, nothing else is done", error=error.what)
            else:
                return

    async def _until(self, working: "asyncio.Future[Result]", since: str) -> None:
        log.warning("the stream stands still; stops are heard beside it")
        listening = asyncio.create_task(self._listen(since), name="matrix look-out")
        try:
            await asyncio.wait([working, listening], return_when=asyncio.FIRST_COMPLETED)
            if listening.done():  # it never comes to an end by itself
                listening.result()
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    async def _listen(self, since: str) -> None:
        ears: Ears | None = None
        known: set[str] = set()
        while True:
            try:
                if ears is None:
                    with on_disk():
                        ears = Ears(self._connection)
                response = await patiently(functools.partial(self._look, since), NetworkError)
                arrived = asyncio.get_running_loop().time()
                with on_disk():
                    heard = self._opened(ears, response, known)
                await self._hear(response, heard, ears.olm, arrived, self._trouble)
            except StoreError as error:  # it cannot even be read; perhaps it can be soon
                log.error("nothing can be heard beside the stream", error=error.what)
            except TocsinError:
                raise
            except Exception as error:  # whatever a stranger has found, somebody goes on listening
                log.exception("a look beside the stream is passed over", error=type(error).__name__)
            await asyncio.sleep(AGAIN_S)

    def _look(self, since: str) -> Awaitable[SyncResponse]:
        # A homeserver answers the same question with the same answer for minutes; so it is never quite the same.
        return self._connection.peek(since, LONG_POLL_MS + random.randrange(LONG_POLL_MS))  # noqa: S311 - see above

    def _opened(self, ears: Ears, response: SyncResponse, known: set[str]) -> list[Arrived]:
        """What nobody has heard yet, opened where its key is here or has come along."""
        rooms, me = self._connection.client.rooms, self._connection.login.user
        ears.take_keys(response.to_device_events)
        there = [*self._sealed()]
        for room_id, info in response.rooms.join.items():
            room = rooms.get(room_id) or MatrixRoom(room_id, me, encrypted=True)
            for event in info.timeline.events:
                if isinstance(event, MegolmEvent):
                    event.room_id = room_id
                there.append((event, room))
        found: list[Arrived] = []
        for event, room in there:
            name = str(event.source.get("event_id"))
            opened = ears.opened(event) if isinstance(event, MegolmEvent) and name not in known else event
            if name not in known and opened is not None:
                known.add(name)
                found.append((opened, room))
        return found
