"""How far something has come, in characters and words. It shows nothing as finished that is not."""

from bot.words.document import Progress
from bot.words.times import span

CELLS = 24
FULL, REST = "━", "─"
"""Thick and thin, so that it reads without colour; every font that has one has the other, and as wide."""


def bar(block: Progress) -> tuple[str, str]:
    """What is done and what is not, as two lengths of one bar. It is whole only at the end."""
    full = int(block.done * CELLS)
    return FULL * full, REST * (CELLS - full)


def percent(block: Progress) -> str:
    """In whole percent, rounded down but for what binary fractions take away."""
    return f"{100 if block.done == 1 else min(99, int(block.done * 100 + 1e-9))} %"


def left(block: Progress) -> str:
    """What follows the percents: how long it will take. Nothing where nobody can tell."""
    return "" if block.eta_s is None else f" · {span(block.eta_s)} left"
