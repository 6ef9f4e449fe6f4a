"""The conditions that a swarm works under. All of them can be changed while it works."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Intelligence: TypeAlias = Literal["blind", "local", "global"]
INTELLIGENCES: tuple[Intelligence, ...] = get_args(Intelligence)
FASTEST = 8.0
FARTHEST = 8


@dataclass(frozen=True, slots=True)
class Conditions:
    """What bots are like, and what the weather does to them. Chances are those of one step."""

    intelligence: Intelligence = "blind"
    """blind: a random walk. local: to the nearest damage in sight. global: as local, in a region that is assigned."""
    speed: float = 1.0
    """Cells a step. A fraction is the chance of one more."""
    rate: float = 1.0
    """The chance that a bot repairs a damaged cell that it stands on."""
    sight: int = 3
    """How many cells far a bot sees that is not blind."""
    noise: float = 0.0
    """The chance that a bot is blown off: it goes anywhere, and repairs nothing."""
    failures: float = 0.0
    """The chance that a bot is lost."""
    damage: float = 0.0
    """The chance that a cell is damaged."""

    def __post_init__(self) -> None:
        if self.intelligence not in INTELLIGENCES:
            raise ValueError(f"intelligence must be one of {', '.join(INTELLIGENCES)}, not {self.intelligence!r}.")
        if not 0 < self.speed <= FASTEST:
            raise ValueError(f"speed must be over 0 and at most {FASTEST:g} cells a step, not {self.speed:g}.")
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate must be over 0 and at most 1 repair a step, not {self.rate:g}.")
        if not 1 <= self.sight <= FARTHEST:
            raise ValueError(f"sight must be from 1 to {FARTHEST} cells, not {self.sight}.")
        for name, chance in (("noise", self.noise), ("failures", self.failures), ("damage", self.damage)):
            if not 0 <= chance <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {chance:g}.")

    @property
    def is_plain(self) -> bool:
        """A blind walk with nothing in its way, which is the fastest."""
        return self.intelligence == "blind" and self.speed == self.rate == 1 and self.noise == 0

    @property
    def is_calm(self) -> bool:
        """Nothing happens from outside."""
        return self.failures == self.damage == 0
