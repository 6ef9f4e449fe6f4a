"""One call of a command: who asks, what they said, and the system that it is about."""

import dataclasses
from collections.abc import Callable

from bot.store import Tx
from bot.system import System
from bot.words.message import Message
from bot.words.people import Person

Work = Callable[[Tx], object]
"""Something to be written; what it returns is nobody's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One command, called by one person."""

    id: str
    """The id under which everything that follows from it is recorded."""
    person: Person
    message: Message
    system: System
    approved_by: Person | None = None
    """Who agreed, where two persons had to."""
    written_along: list[Work] = dataclasses.field(default_factory=list[Work])

    subjects: list[str] = dataclasses.field(default_factory=list[str])
    """What the answer is about, where it will be edited: at most one."""

    def goes_on(self, subject: str) -> None:
        """Have the answer edited by what is said on this subject later."""
        self.subjects[:] = [subject]

    def write_along(self, work: Work) -> None:
        """Have this written in the one commit that says that the command is done, or not at all."""
        self.written_along.append(work)
