"""Tells one history step by step, the shortest that breaks in the same way. It is what `make replay` shows."""

import os
import sys
from collections.abc import Iterator

from tests.simulator.actions import Action
from tests.simulator.guards import MUTANTS, UNNOTICED
from tests.simulator.history import Fault, History, drawn, run
from tests.simulator.mutants import parts
from tests.simulator.world import GROUPS, Parts, Setup

MOST_TRIES = 2_000


def shortest(tried: Parts, history: History, fault: Fault) -> History:
    """Without all that it does not need to break. It looks no longer than is worth waiting for."""
    heals = fault.after > len(history.actions)
    actions = history.actions[: fault.after]
    tries, piece = 0, max(len(actions) // 2, 1)
    while tries < MOST_TRIES:
        before = len(actions)
        for shorter in _without(actions, piece):
            tries += 1
            again = run(tried, History(history.setup, shorter), heals=heals)
            if again is not None and again.rule == fault.rule and len(shorter) < len(actions):
                actions = shorter
                break
        if len(actions) == before:
            if piece == 1:
                break
            piece //= 2
    return History(history.setup, actions)


def _without(actions: tuple[Action, ...], piece: int) -> Iterator[tuple[Action, ...]]:
    return (actions[:place] + actions[place + piece :] for place in range(0, len(actions), piece))


def command(seed: int, mutant: str = "") -> str:
    """What to type to see it."""
    return f"make replay SEED={seed}" + (f" MUTANT={mutant}" if mutant else "")


def told(seed: int, mutant: str = "") -> list[str]:
    """The story of a seed: all of it where nothing breaks, else the shortest that breaks."""
    tried, history = parts(mutant), drawn(seed)
    fault = run(tried, history)
    lines = [
        f"Seed {seed}" + (f", without this guard: {(MUTANTS | UNNOTICED)[mutant].guard}" if mutant else ""),
        described(history.setup),
    ]
    heals = True
    if fault is not None:
        whole = len(history.actions)
        heals = fault.after > whole
        history = shortest(tried, history, fault)
        lines.append(f"It broke after {fault.after} of {whole} steps. These {len(history.actions)} are enough:")
    story: list[str] = []
    run(tried, history, story, heals=heals)
    return [*lines, *story, *(["Nothing broke."] if fault is None else [])]


def described(setup: Setup) -> str:
    """What is true from the beginning."""
    clocks = ", ".join(f"{name} {rate:.4f}" for name, rate in zip(("bot", *GROUPS), setup.rates, strict=True))
    lists = {
        "silence is a stop for": setup.latching,
        "disk: kept": setup.keeping,
        "not in the bot's configuration": setup.unlisted,
        "says its groups itself": setup.unsaid,
    }
    return "; ".join(
        (f"clocks: {clocks}", *(f"{what}: {', '.join(sorted(whom))}" for what, whom in lists.items() if whom))
    )


def main() -> int:
    """The seed and the mutant are those of `make replay SEED=17 MUTANT=ttl`."""
    seed, mutant = os.environ.get("SEED", ""), os.environ.get("MUTANT", "")
    if not seed.isdecimal() or (mutant and mutant not in MUTANTS | UNNOTICED):
        sys.stderr.write(f"Say which history: make replay SEED=17. MUTANT is one of: {', '.join(MUTANTS)}.\n")
        return 2
    sys.stdout.write("\n".join(told(int(seed), mutant)) + "\n")
    return 0
