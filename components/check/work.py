"""Commands as the judge gives them: those that the birth offers, with arguments made from their schema.

It gives nothing whose danger is high. What is to be tried as a job can be named by whoever calls the judge.
"""

import asyncio
import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from components.check.bot import REPLY_TO
from components.check.rule import Broken, CannotJudge, Skipped, Untried
from components.check.sample import Unmade, arguments
from components.check.trial import AT_ONCE_S, Trial
from wire.birth import Danger
from wire.birth import Offer as Offered
from wire.envelope import PrivateKey, seal
from wire.work import Called, Command, Job, JobState, Reply, Status

RUN_WITHIN_MS = 5_000
NAME_ONE = "; name one with --job and --arguments"
SILENCE_S = 0.4
"""What was not answered by then, after a statement that was made since, is not answered."""
RAN = frozenset({Status.ACCEPTED, Status.DONE})


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """A command that can be tried, with arguments that fit."""

    name: str
    offered: Offered
    arguments: Mapping[str, Any]

    async def give(
        self,
        trial: Trial,
        *,
        session: str = "",
        args: Mapping[str, Any] | None = None,
        expires_ms: int | None = None,
        targets: Iterable[Called] | None = None,
        key: PrivateKey | None = None,
        kind: str = "cmd",
        root: str = "",
    ) -> tuple[str, bytes]:
        """Send it, rightly or wrongly. Returns its id and the message."""
        meant = Called(trial.id, session or trial.birth.session)
        command = Command(
            id=os.urandom(16).hex(),
            command=self.name,
            args=self.arguments if args is None else args,
            targets=(meant,) if targets is None else tuple(targets),
            reply_to=REPLY_TO,
            expires_ms=trial.now_ms() + RUN_WITHIN_MS if expires_ms is None else expires_ms,
            actor="tocsin component check",
        )
        envelope = seal(key or trial.bot, root or trial.root, kind, command.to_bytes())
        await trial.say(f"cmd/{trial.id}", envelope)
        return command.id, envelope


def any_command(trial: Trial) -> Offer | None:
    """One that can be tried; rather one that is over at once."""
    offers = _offers(trial)
    return next((each for each in offers if not each.offered.job), next(iter(offers), None))


def command_of(trial: Trial) -> Offer:
    """The same, where there must be one."""
    offer = any_command(trial)
    if offer is None:
        raise Skipped(
            f"it has no command that could be tried{NAME_ONE}" if trial.birth.commands else "it has no command"
        )
    return offer


def job_of(trial: Trial) -> Offer:
    """One that takes a while."""
    named = trial.place.job
    if named and (named not in trial.birth.commands or not trial.birth.commands[named].job):
        jobs = ", ".join(name for name, each in trial.birth.commands.items() if each.job)
        raise CannotJudge(f"It has no job {named!r}. Name one with --job, of: {jobs or 'none'}.")
    offer = next((each for each in _offers(trial) if each.offered.job and named in ("", each.name)), None)
    if offer is None:
        jobs = any(each.job for each in trial.birth.commands.values())
        raise Skipped(f"it has no job that could be tried{NAME_ONE}" if jobs else "it has no job")
    return offer


async def begun(trial: Trial) -> str | None:
    """Begin a job where there is one. Returns its id."""
    try:
        return await started(trial)
    except (Skipped, Untried):
        return None


async def started(trial: Trial) -> str:
    """Begin a job, and wait until it runs."""
    job, _ = await job_of(trial).give(trial)
    await job_is(trial, job, lambda each: each.state is JobState.RUNNING, needed="a job that runs")
    return job


async def job_is(
    trial: Trial, job: str, match: Callable[[Job], bool], *, needed: str = "", expected: str = "", after: int = 0,
    within: float = AT_ONCE_S,
) -> Job:  # fmt: skip
    """Wait until such a thing is said of the job. Where it is not, that is untried if it is needed, else broken."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        trial.heard.changed.clear()
        said = trial.heard.jobs(job, after)
        for each, kept in said:
            if not kept and match(each):
                return each
        if not await trial.more(deadline):
            break
    seen = f"the job was {said[-1][0].state} last" if said else "nothing was said of the job"
    answered = [f"{each.status} {each.error}".strip() for each in trial.heard.replies(job)]
    seen += f"; the command was answered: {', '.join(answered) or 'not at all'}"
    if needed:
        raise Untried(f"there was never {needed}: {seen}")
    raise Broken(expected, seen)


async def answer(trial: Trial, command: str, *, count: int = 1, within: float = AT_ONCE_S) -> Reply | None:
    """The reply to a command, or None where none comes in time."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        trial.heard.changed.clear()
        replies = trial.heard.replies(command)
        if len(replies) >= count:
            return replies[count - 1]
        if not await trial.more(deadline):
            return None


async def refused(trial: Trial, command: str, why: str) -> None:
    """It must answer that it does not do it, and say why; and it must not do it."""
    reply = await answer(trial, command)
    if ran(trial, command):
        raise Broken(f"rejected: {why}", f"it ran: {_told(reply)}")
    if reply is None or reply.status is not Status.REJECTED or not reply.error:
        raise Broken(f"rejected, with the reason: {why}", _told(reply))


async def ignored(trial: Trial, command: str, why: str) -> None:
    """It must not do it, nor answer."""
    await trial.settled()
    reply = await answer(trial, command, within=SILENCE_S)
    if ran(trial, command) or reply is not None:
        raise Broken(f"silence: {why}", _told(reply))


def ran(trial: Trial, command: str) -> bool:
    """Whether anything says that it was carried out."""
    accepted = any(each.status in RAN for each in trial.heard.replies(command))
    return accepted or bool(trial.heard.jobs(command))


def _offers(trial: Trial) -> list[Offer]:
    """What can be tried, the least dangerous first."""
    found: list[Offer] = []
    for name, offered in sorted(trial.birth.commands.items(), key=lambda each: each[1].danger):
        named = name == trial.place.job
        if offered.danger is Danger.HIGH and not named:
            continue
        try:
            given = trial.place.arguments if named else None
            found.append(Offer(name, offered, arguments(offered.input) if given is None else given))
        except Unmade:
            continue
    return found


def _told(reply: Reply | None) -> str:
    return "no reply" if reply is None else f"{reply.status}{f', {reply.error!r}' if reply.error else ''}"
