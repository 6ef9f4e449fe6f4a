"""What people want done later: at its time a command goes into the inbox, as if its person had just said it.

So all that holds for what people say holds for it: rights as they are then, the record, and a stop passes a disk that
takes nothing. What is missed is not made up for: it is told. Nothing begins anew while the run before still goes on.
"""

import asyncio
import dataclasses
import datetime as dt
import functools
import math
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

import structlog

from bot.desk.decision import EDITED, REMOVED, SUSPENDED
from bot.store import Store, Tx, audit, inbox, jobs, outbox, pins, plans, requests
from bot.store.inbox import Received
from bot.store.plans import Plan
from bot.words.document import Tone, document, mono, strong, text
from bot.words.errors import Refused, StoreError, StoreRefused, is_of_the_disk
from bot.words.glyphs import cut, one_line
from bot.words.message import Change, Lane, Message, Post
from bot.words.people import People, Person
from bot.words.times import clock

MOST = 200
MOST_EACH = 20
LATEST_S, LATEST_STOP_S = 60.0, 600.0
"""How much too late it still begins: as old as a command may be that somebody says."""
LOOK_EVERY_S = 1.0
DISK_MAY_TAKE_S = 0.05
"""A stop that is not on disk by then goes out all the same."""
LONGEST_SHOWN = 200

log = structlog.get_logger(__name__)


class Giver(Protocol):
    """Who gives commands: the desk."""

    def receive(self, new: Sequence[Received]) -> None:
        """Deal with what is new in the inbox."""
        ...

    def hurry(self, messages: Sequence[Message]) -> None:
        """Begin what waits for nothing among messages that the disk does not take, or not soon."""
        ...


