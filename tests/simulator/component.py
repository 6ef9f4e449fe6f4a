"""A component of a history: its latch as it is, its disk and its clock as bad as a history wants them.

What is true of it beside the latch is noted here, for the judge. The latch never sees it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.simulator.keys import STOP, Signed
from wire.birth import OnSilence
from wire.envelope import PublicKey
from wire.latch import Kept, Latch, Random, Trusted

MOST_COPIES = 4


@dataclass(slots=True)
class Floppy:
    """A disk that keeps, refuses, or is damaged (None), and of which there are older copies."""

    kept: Kept | None = field(default_factory=Kept)
    refuses: bool = False
    missed: bool = False
    """It has refused the last that was to be written."""
    copies: list[Kept] = field(default_factory=list[Kept])

    def write(self, kept: Kept) -> bool:
        """Keep it, unless told otherwise."""
        self.missed = self.refuses
        if self.refuses:
            return False
        if self.kept is not None:
            self.copies = [*self.copies[1 - MOST_COPIES :], self.kept]
        self.kept = kept
        return True


@dataclass(frozen=True, slots=True)
class Clock:
    """One side's clock: it runs at its own rate."""

    rate: float
    ahead: float

    def at(self, real: float) -> float:
        """What it shows."""
        return self.ahead + self.rate * real


class Component:
    """One component, and what is true of it."""

    def __init__(
        self,
        name: str,
        groups: Iterable[str],
        bot_key: PublicKey,
        *,
        clock: Clock,
        on_silence: OnSilence,
        keeps: bool,
        make: type[Latch],
        random: Random,
    ) -> None:
        self.name = name
        self.groups = frozenset(groups)
        self.trusted = Trusted(bot_key, tuple(map(str, STOP[:2])))
        self.clock = clock
        self.on_silence = on_silence
        self.keeps = keeps
        """It was enrolled with `disk: kept`."""
        self._make = make
        self._random = random
        self.floppy = Floppy()
        self.frozen: tuple[float, Signed | None] | None = None
        """Its process stands still: what its clock showed then, and the message that it had in its hand."""
        self.received: set[str] = set()
        """The stops that reached it, and that it was not validly let off since."""
        self.lost: set[str] = set()
        """Of these, what its disk has lost and only the bot knows."""
        self.taken: set[str] = set()
        """The resets that it took, as far as its disk has them."""
        self.boots = 0
        self.lives = 0
        """Sessions, as they ought to be."""
        self.permitted = float("-inf")
        """When somebody who may do so last let it work, of its present boot, by true time."""
        self.robbed = False
        """It has obeyed who stole the bot's key."""
        self.moves = False
        """It has worked, and its work did not come down since."""
        self.ran: set[str] = set()
        """Commands that it has carried out."""
        self.boot()

    def boot(self) -> None:
        """Start anew from what is on its disk."""
        self.latch = self._make(
            self.name,
            sorted(self.groups),
            self.floppy.kept,
            trusted=self.trusted,
            write=self.floppy.write,
            random=self._random,
            on_silence=self.on_silence,
        )
        self.frozen = None
        self.moves = False
        self.boots += 1
        self.lives += 1
        self.permitted = float("-inf")

    def names(self) -> frozenset[str]:
        """The incidents that keep it stopped, by its own word."""
        return frozenset(each.incident for each in self.latch.open)

    def trusts(self, signer: PublicKey) -> bool:
        """Whether this key's stops count, as the kit looks at it."""
        return signer == self.latch.key or str(signer) in self.latch.roster.stop_keys
