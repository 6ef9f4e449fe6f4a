"""One call of a command: who asks, what they said, and the system that it is about."""

import dataclasses

from bot.system import System
from bot.words.message import Message
from bot.words.people import Person


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One command, called by one person."""

    id: str
    """The id under which everything that follows from it is recorded."""
    person: Person
    message: Message
    system: System
