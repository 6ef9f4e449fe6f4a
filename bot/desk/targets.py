"""What somebody means who names a target in a command."""

from bot.desk.grammar import nearest
from bot.fleet.registry import Registry
from bot.words.errors import UsageError
from bot.words.glyphs import quoted
from wire.messages import Target

__all__ = ["Target", "find", "resolve"]

EVERYTHING = ("all", "everything")
PUNCTUATION = ".,;:!?'\"`"


def find(registry: Registry, word: str) -> Target:
    """`all`, a component or a group. Raises UsageError for what is none of these."""
    target = _found(registry, word)
    if target is None:
        raise UsageError(f"No component and no group is called {quoted(word)}.", hint="!status lists them.")
    return target


def resolve(registry: Registry, word: str) -> Target:
    """The same for a stop. What means nothing is answered with the exact line to send."""
    target = _found(registry, word)
    if target is not None:
        return target
    name = word.lower().strip(PUNCTUATION)
    near = nearest(name, ("all", *registry.components(), *registry.groups())) or "all"
    choices = dict.fromkeys((near, "all"))
    raise UsageError(
        f"Nothing was stopped: no component and no group is called {quoted(word)}.",
        hint="To stop, send: " + " or ".join(f"!shutdown {choice}" for choice in choices),
    )


def _found(registry: Registry, word: str) -> Target | None:
    name = word.lower().strip(PUNCTUATION)
    if name in EVERYTHING:
        return Target()
    if name in registry.components():
        return Target(id=name)
    return Target(group=name) if name in registry.groups() else None
