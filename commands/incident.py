"""`!incident`, `!incident take`, `!verified`, `!reset`: what became of a stop, who leads it, and how it ends."""

import asyncio
import hashlib
import time
from collections.abc import Iterable

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import Hit, Stakes, command
from bot.desk.kinds import ComponentName
from bot.desk.targets import Target
from bot.stop.course import Course
from bot.stop.report import Stand, named, standing
from bot.store import incidents
from bot.store.incidents import Row, Step, Told, What
from bot.words.document import Block, Document, Span, Tone, document, mono, strong, table, text
from bot.words.errors import UsageError
from bot.words.people import Role
from bot.words.times import clock, span

MOST_LISTED = 10
MOST_READ = 4096
"""Of the steps of one incident. Those of a crowd that stopped are one line."""
MOST_LINES = 60
FIRST_LINES = 5
"""Of a course that is too long, how it began; the rest is how it stands."""
SHORTEST = 4
"""Of an incident's id, what one has to type at least."""
MOST_HITS = 20
"""More than these stand on a card as a count for each state."""
MOST_NAMES = 10
"""In one line."""
LONGEST_WORDS = 500
EVERYTHING = ("all", "everything")


@command("incident", role=Role.VIEWER, summary="Show what was stopped, by whom, and what became of it")
async def show_incident(call: Call, incident: str = "") -> Document:
    """All that is open and the last ones, or the course of one."""
    rows = await call.system.store.read(incidents.all_incidents)
    if not incident:
        return _listed(call, rows)
    row = _one(rows, incident)
    steps = await call.system.store.read(lambda tx: incidents.course(tx, row.id, MOST_READ))
    blocks: list[Block] = [
        text(_state(call, row), f": {named(Target.parse(row.target))}. Incident ", mono(row.id), ".")
    ]
    if stands := call.system.bell.stands(row.id):
        blocks.append(standing(stands))
    together = _together(steps)
    lines = [(_at(step, row, is_first=step is together[0]), _what(step), _whom(step), _who(step)) for step in together]
    if (between := len(lines) - MOST_LINES) > 0:
        lines[FIRST_LINES : FIRST_LINES + between + 1] = [("…", Span(f"{between + 1} more"), "–", "–")]
    blocks.append(table(("when", "what", "component", "by whom, and why"), lines))
    return document(*blocks)


@command("incident take", role=Role.OPERATOR, action=Action.RUN, summary="Say that you lead an incident")
async def take(call: Call, incident: str = "") -> Document:
    """From now on everybody sees who leads it."""
    course = _followed(call, incident)
    await call.system.bell.note(course, Step(What.TAKEN, person=call.person.name))
    return document(text(strong("Yours", Tone.GOOD), ": incident ", mono(course.incident.id[:8]), "."))


@command(
    "verified",
    role=Role.OPERATOR,
    action=Action.GOVERN,
    summary="Say that you stood beside a component and that it stands still",
)
async def verified(call: Call, component: ComponentName, what_i_saw: str, /, *more: str) -> Document:
    """It is shown as seen by a person, never as its own word."""
    bell = call.system.bell
    courses = [course for each in bell.stopping(component) if (course := bell.course(each)) is not None]
    if not courses:
        raise UsageError(f"Nothing stops {component} now.", hint="!incident shows what is open.")
    seen = " ".join((what_i_saw, *more))[:LONGEST_WORDS]
    for course in courses:
        await bell.note(course, Step(What.VERIFIED, component, call.person.name, seen))
    ids = _names([course.incident.id[:8] for course in courses])
    return document(text(strong("Noted", Tone.GOOD), f": {call.person.name} has seen {component}. Incident {ids}."))


