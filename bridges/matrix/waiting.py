"""What listed people wrote and nobody here can read yet: its key may come a little later than the message.

It never lets go of such a message in silence: it is read in time, or given up and told. The cursor that is kept stays
before it until then, so that after a crash it comes again.
"""

import collections
import dataclasses
import math
from collections.abc import Callable, Sequence

from nio import BadEvent, Event, MatrixRoom, MegolmEvent, UnknownBadEvent
from nio.crypto import Olm

from bot.bridge import Cause, Unreadable
from bot.words.message import Change
from bridges.matrix.reading import Arrived

KEY_MAY_TAKE_S = 10.0
MOST_WAITING = 200
"""Letters of up to 64 KiB. When more come, the oldest are given up early."""


@dataclasses.dataclass(frozen=True, slots=True)
class Letter:
    """A message that is sealed."""

    event: Event | BadEvent | UnknownBadEvent
    room: MatrixRoom
    known: Unreadable


@dataclasses.dataclass(slots=True)
class _Delivery:
    """What came together, and the cursor behind it."""

    until: float
    cursor: str
    letters: dict[str, Letter]


class Waiting:
    """Letters that wait for their keys, in the order in which they came."""

    def __init__(
        self,
        unseal: Callable[[MegolmEvent], Event | None],
        clock: Callable[[], float],
        key_may_take_s: float,
        *,
        why: Callable[[Event | BadEvent | UnknownBadEvent, str], Cause | None] = lambda _event, _room: None,
    ) -> None:
        self._unseal = unseal
        self._why = why
        self._clock = clock
        self._key_may_take_s = key_may_take_s
        self._deliveries: collections.deque[_Delivery] = collections.deque()
        self._changes: dict[str, Change] = {}
        """By event: what became of a letter while it waited. A command that was edited is not run, however late."""
        self.cursor = ""
        """The last one before which nothing waits."""

    def wait_s(self) -> float:
        """How long until the first of them is given up; for ever, where none waits."""
        return max(0.0, self._deliveries[0].until - self._clock()) if self._deliveries else math.inf

    def letters(self) -> list[Arrived]:
        """All that wait."""
        return [(each.event, each.room) for delivery in self._deliveries for each in delivery.letters.values()]

    def hold(self, letters: Sequence[Letter], *, since: str | None, cursor: str) -> None:
        """Take what came between two cursors."""
        if letters:
            if not self._deliveries:
                self.cursor = since or cursor
            until = self._clock() + self._key_may_take_s
            self._deliveries.append(_Delivery(until, cursor, {letter.known.event: letter for letter in letters}))
            self._make_room()
        elif self._deliveries:
            self._deliveries[-1].cursor = cursor
        else:
            self.cursor = cursor

    def note(self, changes: Sequence[Change]) -> None:
        """Some of these may change what waits."""
        for change in changes:
            for delivery in self._deliveries:
                letter = delivery.letters.get(change.event)
                if letter and change.place == letter.known.place and _may(change, letter.known):
                    self._changes[change.event] = change

    def opened(self) -> tuple[list[Arrived], list[Change]]:
        """Those that can be read now, and what was changed of them meanwhile. They wait no longer."""
        found: list[Arrived] = []
        changes: list[Change] = []
        for delivery in self._deliveries:
            for name, letter in list(delivery.letters.items()):
                if not isinstance(letter.event, MegolmEvent) or (event := self._unseal(letter.event)) is None:
                    continue
                del delivery.letters[name]
                found.append((event, letter.room))
                changes += [change] if (change := self._changes.pop(name, None)) else []
        return found, changes

    def given_up(self) -> list[Unreadable]:
        """Those whose time is over. They wait no longer, and the cursor moves on behind them."""
        found: list[Unreadable] = []
        # Why, is asked now: the notice may have come after the message.
        while self._deliveries and (not self._deliveries[0].letters or self._deliveries[0].until <= self._clock()):
            delivery = self._deliveries.popleft()
            found += [
                dataclasses.replace(letter.known, cause=self._why(letter.event, letter.room.room_id))
                for letter in delivery.letters.values()
            ]
            self.cursor = delivery.cursor
        for each in found:
            self._changes.pop(each.event, None)
        return found

    def _make_room(self) -> None:
        count = sum(len(delivery.letters) for delivery in self._deliveries)
        for delivery in self._deliveries:
            if count <= MOST_WAITING:
                return
            delivery.until = -math.inf
            count -= len(delivery.letters)


def _may(change: Change, known: Unreadable) -> bool:
    return change.removed or change.account == known.account


def unsealed(olm: Olm, event: MegolmEvent) -> Event | None:
    """The event as it was written, where its key is here by now."""
    if event.sender_key is None or event.session_id is None:
        return None
    if olm.inbound_group_store.get(event.room_id, event.sender_key, event.session_id) is None:
        return None
    decrypted = olm._decrypt_megolm_no_error(event)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - guarded, as all room events are
    return decrypted if isinstance(decrypted, Event) else None
