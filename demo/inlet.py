"""The inlet of one bridge alone, over a real store: whoever stands on it looks at what came."""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bot.bridge import Unreadable
from bot.store import Store, Tx, inbox
from bot.store.inbox import Received
from bot.words.message import Change, Message, Moved, Reaction


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """What a bridge hands over at once."""

    messages: Sequence[Message]
    cursor: str
    moves: Sequence[Moved]
    changes: Sequence[Change]
    unreadable: Sequence[Unreadable]
    reactions: Sequence[Reaction]
    own: Mapping[str, str]


class StoredInlet:
    """Takes batches into the inbox of a store."""

    def __init__(self, store: Store, network: str) -> None:
        self._store = store
        self._network = network

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
        """As a bridge calls it."""
        await self.take(Batch(messages, cursor, moves, changes, unreadable, reactions, own))

    async def take(self, batch: Batch) -> None:
        """Take a batch."""
        await self.keep(batch)

    async def keep(self, batch: Batch) -> list[Message]:
        """Put it into the inbox. Returns what is new there."""

        def write(tx: Tx) -> list[Received]:
            new = inbox.accept(tx, self._network, batch.messages, batch.cursor, batch.changes, batch.moves)
            self.keep_more(tx, batch)
            return new

        return [each.message for each in await self._store.write(write)]

    def keep_more(self, tx: Tx, batch: Batch) -> None:
        """What is written along, in the same commit."""

    async def despite_the_disk(self, messages: Sequence[Message], trouble: str = "") -> None:
        """Not told, where no disk ever hangs."""
        raise AssertionError(messages, trouble)

    async def cursor(self) -> str | None:
        """Where the next batch begins."""
        return await self._store.read(lambda tx: inbox.cursor(tx, self._network))
