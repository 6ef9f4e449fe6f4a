"""Commands and jobs: what runs, what must not, and how a job ends. Nothing of high danger is tried unasked."""

import asyncio
import contextlib
import dataclasses
import itertools

from components.check.rule import Broken, Chapter, Skipped, Untried
from components.check.sample import wrong_arguments
from components.check.trial import AT_ONCE_S, RHYTHM_S, UP, Trial, names
from components.check.work import (
    RAN,
    SILENCE_S,
    Offer,
    answer,
    command_of,
    ignored,
    job_is,
    job_of,
    ran,
    refused,
    started,
)
from wire.birth import OnSilence
from wire.messages import Shown
from wire.work import CANCEL, Called, Job, JobState

CHAPTER = Chapter("Commands and jobs")
WATCH_S = 3.0
MOST_PROGRESS = 8
"""Two a second, and one at the start and one for the jitter of the way."""
SHORT_MS = 1500
ENDS_WITHIN_S = 5.0
"""So long a job may come to its own end, before it is cancelled to see what it shows."""


async def _ready(trial: Trial) -> Offer:
    await trial.ready()
    return command_of(trial)


@CHAPTER.rule("Topics: cmd, reply")
async def cmd_runs(trial: Trial) -> None:
    """It carries out a command and answers."""
    offer = await _ready(trial)
    command, _ = await offer.give(trial)
    reply = await answer(trial, command, within=AT_ONCE_S * 2)
    if reply is None or reply.status not in RAN or reply.sender != trial.id:
        seen = "no reply" if reply is None else f"{reply.status} from {reply.sender} {reply.error}".strip()
        raise Broken(f"done or accepted for {offer.name} {dict(offer.arguments)}", seen)


@CHAPTER.rule("Topics: reply")
async def cmd_unknown(trial: Trial) -> None:
    """A command that it does not have is rejected with the reason."""
    offer = dataclasses.replace(await _ready(trial), name="no-such-command-here")
    command, _ = await offer.give(trial)
    await refused(trial, command, "there is no such command")


@CHAPTER.rule("Topics: reply")
async def cmd_arguments(trial: Trial) -> None:
    """Wrong arguments are rejected with the reason."""
    await trial.ready()
    offers = _with_arguments(trial)
    if not offers:
        raise Skipped("it has no command with arguments")
    command, _ = await offers[0].give(trial, args=wrong_arguments(offers[0].offered.input))
    await refused(trial, command, "an argument is of a wrong type")


def _with_arguments(trial: Trial) -> list[Offer]:
    found: list[Offer] = []
    for choose in (command_of, job_of):
        try:
            offer = choose(trial)
        except Skipped:
            continue
        if offer.offered.input.get("properties"):
            found.append(offer)
    return found


@CHAPTER.rule("The component: cmd")
async def cmd_expired(trial: Trial) -> None:
    """A command that has expired on the bot's clock is rejected."""
    offer = await _ready(trial)
    command, _ = await offer.give(trial, expires_ms=trial.now_ms() - 1)
    await refused(trial, command, "it came too late, by the clock of the leases")


@CHAPTER.rule("The component: cmd")
async def cmd_session(trial: Trial) -> None:
    """A command for another session is rejected."""
    offer = await _ready(trial)
    command, _ = await offer.give(trial, session="0123456789abcdef" * 2)
    await refused(trial, command, "it is for another session")


@CHAPTER.rule("The component: cmd")
async def cmd_target(trial: Trial) -> None:
    """A command for other components is not carried out."""
    offer = await _ready(trial)
    command, _ = await offer.give(trial, targets=[Called("another", trial.birth.session)])
    await trial.settled()
    await answer(trial, command, within=SILENCE_S)
    if ran(trial, command):
        raise Broken("that it does not run: it is not among the targets", "it ran")


