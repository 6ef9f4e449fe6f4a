"""Tells the rooms what becomes of a stop, for as long as it lasts. It says only what is known and on disk."""

import asyncio
import contextlib
import math
from collections.abc import Callable

import structlog

from bot.stop.course import Course, Ledger, Origin
from bot.stop.crowd import Crowd
from bot.stop.report import Stand, crowd, live, notice, ready, still_waiting, twin
from bot.store import Store, Tx, audit, incidents, outbox
from bot.store.incidents import Step, Told, What
from bot.words.document import Document
from bot.words.errors import StoreError
from bot.words.message import Lane, Place, Post
from wire.issuer import Issuer

log = structlog.get_logger(__name__)

AGAIN_S = 2.0
"""When a disk that did not take the news is asked again."""
LIVE_AFTER_S = 1.5
"""A stop that is confirmed by then needs no table that changes."""
LIVE_EVERY_S = 2.0
"""How often the table changes at most."""
ESCALATED_AFTER_S = (60.0, 300.0)
ESCALATED_EVERY_S = 900.0
"""When it is said again that a stop is not confirmed, and from then on for as long as it lasts."""
RESET_NEWS_AFTER_S = 30.0
"""When the room hears that not everything has come back after a reset."""

OVER = -1.0
"""There is nothing more to tell."""


