"""Which simulations there are, by what components say of themselves."""

from bot.desk.targets import find
from bot.fleet.registry import Registry
from bot.words.errors import UsageError
from bot.words.glyphs import quoted
from wire.birth import Birth

KIND = "simulation"


def simulations(registry: Registry) -> list[Birth]:
    """All that have said what they can do."""
    births = (registry.birth(name) for name in registry.components())
    return [birth for birth in births if birth is not None and birth.kind == KIND]


def simulation_called(registry: Registry, word: str) -> Birth:
    """The one that somebody means. Raises UsageError."""
    name = find(registry, word).id
    birth = registry.birth(name) if name else None
    if birth is None or birth.kind != KIND:
        raise UsageError(f"{quoted(word)} is no simulation that has said what it can do.", hint="See !run-sim.")
    return birth