@CHAPTER.rule("The component: cmd")
async def cmd_twice(trial: Trial) -> None:
    """A command that comes twice runs once."""
    offer = await _ready(trial)
    command, envelope = await offer.give(trial)
    if (reply := await answer(trial, command, within=AT_ONCE_S * 2)) is None or reply.status not in RAN:
        raise Untried("the command was not carried out the first time")
    await trial.say(f"cmd/{trial.id}", envelope)
    await trial.settled()
    await answer(trial, command, count=2, within=AT_ONCE_S)
    times = sum(each.status in RAN for each in trial.heard.replies(command))
    if times != 1:
        raise Broken("that it runs once", f"it ran {times} times")


@CHAPTER.rule("Signed messages")
async def cmd_forged(trial: Trial) -> None:
    """A command of anybody but the bot is met with silence."""
    offer = await _ready(trial)
    for key in (trial.keys.stranger, trial.keys.stop, trial.keys.own):
        await ignored(trial, (await offer.give(trial, key=key))[0], "the command is not signed by the bot")
    await ignored(trial, (await offer.give(trial, kind="lease"))[0], "the command was signed as another kind")
    await ignored(trial, (await offer.give(trial, root="another/v1"))[0], "the command was signed for another root")


@CHAPTER.rule("The component: cmd, may work")
async def cmd_held(trial: Trial) -> None:
    """While it is held it carries out no command."""
    await trial.first()
    command, _ = await command_of(trial).give(trial)
    await refused(trial, command, "nobody lets it work")


@CHAPTER.rule("The component: cmd, may work")
async def cmd_stopped(trial: Trial) -> None:
    """While it is stopped it carries out no command."""
    offer = await _ready(trial)
    await trial.down()
    command, _ = await offer.give(trial)
    await refused(trial, command, "it is stopped")


@CHAPTER.rule("The component: cmd")
async def cmd_after_reset(trial: Trial) -> None:
    """After a reset it takes commands for its new session, and none for the old one."""
    offer = await _ready(trial)
    old = trial.birth.session
    trial.answers = False
    state, (incident,) = await trial.down()
    await trial.lease(state, cleared=[incident])
    trial.answers = True
    await trial.need("ready after the reset", lambda state: not state.incidents and state.shown in UP)
    state = await trial.settled()
    if state.session == old:
        raise Untried("the reset has not begun a new session")
    await refused(trial, (await offer.give(trial, session=old))[0], "it is for the session before the reset")
    reply = await answer(trial, (await offer.give(trial, session=state.session))[0], within=AT_ONCE_S * 2)
    if reply is None or reply.status not in RAN:
        seen = "no reply" if reply is None else f"{reply.status} {reply.error}".strip()
        raise Broken("done or accepted for a command of its new session", seen)


@CHAPTER.rule("Topics: job")
async def job_told(trial: Trial) -> None:
    """A job is accepted and tells its progress, at most twice a second."""
    await trial.ready()
    job, _ = await job_of(trial).give(trial)
    reply = await answer(trial, job)
    if reply is None or reply.status not in RAN:
        raise Broken("accepted", "no reply" if reply is None else f"{reply.status} {reply.error}".strip())
    await job_is(trial, job, lambda each: each.state is JobState.RUNNING, expected="that the job is running")
    await _listen(WATCH_S, trial)
    said = [each for each, _ in trial.heard.jobs(job)]
    numbers = [each.seq for each in said]
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise Broken("a seq that rises with each message", f"seq {', '.join(map(str, numbers[:8]))}")
    if {each.session for each in said} != {trial.birth.session} or {each.id for each in said} != {trial.id}:
        raise Broken("its id and session in each message of the job", "others")
    if len(said) > MOST_PROGRESS:
        raise Broken(f"at most {MOST_PROGRESS} messages in {WATCH_S:g} s", f"{len(said)} messages")


async def _listen(seconds: float, trial: Trial) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while await trial.more(deadline):
        trial.heard.changed.clear()


async def _ended(trial: Trial, job: str, end: JobState) -> None:
    """It must end in this way, and the broker must keep the end."""
    within = AT_ONCE_S + trial.birth.stop_deadline_ms / 1000
    last: Job = await job_is(
        trial, job, lambda each: each.state.is_over, expected=f"that the job is {end}", within=within
    )
    if last.state is not end:
        raise Broken(f"that the job is {end}", f"the job is {last.state}")
    began = len(trial.heard.said)
    await trial.look_up(f"job/{trial.id}/{job}")
    deadline = asyncio.get_running_loop().time() + AT_ONCE_S
    while not any(kept and each.state is end for each, kept in trial.heard.jobs(job, began)):
        trial.heard.changed.clear()
        if not await trial.more(deadline):
            raise Broken(f"the end ({end}) retained by the broker", "nothing that the broker keeps")


