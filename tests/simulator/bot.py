"""The bot of a history: the issuer as it is, and around it what the bell does with disk and network.

What is known is durable before a lease says so. A crash loses what was not written, and nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.simulator.component import Clock
from tests.simulator.keys import BOT, STOP, THE_BOT, Signed, chain
from wire.envelope import PublicKey
from wire.errors import BadMessage, WireError
from wire.issuer import Growth, Incident, Issuer
from wire.latch import Random
from wire.messages import Lease, Roster, Shown, State, Stop, Target


@dataclass(slots=True)
class Books:
    """The bot's disk."""

    incidents: dict[str, Incident] = field(default_factory=dict[str, Incident])
    affected: dict[tuple[str, str], None] = field(default_factory=dict[tuple[str, str], None])
    cleared: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    inbox: dict[str, Target] = field(default_factory=dict[str, Target])
    """Orders without an outcome. They run again after a crash."""
    rotations: int = 0
    roster: Roster = field(default_factory=lambda: Roster(0, tuple(map(str, STOP[:2]))))
    refuses: bool = False


@dataclass(slots=True)
class Links:
    """What the bot is connected to."""

    send: Callable[[Signed], None]
    sign: Callable[[Stop, PublicKey], bytes]
    author: Callable[[bytes], Signed | None]
    """The stop that these bytes stand for."""
    gave: Callable[[State, Lease], None]
    """The judge's eye on each lease."""


class Bot:
    """One life of the bot's process."""

    def __init__(
        self,
        books: Books,
        enrolled: Mapping[str, frozenset[str]],
        links: Links,
        *,
        clock: Clock,
        began: float,
        make: type[Issuer],
        random: Random,
    ) -> None:
        self.books = books
        self.enrolled = dict(enrolled)
        self.links = links
        self.clock = clock
        self.began = began
        """By true time."""
        self.heard: dict[str, State] = {}
        """The last statement of each."""
        self.answered: set[str] = set()
        self.waiting: list[State] = []
        known = tuple(books.incidents.values())
        met = [
            (each.id, name)
            for each in known
            for name, groups in self.enrolled.items()
            if each.target.meets(name, groups)
        ]
        news = tuple(pair for pair in met if pair not in books.affected)
        self.unwritten = [Growth((), news)] if news else []
        self.issuer = make(self.enrolled, known, (*books.affected, *news), books.cleared, random=random)

    @property
    def key(self) -> PublicKey:
        """Today's."""
        return BOT[self.books.rotations].public

    def verify(self, envelope: bytes) -> Stop | None:
        """A stop that one of our keys or a stop key of today has signed."""
        order = self.links.author(envelope)
        if order is None or not isinstance(order.what, Stop) or not self.trusts(order.signer):
            return None
        return order.what

    def trusts(self, signer: PublicKey) -> bool:
        """Whose stops count."""
        return signer in chain(self.books.rotations).keys or str(signer) in self.books.roster.stop_keys

    def hear(self, state: State) -> bool:
        """Take a statement. It is answered when what it adds is on disk."""
        if state.id not in self.enrolled:
            return False
        try:
            growth = self.issuer.hear(state, self.verify)
        except BadMessage:
            return False
        if growth:
            self.unwritten.append(growth)
        self.heard[state.id] = state
        if state.shown is not Shown.LOST:
            self.waiting.append(state)
        return True

    def overhear(self, order: Signed) -> None:
        """A stop that is on the wire, whoever put it there."""
        stop = order.what
        if not isinstance(stop, Stop) or not self.trusts(order.signer):
            return
        known = self.issuer.known(stop.incident)
        if known is None or known.stop is None:
            self.grow(self.issuer.open(Incident(stop.incident, stop.target, order.envelope)))

    def grow(self, growth: Growth) -> None:
        """Remember it for the disk."""
        if growth:
            self.unwritten.append(growth)

    def write(self) -> bool:
        """All that is known is on disk afterwards, or nothing more than before."""
        if not self.unwritten:
            return True
        if self.books.refuses:
            return False
        for growth in self.unwritten:
            for incident in (*growth.incidents, *growth.widened):
                self.books.incidents[incident.id] = incident
            self.books.affected.update(dict.fromkeys(growth.affected))
        self.unwritten.clear()
        return True

    def answer(self, real: float) -> None:
        """Answer all statements that wait, once what is known is on disk."""
        if not self.write():
            return
        waiting, self.waiting = self.waiting, []
        for state in waiting:
            self.answer_one(state, real)

    def answer_one(self, state: State, real: float) -> None:
        """The way to today's key, or the roster and a lease."""
        links = chain(self.books.rotations).since(state.key)
        if links is None:
            return
        for envelope in links:
            self.links.send(Signed(envelope, self.key, state.id))
        if links:
            return
        if state.roster < self.books.roster.serial:
            self.links.send(Signed(self.books.roster, self.key, state.id))
        now = self.clock.at(real)
        try:
            lease = self.issuer.lease(state, now, round(now * 1000))
        except WireError:
            return
        self.links.gave(state, lease)
        self.links.send(Signed(lease, self.key, state.id))

    def again(self, event: str) -> str:
        """Under which id an order runs after a crash: its own."""
        return event

    def order(self, event: str, target: Target) -> Incident:
        """What somebody in a room has ordered. It is sent and written at the same time; this only sends it."""
        place = self.issuer.place(event, target)
        if not isinstance(place, str):
            return place
        stop = Stop(place, target, 0)
        incident = Incident(place, target, self.links.sign(stop, self.key))
        self.grow(self.issuer.open(incident))
        self.publish(Signed(stop, self.key, THE_BOT, incident.stop or b""))
        return incident

    def publish(self, order: Signed) -> None:
        """To everybody who listens to the topic; the target inside counts."""
        for name in ("a", "b", "c"):
            self.links.send(Signed(order.what, order.signer, name, order.envelope))

    def reset(self, incident: str, components: frozenset[str] | None) -> frozenset[tuple[str, str]] | None:
        """Two persons let components, or all, off an incident. Durable before any lease says so."""
        if not self.write() or self.books.refuses:
            return None
        pairs = self.issuer.clearing(incident, components)
        self.books.cleared |= pairs
        return pairs