async def _at_stake(call: Call, incident: str = "", /, *components: ComponentName) -> Stakes:
    if incident.lower() in EVERYTHING:
        return _all_at_stake(call, components)
    if incident in {each.id for each in call.system.registry.sights()}:
        raise UsageError(f"{incident} is a component. Name the incident first:", hint=f"!reset INCIDENT {incident}")
    course = _followed(call, incident)
    bell = call.system.bell
    if bell.is_closed(course.incident.id):
        raise UsageError("This incident is reset already.", hint="!incident shows who has come back.")
    stands = [each for each in bell.stands(course.incident.id) if not each.cleared]
    absent = set(components) - {each.component for each in stands}
    if absent:
        raise UsageError(f"Not stopped by this incident: {', '.join(sorted(absent))}.")
    if components:
        stands = [each for each in stands if each.component in components]
    what = f"{named(course.incident.target)}, incident {course.incident.id[:8]}: they may work again. "
    if course.incident.stop is not None and not components:
        what += "So may whatever else it was meant for. "
    return Stakes(_hits(stands), (what + _of_those_that_may_run(stands)).strip())


def _all_at_stake(call: Call, components: tuple[ComponentName, ...]) -> Stakes:
    """Of all that is open. Each component stands for the worst that is known of it."""
    if components:
        raise UsageError("Components are let off one incident at a time:", hint="!reset INCIDENT COMPONENT")
    opened = _opened(call)
    if not opened:
        raise UsageError("No incident is open.")
    worst: dict[str, Stand] = {}
    for course in opened:
        for stand in call.system.bell.stands(course.incident.id):
            if not stand.cleared:
                worst[stand.component] = min(worst.get(stand.component, stand), stand, key=_how_sure)
    stands = [worst[component] for component in sorted(worst)]
    bound = hashlib.sha256("\n".join(f"{each.incident.id} {each.incident.target}" for each in opened).encode())
    ids = _names([each.incident.id[:8] for each in opened])
    what = (
        f"{len(opened)} incidents, all that are open: {ids} (together {bound.hexdigest()[:16]}). "
        "They may work again, and so may whatever else these were meant for. "
    )
    return Stakes(_hits(stands), (what + _of_those_that_may_run(stands)).strip())


def _how_sure(stand: Stand) -> int:
    return 2 if stand.stopped else int(stand.verified is not None)


def _of_those_that_may_run(stands: list[Stand]) -> str:
    running = [each.component for each in stands if not each.stopped and not each.verified]
    if not running:
        return ""
    return f"Not confirmed: {_names(running)}. Who has not said that it stands still may run: look at it first."


@command(
    "reset",
    role=Role.OPERATOR,
    action=Action.GOVERN,
    two_persons=True,
    preview=_at_stake,
    summary="Let go what was stopped: an incident, components of it, or all",
)
async def reset(call: Call, incident: str = "", /, *components: ComponentName) -> Document:
    """Two persons have agreed. Each component is told when it next asks, and only if it stands still."""
    course = None if incident.lower() in EVERYTHING else _followed(call, incident)
    assert call.approved_by is not None  # noqa: S101 - the desk runs this only when a second person has agreed
    people = (call.person.name, call.approved_by.name)
    if course is None:
        return await _reset_all(call, people)
    whom = frozenset[str](components) or None
    await call.system.bell.reset(course.incident, whom, people)
    told = _names(list(components)) or named(course.incident.target)
    return document(
        text(
            strong("RESET PENDING", Tone.WARN),
            f" {told}: by {' and '.join(people)}. Incident ",
            mono(course.incident.id[:8]),
            ". Each is told as soon as it asks.",
        )
    )


async def _reset_all(call: Call, people: tuple[str, str]) -> Document:
    """One after another by name nobody could let go a thousand, each of which has stopped itself."""
    opened = _opened(call)
    resets = [call.system.bell.reset(each.incident, None, people) for each in opened]
    faults = [each for each in await asyncio.gather(*resets, return_exceptions=True) if each is not None]
    if faults:
        raise faults[0]
    head = strong("RESET PENDING", Tone.WARN)
    return document(
        text(head, f" {len(opened)} incidents: by {' and '.join(people)}. Each component is told as soon as it asks.")
    )


def _opened(call: Call) -> list[Course]:
    bell = call.system.bell
    return [each for each in bell.followed() if not bell.is_closed(each.incident.id)]


def _followed(call: Call, word: str) -> Course:
    """The incident that somebody means. Without a word it is the only one."""
    courses = call.system.bell.followed()
    if not word:
        opened = _opened(call)
        if len(opened) == 1:
            return opened[0]
        ids = ", ".join(each.incident.id[:8] for each in opened[:MOST_LISTED])
        what = f"{len(opened)} incidents are open: {ids}." if opened else "No incident is open."
        raise UsageError(what, hint="Name one of them." if opened else "")
    found = [each for each in courses if _is_meant(word, each.incident.id)]
    if len(found) == 1:
        return found[0]
    raise _not_one(word, len(found))


