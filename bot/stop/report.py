"""What a room is told of an incident. It says only what is known: no answer is not a stop."""

import dataclasses

from bot.store.incidents import Told
from bot.words.document import Document, Span, Table, Tone, document, mono, strong, table, text
from wire.latch import Incident
from wire.messages import Target


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


def notice(incident: Incident, told: Told, stands: tuple[Stand, ...]) -> Document:
    """The news of an incident: confirmed, or not."""
    count = f"{sum(stand.stopped for stand in stands)} of {len(stands)}"
    if told is Told.CONFIRMED:
        head = text(
            strong("STOPPED", Tone.GOOD),
            f" {named(incident.target)}: {count} confirmed it. ",
            _short(incident),
        )
        return document(head, standing(stands))
    head = text(
        strong("NOT CONFIRMED", Tone.BAD),
        f" {named(incident.target)}: {count} have stopped. ",
        _short(incident),
    )
    if not stands:
        return document(head, "No enrolled component is meant by this stop, so nothing can confirm it.")
    missing = ", ".join(stand.component for stand in stands if not stand.stopped)
    return document(
        head,
        standing(stands),
        f"Go and look at {missing}, or cut the power. The stop is sent again all the time.",
    )


def standing(stands: tuple[Stand, ...]) -> Table:
    """Who has stopped and after how long, who has only heard, and who has not answered."""
    return table(
        ("component", "says", "after"),
        [(mono(stand.component), _says(stand), _after(stand)) for stand in stands],
    )


def named(target: Target) -> str:
    """A target in words."""
    if target.group is not None:
        return f"group {target.group}"
    return target.id or "everything"


def _short(incident: Incident) -> Span:
    return Span(f"Incident {incident.id[:8]}.", tone=Tone.QUIET)


def _says(stand: Stand) -> Span:
    if stand.stopped:
        return Span("stopped", tone=Tone.GOOD)
    if stand.latched:
        return Span("stopping", tone=Tone.WARN)
    return Span("no answer" if stand.heard else "not heard yet", tone=Tone.BAD)


def _after(stand: Stand) -> str:
    return f"{stand.after_s:.1f} s" if stand.stopped and stand.after_s is not None else "–"
