"""What checking the record comes to: a state, and in sentences what was found, where, and what to do."""

import dataclasses
import enum
from collections.abc import Iterable


class State(enum.IntEnum):
    """What can be said of the record. The number is the exit status."""

    INTACT = 0
    ALTERED = 1
    """Something is not what was signed, or is gone."""
    INCOMPLETE = 2
    """Nothing was found, and not all that is needed to find it was there."""


_WORST_FIRST = (State.ALTERED, State.INCOMPLETE, State.INTACT)


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is worth a sentence."""

    state: State
    """What it makes of the record, if nothing worse is found. INTACT: it is said, and changes nothing."""
    what: str
    """What was found, and where."""
    do: str = ""
    """What to do now."""

    def __str__(self) -> str:
        return f"{self.what} {self.do}".strip()


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What checking the record came to."""

    findings: tuple[Finding, ...]
    """The gravest first. None at all where everything is as it should be."""
    origin: str
    """What the record calls itself. Empty where it does not."""
    size: int
    """How many entries were read, from the first on without a gap."""
    root: bytes
    """The root over them, counted anew."""
    witnessed: int | None
    """The largest size at which somebody else holds this very root. None where nobody does."""

    @property
    def state(self) -> State:
        """The worst that was found."""
        found = {finding.state for finding in self.findings}
        return next((state for state in _WORST_FIRST if state in found), State.INTACT)

    @property
    def unwitnessed(self) -> int:
        """How many of the newest entries no witness has seen: whoever has the key could have changed those."""
        return self.size - (self.witnessed or 0)


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """In the order in which they are told. Those that weigh the same stay as they came."""
    return tuple(sorted(findings, key=lambda finding: _WORST_FIRST.index(finding.state)))


def altered(what: str, do: str = "") -> Finding:
    """Something is not what was signed, or is gone."""
    return Finding(State.ALTERED, what, do)


def incomplete(what: str, do: str = "") -> Finding:
    """Something that is needed to be sure was not there."""
    return Finding(State.INCOMPLETE, what, do)


def entries(first: int, last: int) -> str:
    """How entries are named in a sentence."""
    return f"entry {first:,}" if first == last else f"entries {first:,} to {last:,}"
