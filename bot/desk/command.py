"""What a command is: one async function, whose signature is its grammar and its help."""

import dataclasses
import re
from collections.abc import Awaitable, Callable, Iterator

from bot.desk.authority import Action, Demand, a
from bot.desk.signature import Signature
from bot.words.document import Document
from bot.words.people import Role

Handler = Callable[..., Awaitable[Document]]
MAY_TAKE_S = 10.0
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}( [a-z0-9][a-z0-9-]{0,62})?")
"""What people can type, and a configuration can name: one word, or two."""


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """One thing that a command would change, and how that thing is just now."""

    target: str
    now: str


@dataclasses.dataclass(frozen=True, slots=True)
class Stakes:
    """All that a command would change. Where it differs at the approval, the approval is for something else."""

    hits: tuple[Hit, ...]
    note: str = ""
    """What follows from it, in a sentence."""


Preview = Callable[..., Awaitable[Stakes]]


async def _never(*_: object, **__: object) -> bool:
    return False


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """A command as its entry point offers it."""

    name: str
    """One word, or two: `person suspend`."""
    handler: Handler
    signature: Signature
    demand: Demand
    floor: Role
    """A configuration may ask for more than this role, and never for less."""
    summary: str
    aliases: tuple[str, ...] = ()
    preview: Preview | None = None
    """Says what is at stake, without touching it. Takes what the handler takes."""
    may_take_s: float | None = MAY_TAKE_S
    """Nothing, where it has bounds of its own for each thing that it does."""
    urgent: bool = False
    """It only takes rights away: its intent is written beside it, so that it does not wait for a slow disk."""
    alone: bool = False
    """It is never done by two: it is how two agree."""
    only_now: bool = False
    """It means what there is when it is given, so it is never planned for later."""
    takes_two: Callable[..., Awaitable[bool]] = _never
    """Whether two persons must agree to this very one, asked with what the handler takes. Else `demand` says."""

    def __post_init__(self) -> None:
        for name in (self.name, *self.aliases):
            if NAME.fullmatch(name) is None:
                raise TypeError(f"Nobody can type {name!r}: a command is one or two words of small letters.")
        for _, what in self.unmet(None, two_persons=self.demand.two_persons):
            raise TypeError(f"The command {self.name!r}: {what}.")

    @property
    def usage(self) -> str:
        """How it is typed."""
        return self.signature.usage

    @property
    def action(self) -> Action:
        """What it does to the world."""
        return self.demand.action

    @property
    def may_run_again(self) -> bool:
        """After a crash in its midst: it changes nothing, or nothing twice."""
        return self.urgent or self.action in (Action.STOP, Action.READ, Action.INSPECT)

    @property
    def role(self) -> Role:
        """Who may give it."""
        return self.demand.role

    def unmet(self, role: Role | None, *, two_persons: bool) -> Iterator[tuple[str, str]]:
        """What of a configuration's wish cannot be: which key of it, and why."""
        if role is not None and role < self.floor:
            yield "role", f"{a(role)} is too little; it takes {a(self.floor)} at least"
        if two_persons and (self.alone or self.action is Action.STOP):
            yield "two_persons", f"!{self.name} never waits for a second person; leave this out"

    def asking_for(self, role: Role | None, *, two_persons: bool) -> "Command":
        """The same command as a configuration wants it, where it can. Two persons may be asked for, never let off."""
        wanted = dataclasses.replace(
            self.demand,
            role=self.demand.role if role is None else role,
            two_persons=self.demand.two_persons or two_persons,
        )
        return dataclasses.replace(self, demand=wanted)


def command(
    name: str,
    *,
    role: Role,
    action: Action = Action.READ,
    summary: str,
    aliases: tuple[str, ...] = (),
    floor: Role | None = None,
    two_persons: bool = False,
    preview: Preview | None = None,
    may_take_s: float | None = MAY_TAKE_S,
    urgent: bool = False,
    alone: bool = False,
    only_now: bool = False,
    takes_two: Callable[..., Awaitable[bool]] | None = None,
) -> Callable[[Handler], Command]:
    """Make a command of a function. Its parameters after the call are the words that it takes."""
    if (two_persons or takes_two) and preview is None:
        raise TypeError(f"The command {name!r} asks for two persons: say with `preview` what is at stake.")

    def make(handler: Handler) -> Command:
        return Command(
            name=name,
            handler=handler,
            signature=Signature.of(name, handler),
            demand=Demand(action, role, two_persons),
            floor=role if floor is None else floor,
            summary=summary,
            aliases=aliases,
            preview=preview,
            may_take_s=may_take_s,
            urgent=urgent,
            alone=alone,
            only_now=only_now,
            takes_two=takes_two or _never,
        )

    return make
