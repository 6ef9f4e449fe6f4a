"""A bot that is killed in the midst of a stop or of a reset: what was stopped stays stopped, and is told once."""

import asyncio
import contextlib
import dataclasses
import re
from collections.abc import AsyncGenerator

import pytest

from tests.faults.field import CODE, Field, stood_still, until
from wire.clock import boot_clock

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Each is where the bot dies, once, in the course of one stop and its reset.
POINTS = (
    "before the commit of Intake.accept",
    "after the commit of Intake.accept",
    "before a stop is published",
    "after a stop is published",
    "before the commit of Teller._commit.write confirmed",
    "after the commit of Teller._commit.write confirmed",
    "before the commit of Bell.reset",
    "after the commit of Bell.reset",
    "before the commit of Teller._commit.write ready",
    "after the commit of Teller._commit.write ready",
)
UNHEARD = "it was sent before I began"
CUT_OFF = re.compile(f"I was interrupted|a crash cut it off|is void|{UNHEARD}")


@dataclasses.dataclass
class Lives:
    """How often the bot has died."""

    deaths: int = 0


@contextlib.asynccontextmanager
async def reborn(field: Field) -> AsyncGenerator[Lives]:
    """Whenever the bot dies it is started again, as a supervisor does."""
    lives = Lives()

    async def keep() -> None:
        while True:
            await field.bot.wait()
            lives.deaths += 1
            await field.begun()

    keeping = asyncio.create_task(keep())
    try:
        yield lives
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


async def let_go(field: Field, order: str) -> float:
    """Two persons reset the stop, and do so again where a crash cut a try off. Returns when they did first."""
    first = 0.0
    code, asked = "", ""
    while not field.news("READY", order):
        if not code:
            asked = field.say("!reset")
            (answer,) = await until(lambda asked=asked: field.news("", asked)[:1], "an answer", field.last_words)
            if UNHEARD in answer.words:
                continue
            found = CODE.search(answer.words)
            if found is None:  # the reset had counted all the same
                await field.hears("READY", order)
                break
            code = found[1]
        first = first or boot_clock()
        agreed = field.say(f"!approve {code}", "bob")

        def ended(asked: str = asked, agreed: str = agreed) -> bool:
            said = [each.words for to in (asked, agreed) for each in field.news("", to)]
            return bool(field.news("READY", order)) or any(map(CUT_OFF.search, said))

        await until(ended, "the reset has ended", field.last_words)
        if not field.news(UNHEARD, agreed):  # else it waits still
            code = ""
    return first


async def judged(field: Field, lives: Lives, *, patient: bool, unpublished: bool = False) -> None:
    """One stop and its reset, in which the bot dies once. The incident goes on, under its id, and is told once."""
    known, began = field.incidents(), boot_clock()
    order = field.say("!shutdown all")
    told = await field.hears("STOPPED", order)
    stopped = {name: field.wire.stopped_at(name, began) for name in field.walkers}
    if patient:  # a bot that has forgotten what it said would say it again now
        for name in field.walkers:
            await until(lambda name=name: field.wire.states(name, told.at)[2:], f"{name} asks on")
    agreed = await let_go(field, order)
    await field.work()
    await until(lambda: not lives.deaths or field.bot.alive, "the bot is back")

    (incident,) = set(field.incidents()) - set(known)
    published = {each.incident for each in field.wire.stops(began)}
    assert published == {incident} or (not published and unpublished)
    for name in field.walkers:
        assert {each.incident for _, state in field.wire.states(name, began) for each in state.incidents} == {incident}
    for name, walker in field.walkers.items():
        stood_still([walker], stopped[name], agreed)
        stood_still([walker], told.at, agreed)
        named = {each.incident for _, state in field.wire.states(name, began) for each in state.incidents}
        assert named == {incident}
    for words in ("STOPPING everything", "STOPPED everything", "READY everything"):
        assert len(field.news(words, order)) == 1, f"{words}\n{field.last_words()}"
    kinds = [each["kind"] for each in field.records("incident confirmed") if each["id"] == incident]
    assert len(kinds) == 1


@pytest.mark.parametrize("point", POINTS)
async def test_killed_there_the_incident_goes_on_and_is_told_once(field: Field, point: str) -> None:
    async with reborn(field) as lives:
        field.play("die at", point)
        # Dead before it was published, the leases of its next life can tell everybody first.
        unpublished = point == "before a stop is published"
        await judged(field, lives, patient="confirmed" in point, unpublished=unpublished)
    assert lives.deaths == 1, "it did not come by there"


@pytest.mark.soak
async def test_killed_at_each_step_the_incident_goes_on_and_is_told_once(field: Field) -> None:
    for number in range(1, 200):
        async with reborn(field) as lives:
            field.play("die at number", number)
            await judged(field, lives, patient=True)
            await field.answer("!whoami")  # what was still to be said is said
            field.play("die at number", 0)
        if not lives.deaths:
            assert number > 40
            return
    pytest.fail("a stop and its reset have no end")
