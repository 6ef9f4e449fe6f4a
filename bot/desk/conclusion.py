"""What became of one message, on its way to the disk and to the room: done, recorded and answered in one commit.

Where the disk does not take that, the room is answered before it. What was told so is written later, and never undone.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

from bot.desk.outcome import Outcome
from bot.store import Store, Tx, inbox, outbox
from bot.store.inbox import Received
from bot.words.errors import is_of_the_disk
from bot.words.message import Post

DISK_MAY_STAND_S = 2.0
"""The room is answered without a disk that takes longer."""

Say = Callable[[Post, str], Awaitable[bool]]
"""Says a post under a key that belongs to it. Whether its network took it."""


class Conclusion:
    """An outcome that is to be written, and perhaps to be told before."""

    def __init__(self, received: Received, outcome: Outcome, say: Say) -> None:
        self._received = received
        self._outcome = outcome
        self._say = say
        self._key = outbox.new_key()
        """The same for both ways to the room, so that it is said once."""

    @property
    def _may_be_told_first(self) -> bool:
        """What the inbox has and changes something is told when it is recorded: a crash before could have it run."""
        command = self._outcome.command
        return bool(self._received.unwritten) or command is None or command.may_run_again

    async def written(self, store: Store) -> None:
        """Try once. Raises StoreError where the disk does not take it."""
        if self._received.unwritten:
            await self._tell()
        writing = asyncio.ensure_future(store.write(self._write))
        await asyncio.wait([writing], timeout=DISK_MAY_STAND_S)
        if self._may_be_told_first and (not writing.done() or is_of_the_disk(writing.exception())):
            await self._tell()
        await writing

    def hand_in(self, store: Store) -> None:
        """The desk ends: what was told is written if the disk takes it by then. Else the bot does not end in order."""
        if self._outcome.late:
            store.owe(self._write)

    async def _tell(self) -> None:
        answer, message = self._outcome.answer, self._received.message
        if answer is None:
            return
        post = Post(message.place, answer, self._outcome.lane, reply_to=message.hangs_on)
        if await self._say(post, self._key):
            self._outcome = dataclasses.replace(self._outcome, answer=None, late=True)

    def _write(self, tx: Tx) -> None:
        received = self._received
        if received.unwritten or self._outcome.late:  # it may be there by now, and even be dealt with
            row = inbox.take_in(tx, received.message)
            if row is None:
                return
            received = dataclasses.replace(received, row=row)
        self._outcome.write(tx, received, self._key)
