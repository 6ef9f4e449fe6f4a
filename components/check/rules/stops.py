"""Stops: whose count, for whom, and that nothing but a reset undoes them."""

import os
from collections.abc import Callable

from components.check.rule import Broken, Chapter, Skipped
from components.check.trial import AT_ONCE_S, DOWN, START_S, Trial, names, proof
from components.check.work import begun
from wire.messages import Shown, State

CHAPTER = Chapter("Stops")
RUBBISH = b'{"open": [\x00\xff'


async def _stays(trial: Trial, incident: str, what: str) -> None:
    """After all that was sent it must still be stopped by this incident."""
    began = trial.place_read
    state = await trial.settled()
    if state.shown not in DOWN or incident not in names(state):
        trial.broken(what, began)


def _stopped_by(incident: str) -> Callable[[State], bool]:
    return lambda state: state.shown in DOWN and incident in names(state)


@CHAPTER.rule("The component: stop")
async def stop_heard(trial: Trial) -> None:
    """A stop for all, for its group and for itself is taken at once."""
    await trial.ready()
    for topic in ("group", "id", "all"):
        incident, _ = await trial.stop(topic)
        await trial.expect(f"stopping or stopped, naming the stop for {topic}", _stopped_by(incident))


@CHAPTER.rule("The component: stop")
async def stop_key(trial: Trial) -> None:
    """A stop of a stop key counts as the bot's does."""
    await trial.ready()
    incident, _ = await trial.stop("all", key=trial.keys.stop)
    await trial.expect("stopping or stopped, naming the incident", _stopped_by(incident))


@CHAPTER.rule("Signed messages")
async def stop_forged(trial: Trial) -> None:
    """A stop that nobody who may has signed is ignored."""
    await trial.ready()
    for key in (trial.keys.stranger, trial.keys.own):
        await trial.stop("all", key=key)
    await trial.stop("all", key=trial.bot, kind="lease")
    await trial.stop("all", key=trial.bot, root="another/v1")
    began = trial.place_read
    state = await trial.settled()
    if state.incidents or state.shown in DOWN:
        trial.broken("that it works on: no stop was signed by the bot or a stop key, as a stop of this root", began)


@CHAPTER.rule("Topics: stop")
async def stop_target(trial: Trial) -> None:
    """The target inside a stop counts, not the topic."""
    await trial.ready()
    for topic, target in (("all", "id/another"), ("all", "group/another"), ("id", "id/another")):
        await trial.stop(topic, names=target, key=trial.bot)
    began = trial.place_read
    state = await trial.settled()
    if state.incidents:
        trial.broken("that it works on: the stops are for another component and another group", began)
    incident, _ = await trial.stop("id", names="all")
    await trial.expect("stopping or stopped: the stop is for all", _stopped_by(incident))


@CHAPTER.rule("Topics: birth, stop.deadline_ms")
async def stop_in_time(trial: Trial) -> None:
    """It is down within the time that its birth promises."""
    await trial.ready()
    await begun(trial)
    deadline = trial.birth.stop_deadline_ms / 1000
    incident, _ = await trial.stop("all")
    await trial.expect("stopping or stopped at once", _stopped_by(incident))
    last = [state for _, state, _ in trial.heard.states()][-1]
    if last.shown is not Shown.STOPPED:
        what = f"stopped within {deadline:g} s, as its birth says"
        await trial.expect(what, lambda state: state.shown is Shown.STOPPED, deadline + AT_ONCE_S)


@CHAPTER.rule("Topics: state, incidents")
async def stop_shown(trial: Trial) -> None:
    """It shows the signed stop of each incident, whole."""
    await trial.ready()
    incident, envelope = await trial.stop("all")
    state = await trial.need("a statement that names the stop", _stopped_by(incident))
    if proof(state, incident) != envelope:
        seen = "no stop" if proof(state, incident) is None else "other bytes than were sent"
        raise Broken("the whole signed stop beside the incident, byte for byte", seen)


@CHAPTER.rule("The component: drill")
async def drill_heard(trial: Trial) -> None:
    """A drill of the bot is said at once, and stops nothing."""
    await trial.ready()
    for topic in ("group", "id", "all"):
        drill = await trial.drill(topic)
        state = await trial.expect(f"a statement that names the drill for {topic}", lambda s, d=drill: s.drill == d)
        if state.incidents or state.shown in DOWN:
            raise Broken("that it works on: a drill stops nothing", f"it is {state.shown}")