class Teller:
    """What the rooms hear of incidents."""

    def __init__(
        self,
        store: Store,
        issuer: Issuer,
        ledger: Ledger,
        *,
        alarms: tuple[Place, ...],
        queued: Callable[[], None],
        clock: Callable[[], float],
        deadline: Callable[[Course], float],
        remark: Callable[[str], str],
        is_followed: Callable[[Course], bool],
    ) -> None:
        self._store = store
        self._issuer = issuer
        self._ledger = ledger
        self._alarms = alarms
        self._queued = queued
        self._clock = clock
        self._deadline = deadline
        self._remark = remark
        self._is_followed = is_followed
        self._crowd = Crowd(clock)

    def stands(self, course: Course) -> tuple[Stand, ...]:
        """What is known of each component that an incident affects."""
        now, incident = self._clock(), course.incident.id
        return tuple(
            Stand(
                component,
                stopped=self._issuer.has_stopped(component, incident, now),
                latched=self._issuer.has_latched(component, incident),
                heard=self._issuer.has_spoken(component),
                after_s=course.stopped_after.get(component),
                # What it says itself, just now, outweighs what somebody saw.
                verified=None if self._issuer.is_working(component, now) else course.verified.get(component),
                cleared=self._issuer.is_cleared(incident, component),
                resumed=component in course.resumed,
                remark=self._remark(component),
            )
            for component in sorted(self._issuer.affected(incident))
        )

    async def keep_telling(self, course: Course) -> None:
        """Tell of an incident until it is over, or somebody else follows it."""
        while self._is_followed(course):
            course.to_tell.clear()
            if self._issuer.is_closed(course.incident.id):
                wait = await self._tell_of_the_reset(course)
            else:
                wait = await self._tell_of_the_stop(course)
            if wait == OVER:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await course.to_tell.wait()

    async def tell_of_a_twin(self, component: str) -> None:
        """Another bot has our key. It is said where the bot raises alarms, and logged where that is nowhere."""

        def write(tx: Tx) -> None:
            audit.record(tx, "alarm", why="another bot has our key", component=component)
            for place in self._alarms:
                outbox.queue(tx, Post(place, twin(component), Lane.STOP))

        try:
            await self._store.write(write)
        except StoreError as error:
            log.error("nobody was told of the other bot", error=str(error))
        self._queued()

    async def _tell_of_the_stop(self, course: Course) -> float | None:
        """Say what is new: confirmed, or not by the deadline, or still not. Returns when to look again."""
        course.reset_at, course.waited_for = None, False
        now = self._clock()
        if course.told is Told.CONFIRMED:
            return None
        if self._is_confirmed(course):
            return None if await self._say(course, Told.CONFIRMED) else AGAIN_S
        age = now - course.began
        due = self._due(course)
        if age >= due:
            return await self._tell_that_it_lasts(course, age)
        if age < LIVE_AFTER_S:
            return min(due, LIVE_AFTER_S) - age
        if now - course.shown_at >= LIVE_EVERY_S:
            course.shown_at = now
            await self._show(course)
        return min(due - age, LIVE_EVERY_S)

    async def _tell_that_it_lasts(self, course: Course, age: float) -> float:
        """Say that it is not confirmed, or still not. Returns when to look again."""
        if course.escalations and self._is_excused(course):
            return ESCALATED_EVERY_S
        if not await self._say(course, Told.NOT_CONFIRMED):
            return AGAIN_S
        while self._due(course) <= age:  # what nobody could say in time is not said afterwards
            course.escalations += 1
        return 0.0

    def _due(self, course: Course) -> float:
        """How old an incident is when it is said the next time that it is not confirmed."""
        deadline = self._deadline(course)
        times = (deadline, max(ESCALATED_AFTER_S[0], 2 * deadline), *ESCALATED_AFTER_S[1:])
        beyond = course.escalations - len(times) + 1
        return times[course.escalations] if beyond <= 0 else times[-1] + beyond * ESCALATED_EVERY_S

    async def _tell_of_the_reset(self, course: Course) -> float | None:
        """Say when all that was stopped works again, or that it does not, once."""
        now = self._clock()
        if course.reset_at is None:
            course.reset_at = now
            await self._correct(course)
        stands = self.stands(course)
        if all(stand.resumed for stand in stands):
            if not await self._commit(course, ready(course, stands), Step(What.READY), "ready", incidents.end):
                return AGAIN_S
            await self._correct(course)
            return OVER if self._issuer.is_closed(course.incident.id) else 0.0  # somebody may have joined meanwhile
        age = now - course.reset_at
        if course.waited_for:
            return None
        if age < RESET_NEWS_AFTER_S:
            return RESET_NEWS_AFTER_S - age
        if not await self._commit(course, still_waiting(course, stands), None, "reset pending"):
            return AGAIN_S
        course.waited_for = True
        await self._correct(course)
        return None

    def _is_confirmed(self, course: Course) -> bool:
        """It needs nothing more: all have said so, or a person has seen those that have not."""
        return self._issuer.confirmed(course.incident.id, self._clock()) or self._is_verified(course)

    def _is_verified(self, course: Course) -> bool:
        """Each has said that it stands still, or a person has seen it."""
        if not course.verified:
            return False
        stands = [stand for stand in self.stands(course) if not stand.cleared]
        return bool(stands) and all(stand.stopped or stand.verified for stand in stands)

    def _is_excused(self, course: Course) -> bool:
        """Nobody is missing but what is being worked on: that was said, and is not said again and again."""
        now = self._clock()
        return all(
            each.stopped
            or each.cleared
            or each.verified
            or (each.remark and not self._issuer.is_working(each.component, now))
            for each in self.stands(course)
        )

    async def _say(self, course: Course, told: Told) -> bool:
        """Say in the room what is known now. False where the disk did not take it."""
        if not await self._ledger.write_down():
            return False
        if not self._is_followed(course):  # it was widened meanwhile, and this is not true of it
            return True
        if told is Told.CONFIRMED and not self._is_confirmed(course):  # nor of this, while the disk took its time
            return False
        stands, whom = self.stands(course), self._issuer.affected(course.incident.id)
        step = Step(What.CONFIRMED if told is Told.CONFIRMED else What.NOT_CONFIRMED, words=_count(stands))
        words, everybody = notice(course, told, stands), course.escalations > 0

        def note(tx: Tx, incident: str) -> None:
            incidents.tell(tx, incident, told)

        stopped = [each.component for each in stands if each.stopped]
        if not await self._commit(course, words, step, str(told), note, everybody=everybody, stopped=stopped):
            return False
        course.told = told
        if told is Told.CONFIRMED and not self._issuer.affected(course.incident.id) <= whom:
            course.begin_anew(self._clock())
        await self._correct(course)
        return True

    async def _correct(self, course: Course) -> None:
        """What the table says that was shown is so no longer."""
        if course.shown_at > -math.inf:
            await self._show(course)

    async def _show(self, course: Course) -> None:
        """Show the table as it is now, in the place of the one before it. One that says the same is not said again."""
        words, subject = live(course, self.stands(course)), f"incident {course.incident.id}"
        origins = self._origins(course)
        if course.shown == (words, origins):
            return

        def write(tx: Tx) -> None:
            for origin in origins:
                outbox.queue(tx, Post(origin.place, words, Lane.PROGRESS, origin.event, subject=subject))

        with contextlib.suppress(StoreError):  # the news will say it
            await self._store.write(write)
            course.shown = words, origins
            self._queued()

    async def _commit(
        self,
        course: Course,
        words: Document,
        last: Step | None,
        kind: str,
        note: Callable[[Tx, str], None] | None = None,
        *,
        everybody: bool = False,
        stopped: list[str] | None = None,
    ) -> bool:
        """Record and say something in one commit. False where the disk did not take it."""
        incident, steps = course.incident.id, list(course.steps)
        lines = steps if last is None else [*steps, last]
        places = self._origins(course, everybody=everybody)
        is_alarm = len(places) > len(course.origins)
        is_apart = is_alarm and self._crowd.has_room()
        is_crowd = is_alarm and not is_apart and self._crowd.is_to_be_said()
        if is_alarm and not is_apart:
            places = course.origins
        count = len(self._issuer.incidents) if is_crowd else 0

        def write(tx: Tx) -> None:
            if note is not None:
                note(tx, incident)
            incidents.note(tx, incident, lines)
            fields = {} if stopped is None else {"stopped": stopped}
            audit.record(tx, f"incident {kind}", id=incident, **fields)
            for origin in places:
                outbox.queue(tx, Post(origin.place, words, Lane.STOP, origin.event))
            for place in self._alarms if is_crowd else ():
                outbox.queue(tx, Post(place, crowd(count), Lane.STOP))

        try:
            await self._store.write(write)
        except StoreError as error:
            log.error("the room was not told", incident=incident, error=str(error))
            self._crowd.take_back(apart=is_apart, said=is_crowd)
            return False
        del course.steps[: len(steps)]
        self._queued()
        return True

    def _origins(self, course: Course, *, everybody: bool = False) -> tuple[Origin, ...]:
        """Where it was ordered. What nobody ordered here, and what lasts, is told where the bot raises alarms."""
        if course.origins and not everybody:
            return course.origins
        places = [origin.place for origin in course.origins]
        return (*course.origins, *(Origin(place, None) for place in self._alarms if place not in places))


def _count(stands: tuple[Stand, ...]) -> str:
    return f"{sum(stand.stopped for stand in stands)} of {len(stands)}"
