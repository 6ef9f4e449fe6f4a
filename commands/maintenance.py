"""`!maintenance`: say that you work on something, so that nobody wonders at its silence. Stops count all the same."""

import datetime as dt
import time
from typing import Annotated, Literal

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.desk.kinds import Between
from bot.desk.targets import Target, find
from bot.stop.report import named
from bot.words.document import Document, Tone, document, strong, table, text
from bot.words.errors import UsageError
from bot.words.people import Role
from bot.words.times import clock, span

Long = Annotated[dt.timedelta, Between(dt.timedelta(minutes=1), dt.timedelta(days=30))]


@command(
    "maintenance",
    role=Role.OPERATOR,
    action=Action.RUN,
    summary="Say that you work on something for a while",
)
async def maintenance(call: Call, target: str, /, _for: Literal["for"], time: Long) -> Document:
    """It is shown beside what is meant, and silence there is not said again and again."""
    wanted = find(call.system.registry, target)
    work = await call.system.maintenance.begin(wanted, time.total_seconds(), call.person.name)
    until = clock(work.until, work.until - time.total_seconds())
    return document(
        text(
            strong("Noted", Tone.GOOD),
            f": {call.person.name} works on {named(wanted)} until {until}. A stop counts there as everywhere.",
        )
    )


@command("maintenance end", role=Role.OPERATOR, action=Action.RUN, summary="Say that the work on something is over")
async def end(call: Call, target: str) -> Document:
    """It is as everything else again."""
    wanted = find(call.system.registry, target)
    if not await call.system.maintenance.end(wanted, call.person.name):
        raise UsageError(f"Nobody works on {named(wanted)}.", hint="!maintenance list shows on what.")
    return document(text(strong("Over", Tone.GOOD), f": the work on {named(wanted)}."))


@command("maintenance list", role=Role.VIEWER, summary="Show what is being worked on")
async def show(call: Call) -> Document:
    """Who works on what, and until when."""
    now = time.time()
    rows = [
        (named(Target.parse(each.target)), each.person, f"{clock(each.until, now)}, {span(each.until - now)} from now")
        for each in call.system.maintenance.going_on()
    ]
    return document(table(("target", "who", "until"), rows)) if rows else document("Nobody works on anything.")
