"""What the network, the clock and the components' owners do in a history: asking, delivering, losing, saying again."""

from collections.abc import Sequence
from typing import TypeVar

from tests.simulator.component import Component
from tests.simulator.keys import THE_BOT, Signed
from tests.simulator.world import GROUPS, World
from wire.messages import Stop
from wire.work import Command

Kind = TypeVar("Kind")
WAITS = (0.01, 0.3, 1.0, 2.5, 2.5, 5.0, 9.9, 10.2, 30.0)


def one_of(things: Sequence[Kind], number: int) -> Kind:
    """Which of them a number means."""
    return things[number % len(things)]


def awake(world: World, number: int) -> Component | None:
    """The component that a number means, unless its process stands still."""
    component = one_of(world.all, number)
    return component if component.frozen is None else None


def talk(world: World, x: int, _: int) -> None:
    """A component asks and hears the answer at once."""
    component = awake(world, x)
    if component is not None:
        sent = len(world.wire)
        world.to_bot(world.ask(component))
        world.bot.answer(world.real)
        arrive(world, component, sent)


def talk_slowly(world: World, x: int, y: int) -> None:
    """A component asks, and the question or the answer takes its time."""
    component = awake(world, x)
    if component is not None:
        sent = len(world.wire)
        question = world.ask(component)
        world.real += one_of(WAITS, y) * (y // 10 % 2)
        world.to_bot(question)
        world.bot.answer(world.real)
        world.real += one_of(WAITS, y) * (1 - y // 10 % 2)
        arrive(world, component, sent)


def arrive(world: World, component: Component, sent: int) -> None:
    """What was sent meanwhile arrives where it is for this component; what is for others is on its way."""
    fresh = world.wire[sent:]
    del world.wire[sent:]
    for message in fresh:
        if message.to == component.name:
            world.deliver(message)
        elif message.to != THE_BOT:
            world.wire.append(message)


def talk_all(world: World, _: int, __: int) -> None:
    """Everybody does."""
    for number in range(len(world.all)):
        talk(world, number, 0)


def ask(world: World, x: int, _: int) -> None:
    """A component asks."""
    component = awake(world, x)
    if component is not None:
        world.ask(component)


def deliver(world: World, x: int, y: int) -> None:
    """Something arrives: the newest, the oldest, or any. The bot does not answer yet."""
    if world.wire:
        place = (-1, 0, x % len(world.wire))[y % 3]
        world.deliver(world.wire.pop(place))


def duplicate(world: World, x: int, _: int) -> None:
    """Something arrives, and will arrive again."""
    if world.wire:
        world.deliver(one_of(world.wire, x))


def drop(world: World, x: int, y: int) -> None:
    """Something is lost, or everything."""
    if y % 4 == 0:
        world.wire.clear()
    elif world.wire:
        del world.wire[x % len(world.wire)]


def replay(world: World, x: int, y: int) -> None:
    """Somebody says again what was said, to any component where it is a stop: mostly something recent."""
    if world.record:
        message = world.record[-1 - x % min(len(world.record), (8, 30, 1000)[y % 3])]
        if y % 4 == 0 and world.orders:
            message = one_of(tuple(world.orders.values()), x)
        elif y % 4 == 1:
            commands = [each for each in world.record if isinstance(each.what, Command)]
            message = one_of(commands[-4:], x) if commands else message
        if isinstance(message.what, Stop):
            message = Signed(message.what, message.signer, one_of((*GROUPS, THE_BOT), y // 3), message.envelope)
        world.deliver(message)


def lose(world: World, x: int, _: int) -> None:
    """A component's connection breaks. It goes on by itself, and comes back."""
    component = awake(world, x)
    if component is not None:
        world.to_bot(world.lose(component))


def wait(world: World, x: int, _: int) -> None:
    """Time goes by."""
    world.real += one_of(WAITS, x)


def come_down(world: World, x: int, _: int) -> None:
    """The work of a component is down."""
    component = awake(world, x)
    if component is not None:
        world.come_down(component)


COMMON = (talk, talk_slowly, talk_all, ask, deliver, duplicate, drop, replay, lose, wait, come_down)
