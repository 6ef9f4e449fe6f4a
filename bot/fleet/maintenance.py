"""Who works on what just now, so that nobody wonders at its silence. A stop counts there as everywhere."""

import time
from collections.abc import Callable

from bot.store import Store, Tx, audit, maintenance
from bot.store.maintenance import Work
from bot.words.times import clock
from wire.messages import Target


class Maintenance:
    """What is being worked on."""

    def __init__(
        self, store: Store, groups: Callable[[str], frozenset[str]], *, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._groups = groups
        self._now = now
        self._work: dict[str, Work] = {}

    async def read(self) -> None:
        """What was noted before this start."""
        self._work = {each.target: each for each in await self._store.read(maintenance.all_work)}

    async def begin(self, target: Target, seconds: float, person: str) -> Work:
        """Somebody works on it for so long."""
        work = Work(str(target), self._now() + seconds, person)

        def write(tx: Tx) -> None:
            maintenance.put(tx, work)
            who = audit.about(person, person=person)
            audit.record(tx, "maintenance", who, target=work.target, seconds=round(seconds))

        await self._store.write(write)
        self._work[work.target] = work
        return work

    async def end(self, target: Target, person: str) -> bool:
        """It is over. False where nobody worked on it."""
        name = str(target)

        def write(tx: Tx) -> None:
            if maintenance.drop(tx, name):
                audit.record(tx, "maintenance ended", audit.about(person, person=person), target=name)

        await self._store.write(write)
        return self._work.pop(name, None) is not None

    def going_on(self) -> tuple[Work, ...]:
        """What is not over."""
        now = self._now()
        return tuple(each for each in self._work.values() if each.until > now)

    def remark(self, component: str) -> str:
        """What is to be said beside a component: who works on it, and until when."""
        groups = self._groups(component)
        for work in self.going_on():
            if Target.parse(work.target).meets(component, groups):
                return f"maintenance until {clock(work.until, self._now())}, {work.person}"
        return ""
