"""Who commands a component alone just now: what others tell it is refused. Reading and stopping are never refused.

It ends by itself at its time, and where its holder may not give commands any more.
"""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Iterable

from bot.store import Store, Tx, audit, helm, outbox
from bot.store.helm import Held
from bot.words.document import Document
from bot.words.errors import Refused
from bot.words.message import Lane, Post
from bot.words.people import People, Role
from bot.words.times import clock

CLOCK_S = 5.0
"""How far a clock may be set back without ending it."""


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
        self._changing = asyncio.Lock()  # two who take it at once would both have it

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
        """Somebody commands it from now on. With a reason from whoever does so now, who is told.

        Raises Refused where somebody else commands it, and no reason is given.
        """
        async with self._changing:
            before = self.holder(new.component)
            if not reason:
                self.check(by, [new.component])
            taken_from = before if before is not None and before.person not in (by, new.person) else None

            def write(tx: Tx) -> None:
                helm.put(tx, new)
                people = [audit.about(new.person, person=new.person)]
                people += [audit.about(by, given_by=by)] if by != new.person else []
                people += [audit.about(taken_from.person, taken_from=taken_from.person)] if taken_from else []
                people += [audit.about(by, reason=audit.digest(reason))] if reason else []
                seconds = round(new.until - self._now())
                audit.record(
                    tx, "commander", *people, component=new.component, component_session=session, seconds=seconds
                )
                if taken_from is not None and told is not None:
                    outbox.queue(tx, Post(taken_from.place, told, Lane.ANSWER, reply_to=taken_from.reply_to))

            await self._store.write(write)
            self._held[new.component] = new
        self._queued()

    async def give(self, component: str, by: str, new: Held, *, session: str) -> Held:
        """Whoever commands it hands it over, for as long as they had it. Raises Refused where somebody else does."""
        new = dataclasses.replace(new, until=self.mine(component, by).until)
        await self.take(new, by=by, session=session)
        return new

    def mine(self, component: str, person: str) -> Held:
        """That somebody commands it. Raises Refused where they do not."""
        held = self.holder(component)
        if held is None or held.person != person:
            who = f"{held.person} commands {component}, and not you" if held else f"nobody commands {component} alone"
            raise Refused(f"Not done: {who}.", hint="!commander shows who commands what.")
        return held

    async def end(self, component: str, person: str) -> None:
        """Whoever commands it does no more. Raises Refused where somebody else does."""
        async with self._changing:
            self.mine(component, person)

            def write(tx: Tx) -> None:
                if helm.drop(tx, component):
                    audit.record(tx, "commander ended", audit.about(person, person=person), component=component)

            await self._store.write(write)
            self._held.pop(component, None)

    def _counts(self, held: Held) -> bool:
        holder = self._people.named(held.person)
        may = holder is not None and holder.role >= Role.OPERATOR and not self._people.is_suspended(held.person)
        return may and held.since - CLOCK_S <= self._now() < held.until
