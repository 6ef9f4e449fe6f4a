"""Who commands a component alone just now: what others tell it is refused. Reading and stopping are never refused.

It ends by itself at its time, and where its holder may not give commands any more.
"""

import time
from collections.abc import Callable, Iterable

from bot.store import Store, Tx, audit, helm, outbox
from bot.store.helm import Held
from bot.words.document import Document
from bot.words.errors import Refused
from bot.words.message import Lane, Post
from bot.words.people import People
from bot.words.times import clock


class Helm:
    """Who commands what."""

    def __init__(
        self, store: Store, people: People, *, queued: Callable[[], None], now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._people = people
        self._queued = queued
        self._now = now
        self._held: dict[str, Held] = {}

    async def read(self) -> None:
        """What was so before this start."""
        self._held = {each.component: each for each in await self._store.read(helm.everything)}

    def everything(self) -> list[Held]:
        """All that counts just now, by component."""
        return [held for _, held in sorted(self._held.items()) if self._counts(held)]

    def holder(self, component: str) -> Held | None:
        """Who commands it alone, if anybody does."""
        held = self._held.get(component)
        return held if held is not None and self._counts(held) else None

    def check(self, person: str, components: Iterable[str]) -> None:
        """Raises Refused where somebody else commands one of them."""
        for component in components:
            held = self.holder(component)
            if held is not None and held.person != person:
                raise Refused(
                    f"Not run: {held.person} commands {component} until {clock(held.until, self._now())}.",
                    hint=f"Ask {held.person}, or take it with a reason: !commander take {component} REASON",
                )

    async def take(self, new: Held, *, by: str, session: str, reason: str = "", told: Document | None = None) -> None:
        """Somebody commands it from now on. Who did so before is told, where there is something to tell."""
        before = self.holder(new.component)

        def write(tx: Tx) -> None:
            helm.put(tx, new)
            people = [audit.about(new.person, person=new.person)]
            people += [audit.about(by, given_by=by)] if by != new.person else []
            people += [audit.about(before.person, taken_from=before.person)] if before else []
            audit.record(
                tx,
                "commander",
                *people,
                component=new.component,
                component_session=session,
                seconds=round(new.until - self._now()),
                reason=audit.digest(reason) if reason else None,
            )
            if before is not None and told is not None:
                outbox.queue(tx, Post(before.place, told, Lane.ANSWER, reply_to=before.reply_to))

        await self._store.write(write)
        self._held[new.component] = new
        self._queued()

    async def end(self, component: str, person: str) -> None:
        """Whoever commanded it does no more."""

        def write(tx: Tx) -> None:
            if helm.drop(tx, component):
                audit.record(tx, "commander ended", audit.about(person, person=person), component=component)

        await self._store.write(write)
        self._held.pop(component, None)

    def _counts(self, held: Held) -> bool:
        is_listed = self._people.named(held.person) is not None
        return held.until > self._now() and is_listed and not self._people.is_suspended(held.person)
