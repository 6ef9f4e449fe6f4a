"""What components were told to do, and what became of it. One row for each component that a command was for."""

import dataclasses
import enum
import time

from bot.store.store import Tx
from bot.words.message import Place


class State(enum.StrEnum):
    """How it stands, as far as anybody has said."""

    SENT = "sent"
    """Nobody has said anything to it yet."""
    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    REJECTED = "rejected"
    """The component has not made it, and says why."""
    NOT_SENT = "not sent"
    """The broker did not take it."""
    UNANSWERED = "unanswered"
    """Its time is over, so nobody begins it any more. Whether somebody had made it is not known."""
    LOST = "lost"
    """The component has made anew since, and nobody knows how it ended."""

    @property
    def is_over(self) -> bool:
        """Nothing more is expected. A late word of the component still counts."""
        return self not in (State.SENT, State.QUEUED, State.RUNNING, State.HELD)

    @property
    def is_sure(self) -> bool:
        """The component itself has said how it ended."""
        return self in (State.DONE, State.FAILED, State.CANCELLED, State.STOPPED, State.REJECTED)


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One command to one component."""

    id: str
    component: str
    session: str
    """In which it was ordered. The component has made anew where it is in another."""
    command: str
    args: str
    """As JSON."""
    person: str
    place: Place
    reply_to: str
    takes_long: bool
    """It is a job; else it is answered at once."""
    made: float
    expires: float
    """From when on nobody begins it any more. Both in seconds since 1970."""
    state: State = State.SENT
    seq: int = -1
    progress: float | None = None
    message: str = ""
    result: str = "{}"
    """As JSON."""
    ended: float | None = None
    may_go_on: int = dataclasses.field(default=0, compare=False)
    """How often it may still go on by itself after its component has begun anew. It is no part of how it stands: what a
    stop takes away here is nothing to tell anybody."""


def add(tx: Tx, job: Job) -> None:
    """Write it down, before anybody is told to do it. One that is there stays as it is."""
    tx.execute(
        "INSERT INTO job (id, component, session, command, args, person, network, place, reply_to, takes_long, made,"
        " expires, state, seq, progress, message, result, ended, may_go_on)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, component) DO NOTHING",
        (
            job.id,
            job.component,
            job.session,
            job.command,
            job.args,
            job.person,
            job.place.network,
            job.place.id,
            job.reply_to,
            int(job.takes_long),
            job.made,
            job.expires,
            job.state,
            job.seq,
            job.progress,
            job.message,
            job.result,
            job.ended,
            job.may_go_on,
        ),
    )


def update(tx: Tx, job: Job) -> None:
    """How it stands now. What has been told to stay stays."""
    tx.execute(
        "UPDATE job SET state = ?, seq = ?, progress = ?, message = ?, result = ?, ended = ?,"
        " may_go_on = min(may_go_on, ?) WHERE id = ? AND component = ?",
        (job.state, job.seq, job.progress, job.message, job.result, job.ended, job.may_go_on, job.id, job.component),
    )


def go_on(tx: Tx, job: Job) -> bool:
    """It is told to go on in another session, unless it is to stay, or its component was stopped since it was ordered.

    A stop has whatever goes on just then stay. Here only one is looked for that was on disk before the job was.
    """
    changed = tx.execute(
        "UPDATE job SET session = ?, expires = ?, state = ?, seq = ?, message = ?, may_go_on = ?"
        " WHERE id = ? AND component = ? AND may_go_on > 0 AND NOT EXISTS (SELECT 1 FROM affected"
        " JOIN incident ON incident.id = affected.incident"
        " WHERE affected.component = job.component AND (over IS NULL OR over >= made))",
        (job.session, job.expires, job.state, job.seq, job.message, job.may_go_on, job.id, job.component),
    )
    return changed.rowcount > 0


def stay(tx: Tx, id_: str) -> None:
    """It does not go on by itself, whatever begins anew."""
    tx.execute("UPDATE job SET may_go_on = 0 WHERE id = ?", (id_,))


COLUMNS = (
    "id, component, session, command, args, person, network, place, reply_to, takes_long, made, expires, state, seq,"
    " progress, message, result, ended, may_go_on"
)


def open_ones(tx: Tx) -> list[Job]:
    """All that nobody knows the end of, and what ended a moment ago."""
    rows = tx.execute(
        f"SELECT {COLUMNS} FROM job WHERE ended IS NULL OR ended > ? ORDER BY made, id, component",  # noqa: S608 - ours
        (time.time() - RECENT_S,),
    )
    return [_job(*row) for row in rows]


RECENT_S = 3_600.0
"""What ended so lately can still be corrected by a late word."""


def newest(tx: Tx, most: int) -> list[Job]:
    """The newest, the newest first."""
    rows = tx.execute(f"SELECT {COLUMNS} FROM job ORDER BY made DESC, id, component LIMIT ?", (most,))  # noqa: S608 - see above
    return [_job(*row) for row in rows]


def of(tx: Tx, id_: str) -> list[Job]:
    """All that one order has begun, in the order of names."""
    rows = tx.execute(f"SELECT {COLUMNS} FROM job WHERE id = ? ORDER BY component", (id_,))  # noqa: S608 - see above
    return [_job(*row) for row in rows]


def beginning_with(tx: Tx, start: str) -> list[Job]:
    """Those whose id begins so, the newest first."""
    rows = tx.execute(
        f"SELECT {COLUMNS} FROM job WHERE substr(id, 1, ?) = ? ORDER BY made DESC, id, component LIMIT 100",  # noqa: S608 - see above
        (len(start), start),
    )
    return [_job(*row) for row in rows]


def _job(  # the columns, in their order
    id_: str,
    component: str,
    session: str,
    command: str,
    args: str,
    person: str,
    network: str,
    place: str,
    reply_to: str,
    takes_long: int,
    made: float,
    expires: float,
    state: str,
    seq: int,
    progress: float | None,
    message: str,
    result: str,
    ended: float | None,
    may_go_on: int,
) -> Job:
    return Job(
        id=id_,
        component=component,
        session=session,
        command=command,
        args=args,
        person=person,
        place=Place(network, place),
        reply_to=reply_to,
        takes_long=bool(takes_long),
        made=made,
        expires=expires,
        state=State(state),
        seq=seq,
        progress=progress,
        message=message,
        result=result,
        ended=ended,
        may_go_on=may_go_on,
    )
