"""Who may do what, from where: one table and one question. Everything that is not in the table is refused."""

import dataclasses
import enum
from collections.abc import Mapping

from bot.words.errors import Refused
from bot.words.message import Standing
from bot.words.people import Person, Role


class Action(enum.StrEnum):
    """What a command does to the world."""

    READ = "read"
    """Shows something that a viewer may see."""
    INSPECT = "inspect"
    """Shows what only those see who are proven: the record, the hand-over, what waits for whom."""
    STOP = "stop"
    """Stops something. It is never held up."""
    RUN = "run"
    """Changes something."""
    GOVERN = "govern"
    """Decides over others or over the rules: approve, reset, trust, link, suspend."""


class Rule(enum.StrEnum):
    """What the table says of an action from somewhere."""

    YES = "yes"
    NO = "no"
    AS_VIEWER = "as a viewer"
    """What a viewer may, whoever asks."""
    IF_CONFIGURED = "if configured"
    """Where the configuration says so for that network, and nothing that two persons must agree to."""
    WITH_ALARM = "yes, with an alarm"
    """It is done, and everybody hears that nothing proves who asked."""


_ALL = dict.fromkeys(Action, Rule.YES)
_NONE = dict.fromkeys(Action, Rule.NO)

TABLE: Mapping[Standing, Mapping[Action, Rule]] = {
    Standing.ATTESTED: _ALL,
    Standing.SIGNED: {**_NONE, Action.READ: Rule.YES, Action.STOP: Rule.YES},
    Standing.UNPROVEN: {**_NONE, Action.STOP: Rule.WITH_ALARM},
    Standing.CLEAR: {**_NONE, Action.READ: Rule.AS_VIEWER, Action.STOP: Rule.WITH_ALARM},
    Standing.NAMED: {
        Action.READ: Rule.AS_VIEWER,
        Action.INSPECT: Rule.NO,
        Action.STOP: Rule.YES,
        Action.RUN: Rule.IF_CONFIGURED,
        Action.GOVERN: Rule.NO,
    },
    Standing.LOCAL: _ALL,  # of two who must agree, only one may be there: `bot/desk/approvals.py`
    Standing.KEY: {**_NONE, Action.STOP: Rule.YES},
    Standing.RELAYED: _NONE,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Demand:
    """What a command asks of the one who gives it."""

    action: Action
    role: Role
    two_persons: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Whether, and why. `hint` says what would help."""

    allowed: bool
    why: str
    hint: str = ""
    alarm: bool = False


class Authority:
    """The table, and what the configuration adds to it: the networks whose named accounts may run something."""

    def __init__(self, run_from: frozenset[str] = frozenset()) -> None:
        self._run_from = run_from

    def check(self, person: Person, standing: Standing, network: str, demand: Demand) -> Verdict:
        """The verdict, where it allows. Raises Refused, with the reason, where it does not."""
        verdict = self.judge(person, standing, network, demand)
        if not verdict.allowed:
            raise Refused(f"Not run: {verdict.why}.", hint=verdict.hint)
        return verdict

    def judge(self, person: Person, standing: Standing, network: str, demand: Demand) -> Verdict:
        """Whether this person may do this from where they stand."""
        rule = TABLE[standing][demand.action]
        match rule:
            case Rule.NO:
                return _refusal(standing, person)
            case Rule.AS_VIEWER if demand.role > Role.VIEWER:
                where = "in a room without encryption" if standing is Standing.CLEAR else f"from {network}"
                return Verdict(
                    allowed=False,
                    why=f"{where} I show only what a viewer sees",
                    hint="Ask in an attested place.",
                )
            case Rule.IF_CONFIGURED if network not in self._run_from:
                return Verdict(
                    allowed=False,
                    why=f"the configuration lets nobody run anything from {network}",
                    hint="Ask in an attested place.",
                )
            case Rule.IF_CONFIGURED if demand.two_persons:
                return Verdict(
                    allowed=False,
                    why=f"two persons must agree to this, and not from {network}",
                    hint="Ask in an attested place.",
                )
            case _:
                pass
        if person.role < demand.role:
            return Verdict(allowed=False, why=f"this takes {a(demand.role)}, and {person.name} is {a(person.role)}")
        return Verdict(
            allowed=True,
            why=f"{person.name} is {a(person.role)}, and this takes {a(demand.role)}",
            alarm=rule is Rule.WITH_ALARM,
        )


def a(role: Role) -> str:
    """A role with its article."""
    return f"an {role}" if role is Role.OPERATOR else f"a {role}"


def _refusal(standing: Standing, person: Person) -> Verdict:
    match standing:
        case Standing.SIGNED:
            return Verdict(
                allowed=False,
                why=f"nobody has compared yet whether {person.name} is who they are known as",
                hint=f"A commander does that with you, at the console: !verify {person.name}",
            )
        case Standing.UNPROVEN:
            return Verdict(
                allowed=False,
                why="nothing proves that this came from you",
                hint="Write from a device that you have verified as your own, in an encrypted room.",
            )
        case Standing.CLEAR:
            return Verdict(
                allowed=False,
                why="this came in clear, and the homeserver could have written it itself",
                hint="Ask in an encrypted room, or at the console.",
            )
        case Standing.NAMED:
            return Verdict(
                allowed=False,
                why="this takes proof of who you are",
                hint="Ask in an encrypted room, or at the console.",
            )
        case Standing.KEY:
            return Verdict(allowed=False, why="a stop key can stop, and nothing else")
        case _:
            return Verdict(allowed=False, why="what is passed on is never a command")
