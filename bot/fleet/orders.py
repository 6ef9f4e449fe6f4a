"""What somebody wants done, before anybody is told, and what came of it: rows and entries in the record."""

from collections.abc import Sequence

import orjson

from bot.store import Tx, audit, jobs
from bot.store.jobs import Job
from bot.words.message import Place
from wire import work
from wire.work import Called, Command

CANCEL = work.CANCEL
"""The command that every component with jobs takes."""
EXPIRES_S = 10.0
"""A command that nobody has begun by then is not begun any more."""
MOST_NAMED = 100
"""What an entry of the record has room for."""


def asked_of(  # what all have in common, and for whom it is
    components: Sequence[tuple[str, str]],
    *,
    id: str,  # noqa: A002 - it is the id of the command
    command: str,
    args: str,
    person: str,
    place: Place,
    reply_to: str,
    takes_long: bool,
    now: float,
    may_go_on: int = 0,
) -> list[Job]:
    """One for each component and its session."""
    return [
        Job(
            id=id,
            component=component,
            session=session,
            command=command,
            args=args,
            person=person,
            place=place,
            reply_to=reply_to,
            takes_long=takes_long,
            made=now,
            expires=now + EXPIRES_S,
            may_go_on=may_go_on,
        )
        for component, session in components
    ]


def command_of(some: Sequence[Job], reply_to: str, going_on_by: str = "") -> Command:
    """What all of them are told: to do it, or to go on with it by another command."""
    first = some[0]
    return Command(
        id=first.id,
        command=going_on_by or first.command,
        args={"of": first.id} if going_on_by else orjson.loads(first.args),
        targets=tuple(Called(each.component, each.session) for each in some),
        reply_to=reply_to,
        expires_ms=round(first.expires * 1000),
        actor=first.person,
    )


def write_down(asked: Sequence[Job], tx: Tx) -> None:
    """Have it on disk, and in the record."""
    first = asked[0]
    for each in asked:
        jobs.add(tx, each)
    targets = [each.component for each in asked][:MOST_NAMED]
    who = audit.about(first.person, person=first.person, arguments=audit.digest(first.args))
    audit.record(tx, "dispatch", who, id=first.id, command=first.command, targets=targets, count=len(asked))


def write_going_on(job: Job, by: str, tx: Tx) -> bool:
    """Have it on disk that it is told to go on. False where it was stopped or cancelled since."""
    is_let = jobs.go_on(tx, job)
    if is_let:
        who = audit.about(job.person, person=job.person)
        audit.record(tx, "goes on", who, id=job.id, component=job.component, command=by, component_session=job.session)
    return is_let


def write_outcome(changed: Sequence[Job], over: Sequence[Job], tx: Tx) -> None:
    """How these stand now, and in the record those that are over."""
    for job in changed:
        jobs.update(tx, job)
    for job in over:
        audit.record(tx, "ended", id=job.id, component=job.component, command=job.command, result=str(job.state))
