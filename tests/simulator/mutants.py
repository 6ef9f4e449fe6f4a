"""The code with one guard of the protocol taken out. A history that does not notice proves nothing about that guard."""

import sys
import types
from pathlib import Path
from typing import cast

from tests.simulator.guards import MUTANTS, UNNOTICED, Words
from tests.simulator.keys import ReadHandOver, reader
from tests.simulator.world import Parts
from wire.issuer import Issuer
from wire.latch import Latch

WIRE = Path(__file__).parents[2] / "wire"


def parts(name: str = "") -> Parts:
    """The code as it is, or with one guard taken out."""
    if not name:
        return Parts()
    mutant = (MUTANTS | UNNOTICED)[name]
    loaded = {module: _load(f"{module}_without_{name}", module, mutant.words[module]) for module in mutant.words}
    whole = Parts(bot=mutant.bot)
    latch = cast("type[Latch]", vars(loaded["latch"])["Latch"]) if "latch" in loaded else whole.latch
    issuer = cast("type[Issuer]", vars(loaded["issuer"])["Issuer"]) if "issuer" in loaded else whole.issuer
    read = reader(cast("ReadHandOver", vars(loaded["chain"])["read_hand_over"])) if "chain" in loaded else whole.read
    return Parts(latch, issuer, whole.bot, read)


def _load(name: str, module: str, words: Words) -> types.ModuleType:
    """A module of `wire/` beside the one that all use, with other words in it."""
    path = WIRE / f"{module}.py"
    source = path.read_text(encoding="utf-8")
    for old, new in words:
        if source.count(old) != 1:
            raise LookupError(f"{old!r} is there {source.count(old)} times in {path}. Write the mutant anew.")
        source = source.replace(old, new)
    loaded = types.ModuleType(f"tests.simulator.{name.replace('-', '_')}")
    sys.modules[loaded.__name__] = loaded  # where dataclasses look for the names of their module
    exec(compile(source, str(path), "exec"), vars(loaded))  # noqa: S102 - our own source, from our own disk
    return loaded
