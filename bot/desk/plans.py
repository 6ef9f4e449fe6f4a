"""What people want done later: at its time a command goes into the inbox, as if its person had just said it.

So all that holds for what people say holds for it: rights as they are then, limits, the record. What is missed is not
made up for: it is told. Nothing begins anew while the run before still goes on.
"""

import asyncio
import dataclasses
import datetime as dt
import functools
import math
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bot.desk.decision import EDITED, REMOVED
from bot.store import Store, Tx, audit, inbox, jobs, outbox, plans, requests
from bot.store.inbox import Received
from bot.store.plans import Plan
from bot.words.document import Tone, document, mono, strong, text
from bot.words.errors import Refused, StoreError
from bot.words.glyphs import cut, one_line
from bot.words.message import Change, Lane, Message, Post
from bot.words.people import People, Person
from bot.words.times import clock

MOST = 200
MOST_EACH = 20
LATEST_S = 60.0
"""How much too late it still begins: as old as a command may be that somebody says."""
LOOK_EVERY_S = 1.0
LONGEST_SHOWN = 200

log = structlog.get_logger(__name__)


class Plans:
    """All plans that stand."""

    def __init__(
        self,
        store: Store,
        people: People,
        *,
        queued: Callable[[], None],
        receive: Callable[[Sequence[Received]], None],
        now: Callable[[], float] = time.time,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._people = people
        self._queued = queued
        self._receive = receive
        self._now = now
        self._pause = pause
        self._next = -math.inf
        """When one is due. Sooner does no harm."""
        self._looked = -math.inf

    async def make(  # what it is, and when
        self, id_: str, person: Person, asked: Message, *, command: str, due: float, every_s: float | None
    ) -> Plan:
        """Have a command given later: that of the message. `command` is what it was understood as, for the record."""
        plan = Plan(id_, person.name, asked, self._now(), due, every_s)

        def write(tx: Tx) -> None:
            stand = plans.all_plans(tx)
            mine = sum(each.person == person.name for each in stand)
            if len(stand) >= MOST or mine >= MOST_EACH:
                raise Refused(
                    f"Not planned: {len(stand)} plans stand already, {mine} of them yours.",
                    hint="!plans lists them; !cancel ends one.",
                )
            if requests.is_edited(tx, asked):
                raise Refused("Not planned: the message was edited or removed.", hint="Send it as a new one.")
            plans.add(tx, plan)
            who = audit.about(person.name, person=person.name)
            every = None if every_s is None else round(every_s)
            audit.record(tx, "planned", who, id=id_, resolved=command, due=_moment(due), every_s=every)

        await self._store.write(write)
        self._next = min(self._next, due)
        return plan

    async def stand(self) -> list[Plan]:
        """All that stand, the next one first."""
        return await self._store.read(plans.all_plans)

    async def end(self, plan: Plan, person: Person) -> bool:
        """Somebody wants it no more. False where it stood no more."""

        def write(tx: Tx) -> bool:
            is_ended = plans.drop(tx, plan.id)
            if is_ended:
                _record(tx, plan, "ended", audit.about(person.name, ended_by=person.name))
            return is_ended

        return await self._store.write(write)

    def void(self, tx: Tx, network: str, changes: Sequence[Change]) -> None:
        """Messages were edited or taken back: what they planned stands no more."""
        for change in changes:
            for plan in plans.touched(tx, network, change):
                plans.drop(tx, plan.id)
                _tell(tx, plan, "void", f"it stands no more: {REMOVED if change.removed else EDITED}.")

    async def run(self) -> None:
        """Give each command at its time, until cancelled."""
        while True:
            if self._now() >= self._next or self._now() < self._looked:  # or the clock was set back
                try:
                    await self._give_what_is_due()
                except StoreError as error:
                    self._next = -math.inf
                    log.error("plans have to wait for the database", error=str(error))
            await self._pause(LOOK_EVERY_S)

    async def _give_what_is_due(self) -> None:
        now = self._looked = self._now()
        self._next = math.inf
        for plan in await self.stand():
            if plan.due <= now:
                given = await self._store.write(functools.partial(self._give, plan, now))
                if given is not None:
                    self._receive([given])
                self._queued()
            elif plan.every_s is not None and plan.due > now + plan.every_s:
                again = now + plan.every_s
                await self._store.write(functools.partial(plans.move_on, plan=plan, due=again, runs=plan.runs))
        next_one = min((each.due for each in await self.stand()), default=math.inf)
        self._next = min(self._next, next_one)  # one that was made meanwhile counts

    def _give(self, plan: Plan, now: float, tx: Tx) -> Received | None:
        """Put it into the inbox, where it is to be given, and move it on in the same commit."""
        run = plan.runs + 1
        holder = self._people.holder_of(plan.asked.account)
        if holder is None or holder.name != plan.person:
            if plans.drop(tx, plan.id):
                _tell(tx, plan, "off", f"it stands no more: {plan.person} may not give commands any more.")
            return None
        is_missed = now - plan.due > LATEST_S
        goes_on = [] if is_missed else [job for job in _run_before(tx, plan) if not job.state.is_over]
        is_given = not (is_missed or goes_on)
        if not plans.move_on(tx, plan, plan.next_after(now), run if is_given else plan.runs):
            return None
        if is_missed:
            _tell(tx, plan, "missed", f"it was due at {clock(plan.due, now)}, and I was away.")
        elif goes_on:
            _tell(tx, plan, "skipped", f"the run before still goes on: job {goes_on[0].id[:8]}.")
        else:
            return inbox.add(tx, _given(plan, run, now))
        return None


def _given(plan: Plan, run: int, now: float) -> Message:
    """What its person says now."""
    return dataclasses.replace(
        plan.asked, event=plan.event(run), planned_by=plan.asked.event, sent_ms=int(now * 1000), age_s=0.0
    )


def _run_before(tx: Tx, plan: Plan) -> list[jobs.Job]:
    """What components were told to do at the last run."""
    return jobs.of(tx, inbox.id_of(plan.asked.place.network, plan.event(plan.runs)))


def _tell(tx: Tx, plan: Plan, what: str, why: str) -> None:
    """It was not run, or stands no more. Where it is so again, the room sees one message that is edited."""
    _record(tx, plan, what)
    said = cut(one_line(plan.asked.text), LONGEST_SHOWN)
    words = document(text(strong(what.upper(), Tone.WARN), " ", mono(said), f", plan {plan.id[:8]}: {why}"))
    subject = f"plan {plan.id} {what}"
    outbox.queue(tx, Post(plan.asked.place, words, Lane.ANSWER, reply_to=plan.asked.event, subject=subject))


def _record(tx: Tx, plan: Plan, what: str, *more: audit.About) -> None:
    who = audit.about(plan.person, person=plan.person)
    audit.record(tx, f"plan {what}", who, *more, id=plan.id, due=_moment(plan.due))


def _moment(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="seconds")