class Plans:
    """All plans that stand."""

    def __init__(
        self,
        store: Store,
        people: People,
        *,
        queued: Callable[[], None],
        now: Callable[[], float] = time.time,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._people = people
        self._queued = queued
        self._now = now
        self._pause = pause
        self._giver: Giver | None = None
        self._networks: Collection[str] = ()
        self._next = self._looked = -math.inf
        """When to look next: never later than one is due. When we looked last."""
        self._under_way: set[str] = set()
        self._broken: set[str] = set()
        """Plans with which something is wrong that is no disk's fault. They are left alone."""
        self._hurried: set[str] = set()
        """The events of stops that went before the disk had them."""

    def attach(self, giver: Giver, networks: Collection[str]) -> None:
        """By whom commands are given, and on which networks anybody hears of it. To be called before `run`."""
        self._giver, self._networks = giver, networks

    async def make(self, plan: Plan) -> None:
        """Have it given later."""

        def write(tx: Tx) -> None:
            stand = plans.all_plans(tx)
            mine = sum(each.person == plan.person for each in stand)
            if len(stand) >= MOST or mine >= MOST_EACH:
                raise Refused(
                    f"Not planned: {len(stand)} plans stand already, {mine} of them yours.",
                    hint="!plans lists them; !cancel ends one.",
                )
            if requests.is_edited(tx, plan.asked):
                raise Refused("Not planned: the message was edited or removed.", hint="Send it as a new one.")
            known = pins.of(tx, plan.asked.account)
            plans.add(tx, dataclasses.replace(plan, identity=known.key if known else ""))
            who = audit.about(plan.person, person=plan.person, resolved=plan.resolved)
            every = None if plan.every_s is None else round(plan.every_s)
            audit.record(tx, "planned", who, id=plan.id, due=_moment(plan.due), every_s=every)

        self._next = -math.inf  # before it is written: whoever waits for that may be gone by then
        await self._store.write(write)

    async def stand(self) -> list[Plan]:
        """All that stand, the next one first."""
        return await self._store.read(plans.all_plans)

    async def end(self, plan: Plan, person: Person) -> bool:
        """Somebody wants it no more. Whoever planned it hears of that. False where it stood no more."""

        def write(tx: Tx) -> bool:
            is_ended = plans.drop(tx, plan.id)
            if is_ended and person.name == plan.person:
                _record(tx, plan, "ended")
            elif is_ended:
                by = audit.about(person.name, ended_by=person.name)
                _tell(tx, plan, "ended", f"{person.name} has ended it.", by)
            return is_ended

        is_ended = await self._store.write(write)
        self._queued()
        return is_ended

    def void(self, tx: Tx, network: str, changes: Sequence[Change]) -> None:
        """Messages were edited or taken back: what they planned stands no more."""
        for change in changes:
            for plan in plans.touched(tx, network, change):
                plans.drop(tx, plan.id)
                _tell(tx, plan, "void", f"it stands no more: {REMOVED if change.removed else EDITED}.")

    def void_all_of(self, tx: Tx, person: str) -> None:
        """Somebody is suspended: nothing of theirs is given later."""
        for plan in plans.all_plans(tx):
            if plan.person == person:
                plans.drop(tx, plan.id)
                _tell(tx, plan, "void", f"it stands no more: {SUSPENDED}.")

    async def run(self) -> None:
        """Give each command at its time, until cancelled."""
        self._next = -math.inf
        self._under_way.clear()
        async with asyncio.TaskGroup() as giving:
            while True:
                now = self._now()
                if now >= self._next or now < self._looked:  # or the clock was set back
                    await self._look(giving, now)
                await self._pause(LOOK_EVERY_S)

    async def _look(self, giving: asyncio.TaskGroup, now: float) -> None:
        self._looked, self._next = now, math.inf
        try:
            stand = await self.stand()
        except StoreError as error:
            self._next = -math.inf
            log.error("plans have to wait for the database", error=str(error))
            return
        for plan in stand:
            if plan.id in self._under_way | self._broken:
                continue
            if plan.due <= now or _is_too_far(plan, now):
                self._under_way.add(plan.id)
                giving.create_task(self._deal_with(plan), name=f"plan {plan.id}")
            else:
                self._next = min(self._next, plan.due)  # one that was made meanwhile has it look anew

    async def _deal_with(self, plan: Plan) -> None:
        writing = asyncio.ensure_future(self._store.write(functools.partial(self._give, plan)))
        try:
            await asyncio.wait([writing], timeout=DISK_MAY_TAKE_S)
            if plan.is_stop and (not writing.done() or is_of_the_disk(writing.exception())):
                self._hurry(plan)
            given = await writing
        except StoreError as error:
            log.error("a plan has to wait for the database", plan=plan.id, error=str(error))
            if isinstance(error, StoreRefused):
                self._broken.add(plan.id)
        except Exception:  # one plan never ends the others
            log.exception("a plan cannot be given", plan=plan.id)
            self._broken.add(plan.id)
        else:
            if given is not None and self._giver is not None:
                self._giver.receive([given])
            self._queued()
        finally:
            self._under_way.discard(plan.id)
            self._next = -math.inf

    def _hurry(self, plan: Plan) -> None:
        now, run = self._now(), plan.runs + 1
        event = plan.event(run)
        if event not in self._hurried and plan.due <= now <= plan.due + LATEST_STOP_S and self._giver is not None:
            self._hurried.add(event)
            self._giver.hurry([_given(plan, run, now)])

    def _give(self, plan: Plan, tx: Tx) -> Received | None:
        """Put it into the inbox, where it is to be given, and move it on in the same commit."""
        now, run = self._now(), plan.runs + 1
        if _is_too_far(plan, now):
            plans.move_on(tx, plan, now + (plan.every_s or 0.0), plan.runs)
            return None
        if why := self._may_not(plan, tx):
            if plans.drop(tx, plan.id):
                _tell(tx, plan, "off", f"it stands no more: {why}.")
            return None
        latest = LATEST_STOP_S if plan.is_stop else LATEST_S
        is_missed = now - plan.due > latest and plan.event(run) not in self._hurried
        goes_on = [] if is_missed else [job for job in _run_before(tx, plan) if not job.state.is_over]
        if not plans.move_on(tx, plan, plan.next_after(now), plan.runs if is_missed or goes_on else run):
            return None
        given = None if is_missed or goes_on else inbox.add(tx, _given(plan, run, now))
        if goes_on:
            _tell(tx, plan, "skipped", f"the run before still goes on: job {goes_on[0].id[:8]}.")
        elif given is None:
            _tell(tx, plan, "missed", f"it was due at {clock(plan.due, now)}, and could not be given in time.")
        return given

    def _may_not(self, plan: Plan, tx: Tx) -> str:
        """Why it is not given any more, where it is not. A stop is given wherever its person may still stop."""
        holder = self._people.holder_of(plan.asked.account)
        if holder is None or holder.name != plan.person:
            return f"{plan.person} may not give commands any more"
        if plan.is_stop:
            return ""
        known = pins.of(tx, plan.asked.account)
        if plan.identity and (known is None or known.key != plan.identity or known.shown is not None):
            return f"the identity of {plan.person} is another one since"
        return "" if plan.asked.place.network in self._networks else f"{plan.asked.place.network} is not there any more"


def _is_too_far(plan: Plan, now: float) -> bool:
    """The clock was set back since: it would not come again for long."""
    return plan.every_s is not None and plan.due > now + plan.every_s


def _given(plan: Plan, run: int, now: float) -> Message:
    """What its person says now."""
    return dataclasses.replace(
        plan.asked, event=plan.event(run), planned_by=plan.asked.event, sent_ms=int(now * 1000), age_s=0.0
    )


def _run_before(tx: Tx, plan: Plan) -> list[jobs.Job]:
    """What components were told to do at the last run."""
    return jobs.of(tx, inbox.id_of(plan.asked.place.network, plan.event(plan.runs)))


def _tell(tx: Tx, plan: Plan, what: str, why: str, *more: audit.About) -> None:
    """It was not run, or stands no more. Where it is so again, the room sees one message that is edited."""
    _record(tx, plan, what, *more)
    said = cut(one_line(plan.asked.text), LONGEST_SHOWN)
    words = document(text(strong(what.upper(), Tone.WARN), " ", mono(said), f", plan {plan.id[:8]}: {why}"))
    subject = f"plan {plan.id} {what}"
    outbox.queue(tx, Post(plan.asked.place, words, Lane.ANSWER, reply_to=plan.asked.event, subject=subject))


def _record(tx: Tx, plan: Plan, what: str, *more: audit.About) -> None:
    who = audit.about(plan.person, person=plan.person)
    audit.record(tx, f"plan {what}", who, *more, id=plan.id, due=_moment(plan.due))


def _moment(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="seconds")
