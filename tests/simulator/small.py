"""All histories of a few steps over a small alphabet. What can happen in them does happen; nothing is drawn."""

import itertools
from collections.abc import Iterator

from tests.simulator.actions import Action
from tests.simulator.history import History
from tests.simulator.world import Setup

AT_WORK = (Action("talk_all"), Action("ask", 0), Action("command", 1, 12))
"""Everybody works, a question is on its way, and a command was given."""
STOPPED = (Action("talk_all"), Action("order", 0, 1), Action("talk_all"), Action("come_down", 0), Action("ask", 0))
"""Everything is stopped, one is down, and a question is on its way."""
ALPHABET = (
    Action("talk", 0),
    Action("ask", 0),
    Action("deliver", 0, 0),
    Action("answer"),
    Action("replay", 2, 3),
    Action("wait", 6),
    Action("come_down", 0),
    Action("order", 0, 1),
    Action("crash", 0, 1),
    Action("reset", 0, 1),
    Action("restart", 0),
)


def small(depth: int, beginning: tuple[Action, ...] = AT_WORK) -> Iterator[History]:
    """Each history of this depth, once."""
    setup = Setup()
    return (History(setup, (*beginning, *steps)) for steps in itertools.product(ALPHABET, repeat=depth))
