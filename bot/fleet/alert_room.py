"""How much of alerts is told. What is grave may take the room of what is not, and never the other way round."""

from collections.abc import Callable, Hashable

from bot.desk.limits import Limit
from bot.fleet.alert_talk import slot_of
from bot.fleet.alerted import RANK
from bot.store.alerts import Raised
from wire.work import Severity

Asked = tuple[Limit, Hashable]


class Room:
    """Of each component and of all together, for each severity: so many new messages at once, then so many a second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._own = Limit(10, 0.1, clock=clock)
        self._all = Limit(40, 0.5, clock=clock)
        self._edits_of_one = Limit(2, 0.1, clock=clock)
        self._edits = Limit(20, 1.0, clock=clock)
        self._taken: list[Asked] = []

    def begin(self) -> None:
        """What was taken so far was used."""
        self._taken.clear()

    def give_back(self) -> None:
        """What was taken since was not."""
        for limit, key in self._taken:
            limit.give_back(key)
        self._taken.clear()

    def has_for(self, new: Raised) -> bool:
        """Take room for a new message, where there is some: its own first."""
        takes = reversed([each for each in Severity if RANK[each] <= RANK[new.severity]])
        return any(self._take((self._own, (new.component, each)), (self._all, each)) for each in takes)

    def has_for_edit(self, changed: Raised) -> bool:
        """Take room for an edit."""
        return self._take((self._edits_of_one, slot_of(changed)), (self._edits, changed.component))

    def _take(self, first: Asked, second: Asked) -> bool:
        if not first[0].take(first[1]):
            return False
        if not second[0].take(second[1]):
            first[0].give_back(first[1])
            return False
        self._taken += [first, second]
        return True
