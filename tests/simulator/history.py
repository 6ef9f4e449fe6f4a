"""A history: what a seed makes it of, how it runs, and how it ends: with everything well again, or broken."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulator.actions import ACTIONS, Action, agree, finish
from tests.simulator.network import talk
from tests.simulator.truth import DRIFT, Broken
from tests.simulator.world import Parts, Setup, World

FEWEST, MOST = 60, 100
OFTEN = {
    "talk": 20,
    "talk_slowly": 6,
    "talk_all": 8,
    "ask": 8,
    "deliver": 24,
    "wait": 10,
    "come_down": 8,
    "answer": 8,
}
"""What a plain day is made of. It is in each history."""
SOMETIMES = {
    "duplicate": 5,
    "drop": 3,
    "replay": 12,
    "lose": 1,
    "order": 4,
    "finish": 2,
    "write": 2,
    "stall_the_disk": 2,
    "crash": 4,
    "run_again": 2,
    "reset": 8,
    "stop_by_key": 3,
    "pad": 2,
    "reboot": 3,
    "restart": 3,
    "break_a_disk": 2,
    "freeze": 3,
    "thaw": 4,
    "silence": 3,
    "regroup": 1,
    "configure": 1,
    "rotate": 2,
    "relist": 2,
    "command": 6,
    "steal_a_stop_key": 1,
    "steal_a_component_key": 1,
    "steal_the_bot_key": 1,
    "try_without_a_key": 2,
}
"""What each history has or has not, so that many are about a few things."""
THEMES = (
    frozenset({"talk", "talk_slowly", "command", "replay"}),
    frozenset({"talk", "deliver", "come_down", "order", "stop_by_key", "pad", "reset", "crash", "run_again"}),
    frozenset({"talk", "ask", "deliver", "answer", "come_down", "order", "reset", "restart", "break_a_disk"}),
)
"""What some histories are about, and nothing else: commands, stops without their proof, resets."""
BEGINNINGS = (
    # The bot's clock is taken for later than it is, then for what it is: what was forgotten must not run again.
    (
        Action("command", 1, 13),
        Action("talk_slowly", 0, 12),
        Action("command", 1, 15),
        Action("talk", 0),
        Action("replay", 0, 1),
    ),
    # Two questions are open, both are answered with a stop, and the older answer arrives after the reset.
    (
        Action("order", 3, 1),
        Action("talk", 0),
        Action("come_down", 0),
        Action("drop", 0, 0),
        Action("ask", 0),
        Action("deliver"),
        Action("answer"),
        Action("reset", 0, 1),
        Action("talk", 0),
        Action("deliver"),
    ),
    # A command is given, and between that and its arrival there is a stop and a reset.
    (
        Action("command", 1, 3),
        Action("order", 3, 1),
        Action("talk", 0),
        Action("come_down", 0),
        Action("reset", 0, 1),
        Action("talk", 0),
        Action("talk", 0),
        Action("deliver", 0, 1),
    ),
)
"""How some histories begin: with what is too rare to be drawn."""
EACH = 25
RARELY = frozenset({"steal_the_bot_key", "steal_a_component_key"})
ROUNDS = 8


@dataclass(frozen=True, slots=True)
class History:
    """What there is at the beginning, and what happens."""

    setup: Setup
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a history broke: after so many actions, of which the last one did it."""

    after: int
    rule: str
    seen: str


def drawn(seed: int) -> History:
    """The history of a seed, the same on each machine."""
    draws = random.Random(seed)
    pick = draws.random

    def some(share: float, things: str) -> frozenset[str]:
        return frozenset(each for each in things if pick() < share)

    def rate() -> float:
        return 1 + DRIFT * (2 * pick() - 1)

    setup = Setup(
        (rate(), rate(), rate(), rate()), some(0.15, "abc"), some(0.2, "abc"), some(0.1, "abc"), some(0.4, "abc")
    )
    share = 0.2 if pick() < 0.5 else 0.6
    has = {name: weight for name, weight in SOMETIMES.items() if pick() < (0.1 if name in RARELY else share)}
    weights = OFTEN | has
    if pick() < 0.3:
        weights = dict.fromkeys(sorted(THEMES[int(pick() * len(THEMES))]), 1)
    names = [name for name, weight in weights.items() for _ in range(weight)]
    length = FEWEST + int(pick() * (MOST - FEWEST + 1))
    drawn_actions = (_action(names, pick(), pick(), pick()) for _ in range(length))
    first = BEGINNINGS[seed // EACH % len(BEGINNINGS)] if seed % EACH == 0 else ()
    return History(setup, (Action("talk_all"), *first, *drawn_actions))


def _action(names: Sequence[str], name: float, x: float, y: float) -> Action:
    return Action(names[int(name * len(names))], int(x * 10_000), int(y * 10_000))


def run(parts: Parts, history: History, story: list[str] | None = None, *, heals: bool = True) -> Fault | None:
    """Let it happen, look after each step, and in the end let all be well. None where nothing broke."""
    world = World(parts, history.setup, story)
    look, after = world.judge.look, 0
    try:
        for after, action in enumerate(history.actions, 1):
            if story is not None:
                story.append(f"{after:4}  {world.real - 1000:8.2f} s  {action}")
            ACTIONS[action.name](world, action.x, action.y)
            look()
        if heals:
            after += 1
            world.note("from here on all is well")
            heal(world)
    except Broken as broken:
        if story is not None:
            story.append(f"      BROKEN: {broken}")
        return Fault(after, broken.rule, str(broken))
    return None


def heal(world: World) -> None:
    """Networks and disks work and nobody steals. What nothing stops works again, and after a reset all does."""
    world.wire.clear()
    world.books.refuses = False
    for component in world.all:
        component.frozen = None
        component.floppy.refuses = False
        if world.bot.key != component.latch.key and component.latch.key in world.stolen:
            component.robbed = True
    finish(world, 0, 0)
    honest = [each.name for each in world.all if not each.robbed and each.name in world.bot.enrolled]
    talk_until_all_work(world, honest)
    for name in honest:
        component = world.components[name]
        if not world.judge.stopping(name) and not works(world, name):
            raise Broken(
                "what nothing stops works again", f"{name} does not: {component.latch.shown(world.now(component))}"
            )
    for incident in world.bot.issuer.incidents:
        agree(world, incident.id, None)
    talk_until_all_work(world, honest)
    for name in honest:
        if not works(world, name):
            raise Broken("after a reset everything works", f"{name} does not, {sorted(world.components[name].names())}")
    if world.bot.issuer.incidents:
        raise Broken("after a reset everything works", f"{world.bot.issuer.incidents} are open")


def works(world: World, name: str) -> bool:
    """Whether a component may work."""
    component = world.components[name]
    return component.latch.may_work(world.now(component))


def talk_until_all_work(world: World, names: Sequence[str]) -> None:
    """As components do: they ask again and again, and come down where they are stopped."""
    for _ in range(ROUNDS):
        world.real += 1
        done = True
        for place, component in enumerate(world.all):
            talk(world, place, 0)
            world.come_down(component)
            if component.name in names and (not works(world, component.name) or component.latch.re is None):
                done = False
        world.judge.look()
        if done:
            return
