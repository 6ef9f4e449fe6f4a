"""When the message of an order is edited: at once where it is another thing now, else every few seconds."""

from bot.store.jobs import Job, State

EDITED_EVERY_S = 2.0


class Pace:
    """The pace of one message, on a clock that nobody sets."""

    def __init__(self, now: float) -> None:
        self._told = now - EDITED_EVERY_S
        self._due: float | None = None
        self._began: tuple[float, float] | None = None
        """When its work was first heard of, and how far it was then."""
        self._left_s: float | None = None

    def note(self, before: Job, job: Job, now: float, *, is_one: bool) -> None:
        """A job stands as it did not before. Where many were asked for the same, nothing is told at once."""
        soon = self._told + EDITED_EVERY_S
        self._due = now if is_one and before.state is not job.state else soon if self._due is None else self._due
        self._left_s = None
        if job.state is not State.RUNNING or job.progress is None:
            self._began = None
        elif self._began is None:
            self._began = now, job.progress
        else:
            at, was = self._began
            if job.progress > was and now > at:
                self._left_s = (1 - job.progress) * (now - at) / (job.progress - was)

    def is_due(self, now: float) -> bool:
        """Whether something is to be told now."""
        return self._due is not None and self._due <= now

    def told(self, now: float) -> None:
        """It was."""
        self._told, self._due = now, None

    def eta_s(self, job: Job) -> float | None:
        """How long it will take, as it went so far."""
        return self._left_s if job.state is State.RUNNING else None
