"""Whom it believes: the bot's key and how it changes, and the list of stop keys."""

from collections.abc import Callable

from components.check.keys import fresh
from components.check.rule import Broken, Chapter
from components.check.trial import DOWN, UP, Trial, names
from wire.envelope import PrivateKey, seal
from wire.messages import HandOver, Shown, State

CHAPTER = Chapter("Keys")
SERIAL = 5


async def _send(trial: Trial, old: PrivateKey, new: PrivateKey, *signers: PrivateKey, kind: str = "key") -> None:
    first, *more = signers or (old, new)
    link = HandOver(old.public, new.public).to_bytes()
    await trial.say(f"key/{trial.id}", seal(first, trial.root, kind, link, *more))


def _knows(key: PrivateKey) -> Callable[[State], bool]:
    return lambda state: state.key == key.public.id


async def _handed(trial: Trial) -> tuple[State, PrivateKey]:
    """Start it and hand the bot's key over. Returns what it said before, and the old key."""
    before = await trial.first()
    old, new = trial.bot, fresh()
    await _send(trial, old, new)
    await trial.need("the new key in a statement", _knows(new))
    trial.bot = new
    return before, old


@CHAPTER.rule("The component: key")
async def key_taken(trial: Trial) -> None:
    """It takes a new key of the bot that both keys have signed, and says so at once."""
    await trial.first()
    new = fresh()
    await _send(trial, trial.bot, new)
    state = await trial.expect("a statement that names the new key", _knows(new))
    trial.bot = new
    await trial.lease(state)
    await trial.expect("ready after a lease of the new key", lambda state: state.shown in UP)
    incident, _ = await trial.stop("all")
    await trial.expect("stopping or stopped by a stop of the new key", lambda state: incident in names(state))


@CHAPTER.rule("The component: key")
async def key_old_void(trial: Trial) -> None:
    """After that the old key counts no more."""
    _, old = await _handed(trial)
    state = await trial.settled()
    began = trial.place_read
    await trial.lease(state, key=old)
    await trial.stop("all", key=old)
    state = await trial.settled()
    if state.incidents or any(each.shown in UP for _, each, _ in trial.heard.states(began)):
        trial.broken("held and not stopped: the lease and the stop are signed with the old key", began)


@CHAPTER.rule("The component: key")
async def key_forged(trial: Trial) -> None:
    """It takes no key that one of the two has not signed, or that begins elsewhere."""
    await trial.first()
    bot, stranger, new = trial.bot, trial.keys.stranger, fresh()
    began = trial.place_read
    await _send(trial, bot, new, bot)
    await _send(trial, bot, new, new)
    await _send(trial, bot, new, stranger, new)
    await _send(trial, stranger, new)
    await _send(trial, stranger, new, bot, new, stranger)
    await _send(trial, trial.keys.stop, new)
    await _send(trial, bot, new, kind="roster")
    await trial.settled()
    strange = {state.key for _, state, _ in trial.heard.states(began)} - {bot.public.id}
    if strange:
        raise Broken("the key that it was enrolled with", "another key in its statements")


@CHAPTER.rule("The component: disk", survives=True)
async def key_survives(trial: Trial) -> None:
    """It knows the new key when it is started again."""
    await _handed(trial)
    state = await trial.restart()
    if state.key != trial.bot.public.id:
        raise Broken("the key that it was handed", "the key of its enrolment" if state.key else "no key")


@CHAPTER.rule("The component: key")
async def key_questions(trial: Trial) -> None:
    """A new key forgets all questions that are open."""
    before, _ = await _handed(trial)
    began = trial.place_read
    await trial.lease(before)
    await trial.settled()
    if any(each.shown in UP for _, each, _ in trial.heard.states(began)):
        trial.broken("held: the question is older than the key", began)


@CHAPTER.rule("Topics: roster")
async def roster_taken(trial: Trial) -> None:
    """It takes a newer roster: who is on it can stop it, who is not cannot."""
    await trial.first()
    new = fresh()
    await trial.roster(SERIAL, new)
    await trial.expect(f"a statement with roster {SERIAL} at once", lambda state: state.roster == SERIAL)
    await trial.stop("all", key=trial.keys.stop)
    incident, _ = await trial.stop("all", key=new)
    state = await trial.expect("stopping or stopped by the new stop key", lambda state: incident in names(state))
    if names(state) != frozenset({incident}):
        raise Broken("stopped by the new stop key alone", "the stop key that was removed stops it, too")


@CHAPTER.rule("Topics: roster")
async def roster_older(trial: Trial) -> None:
    """An older roster, or one of the same number, changes nothing."""
    await trial.first()
    await trial.roster(SERIAL, trial.keys.stop)
    await trial.need("the newer roster", lambda state: state.roster == SERIAL)
    for serial in (SERIAL - 1, SERIAL):
        await trial.roster(serial, trial.keys.stranger)
    began = trial.place_read
    await trial.stop("all", key=trial.keys.stranger)
    await trial.settled()
    states = [state for _, state, _ in trial.heard.states(began)]
    if any(state.roster < SERIAL for state in states):
        raise Broken(f"roster {SERIAL} and later ones", "an older roster")
    if any(state.shown in DOWN for state in states):
        trial.broken("that a key which only stands on an older roster cannot stop it", began)


@CHAPTER.rule("Topics: roster")
async def roster_forged(trial: Trial) -> None:
    """It takes no roster that the bot has not signed."""
    await trial.first()
    for key in (trial.keys.stranger, trial.keys.stop, trial.keys.own):
        await trial.roster(SERIAL, trial.keys.stranger, key=key)
    began = trial.place_read
    await trial.stop("all", key=trial.keys.stranger)
    await trial.settled()
    states = [state for _, state, _ in trial.heard.states(began)]
    if any(state.roster == SERIAL or state.shown in DOWN for state in states):
        raise Broken("the roster that it has", "the roster of somebody who is not the bot")


@CHAPTER.rule("The component: disk", survives=True)
async def roster_survives(trial: Trial) -> None:
    """It knows its roster when it is started again."""
    await trial.first()
    await trial.roster(SERIAL, fresh())
    await trial.need("the newer roster", lambda state: state.roster == SERIAL)
    state = await trial.restart()
    if state.roster != SERIAL:
        raise Broken(f"roster {SERIAL}", f"roster {state.roster}")
    began = trial.place_read
    await trial.stop("all", key=trial.keys.stop)
    deaf = await trial.said(lambda state: state.shown is Shown.STOPPED or bool(state.incidents))
    if deaf is not None:
        trial.broken("that a stop key which was removed before the restart stops nothing", began)
