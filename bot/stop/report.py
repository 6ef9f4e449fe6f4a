"""What a room is told of an incident. It says only what is known: no answer is not a stop."""

import dataclasses

from bot.store.incidents import Told
from bot.words.document import Document, Span, Table, Tone, Words, document, mono, strong, table, text
from wire.issuer import Incident
from wire.messages import Target

MOST_ROWS = 40
"""Of a table. A notice on many components must not grow beyond what a network takes."""
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


def notice(incident: Incident, told: Told, stands: tuple[Stand, ...], *, sent: bool) -> Document:
    """The news of an incident: confirmed, or not. `sent` where the broker took the stop."""
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
    broker = () if sent else (text(strong("The broker does not take the stop; it is sent again.", Tone.BAD)),)
    if not stands:
        return document(head, *broker, "No enrolled component is meant by this stop, so nothing can confirm it.")
    advice = f"Go and look at {_missing(stands)}, or cut the power."
    if sent and not all(stand.latched for stand in stands):
        advice += " The stop is sent again until each of them has heard it."
    return document(head, *broker, standing(stands), advice)


def standing(stands: tuple[Stand, ...]) -> Table:
    """Who has stopped and after how long, who has only heard, and who has not answered; those that run come first."""
    ordered = sorted(stands, key=lambda stand: stand.stopped)
    rows: list[tuple[Words, Words, Words]] = [
        (mono(stand.component), _says(stand), _after(stand)) for stand in ordered[:MOST_ROWS]
    ]
    if len(ordered) > MOST_ROWS:
        rows.append((f"and {len(ordered) - MOST_ROWS} more", "", ""))
    return table(("component", "says", "after"), rows)


def named(target: Target) -> str:
    """A target in words."""
    if target.group is not None:
        return f"group {target.group}"
    return target.id or "everything"


def _missing(stands: tuple[Stand, ...]) -> str:
    names = [stand.component for stand in stands if not stand.stopped]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


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
