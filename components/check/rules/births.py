"""What a component says of itself, and when."""

import asyncio
import itertools

from components.check.bot import TTL_MS
from components.check.rule import Broken, Chapter
from components.check.trial import RHYTHM_S, START_S, UP, Trial
from components.check.work import any_command
from wire.messages import Shown, State

CHAPTER = Chapter("What it says")
LISTEN_S = 10.5
MOST_ASKED = 8
LEAST_ASKED = 3
SLACK_S = 0.7


@CHAPTER.rule("Topics: order")
async def birth_first(trial: Trial) -> None:
    """At a connect it publishes its birth first, then a statement."""
    await trial.first()
    first_birth = next((place for place, *_ in trial.heard.births()), None)
    first_state = next(place for place, *_ in trial.heard.states())
    if first_birth is None or first_birth > first_state:
        raise Broken("a birth, then a statement", "a statement, and no birth before it")


@CHAPTER.rule("Topics: birth")
async def birth_kept(trial: Trial) -> None:
    """The broker keeps its birth."""
    await trial.first()
    began = len(trial.heard.said)
    await trial.look_up(f"birth/{trial.id}")
    deadline = asyncio.get_running_loop().time() + SLACK_S
    while not any(kept for _, _, kept in trial.heard.births(began)):
        trial.heard.changed.clear()
        if not await trial.more(deadline):
            raise Broken("a retained birth", "nothing that the broker keeps on its topic")


@CHAPTER.rule("Topics: birth")
async def birth_right(trial: Trial) -> None:
    """Its birth names it, its groups and the session of its statements."""
    state = await trial.first()
    birth = trial.birth
    expected = (trial.id, (trial.group,), state.session)
    if (birth.id, birth.groups, birth.session) != expected:
        raise Broken(
            "the enrolled id and groups, and the session of the first statement",
            f"id {birth.id}, groups {', '.join(birth.groups) or 'none'}, session {birth.session[:8]}…",
        )


@CHAPTER.rule("The component: boot")
async def starts_held(trial: Trial) -> None:
    """It starts held, and has heard nobody."""
    state = await trial.first()
    if state.shown is not Shown.HELD or state.re is not None or state.incidents:
        raise Broken("held, re null, no incidents", trial.heard.summary() + (", re is set" if state.re else ""))


@CHAPTER.rule("Topics: state")
async def state_right(trial: Trial) -> None:
    """A statement names its id, its groups, the bot's key and its roster."""
    state = await trial.first()
    expected = (trial.id, (trial.group,), trial.bot.public.id, 0)
    if (state.id, state.groups, state.key, state.roster) != expected:
        raise Broken(
            f"id {trial.id}, group {trial.group}, key {trial.bot.public.id}, roster 0",
            f"id {state.id}, groups {', '.join(state.groups) or 'none'}, key {state.key}, roster {state.roster}",
        )


@CHAPTER.rule("Topics: state")
async def state_not_kept(trial: Trial) -> None:
    """The broker keeps none of its statements."""
    await trial.first()
    await trial.settled()
    began = len(trial.heard.said)
    await trial.look_up(f"state/{trial.id}")
    await trial.settled()
    if any(each.retained and isinstance(each.what, State) for each in trial.heard.said[began:]):
        raise Broken("statements that are not retained: an old one would look like an answer", "one that was retained")


@CHAPTER.rule("The component: ask")
async def asks_in_time(trial: Trial) -> None:
    """It asks every 2 to 3 seconds while nobody answers."""
    await trial.first()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LISTEN_S
    while await trial.more(deadline):
        trial.heard.changed.clear()
    times = [at for _, _, at in trial.heard.states()] + [deadline]
    longest = max(later - earlier for earlier, later in itertools.pairwise(times))
    asked = len(times) - 1
    if longest > RHYTHM_S + SLACK_S or not LEAST_ASKED <= asked <= MOST_ASKED:
        raise Broken(
            f"{LEAST_ASKED} to {MOST_ASKED} questions in {LISTEN_S} s, none more than {RHYTHM_S:g} s after the last",
            f"{asked} questions, the longest pause {longest:.1f} s",
        )


@CHAPTER.rule("The component: ask")
async def fresh_nonces(trial: Trial) -> None:
    """Each question has a nonce of its own."""
    await trial.first()
    for _ in range(3):
        await trial.settled()
    drawn = [state.nonce for _, state, _ in trial.heard.states()]
    if len(set(drawn)) < len(drawn):
        raise Broken("a new nonce in each statement", f"{len(drawn)} statements with {len(set(drawn))} nonces")


@CHAPTER.rule("Signed messages")
async def signed(trial: Trial) -> None:
    """All that it says is signed with its own key and is as the contract says."""
    await trial.program.start()
    deadline = asyncio.get_running_loop().time() + START_S
    while not trial.heard.said and not trial.heard.foul and await trial.more(deadline):
        trial.heard.changed.clear()
    if not trial.heard.foul:
        trial.answers = True
        if await trial.said(lambda state: state.shown in UP, RHYTHM_S * 2) is not None:
            offer = any_command(trial)
            if offer is not None:
                await offer.give(trial)
        await trial.stop("all")
        await trial.said(lambda state: state.shown is Shown.STOPPED)
    if trial.heard.foul:
        raise Broken("messages that are signed and valid", trial.heard.foul[0])
    if not trial.heard.said:
        raise Broken("messages that are signed and valid", "no message at all")


@CHAPTER.rule("The component: boot")
async def new_session(trial: Trial) -> None:
    """A restart is a new session with a new birth."""
    before = await trial.first()
    began = len(trial.heard.said)
    after = await trial.restart()
    born = [birth.session for _, birth, _ in trial.heard.births(began)]
    if after.session == before.session or after.session not in born or after.re is not None:
        what = "the old session" if after.session == before.session else "a new session"
        raise Broken(
            "a new session, born before its first statement, re null",
            f"{what}, {'born' if after.session in born else 'without a birth'}, re {'set' if after.re else 'null'}",
        )


@CHAPTER.rule("Topics: state")
async def will(trial: Trial) -> None:
    """When it is killed the broker says, signed, that it is lost."""
    state = await trial.first()
    await trial.lease(state, ttl_ms=TTL_MS)
    await trial.need("ready after a lease", lambda state: state.shown in UP)
    await trial.program.kill()
    lost = await trial.expect("its will: a signed statement 'lost'", lambda state: state.shown is Shown.LOST)
    if lost.session != state.session:
        raise Broken("a will that names its session", "a will of another session")
