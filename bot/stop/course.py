"""What one incident is beside the protocol: where it was ordered, what the room knows, and how it gets on disk.

What is noted here for the disk must be on it before anybody gets a lease.
"""

import asyncio
import dataclasses
import functools
import time

import structlog

from bot.store import Store, Tx, audit, incidents
from bot.store.incidents import Step, Told, What
from bot.words.document import Document
from bot.words.errors import StoreError
from bot.words.message import Place
from wire.issuer import Growth, Incident

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where a stop was ordered, and where its course is told."""

    place: Place
    event: str | None
    person: str = ""
    reason: str = ""


@dataclasses.dataclass(slots=True)
class Course:
    """What this process knows about an incident beside the protocol."""

    incident: Incident
    origins: tuple[Origin, ...]
    """Who ordered it and who joined, one of each place."""
    told: Told
    began: float
    """On the clock of the bell."""
    opened: float = dataclasses.field(default_factory=time.time)
    """In seconds since 1970."""
    by: str = ""
    """Who or what it came from, where it was not ordered here."""
    ordered: bool = False
    """This process opened it by an order, so it knows how long each component took."""
    sent: bool = False
    """The broker has taken the stop once."""
    stopped_after: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    proven: set[str] = dataclasses.field(default_factory=set[str])
    """Who has said once, so that it counted, that it stands still."""
    unheard: set[str] = dataclasses.field(default_factory=set[str])
    """Those of them who said it to an earlier process, and to this one nothing yet."""
    contradicted_at: float = float("-inf")
    """When somebody has said that it works, who had said that it stands still."""
    resumed: set[str] = dataclasses.field(default_factory=set[str])
    """Who has said, after a reset, that it is no longer stopped by this."""
    verified: dict[str, Step] = dataclasses.field(default_factory=dict[str, Step])
    """By component: what a person saw who stood beside it."""
    leader: str = ""
    """Who has taken it."""
    escalations: int = 0
    """How often it was said that it is not confirmed."""
    shown_at: float = float("-inf")
    """When its table was looked at last, to be shown."""
    shown: tuple[Document, tuple[Origin, ...]] | None = None
    """What was shown, and where."""
    reset_at: float | None = None
    waited_for: bool = False
    """It was said that not everything has come back after the reset."""
    steps: list[Step] = dataclasses.field(default_factory=list[Step])
    """What is not on disk yet of its course. It is for people, and waits for the next news."""
    to_send: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    to_tell: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """What an earlier process has said is not said again at once."""
        if self.told is Told.NOT_CONFIRMED:
            self.escalations = 1

    def begin_anew(self, now: float) -> None:
        """It stops somebody whom nobody knew of when it was confirmed."""
        self.told, self.began, self.escalations, self.ordered = Told.NOTHING, now, 0, False
        self.to_tell.set()

    def apply(self, step: Step) -> None:
        """A person has said something of it."""
        if step.what is What.TAKEN:
            self.leader = step.person
        elif step.what is What.VERIFIED:
            self.verified[step.component] = step
        elif step.what is What.ADOPTED and not self.origins:
            self.by = step.words
        self.to_tell.set()

    def take_over(self, narrow: "Course") -> None:
        """This is what another has become: what people said of that one is said of it."""
        self.leader = self.leader or narrow.leader
        self.verified = {**narrow.verified, **self.verified}
        self.steps = [*narrow.steps, *self.steps]

    def note(self, what: What, *, component: str = "") -> None:
        """Add to what will be written of its course."""
        self.steps.append(Step(what, component))


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """Something that is known and not yet on disk."""

    growth: Growth
    origin: Origin | None = None
    joins: str | None = None
    """The incident that the origin joins. Else it is that of what is opened."""
    by: str = ""
    """Who told of it, where nobody ordered it here."""
    person: str | None = None
    """The human whose word that was, where it was one's."""
    at: float = dataclasses.field(default_factory=time.time)
    """When that was, which may be long before the disk takes it. In seconds since 1970."""


class Ledger:
    """What is known and not on disk yet, in its order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._unwritten: list[Change] = []
        self._writing = asyncio.Lock()

    def add(self, change: Change) -> None:
        """Keep it for the disk."""
        self._unwritten.append(change)

    async def write_down(self) -> bool:
        """Make what is known durable. False where the disk does not take it; it is tried again at the next call."""
        if not self._unwritten and not self._writing.locked():
            return True
        async with self._writing:
            pending = list(self._unwritten)
            if not pending:
                return True
            try:
                await self._store.write(functools.partial(_write, pending))
            except StoreError as error:
                log.error("an incident is not on disk yet", error=str(error))
                return False
            del self._unwritten[: len(pending)]
            return True


def _write(pending: list[Change], tx: Tx) -> None:
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
                at=change.at,
            )
            what = What.ORDERED if origin else What.ADOPTED
            if incident in growth.widened:
                what = What.WIDENED
            kind = "opened" if what is What.ORDERED else what
            fields: dict[str, audit.Value] = {"id": incident.id, "target": str(incident.target)}
            if change.person is not None:
                audit.record(tx, f"incident {kind}", audit.about(change.person, by=change.by), **fields)
            else:
                audit.record(tx, f"incident {kind}", **fields, **({"by": change.by} if change.by else {}))
            incidents.note(tx, incident.id, [_step(what, change)])
        incidents.affect(tx, growth.affected)
        incidents.reopen(tx, {incident for incident, _ in growth.affected})
        if change.joins is not None and origin is not None:
            if origin.event is not None:
                incidents.join(tx, change.joins, origin.place, origin.event)
            who = audit.about(origin.person, place=str(origin.place))
            audit.record(tx, "incident joined", who, id=change.joins)
            incidents.note(tx, change.joins, [_step(What.JOINED, change)])


def _step(what: What, change: Change) -> Step:
    if change.origin is None:
        return Step(what, words=change.by, at=change.at)
    return Step(what, person=change.origin.person, words=change.origin.reason, at=change.at)
