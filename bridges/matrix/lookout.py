"""Listens for stops while the stream stands still, because a disk does not take what came, or keys do not come.

It changes nothing and moves no cursor: all that it hears comes again when the stream goes on.
"""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog
from nio import MatrixRoom, MegolmEvent, SyncResponse

from bot.words.errors import NetworkError, StoreError
from bridges.matrix.connection import Connection
from bridges.matrix.disk import FAULTS
from bridges.matrix.patience import patiently
from bridges.matrix.reading import Arrived
from bridges.matrix.waiting import unsealed

MAY_STAND_S = 0.5
"""What the stream may take for a batch before somebody listens beside it."""
LONG_POLL_MS = 20_000
AGAIN_S = 1.0
"""Between two looks: the second one brings again what the first one brought."""

log = structlog.get_logger(__name__)
Result = TypeVar("Result")


class LookOut:
    """Hears who stops something, and nothing else."""

    def __init__(
        self, connection: Connection, hear: Callable[[SyncResponse, Sequence[Arrived], float], Awaitable[None]]
    ) -> None:
        self._connection = connection
        self._hear = hear
        """What is done about events that nobody has heard yet, with the time of their arrival."""
        self.listens = False
        """Whether the stream stands still."""

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

    async def until_the_disk_writes(self, since: str | None) -> None:
        """Wait until what failed may be tried again, and hear what comes after a cursor meanwhile.

        The connection knows more than the disk, and must be opened anew then.
        """
        self._connection.read_only()
        await self.beside(self._probe(), since)

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_S)  # it has failed just now
            try:
                self._connection.seen.probe()
            except StoreError as error:
                log.error("the disk does not take the keys; stops alone are heard", error=error.what)
            else:
                return

    async def _until(self, working: "asyncio.Future[Result]", since: str) -> None:
        log.warning("the stream stands still; stops are heard beside it")
        self.listens = True
        listening = asyncio.create_task(self._listen(since), name="matrix look-out")
        try:
            await asyncio.wait([working, listening], return_when=asyncio.FIRST_COMPLETED)
            if listening.done():  # it never comes to an end by itself
                listening.result()
        finally:
            self.listens = False
            listening.cancel()
            await asyncio.wait([listening])

    async def _listen(self, since: str) -> None:
        known: frozenset[str] = frozenset()
        for number in itertools.count():
            # A homeserver answers the same question with the same answer for minutes; so it is never quite the same.
            wait_ms = LONG_POLL_MS - number % LONG_POLL_MS
            response = await patiently(functools.partial(self._connection.peek, since, wait_ms), NetworkError)
            arrived = asyncio.get_running_loop().time()
            events = self._events(response)
            await self._hear(response, [each for each in events if _name(each) not in known], arrived)
            known = frozenset(map(_name, events))
            await asyncio.sleep(AGAIN_S)

    def _events(self, response: SyncResponse) -> list[Arrived]:
        """What was said, opened where its key is here, or has come along."""
        client, olm, me = self._connection.client, self._connection.olm, self._connection.login.user
        for event in response.to_device_events:
            with contextlib.suppress(*FAULTS):  # it comes again
                self._connection.early.open(event)
        found: list[Arrived] = []
        for room_id, info in response.rooms.join.items():
            room = client.rooms.get(room_id) or MatrixRoom(room_id, me, encrypted=True)
            for event in info.timeline.events:
                if isinstance(event, MegolmEvent):
                    event.room_id = room_id
                    with contextlib.suppress(*FAULTS):  # then it stays sealed, and comes again
                        found.append((unsealed(olm, event) or event, room))
                else:
                    found.append((event, room))
        return found


def _name(arrived: Arrived) -> str:
    return str(arrived[0].source.get("event_id"))
