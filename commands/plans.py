"""`!at`, `!every`, `!plans`: have a command given later, once or again and again. `!cancel` ends a plan."""

import dataclasses
import datetime as dt
import time as clocks
from collections.abc import Mapping, Sequence
from typing import Annotated

from bot.desk import quantities
from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import Command, command
from bot.desk.grammar import parse
from bot.desk.kinds import Between
from bot.desk.outcome import resolved
from bot.desk.split import bare_or_quoted
from bot.store.plans import Plan
from bot.words.document import Document, Tone, document, mono, strong, table, text
from bot.words.errors import Refused, UsageError
from bot.words.glyphs import cut, one_line, quoted
from bot.words.people import Role
from bot.words.times import clock, span

LONGEST_SHOWN = 120
FARTHEST = dt.timedelta(days=366)
Often = Annotated[dt.timedelta, Between(dt.timedelta(minutes=1), FARTHEST)]
LATER = (Action.READ, Action.INSPECT, Action.RUN, Action.STOP)


@command("at", only_now=True, role=Role.OPERATOR, action=Action.RUN, summary="Have a command given at a time")
async def at(call: Call, time: str, command: str, /, *words: str, **more: str) -> Document:
    """`14:30` is the next one in UTC, `+10m` counts from now, `2026-11-23T14:30Z` is a day."""
    now = clocks.time()
    due = _moment(time, now)
    if not now < due <= now + FARTHEST.total_seconds():
        raise UsageError(
            f"{quoted(time)} is {'over' if due <= now else 'too far away'}: it is {clock(now, now)} now.",
            hint=f"Name a time within {FARTHEST.days} days.",
        )
    return _told(await _plan(call, (command, *words), more, due, None), now)


@command("every", only_now=True, role=Role.OPERATOR, action=Action.RUN, summary="Have a command given again and again")
async def every(call: Call, duration: Often, command: str, /, *words: str, **more: str) -> Document:
    """The first time after one duration. While a job of the time before goes on, it is left out."""
    now, seconds = clocks.time(), duration.total_seconds()
    return _told(await _plan(call, (command, *words), more, now + seconds, seconds), now)


@command("plans", role=Role.VIEWER, action=Action.INSPECT, summary="Show which commands are planned")
async def show(call: Call) -> Document:
    """The next one first."""
    stand = await call.system.plans.stand()
    if not stand:
        return document(text("Nothing is planned. Plan something: ", mono("!at +10m status")))
    now = clocks.time()
    rows = [
        (
            mono(each.id[:8]),
            mono(_said(each)),
            each.person,
            f"{clock(each.due, now)}, in {span(each.due - now)}",
            f"every {span(each.every_s)}, {each.runs} so far" if each.every_s else "once",
        )
        for each in stand
    ]
    return document(table(("plan", "command", "by", "next", ""), rows), text("End one: ", mono("!cancel PLAN")))


async def _plan(call: Call, words: Sequence[str], more: Mapping[str, str], due: float, every_s: float | None) -> Plan:
    """Have it given then, where it could be given now."""
    said = spelled(words, more)
    line = parse(said, addressed=False)
    found = call.system.catalogue.find(line) if line else None
    if line is None or found is None:
        raise UsageError(f"There is no command {quoted(words[0])}.", hint="!help lists them.")
    wanted, rest = found
    understood = await _checked(call, wanted, rest)
    asked = dataclasses.replace(call.message, text=said, addressed=False)
    plan = Plan(call.id, call.person.name, asked, clocks.time(), due, every_s, wanted.action is Action.STOP, understood)
    await call.system.plans.make(plan)
    return plan


def spelled(words: Sequence[str], more: Mapping[str, str]) -> str:
    """A command as somebody could type it, so that it is understood as it was typed."""
    options = (f"{name}={bare_or_quoted(each, behind_key=True)}" for name, each in more.items())
    return " ".join((f"!{words[0].lstrip('!/')}", *map(bare_or_quoted, words[1:]), *options))


async def _checked(call: Call, wanted: Command, rest: str) -> str:
    """What it was understood as. Raises where it could not be given now, or may not be given later."""
    if wanted.action not in LATER or wanted.only_now:
        raise Refused(f"Not planned: nobody gives !{wanted.name} later.", hint="Give it when its time has come.")
    system, message = call.system, call.message
    system.authority.check(call.person, message.standing, message.place.network, wanted.demand)
    bound = wanted.signature.bind(rest, system.names)
    if wanted.demand.two_persons or await wanted.takes_two(call, *bound.args, **bound.kwargs):
        raise Refused(
            f"Not planned: two persons must agree to !{wanted.name}, and they must see what it hits.",
            hint="Give it when its time has come.",
        )
    return resolved(wanted, bound)


def _moment(word: str, now: float) -> float:
    if word.startswith("+"):
        return now + quantities.duration(word[1:]).total_seconds()
    if ":" in word and "-" not in word:
        today = dt.datetime.fromtimestamp(now, dt.UTC)
        then = dt.datetime.combine(today.date(), quantities.time(word), dt.UTC)
        return (then if then > today else then + dt.timedelta(days=1)).timestamp()
    return quantities.moment(word).timestamp()


def _told(plan: Plan, now: float) -> Document:
    often = f" and every {span(plan.every_s)}" if plan.every_s else ""
    when = f" at {clock(plan.due, now)}, in {span(plan.due - now)}{often}."
    return document(
        text(
            strong("Planned", Tone.GOOD), ": ", mono(_said(plan)), when, " To end it: ", mono(f"!cancel {plan.id[:8]}")
        )
    )


def _said(plan: Plan) -> str:
    return cut(one_line(plan.asked.text), LONGEST_SHOWN)