@CHAPTER.rule("Topics: cmd, job")
async def job_cancelled(trial: Trial) -> None:
    """A job can be cancelled, and the broker keeps its end."""
    await trial.ready()
    job = await started(trial)
    offer = dataclasses.replace(job_of(trial), name=CANCEL, arguments={"job": job})
    await offer.give(trial)
    await _ended(trial, job, JobState.CANCELLED)


@CHAPTER.rule("Topics: job")
async def job_stopped(trial: Trial) -> None:
    """A stop ends a job as stopped, and the broker keeps its end."""
    await trial.ready()
    job = await started(trial)
    incident, _ = await trial.stop("all")
    await _ended(trial, job, JobState.STOPPED)
    within = AT_ONCE_S + trial.birth.stop_deadline_ms / 1000
    down = await trial.need("stopped", lambda state: state.shown is Shown.STOPPED and incident in names(state), within)
    since = next(place for place, each, _ in trial.heard.states() if each == down)
    if any(each.state is JobState.RUNNING for each, kept in trial.heard.jobs(job, since) if not kept):
        raise Broken("nothing that runs once it has said that it has stopped", "the job was running after that")


@CHAPTER.rule("Topics: picture, job")
async def job_pictures(trial: Trial) -> None:
    """The pictures that the end of a job names were there before it, and the broker keeps them."""
    await trial.ready()
    end = await _any_end(trial)
    if not end.pictures:
        raise Skipped("its job ended without a picture; name one with --job and --arguments")
    place = next(place for place, each in enumerate(trial.heard.said) if each.what == end)
    for named in end.pictures:
        if not trial.heard.has_picture(named, before=place):
            raise Broken(f"the picture {named.sha256[:12]}… before the end that names it", "no such bytes by then")
    began = len(trial.heard.said)
    await trial.look_up(f"picture/{trial.id}/+")
    deadline = asyncio.get_running_loop().time() + AT_ONCE_S
    while not all(trial.heard.has_picture(named, after=began, kept=True) for named in end.pictures):
        trial.heard.changed.clear()
        if not await trial.more(deadline):
            raise Broken("the pictures retained by the broker", "nothing that the broker keeps")


async def _any_end(trial: Trial) -> Job:
    """How a job ended, by itself or cancelled."""
    offer = job_of(trial)
    job, _ = await offer.give(trial)
    with contextlib.suppress(Untried):
        return await job_is(trial, job, lambda each: each.state.is_over, needed="an end", within=ENDS_WITHIN_S)
    await dataclasses.replace(offer, name=CANCEL, arguments={"job": job}).give(trial)
    return await job_is(trial, job, lambda each: each.state.is_over, needed="an end")


@CHAPTER.rule("The component: HELD")
async def job_held(trial: Trial) -> None:
    """A job waits while nobody lets it work, and goes on by itself."""
    state = await trial.first()
    if trial.birth.on_silence is OnSilence.LATCH:
        raise Skipped("it stops when nobody lets it work")
    job_of(trial)
    await trial.lease(state, ttl_ms=SHORT_MS)
    await trial.need("ready after a lease", lambda state: state.shown in UP)
    job = await started(trial)
    state = await trial.need(
        "held when its lease has run out", lambda state: state.shown is Shown.HELD, RHYTHM_S + AT_ONCE_S
    )
    await _listen(1.0, trial)  # what was on its way has come
    said = [each for each, _ in trial.heard.jobs(job)]
    if said and said[-1].state.is_over:
        raise Broken("a job that waits", f"the job is {said[-1].state}")
    began = len(trial.heard.said)
    trial.answers = True
    await trial.lease(await trial.settled())
    going_on = "that the job goes on with the next lease"
    await job_is(trial, job, lambda each: each.state is JobState.RUNNING, expected=going_on, after=began)
