"""Who may do what, from where: one table and one question. Everything that is not in the table is refused."""

import enum
from collections.abc import Mapping

from bot.words.errors import Refused
from bot.words.message import Standing
from bot.words.people import Person, Role


class Action(enum.StrEnum):
    """What a command does to the world."""

    READ = "read"
    STOP = "stop"


ALLOWED: Mapping[Standing, frozenset[Action]] = {
    Standing.ATTESTED: frozenset(Action),
    Standing.UNPROVEN: frozenset(),
}


def check(person: Person, standing: Standing, action: Action, role: Role) -> None:
    """Raise Refused, with the reason, unless this person may do this from where they stand."""
    if action not in ALLOWED[standing]:
        raise Refused(
            "Not run: nothing proves that this came from you.",
            hint="Write from a device that you have verified as your own, in an encrypted room.",
        )
    if person.role < role:
        raise Refused(f"Not run: this takes {_a(role)}, and you are {_a(person.role)}.")


def _a(role: Role) -> str:
    return f"an {role}" if role is Role.OPERATOR else f"a {role}"