def _one(rows: Iterable[Row], word: str) -> Row:
    found = [row for row in rows if _is_meant(word, row.id)]
    if len(found) == 1:
        return found[0]
    raise _not_one(word, len(found))


def _is_meant(word: str, incident: str) -> bool:
    return len(word) >= SHORTEST and incident.startswith(word.lower())


def _not_one(word: str, count: int) -> UsageError:
    if count:
        return UsageError(f"{count} incidents begin so.", hint="Give more of its id.")
    return UsageError(
        f"No incident begins with {word[:40]!r}.", hint=f"!incident lists them; give {SHORTEST} characters at least."
    )


def _listed(call: Call, rows: list[Row]) -> Document:
    if not rows:
        return document("Nothing was ever stopped.")
    shown = sorted(rows, key=lambda row: (row.over is None, row.opened), reverse=True)[:MOST_LISTED]
    lines = [
        (
            mono(row.id[:8]),
            _state(call, row),
            named(Target.parse(row.target)),
            clock(row.opened, time.time()),
        )
        for row in shown
    ]
    more = [f"And {len(rows) - len(shown)} older ones."] if len(rows) > len(shown) else []
    return document(table(("incident", "state", "target", "since"), lines), *more)


def _state(call: Call, row: Row) -> Span:
    if row.over is not None:
        return strong("READY", Tone.GOOD)
    if call.system.bell.is_closed(row.id):
        return strong("RESET PENDING", Tone.WARN)
    stands = call.system.bell.stands(row.id)
    if stands and all(each.stopped or each.cleared for each in stands):
        return strong("STOPPED", Tone.GOOD)
    if stands and all(each.stopped or each.cleared or each.verified for each in stands):
        return strong("STOPPED, as far as seen", Tone.WARN)
    if row.told is Told.NOT_CONFIRMED:
        return strong("PARTIAL" if any(each.stopped for each in stands) else "NOT CONFIRMED", Tone.BAD)
    return strong("STOPPED, last heard" if row.told is Told.CONFIRMED else "STOPPING", Tone.WARN)


def _hits(stands: list[Stand]) -> tuple[Hit, ...]:
    """Each with how it is; of a crowd, how many stand still and who does not."""
    if len(stands) <= MOST_HITS:
        return tuple(Hit(each.component, _now(each)) for each in stands)
    by_state: dict[str, list[str]] = {}
    for each in stands:
        by_state.setdefault(_now(each), []).append(each.component)
    return tuple(
        Hit(names[0] if len(names) == 1 else f"{len(names)} components", state) for state, names in by_state.items()
    )


def _now(stand: Stand) -> str:
    if stand.stopped:
        return "stopped"
    return f"seen by {stand.verified.person}" if stand.verified else "NOT CONFIRMED"


def _together(steps: list[Step]) -> list[Step]:
    """Components that stopped one after another are one line."""
    lines: list[Step] = []
    stopped: list[str] = []
    for step in steps:
        if step.what is What.STOPPED:
            stopped.append(step.component)
            if lines and lines[-1].what is What.STOPPED:
                lines.pop()
            lines.append(Step(What.STOPPED, " ".join(stopped), at=step.at))
        else:
            stopped = []
            lines.append(step)
    return lines


def _at(step: Step, row: Row, *, is_first: bool) -> str:
    return clock(step.at, time.time()) if is_first else f"+{span(step.at - row.opened)}"


def _whom(step: Step) -> str:
    return _names(step.component.split()) or "–"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _what(step: Step) -> Span:
    tones = {
        What.CONFIRMED: Tone.GOOD,
        What.READY: Tone.GOOD,
        What.NOT_CONFIRMED: Tone.BAD,
        What.ORDERED: Tone.WARN,
        What.ADOPTED: Tone.WARN,
    }
    return Span(str(step.what), tone=tones.get(step.what, Tone.PLAIN))


def _who(step: Step) -> str:
    return ": ".join(each for each in (step.person, step.words) if each) or "–"
