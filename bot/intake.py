"""Where a bridge puts what it received: into the inbox, and from there to the desk. A stop passes a disk that hangs.

Where the disk takes nothing, whoever asked for something is answered without it.

What cannot be read goes into no inbox, and is never passed over in silence either.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from bot.bridge import Unreadable
from bot.channels import Channels
from bot.desk.approvals import Approvals
from bot.desk.conclusion import DISK_MAY_STAND_S
from bot.desk.desk import Desk
from bot.desk.plans import Plans
from bot.store import Store, Tx, inbox, outbox
from bot.store.inbox import Received
from bot.unreadable import Alarms
from bot.words.errors import AnsweredApart, is_of_the_disk
from bot.words.message import Change, Message, Moved, Reaction

DISK_MAY_TAKE_S = 0.05
"""A stop whose message is not on disk by then goes out all the same."""


class Intake:
    """The inlet of one network."""

    def __init__(
        self,
        network: str,
        store: Store,
        desk: Desk,
        approvals: Approvals,
        plans: Plans,
        *,
        queued: Callable[[], None],
        alarms: Alarms | None = None,
        channels: Channels | None = None,
    ) -> None:
        self._channels = channels
        self._network = network
        self._store = store
        self._desk = desk
        self._approvals = approvals
        self._plans = plans
        self._queued = queued
        self._alarms = alarms

    async def accept(
        self,
        messages: Sequence[Message],
        *,
        cursor: str,
        moves: Sequence[Moved] = (),
        changes: Sequence[Change] = (),
        unreadable: Sequence[Unreadable] = (),
        reactions: Sequence[Reaction] = (),
        own: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Put messages into the inbox. Stops among them go out even where the disk takes nothing, or takes long."""
        alarms = self._alarms
        bursts = alarms.about(unreadable) if alarms else []
        changed = {each.event for each in changes}
        unchanged = [message for message in messages if message.event not in changed]

        def write(tx: Tx) -> list[Received]:
            fresh = [message for message in messages if not self._desk.is_answered_apart(message)]
            new = inbox.accept(tx, self._network, fresh, cursor, changes, moves)
            known = {each.message.event for each in new}
            outbox.recognise(tx, self._network, own)
            self._spread(tx, [each for each in fresh if each.event in known], changes, reactions, moves)
            if alarms:
                alarms.write(tx, bursts)
            return new

        writing = asyncio.ensure_future(self._store.write(write))
        try:
            await asyncio.wait([writing], timeout=DISK_MAY_TAKE_S)
            if not writing.done():
                self._desk.hurry(messages)
            while not (await asyncio.wait([writing], timeout=DISK_MAY_STAND_S))[0]:
                if trouble := self._store.trouble:
                    await self._desk.answer_apart(unchanged, trouble, may_be_written=True)
            new = await writing
        except Exception as error:
            self._desk.hurry(messages)
            if is_of_the_disk(error) and await self._desk.answer_apart(unchanged, error.what):
                raise AnsweredApart(error.what, hint=error.hint) from error
            raise
        finally:
            writing.cancel()  # where we were: what was handed in is written all the same
        self._desk.receive(new)
        if alarms:
            alarms.written(bursts)
        self._tell_of_other_places(moves)
        if changes or bursts or self._channels is not None:
            self._queued()

    def _spread(
        self,
        tx: Tx,
        new: Sequence[Message],
        changes: Sequence[Change],
        reactions: Sequence[Reaction],
        moves: Sequence[Moved],
    ) -> None:
        """What follows from it for others, in the same commit."""
        self._approvals.void(tx, self._network, changes)
        self._plans.void(tx, self._network, changes)
        if self._channels is not None:
            self._channels.take_in(tx, self._network, new, changes, reactions, moves)

    def _tell_of_other_places(self, moves: Sequence[Moved]) -> None:
        if self._channels is not None and any(moved.is_whole for moved in moves):
            self._channels.changed()

    async def despite_the_disk(self, messages: Sequence[Message], trouble: str = "") -> None:
        """Have the stops among messages go out now, and the others answered where a disk takes nothing."""
        self._desk.hurry(messages)
        if trouble := trouble or self._store.trouble:
            await self._desk.answer_apart(messages, trouble)

    async def cursor(self) -> str | None:
        """The cursor of the last batch that is on disk."""
        return await self._store.read(lambda tx: inbox.cursor(tx, self._network))
