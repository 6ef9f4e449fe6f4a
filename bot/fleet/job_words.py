"""What a component's word makes of a job, where it counts: in the session in which it was told, newer than the last."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import orjson

from bot.store.jobs import Job, State
from wire import work
from wire.work import Reply, Status

REPLIED: Mapping[Status, State] = {
    Status.ACCEPTED: State.QUEUED,
    Status.DONE: State.DONE,
    Status.REJECTED: State.REJECTED,
    Status.ERROR: State.FAILED,
}


def changed(job: Job, now: float, **changes: Any) -> Job:
    """The job as it is from now on. What has surely ended never goes on."""
    new = dataclasses.replace(job, **changes)
    may_go_on = 0 if new.state.is_sure else new.may_go_on
    return dataclasses.replace(new, ended=now if new.state.is_over else None, may_go_on=may_go_on)


def replied(job: Job, reply: Reply, now: float) -> Job | None:
    """What its answer makes of it; nothing where that does not count."""
    is_late = job.seq >= 0  # the job itself has spoken since
    if (reply.id, reply.sender) != (job.id, job.component) or is_late:
        return None
    if reply.status is Status.ACCEPTED and not job.takes_long:
        return None
    result = orjson.dumps(dict(reply.result)).decode()
    return changed(job, now, state=REPLIED[reply.status], message=reply.error, result=result)


def said(job: Job, word: work.Job, now: float) -> Job | None:
    """What the word of the job itself makes of it; nothing where that does not count."""
    is_its = (word.job, word.id, word.session) == (job.id, job.component, job.session)
    if not is_its or (word.seq <= job.seq and not word.state.is_over):  # an end is one whenever it comes
        return None
    return changed(
        job,
        now,
        state=State(word.state.value),
        seq=max(word.seq, job.seq),
        progress=word.progress,
        message=word.message,
        result=orjson.dumps(dict(word.result)).decode(),
    )