@CHAPTER.rule("The component: drill")
async def drill_forged(trial: Trial) -> None:
    """A drill of anybody but the bot, or for another, is ignored."""
    await trial.ready()
    for key in (trial.keys.stop, trial.keys.stranger, trial.keys.own):
        await trial.drill("all", key=key)
    await trial.drill("all", names="id/another")
    began = trial.place_read
    state = await trial.settled()
    if state.drill is not None:
        raise Broken("no drill in its statements: the bot has signed none for it", "a drill")
    if state.incidents or state.shown in DOWN:
        trial.broken("that it works on: a drill stops nothing", began)


@CHAPTER.rule("Topics: subscriptions")
async def stop_kept_by_broker(trial: Trial) -> None:
    """A stop that the broker keeps stops what starts later."""
    incident, _ = await trial.stop("group")
    await trial.first()
    trial.place_read = 0
    await trial.expect("stopping or stopped at once", _stopped_by(incident))


@CHAPTER.rule("The component: may work")
async def stop_no_lease(trial: Trial) -> None:
    """No lease lets it work while it is stopped."""
    await trial.ready()
    trial.answers = False
    state, (incident,) = await trial.down()
    await trial.lease(state)
    await _stays(trial, incident, "that it stays stopped: the lease names nothing that is cleared")


@CHAPTER.rule("The component: lease, cleared")
async def stop_taken_away(trial: Trial) -> None:
    """A stop that is taken away from the broker is no reset."""
    await trial.ready()
    _, (incident,) = await trial.down()
    await trial.forget_stops()
    await _stays(trial, incident, "that it stays stopped: an empty retained message is no reset")


@CHAPTER.rule("The component: disk, boot", survives=True)
async def stop_survives(trial: Trial) -> None:
    """A stop survives kill -9 and a restart."""
    await trial.ready()
    before, (incident,) = await trial.down()
    trial.answers = False
    await trial.forget_stops()
    began = len(trial.heard.said)
    after = await trial.restart()
    if after.shown not in DOWN or proof(after, incident) != proof(before, incident):
        trial.broken("stopping or stopped, with the incident and its signed stop", began)
    await trial.lease(after)
    await _stays(trial, incident, "that it stays stopped after the restart, lease or not")


@CHAPTER.rule("The component: lease, stops")
async def stop_by_lease(trial: Trial) -> None:
    """An incident that a lease names is a stop."""
    state = await trial.first()
    incident = os.urandom(16).hex()
    await trial.lease(state, stops=[incident])
    await trial.expect("stopping or stopped, naming the incident", _stopped_by(incident))


@CHAPTER.rule("The component: boot", survives=True)
async def latch_damaged(trial: Trial) -> None:
    """With a damaged latch file it comes back stopped."""
    if not any("{latch}" in each for each in trial.place.command):
        raise Skipped("the command has no {latch}, so the judge does not know what to damage")
    await trial.ready()
    await trial.down()  # so that there is a file, whenever it is made
    trial.answers = False
    await trial.forget_stops()
    await trial.program.kill()
    files = [trial.latch] if trial.latch.is_file() else [each for each in trial.latch.rglob("*") if each.is_file()]
    if not files:
        raise Broken("a file at {latch}", "no file there, though it was stopped")
    for file in files:
        file.write_bytes(RUBBISH)
    began = len(trial.heard.said)
    await trial.program.start()
    trial.place_read = began
    await trial.need("a first statement", lambda state: state.shown is not Shown.LOST, START_S)
    trial.place_read = began
    own = "stopping or stopped by an incident own-…"
    await trial.expect(own, lambda state: state.shown in DOWN and any(each.startswith("own-") for each in names(state)))


@CHAPTER.rule("The component: boot", enrolled_kept=True)
async def latch_missing(trial: Trial) -> None:
    """Enrolled with disk: kept and without a file it starts stopped."""
    await trial.first()
    trial.place_read = 0
    own = "stopping or stopped by an incident own-…: the file that should be there is lost"
    await trial.expect(own, lambda state: state.shown in DOWN and any(each.startswith("own-") for each in names(state)))


@CHAPTER.rule("Topics: state, incidents")
async def stop_padded(trial: Trial) -> None:
    """A stop that is padded beyond 2,048 bytes stops, and is not shown."""
    await trial.ready()
    incident, _ = await trial.stop("all", signed=lambda envelope: envelope[:-1] + b" " * 3000 + envelope[-1:])
    state = await trial.expect("stopping or stopped, naming the incident", _stopped_by(incident))
    if proof(state, incident) is not None:
        raise Broken("the incident without its stop, which is over 2,048 bytes", "the padded stop")
