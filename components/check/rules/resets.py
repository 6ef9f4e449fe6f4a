"""Resets: only what was named, only when it is down, and nothing of before counts after it."""

import asyncio

from components.check.bot import TTL_MS
from components.check.rule import Broken, Chapter, Skipped
from components.check.trial import AT_ONCE_S, DOWN, UP, Trial, names
from components.check.work import started
from wire.birth import OnSilence
from wire.messages import Shown, State
from wire.work import JobState

CHAPTER = Chapter("Resets")
SOON_OVER_MS = 300
QUIET_S = 1.5
TRIES = 3


async def _reset(trial: Trial, *, let: bool = True, ttl_ms: int = TTL_MS) -> tuple[State, bytes, State]:
    """Stop it and reset it. Returns what it said when it was down, the signed stop, and what it said first after it."""
    if let:
        await trial.ready()
    else:
        await trial.first()
    trial.answers = False
    incident, envelope = await trial.stop("all")
    down = await trial.need(
        "stopped by a stop",
        lambda state: state.shown is Shown.STOPPED and incident in names(state),
        AT_ONCE_S + trial.birth.stop_deadline_ms / 1000,
    )
    await trial.forget_stops()
    await trial.lease(down, cleared=[incident], ttl_ms=ttl_ms)
    after = await trial.need("free after the reset", lambda state: not state.incidents and state.shown not in DOWN)
    return down, envelope, after


@CHAPTER.rule("The component: lease, cleared")
async def reset_frees(trial: Trial) -> None:
    """A lease that says so lets it off the incident."""
    await trial.ready()
    trial.answers = False
    state, (incident,) = await trial.down()
    await trial.lease(state, cleared=[incident])
    await trial.expect("ready, without the incident", lambda state: not state.incidents and state.shown in UP)


@CHAPTER.rule("The component: lease, cleared")
async def reset_named_only(trial: Trial) -> None:
    """A reset takes away what it names and nothing else."""
    await trial.ready()
    trial.answers = False
    state, (cleared, other) = await trial.down(2)
    await trial.lease(state, cleared=[cleared])
    began = trial.place_read
    after = await trial.settled()
    if names(after) != frozenset({other}) or after.shown not in DOWN:
        trial.broken("stopped by the other incident, and by that alone", began)


@CHAPTER.rule("The component: lease, cleared")
async def reset_stops_win(trial: Trial) -> None:
    """What a lease names in stops and in cleared stays."""
    await trial.ready()
    trial.answers = False
    state, (incident,) = await trial.down()
    await trial.lease(state, stops=[incident], cleared=[incident])
    began = trial.place_read
    after = await trial.settled()
    if names(after) != frozenset({incident}) or after.shown not in DOWN:
        trial.broken("that it stays stopped: the lease names the incident in stops, too", began)


@CHAPTER.rule("The component: lease, if STOPPED")
async def reset_when_down(trial: Trial) -> None:
    """No reset counts before it is down."""
    await trial.ready()
    for _ in range(TRIES):  # once may be a statement that was overtaken; a component that is wrong is always wrong
        trial.answers = False
        incident, _ = await trial.stop("all")
        state = await trial.need("a statement that names the stop", lambda state, i=incident: i in names(state))
        if state.shown is Shown.STOPPED:
            raise Skipped("it was down before anybody could reset it")
        await trial.lease(state, cleared=[incident])
        within = AT_ONCE_S + trial.birth.stop_deadline_ms / 1000
        after = await trial.need("any change after a stop", lambda state: state.shown is not Shown.STOPPING, within)
        if after.shown is Shown.STOPPED:
            return
        await trial.forget_stops()
        if after.shown not in UP:
            await trial.lease(after)
            await trial.need("ready again", lambda state: state.shown in UP)
    trial.broken("stopped before it is reset", 0)


@CHAPTER.rule("The component: lease")
async def reset_new_session(trial: Trial) -> None:
    """After a reset it is in a new session and has heard nobody."""
    down, _, after = await _reset(trial)
    if after.session == down.session or after.re is not None:
        what = "the old session" if after.session == down.session else "a new session"
        raise Broken("a new session, re null", f"{what}, re {'set' if after.re else 'null'}")


@CHAPTER.rule("Topics: order")
async def reset_new_birth(trial: Trial) -> None:
    """It publishes a birth of its new session."""
    down, _, after = await _reset(trial)
    deadline = asyncio.get_running_loop().time() + AT_ONCE_S
    while not any(birth.session == after.session for _, birth, _ in trial.heard.births()):
        trial.heard.changed.clear()
        if not await trial.more(deadline):
            old = after.session == down.session
            raise Broken("a birth with the new session", "no new session" if old else "no birth since the reset")


@CHAPTER.rule("The component: lease, READY")
async def reset_nothing_runs(trial: Trial) -> None:
    """A job that was stopped does not go on after the reset."""
    await trial.ready()
    job = await started(trial)
    trial.answers = False
    state, (incident,) = await trial.down()
    await trial.lease(state, cleared=[incident])
    await trial.need("ready after the reset", lambda state: not state.incidents and state.shown in UP)
    began = len(trial.heard.said)
    trial.answers = True
    await trial.settled()
    await asyncio.sleep(QUIET_S)
    runs = [each for each, _ in trial.heard.jobs(job, began) if each.state is JobState.RUNNING]
    if runs:
        raise Broken("that nothing is said of the old job any more", f"it runs again: {runs[-1].message or 'running'}")


@CHAPTER.rule("The component: lease")
async def reset_old_questions(trial: Trial) -> None:
    """A lease for a question from before the reset permits nothing."""
    down, _, after = await _reset(trial, let=False, ttl_ms=SOON_OVER_MS)  # what it was let before would still count
    if trial.birth.on_silence is OnSilence.LATCH:
        raise Skipped("it stops when nobody lets it work")
    if after.shown is not Shown.HELD:  # on a slow machine the short lease is over before it says anything
        await trial.need("held after the short lease", lambda state: state.shown is Shown.HELD)
    began = trial.place_read
    await trial.lease(down)
    await trial.settled()
    if any(each.shown in UP for _, each, _ in trial.heard.states(began)):
        trial.broken("held: the lease answers a question of the old session", began)


@CHAPTER.rule("The component: stop")
async def reset_stop_again(trial: Trial) -> None:
    """The stop that was reset stops nothing when it comes again."""
    _, envelope, _ = await _reset(trial)
    await trial.say("stop/all", envelope)
    began = trial.place_read
    if (await trial.settled()).incidents:
        trial.broken("that it works on: this incident was reset", began)


@CHAPTER.rule("The component: lease, stops")
async def reset_lease_wins(trial: Trial) -> None:
    """A lease that names a reset incident stops it all the same."""
    down, _, after = await _reset(trial)
    incident = next(iter(names(down)))
    await trial.lease(after, stops=[incident])
    await trial.expect(
        "stopping or stopped, naming the incident", lambda state: state.shown in DOWN and incident in names(state)
    )


@CHAPTER.rule("The component: disk", survives=True)
async def reset_survives(trial: Trial) -> None:
    """It remembers a reset when it is started again."""
    _, envelope, _ = await _reset(trial)
    began = len(trial.heard.said)
    if (await trial.restart()).incidents:
        trial.broken("held: the incident was reset", began)
    await trial.say("stop/all", envelope)
    if (await trial.settled()).incidents:
        trial.broken("that the stop which was reset stops nothing after a restart", began)
