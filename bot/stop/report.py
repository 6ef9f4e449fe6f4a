"""What a room is told of an incident. It says only what is known: no answer is not a stop."""

import dataclasses

from bot.stop.course import Course
from bot.store.incidents import Step, Told
from bot.words.document import Document, Span, Table, Tone, Words, document, mono, strong, table, text
from wire.messages import Target

MOST_ROWS = 40
"""Of a table. A notice on many components must not grow beyond what a network takes."""
MOST_EACH = 12
"""With more components than these, those that stand still are one row: who does not must catch the eye."""
MOST_NAMES = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Stand:
    """What is known of one component in an incident."""

    component: str
    stopped: bool
    latched: bool
    """It has said that it knows of the stop."""
    heard: bool
    """It has said anything since we started."""
    after_s: float | None
    """How long it took to say so."""
    verified: Step | None = None
    """A person stood beside it and said so."""
    cleared: bool = False
    """Two persons have let it off."""
    resumed: bool = False
    """It has said since that it is no longer stopped by this."""
    remark: str = ""
    """What is to be said beside it: who works on it, say."""


def notice(course: Course, told: Told, stands: tuple[Stand, ...]) -> Document:
    """The news of an incident: confirmed, or not."""
    stopping = tuple(stand for stand in stands if not stand.cleared)
    said = sum(stand.stopped for stand in stopping)
    count, seen = f"{said} of {len(stopping)}", len(stopping) - said
    target = named(course.incident.target)
    if told is Told.CONFIRMED:
        beside = f" A person stood beside {'the other' if seen == 1 else f'the other {seen}'}." if seen else ""
        head = text(strong("STOPPED", Tone.GOOD), f" {target}: {count} confirmed it.{beside} ", *_about(course))
        return document(head, standing(stands))
    still = "STILL NOT CONFIRMED" if course.escalations else "NOT CONFIRMED"
    head = text(strong(still, Tone.BAD), f" {target}: {count} have stopped. ", *_about(course))
    broker = () if course.sent else (text(strong("The broker does not take the stop; it is sent again.", Tone.BAD)),)
    if not stopping:
        return document(head, *broker, "No enrolled component is meant by this stop, so nothing can confirm it.")
    missing = _names([each.component for each in stopping if not each.stopped and each.verified is None])
    advice = [f"Go and look at {missing}, or cut the power."]
    if course.sent and not all(stand.latched for stand in stopping):
        advice.append("The stop is sent again until each of them has heard it.")
    if course.escalations:
        advice.append("Who has looked says so:")
    beside = (mono('!verified COMPONENT "what I saw"'),) if course.escalations else ()
    return document(head, *broker, standing(stands), text(" ".join(advice), *((" ", *beside) if beside else ())))


def live(course: Course, stands: tuple[Stand, ...]) -> Document:
    """The table that changes while a stop is on its way."""
    stopping = [stand for stand in stands if not stand.cleared]
    if stands and not stopping:
        back = sum(stand.resumed for stand in stands)
        word = strong("READY", Tone.GOOD) if back == len(stands) else strong("RESET PENDING", Tone.WARN)
        count = f"{back} of {len(stands)} have come back."
    else:
        word = {
            Told.CONFIRMED: strong("STOPPED", Tone.GOOD),
            Told.NOT_CONFIRMED: strong("NOT CONFIRMED", Tone.BAD),
        }.get(course.told, strong("STOPPING", Tone.WARN))
        so_far = "" if course.told is Told.CONFIRMED else " so far"
        count = f"{sum(stand.stopped for stand in stopping)} of {len(stopping)}{so_far}."
    head = text(word, f" {named(course.incident.target)}: {count} ", *_about(course))
    return document(head, standing(stands))


def ready(course: Course, stands: tuple[Stand, ...]) -> Document:
    """All that an incident had stopped is let off it, and has said so."""
    count = "1 component is" if len(stands) == 1 else f"{len(stands)} components are"
    what = f"{count} no longer stopped by this." if stands else "it had stopped no component."
    return document(
        text(
            strong("READY", Tone.GOOD),
            f" {named(course.incident.target)}: {what} ",
            *_about(course),
        )
    )


