"""Jobs that go on by themselves after their component has begun anew, where its birth certificate says how.

It is the same job, told to go on in the new session. Never what was stopped or cancelled since, nor what takes two
persons, nor where somebody works on the component, and only so often: a job may be what ends its component.
"""

import dataclasses
from collections.abc import Callable

from bot.fleet.helm import Helm
from bot.fleet.job_words import changed
from bot.fleet.orders import EXPIRES_S
from bot.fleet.registry import Registry
from bot.stop.bell import Bell
from bot.store.jobs import Job, State
from bot.words.errors import Refused
from bot.words.people import People, Role
from wire.birth import Danger, Offer

MOST_TIMES = 3
WAITS = "It has begun anew."
GOES_ON = "It has begun anew, and is told to go on."
BY_NOBODY = "It does not go on by itself."
STOPPED = "It was stopped or cancelled since."


def times(offer: Offer, danger: Danger) -> int:
    """How often such a job may go on by itself."""
    return MOST_TIMES if offer.job and offer.goes_on_by and danger < Danger.HIGH else 0


class GoingOn:
    """Judges what goes on by itself."""

    def __init__(self, registry: Registry, people: People, helm: Helm, remark: Callable[[str], str]) -> None:
        self._registry = registry
        self._people = people
        self._helm = helm
        self._remark = remark

    def command(self, job: Job) -> str:
        """By which command a job goes on. Empty where its component knows none."""
        birth = self._registry.birth(job.component)
        offer = birth.commands.get(job.command) if birth else None
        by = birth.commands.get(offer.goes_on_by) if birth and offer else None
        return offer.goes_on_by if offer and by and by.job else ""

    def judged(self, job: Job, bell: Bell, now: float) -> Job | None:
        """How a job stands whose component is in another session, and has said no end. None where it may go on."""
        if bell.stopping(job.component):
            return self.lost(job, STOPPED, now)
        if why := self._why_not(job):
            return self.lost(job, why, now)
        if bell.echoes(job.component) and self._registry.works(job.component):  # it says so now: it is no recording
            return None
        return changed(job, now, state=State.HELD, message=WAITS)

    def anew(self, job: Job, now: float) -> Job:
        """The same job, told to go on in the session that its component is in."""
        session, expires = self._registry.session(job.component) or "", now + EXPIRES_S
        new = dataclasses.replace(job, session=session, seq=-1, expires=expires, may_go_on=job.may_go_on - 1)
        return changed(new, now, state=State.SENT, message=GOES_ON)

    def lost(self, job: Job, why: str, now: float) -> Job:
        """Nobody knows how it ended."""
        by = self.command(job)
        how = f" To go on where it was: !run {job.component} {by}" if by else ""
        return lost(job, f"{why}{how}", now)

    def _why_not(self, job: Job) -> str:
        """Why it does not go on by itself, in a sentence. Empty where it does."""
        by = self.command(job)
        if not by or job.may_go_on <= 0 or job.state not in (State.RUNNING, State.HELD):
            return BY_NOBODY
        if max(self._registry.danger(job.component, each) for each in (job.command, by)) is Danger.HIGH:
            return "It takes two persons."
        holder = self._people.named(job.person)
        if holder is None or holder.role < Role.OPERATOR or self._people.is_suspended(job.person):
            return f"{job.person} may not give commands any more."
        if remark := self._remark(job.component):
            return f"It is in {remark}."
        try:
            self._helm.check(job.person, [job.component])
        except Refused as refused:
            return refused.what
        return ""


def lost(job: Job, why: str, now: float) -> Job:
    """A job whose end nobody knows. Whatever is heard of it still, it does not go on by itself."""
    why = f"It has begun anew, and said no end before. {why}"
    return changed(job, now, state=State.LOST, message=why, may_go_on=0)
