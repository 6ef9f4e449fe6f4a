"""The permission to work: what gives it, for how long, and what never does."""

import asyncio

from components.check.bot import TTL_MS
from components.check.keys import fresh
from components.check.rule import Broken, Chapter, Skipped
from components.check.trial import AT_ONCE_S, UP, Trial
from wire.birth import OnSilence
from wire.messages import Shown, State

CHAPTER = Chapter("Leases")
SHORT_MS = 1000
LATE_S = 1.5
HOUR_MS = 3_600_000
QUESTIONS = 5
"""So many later, the first one is not among the four that are open."""


def _works(state: State) -> bool:
    return state.shown in UP


async def _let(trial: Trial, ttl_ms: int) -> bytes:
    """Start it and give it one lease. Returns the lease."""
    n, envelope = await trial.lease(await trial.first(), ttl_ms=ttl_ms)
    await trial.need("ready after a lease", lambda state: _works(state) and state.re == n)
    return envelope


async def _nothing(trial: Trial, what: str) -> None:
    """None of what was sent may have let it work."""
    began = trial.place_read
    state = await trial.settled()
    if any(_works(each) for _, each, _ in trial.heard.states(began)):
        trial.broken(f"that {what} permits nothing", began)
    if state.re is not None:
        raise Broken(f"that {what} is not taken: re null", f"{state.shown}, re set")


@CHAPTER.rule("The component: lease")
async def lease_permits(trial: Trial) -> None:
    """A lease lets it work; it says so at once, and names the lease."""
    n, _ = await trial.lease(await trial.first())
    await trial.expect("ready or busy at once, re = the n of the lease", lambda state: _works(state) and state.re == n)


@CHAPTER.rule("The component: ask, may work")
async def lease_ends(trial: Trial) -> None:
    """When a lease has run out it is held, and says so at once."""
    await _let(trial, SHORT_MS)
    what = f"held {SHORT_MS / 1000:g} s after its question, when the lease has run out"
    await trial.expect(what, trial.silenced, SHORT_MS / 1000 + AT_ONCE_S)


@CHAPTER.rule("The component: lease")
async def lease_late(trial: Trial) -> None:
    """The time counts from its question, not from the answer."""
    state = await trial.first()
    await asyncio.sleep(LATE_S)
    began = len(trial.heard.said)
    await trial.lease(state, ttl_ms=SHORT_MS)
    await trial.settled()
    if any(_works(each) for _, each, _ in trial.heard.states(began)):
        trial.broken(f"held: a lease of {SHORT_MS / 1000:g} s came {LATE_S:g} s after its question", began)


@CHAPTER.rule("The component: ttl")
async def lease_capped(trial: Trial) -> None:
    """No lease lasts longer than ten seconds, whatever it says."""
    await _let(trial, HOUR_MS)
    await trial.expect("held after 10 s; the lease said an hour", trial.silenced, TTL_MS / 1000 + AT_ONCE_S)


@CHAPTER.rule("The component: lease")
async def lease_unasked(trial: Trial) -> None:
    """A lease for a question that it never asked permits nothing."""
    await trial.lease(await trial.first(), nonce="0123456789abcdef" * 2)
    await _nothing(trial, "a lease for an unknown nonce")


@CHAPTER.rule("The component: ttl")
async def lease_old(trial: Trial) -> None:
    """It forgets a question after four newer ones."""
    state = await trial.first()
    for _ in range(QUESTIONS):
        await trial.settled()
    await trial.lease(state)
    await _nothing(trial, "a lease for the oldest of many questions")


@CHAPTER.rule("The component: lease")
async def lease_again(trial: Trial) -> None:
    """A lease that comes a second time permits nothing more."""
    envelope = await _let(trial, SHORT_MS)
    if trial.birth.on_silence is OnSilence.LATCH:
        raise Skipped("it stops when nobody lets it work")
    await trial.need("held after its lease", trial.silenced, SHORT_MS / 1000 + AT_ONCE_S)
    began = trial.place_read
    await trial.say(f"lease/{trial.id}", envelope)
    await trial.settled()
    if any(_works(each) for _, each, _ in trial.heard.states(began)):
        trial.broken("held: the lease has run out and was only sent again", began)


@CHAPTER.rule("Signed messages")
async def lease_forged(trial: Trial) -> None:
    """A lease of anybody but the bot permits nothing."""
    state = await trial.first()
    for key in (trial.keys.stranger, trial.keys.stop, trial.keys.own, fresh()):
        await trial.lease(state, key=key)
    await _nothing(trial, "a lease signed by a stranger, a stop key or itself")


@CHAPTER.rule("Signed messages")
async def lease_kind(trial: Trial) -> None:
    """A message of another kind never passes for a lease."""
    state = await trial.first()
    for kind in ("state", "stop", "roster", "cmd"):
        await trial.lease(state, kind=kind)
    await _nothing(trial, "a lease that was signed as another kind")


@CHAPTER.rule("Signed messages")
async def lease_root(trial: Trial) -> None:
    """A message of another root never passes for a lease."""
    await trial.lease(await trial.first(), root="another/v1")
    await _nothing(trial, "a lease that was signed for another root")


@CHAPTER.rule("The component: silence")
async def silence(trial: Trial) -> None:
    """Where silence is a stop, it stops by itself when its lease has run out."""
    await _let(trial, SHORT_MS)
    if trial.birth.on_silence is not OnSilence.LATCH:
        raise Skipped("its birth says that it holds on silence")
    await trial.expect("stopping with an incident own-…", trial.silenced, SHORT_MS / 1000 + AT_ONCE_S)
    await trial.expect(
        "stopped", lambda state: state.shown is Shown.STOPPED, trial.birth.stop_deadline_ms / 1000 + AT_ONCE_S
    )