def still_waiting(course: Course, stands: tuple[Stand, ...]) -> Document:
    """A reset that not everybody has heard."""
    silent = [stand.component for stand in stands if not stand.resumed]
    back = len(stands) - len(silent)
    return document(
        text(
            strong("RESET PENDING", Tone.WARN),
            f" {named(course.incident.target)}: {back} of {len(stands)} have come back. Not yet: {_names(silent)}. ",
            *_about(course),
        )
    )


def twin(component: str) -> Document:
    """Two bots with one key cannot both know what is stopped."""
    return document(
        text(
            strong("ALARM", Tone.BAD),
            ": another bot answers ",
            mono(component),
            " under my key. It may let work what I have stopped, so I give no leases any more: what follows me holds.",
        ),
        "Stop the other bot, then start this one again. If nobody has started one, the key is stolen: move the bot's "
        "folder away, and enrol every component anew.",
    )


def crowd(count: int) -> Document:
    """There is news of more incidents than anybody could read one by one."""
    opened = "1 incident is open" if count == 1 else f"{count} incidents are open"
    return document(
        text(
            strong("MANY INCIDENTS", Tone.BAD),
            f": {opened}, and there is more news than I tell here one by one. Look at ",
            mono("!status"),
            " and ",
            mono("!incident"),
            ". Two persons let all of them go: ",
            mono("!reset all"),
            ".",
        ),
        text("Where a stop key orders them that should not: ", mono("!keys"), ", ", mono("!stop-key revoke ID"), "."),
    )


def standing(stands: tuple[Stand, ...]) -> Table:
    """Who has stopped and after how long, who has only heard, and who has not answered; those that run come first."""
    ordered = sorted(stands, key=lambda stand: (stand.cleared, stand.stopped, stand.verified is not None))
    crowds: dict[str, list[Stand]] = {}
    if len(ordered) > MOST_EACH:
        for stand in ordered:
            if says(stand).tone is Tone.GOOD and not stand.remark:
                crowds.setdefault(says(stand).text, []).append(stand)
    crowded = {stand.component for crowd in crowds.values() for stand in crowd}
    others = [stand for stand in ordered if stand.component not in crowded]
    shown = others[:MOST_ROWS]
    head: tuple[str, ...] = ("component", "says", "after")
    rows: list[tuple[Words, ...]] = [(mono(stand.component), says(stand), _after(stand)) for stand in shown]
    if any(stand.remark for stand in shown):
        head = (*head, "remark")
        rows = [(*row, stand.remark or "–") for row, stand in zip(rows, shown, strict=True)]
    nothing = ("",) * (len(head) - 3)
    if len(others) > MOST_ROWS:
        rows.append((f"and {len(others) - MOST_ROWS} more", "", "", *nothing))
    rows += [(_counted(crowd), says(crowd[0]), _between(crowd), *nothing) for crowd in crowds.values()]
    return table(head, rows)


def named(target: Target) -> str:
    """A target in words."""
    if target.group is not None:
        return f"group {target.group}"
    return target.id or "everything"


def says(stand: Stand) -> Span:
    """What is known of a component, in a few words."""
    if stand.resumed:
        return Span("let go", tone=Tone.GOOD)
    if stand.cleared:
        return Span("reset, not heard since", tone=Tone.WARN)
    if stand.stopped:
        return Span("stopped", tone=Tone.GOOD)
    if stand.verified is not None:
        return Span(f"seen by {stand.verified.person}", tone=Tone.WARN)
    if stand.latched:
        return Span("stopping", tone=Tone.WARN)
    return Span("no answer" if stand.heard else "not heard yet", tone=Tone.BAD)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _about(course: Course) -> tuple[Span, ...]:
    by = f" From {course.by}." if course.by else ""
    led = f" {course.leader} leads." if course.leader else ""
    return (Span(f"Incident {course.incident.id[:8]}.{by}{led}", tone=Tone.QUIET),)


def _counted(crowd: list[Stand]) -> str:
    return crowd[0].component if len(crowd) == 1 else f"{len(crowd)} components"


def _between(crowd: list[Stand]) -> str:
    """How long the first took, and the last."""
    first, last = (_after(find(crowd, key=lambda stand: stand.after_s or 0.0)) for find in (min, max))
    return first if first == last else f"{first.removesuffix(' s')} – {last}"


def _after(stand: Stand) -> str:
    return f"{stand.after_s:.1f} s" if stand.stopped and stand.after_s is not None else "–"
