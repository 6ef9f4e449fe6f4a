"""The keys of one trial, and messages signed with them: right ones, and all kinds of wrong ones.

They are made for the trial and thrown away with it. No key of a real system ever comes here.
"""

import dataclasses
import os

from wire.envelope import PrivateKey


def fresh() -> PrivateKey:
    """A new key."""
    return PrivateKey(os.urandom(32))


@dataclasses.dataclass(frozen=True, slots=True)
class Keys:
    """One key for each role, and a stranger's."""

    seed: bytes = dataclasses.field(default_factory=lambda: os.urandom(32), repr=False)
    """The component's own."""
    bot: PrivateKey = dataclasses.field(default_factory=fresh)
    stop: PrivateKey = dataclasses.field(default_factory=fresh)
    stranger: PrivateKey = dataclasses.field(default_factory=fresh)

    @property
    def own(self) -> PrivateKey:
        """The component's key."""
        return PrivateKey(self.seed)
