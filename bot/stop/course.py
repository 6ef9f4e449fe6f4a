"""What one incident is beside the protocol: where it was ordered, what the room knows, and how it gets on disk.

What is noted here for the disk must be on it before anybody gets a lease.
"""

import asyncio
import dataclasses

from bot.store import Tx, audit, incidents
from bot.store.incidents import Told
from bot.words.message import Place
from wire.issuer import Growth, Incident


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where a stop was ordered, and where its course is told."""

    place: Place
    event: str


@dataclasses.dataclass(slots=True)
class Course:
    """What this process knows about an incident beside the protocol."""

    incident: Incident
    origins: tuple[Origin, ...]
    """Who ordered it and who joined, one of each place."""
    told: Told
    began: float
    """On the clock of the bell."""
    ordered: bool = False
    """This process opened it by an order, so it knows how long each component took."""
    sent: bool = False
    """The broker has taken the stop once."""
    stopped_after: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    to_send: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    to_tell: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """Something that is known and not yet on disk."""

    growth: Growth
    origin: Origin | None = None
    joins: str | None = None
    """The incident that the origin joins. Else it is that of what is opened."""


def write_down(pending: list[Change], tx: Tx) -> None:
    """Make durable what orders and statements have added."""
    for change in pending:
        growth, origin = change.growth, change.origin
        for incident in (*growth.incidents, *growth.widened):
            incidents.open_incident(
                tx,
                incident.id,
                str(incident.target),
                incident.stop,
                origin.place if origin else None,
                origin.event if origin else None,
            )
            kind = "incident opened" if origin else "incident adopted"
            if incident in growth.widened:
                kind = "incident widened"
            audit.record(tx, kind, id=incident.id, target=str(incident.target))
        incidents.affect(tx, growth.affected)
        if change.joins is not None and origin is not None:
            incidents.join(tx, change.joins, origin.place, origin.event)
            audit.record(tx, "incident joined", id=change.joins, place=str(origin.place))
