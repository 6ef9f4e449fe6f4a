"""What is followed: each incident that is not over is sent, told of and watched here, by tasks that have an owner."""

import asyncio
import collections
import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import structlog

from bot.stop.course import Change, Course, Ledger, Origin
from bot.stop.report import Stand
from bot.stop.sending import Sender
from bot.stop.telling import Teller
from bot.store import Store
from bot.store.incidents import Told, What
from bot.words.message import Place
from wire.issuer import Growth, Issuer
from wire.messages import Target

log = structlog.get_logger(__name__)

DEADLINE_S = 5.0
"""When the room hears that a stop is not confirmed, where no component has asked for longer."""
LONGEST_DEADLINE_S = 60.0
"""What a component may ask for until its silence is news."""
DEADLINE_MARGIN_S = 2.0
MOST_WITHDRAWN = 64
CONTRADICTED_EVERY_S = 60.0
"""How often who works in spite of a stop is news: what says now this and now that must fill no room."""
COUNTING_S = 1.0
"""For so long everything else waits for the count of who has stopped."""


class Watch:
    """All incidents that are not over."""

    def __init__(
        self,
        store: Store,
        issuer: Issuer,
        ledger: Ledger,
        sender: Sender,
        tasks: asyncio.TaskGroup,
        *,
        alarms: tuple[Place, ...],
        queued: Callable[[], None],
        clock: Callable[[], float],
        deadlines: Mapping[str, float],
        remark: Callable[[str], str],
        dormant: Mapping[str, tuple[Origin, ...]],
    ) -> None:
        self._issuer = issuer
        self._ledger = ledger
        self._sender = sender
        self._tasks = tasks
        self._clock = clock
        self._deadlines = deadlines
        self._teller = Teller(
            store,
            issuer,
            ledger,
            alarms=alarms,
            queued=queued,
            clock=clock,
            deadline=self._deadline,
            remark=remark,
            is_followed=self._is_followed,
        )
        self.courses: dict[str, Course] = {}
        self._withdrawn: collections.deque[Target] = collections.deque(maxlen=MOST_WITHDRAWN)
        """Of which targets the broker was told lately to keep nothing."""
        self._counting: list[Course] = []
        """Those that were ordered a moment ago."""
        self._dormant = dict(dormant)
        """Where those were ordered that are over, and were reset by name: they stop whoever joins them."""

    def stands(self, incident: str) -> tuple[Stand, ...]:
        """What is known of each component that an incident affects. Nothing of one that is over."""
        course = self.courses.get(incident)
        return () if course is None else self._teller.stands(course)

    def spawn(self, work: Coroutine[Any, Any, object], name: str) -> None:
        """Have something done beside."""
        self._tasks.create_task(work, name=name)

    def follow(self, course: Course, writing: asyncio.Future[bool] | None = None) -> None:
        """Send it and tell of it. A course that is there was that of an unsigned stop, and ends."""
        incident = course.incident.id
        while course.incident.target in self._withdrawn:
            self._withdrawn.remove(course.incident.target)
        if course.ordered:
            self._counting.append(course)
        narrow = self.courses.get(incident)
        self.courses[incident] = course
        if narrow is not None:
            course.take_over(narrow)
            narrow.to_tell.set()
        if course.incident.stop is not None:
            sending = self._sender.keep_sending(
                course,
                course.incident.stop,
                writing,
                everybody_knows=functools.partial(self._everybody_knows, incident),
                is_over=functools.partial(self._issuer.is_closed, incident),
                is_followed=functools.partial(self._is_followed, course),
            )
            self.spawn(sending, f"send {incident}")
        self.spawn(self._tell(course), f"tell {incident}")

    def join(self, course: Course, origin: Origin) -> None:
        """Who orders what is stopped already hears of it too, once in each place. It does not wait for the disk."""
        if origin.place in [each.place for each in course.origins]:
            return
        course.origins += (origin,)
        self._ledger.add(Change(Growth(), origin, course.incident.id))
        self.spawn(self._ledger.write_down(), f"join {course.incident.id}")

    def take_in(self, growth: Growth, by: str, person: str | None = None) -> None:
        """Adopt what others have stopped, and follow whom it affects."""
        self._ledger.add(Change(growth, by=by, person=person))
        for incident in (*growth.incidents, *growth.widened):
            log.warning("incident adopted", incident=incident.id, target=str(incident.target), by=by)
            self.follow(Course(incident, (), Told.NOTHING, self._clock(), by=by))
        for incident_id, component in growth.affected:
            course = self.courses.get(incident_id)
            known = self._issuer.known(incident_id)
            if course is None and known is not None and not self._issuer.is_closed(incident_id):
                origins = self._dormant.pop(incident_id, ())
                self.follow(Course(known, origins, Told.NOTHING, self._clock(), by="" if origins else by))
            elif course is not None and not self._issuer.is_cleared(incident_id, component):
                if course.told is Told.CONFIRMED and component not in course.proven:
                    course.begin_anew(self._clock())
                self.changed(incident_id)

    def heard(self, component: str) -> None:
        """Who has stopped is noted for the room; who does not know of a stop is sent it again."""
        issuer, now = self._issuer, self._clock()
        for incident in issuer.stopping(component):
            course = self.courses[incident]
            self._first_word(course, component)
            self._take_back(course, component, now)
            if component not in course.proven and issuer.has_stopped(component, incident, now):
                course.proven.add(component)
                if course.ordered:
                    course.stopped_after[component] = now - course.began
                course.note(What.STOPPED, component=component)
            if not issuer.has_latched(component, incident):
                course.to_send.set()
            seen = course.proven | course.verified.keys()
            if course.told is not Told.CONFIRMED and issuer.count(incident) <= len(seen):
                course.to_tell.set()
        for incident, course in self.courses.items():
            if component not in course.resumed and issuer.has_resumed(component, incident, now):
                course.resumed.add(component)
                course.to_tell.set()

    def _first_word(self, course: Course, component: str) -> None:
        """What was confirmed to an earlier process holds unless its components know nothing of it.

        Then they were let go since, and our database is from before that: they are stopped anew, and people must hear.
        """
        if component not in course.unheard:
            return
        course.unheard.remove(component)
        if not self._issuer.has_latched(component, course.incident.id):
            course.proven.remove(component)
            if course.told is Told.CONFIRMED:
                course.begin_anew(self._clock())

    def _take_back(self, course: Course, component: str, now: float) -> None:
        """Who said that it stands still, and says now that it works, is counted no more, and people hear of it."""
        if component not in course.proven or not self._issuer.is_working(component, now):
            return
        if now - course.contradicted_at < CONTRADICTED_EVERY_S:
            return
        course.contradicted_at = now
        course.proven.remove(component)
        course.note(What.WORKING, component=component)
        log.error("a component works in spite of a stop", component=component, incident=course.incident.id)
        if course.told is Told.CONFIRMED:
            course.begin_anew(now)

    def is_counting(self) -> bool:
        """A stop that was ordered here a moment ago is not confirmed."""
        if not self._counting:
            return False
        now = self._clock()
        self._counting = [
            each
            for each in self._counting
            if each.told is not Told.CONFIRMED
            and now - each.began < COUNTING_S
            and len(each.proven) < self._count(each)
        ]
        return bool(self._counting)

    def changed(self, incident: str) -> None:
        """Somebody was let off it, or is stopped by it of whom nobody knew."""
        course = self.courses.get(incident)
        if course is not None:
            course.to_tell.set()
            course.to_send.set()

    def tell_of_a_twin(self, component: str) -> None:
        """Everything holds from now on, and people must know why."""
        self.spawn(self._teller.tell_of_a_twin(component), "tell of another bot")

    def withdraw(self, incident: str) -> None:
        """Take the retained stop of what is over away, where nothing else stops the same."""
        known = self._issuer.known(incident)
        stopped = [each.target for each in self._issuer.incidents]
        if known is not None and known.target not in stopped and known.target not in self._withdrawn:
            self._withdrawn.append(known.target)
            self.spawn(self._withdraw(known.target), f"withdraw {incident}")

    async def _withdraw(self, target: Target) -> None:
        """Where the broker does not take it, the next time that it brings such a stop is another try."""
        if not await self._sender.withdraw(str(target)) and target in self._withdrawn:
            self._withdrawn.remove(target)

    async def _tell(self, course: Course) -> None:
        await self._teller.keep_telling(course)
        incident = course.incident.id
        if self._is_followed(course):
            del self.courses[incident]
            if not self._issuer.is_over(incident):
                self._dormant[incident] = course.origins
        course.to_send.set()

    def _is_followed(self, course: Course) -> bool:
        return self.courses.get(course.incident.id) is course

    def _deadline(self, course: Course) -> float:
        """When the room hears that it is not confirmed: its components may have asked for more than a moment."""
        affected = self._issuer.affected(course.incident.id)
        asked = [self._deadlines[each] + DEADLINE_MARGIN_S for each in affected if each in self._deadlines]
        return max(DEADLINE_S, min(max(asked, default=0.0), LONGEST_DEADLINE_S))

    def _count(self, course: Course) -> int:
        return self._issuer.count(course.incident.id)

    def _everybody_knows(self, incident: str) -> bool:
        issuer = self._issuer
        return all(
            issuer.has_latched(each, incident) or issuer.is_cleared(incident, each)
            for each in issuer.affected(incident)
        )
