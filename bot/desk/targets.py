"""What somebody means who names a target in a command."""

from bot.desk.grammar import nearest
from bot.fleet.registry import Registry
from bot.words.errors import UsageError
from bot.words.glyphs import quoted
from wire.messages import Target

EVERYTHING = ("all", "everything")
PUNCTUATION = ".,;:!?'\"`"


def resolve(registry: Registry, word: str) -> Target:
    """`all`, a component or a group. What is none of these is answered with the exact line to send."""
    name = word.lower().strip(PUNCTUATION)
    if name in EVERYTHING:
        return Target()
    if name in registry.components():
        return Target(id=name)
    if name in registry.groups():
        return Target(group=name)
    near = nearest(name, ("all", *registry.components(), *registry.groups())) or "all"
    choices = dict.fromkeys((near, "all"))
    raise UsageError(
        f"Nothing was stopped: no component and no group is called {quoted(word)}.",
        hint="To stop, send: " + " or ".join(f"!shutdown {choice}" for choice in choices),
    )
