"""What is true of a history, whatever the code believes: what was said, ordered, agreed, and what must follow."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulator.keys import COMPONENTS
from wire.envelope import PublicKey
from wire.issuer import ALL
from wire.latch import TTL_S
from wire.messages import State, Stop, Target

if TYPE_CHECKING:
    from tests.simulator.world import World

DRIFT = 0.01
LONGEST_S = TTL_S / (1 - DRIFT) + 0.001
LATE_MS = 1000 * 2 * LONGEST_S * 2 * DRIFT + 2


class Broken(Exception):
    """A history in which something does not hold that must hold."""

    def __init__(self, rule: str, seen: str) -> None:
        super().__init__(f"{rule}: {seen}")
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Asked:
    """What is true of a statement."""

    component: str
    boot: int
    life: int
    real: float
    state: State


class Truth:
    """What was said, given and agreed in a history."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.asked: dict[str, Asked] = {}
        self.forged: set[str] = set()
        """Components in whose name a thief speaks."""
        self.agreed: set[tuple[str, str]] = set()
        """What two persons have let components off."""
        self.lives: dict[str, int] = {}
        """By command, the session of each target that it was given in, as `id/component`."""
        self.ordered: dict[str, set[str]] = {}
        """By order, what it was made into."""
        self.ran: set[tuple[str, str]] = set()
        """Orders, and what each was at the time."""
        self.targets: dict[str, Target | None] = {}
        """By incident, what it stops, as far as this life of the bot, or its disk, knows."""
        self.named: set[tuple[str, str]] = set()
        self.claimed: dict[str, set[str]] = {}
        self.vouched: set[str] = set()
        """Incidents that a lease has named."""
        self.unkept: set[str] = set()
        """Orders that went out before the inbox had them."""

    @staticmethod
    def own_key(component: str) -> PublicKey:
        """The component's."""
        return COMPONENTS[component]

    def is_agreed(self, incident: str, component: str) -> bool:
        """Two persons have let it off."""
        return (incident, component) in self.agreed or (incident, ALL) in self.agreed

    def seen(self, incident: str) -> frozenset[str]:
        """Whom an incident stops, as those see it who reset it."""
        return frozenset(component for each, component in self.named if each == incident)

    def stopping(self, component: str) -> set[str]:
        """What a lease for it must name."""
        groups = frozenset(self.world.bot.enrolled[component] | self.claimed[component])
        return {
            incident
            for incident, target in self.targets.items()
            if ((target is not None and target.meets(component, groups)) or (incident, component) in self.named)
            and not self.is_agreed(incident, component)
        }

    def permit(self, nonce: str) -> None:
        """Somebody who may has let the asking component work."""
        asked = self.asked.get(nonce)
        if asked is not None:
            component = self.world.components[asked.component]
            if component.boots == asked.boot:
                component.permitted = self.world.real

    def learn(self, stop: Stop) -> None:
        """The bot has seen a stop that counts."""
        if self.targets.get(stop.incident) is None:
            self.targets[stop.incident] = stop.target
