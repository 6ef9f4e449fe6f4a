"""What one incident is beside the protocol: where it was ordered, what the room knows, and how it gets on disk."""

import asyncio
import dataclasses

from bot.store import Tx, audit, incidents
from bot.store.incidents import Told
from bot.words.message import Place
from wire.latch import Growth, Incident


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where a stop was ordered, and where its course is told."""

    place: Place
    event: str


@dataclasses.dataclass(slots=True)
class Course:
    """What this process knows about an incident beside the protocol."""

    incident: Incident
    origin: Origin | None
    told: Told
    began: float
    """On the monotonic clock."""
    stopped_after: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    to_send: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    to_tell: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


def write_down(pending: list[tuple[Growth, Origin | None]], tx: Tx) -> None:
    """Make durable what orders and statements have added."""
    for growth, origin in pending:
        for incident in growth.incidents:
            incidents.open_incident(
                tx,
                incident.id,
                str(incident.target),
                incident.stop,
                origin.place if origin else None,
                origin.event if origin else None,
            )
            kind = "incident opened" if origin else "incident adopted"
            audit.record(tx, kind, id=incident.id, target=str(incident.target))
        incidents.affect(tx, growth.affected)
