"""What can happen in a history. An action draws nothing: what it hits follows from its two numbers and the world.

So a history is a list of actions, can be cut anywhere, and is the same each time.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulator import network, thieves
from tests.simulator.keys import MOST_ROTATIONS, STOP, THE_BOT, Signed
from tests.simulator.network import awake, one_of
from tests.simulator.world import GROUPS, World
from wire.issuer import ALL
from wire.latch import Kept
from wire.messages import LARGEST_STOP, Roster, Stop, Target
from wire.work import Called, Command

TARGETS = (Target(), Target(group="red"), Target(group="blue"), *(Target(id=name) for name in GROUPS))
EXPIRIES_MS = (500, 3_000, 8_000, 60_000)
PADDED = bytes(LARGEST_STOP + 1)
ROSTERS = ((0, 1), (0,), (1, 2), ())


def order(world: World, x: int, y: int) -> None:
    """Somebody orders a stop in a room. The inbox has it, or it goes out before the disk."""
    event, target = world.draw(16).hex(), one_of(TARGETS, x)
    if y % 4 and not world.books.refuses:
        world.books.inbox[event] = target
    run(world, event, target)


def run(world: World, event: str, target: Target, under: str | None = None) -> None:
    """The bot carries out an order."""
    incident = world.bot.order(under or event, target)
    world.note("the bot stops", target, "as", incident.id)
    world.judge.the_bot_ordered(event, incident.id, target)


def finish(world: World, _: int, __: int) -> None:
    """The outcome of all orders is on disk."""
    if world.bot.write():
        world.books.inbox.clear()


def write(world: World, _: int, __: int) -> None:
    """The bot's disk takes what is known."""
    world.bot.write()


def answer(world: World, _: int, __: int) -> None:
    """The bot answers all who wait, if its disk lets it."""
    world.bot.answer(world.real)


def stall_the_disk(world: World, x: int, _: int) -> None:
    """The bot's disk refuses, or works again."""
    world.books.refuses = bool(x % 2)


def crash(world: World, _: int, y: int) -> None:
    """The bot dies and starts again. What it had begun runs again, at once or later."""
    world.bot = world.start_bot()
    if y % 2:
        run_again(world, 0, 0)


def run_again(world: World, _: int, __: int) -> None:
    """The desk runs what has no outcome."""
    for event, target in world.books.inbox.items():
        run(world, event, target, world.bot.again(event))


def reset(world: World, x: int, y: int) -> None:
    """Two persons let all, or one component, off an incident. The bot may die once that is on disk."""
    incidents = world.bot.issuer.incidents
    if incidents:
        incident = one_of(incidents, x)
        whom = None if y % 3 else frozenset({one_of(tuple(GROUPS), y // 3)})
        agree(world, incident.id, whom)
        if y % 7 == 0:
            crash(world, 0, 0)


def agree(world: World, incident: str, whom: frozenset[str] | None) -> None:
    """Two persons agree to a reset, to what they see of it, and the bot does it."""
    everybody = world.judge.seen(incident) if world.judge.targets[incident] is None else frozenset({ALL})
    pairs = world.bot.reset(incident, whom)
    if pairs is not None:
        names = everybody if whom is None else whom
        world.judge.agreed |= {(incident, each) for each in names}
        world.note("two persons let", *(each or "all" for each in sorted(names)), "off", incident)
        world.bot.issuer.clear(pairs)


def stop_by_key(world: World, x: int, y: int) -> None:
    """A person stops with a key: over the broker, without the bot, which may see it there."""
    stop = Stop(world.draw(16).hex(), one_of(TARGETS, x), 0)
    thieves.publish(world, stop, one_of(STOP[:2], y))


def reboot(world: World, x: int, y: int) -> None:
    """A component starts again, mostly with the disk as it was."""
    component = one_of(world.all, x)
    way = y % 8
    if way == 0:
        missing = None if component.keeps else Kept()
        world.reboot_with(component, missing)
    elif way == 1:
        world.reboot_with(component, None)
    elif way == 2 and component.floppy.copies:
        world.reboot_with(component, one_of(component.floppy.copies, y // 8))
    else:
        world.reboot(component)


def restart(world: World, x: int, _: int) -> None:
    """A component starts again, with its disk as it was."""
    world.reboot(one_of(world.all, x))


def break_a_disk(world: World, x: int, y: int) -> None:
    """A component's disk refuses, or works again."""
    one_of(world.all, x).floppy.refuses = bool(y % 2)


def freeze(world: World, x: int, y: int) -> None:
    """A process stands still, after it has read its clock and with a message in its hand."""
    component = awake(world, x)
    if component is not None:
        mine = [place for place, each in enumerate(world.wire) if each.to == component.name]
        message = world.wire.pop(one_of(mine, y)) if mine else None
        component.frozen = (world.now(component), message)


def thaw(world: World, x: int, _: int) -> None:
    """It goes on, with the time that it read."""
    component = one_of(world.all, x)
    if component.frozen is not None:
        read, message = component.frozen
        component.frozen = None
        if message is not None:
            world.to_component(component, message, read)


def silence(world: World, x: int, _: int) -> None:
    """A component looks whether somebody still lets it work."""
    component = awake(world, x)
    if component is not None and component.latch.silence(world.now(component)):
        world.judge.silence_came(component)


def regroup(world: World, x: int, y: int) -> None:
    """A component starts again with another enrolment: other groups."""
    component = one_of(world.all, x)
    component.groups = one_of(
        (frozenset[str](), frozenset({"red"}), frozenset({"blue"}), frozenset({"red", "blue"})), y
    )
    world.reboot(component)


def configure(world: World, x: int, y: int) -> None:
    """The bot starts again with another configuration: a component is new there, or in other groups."""
    name = one_of(tuple(GROUPS), x)
    world.enrolled = world.enrolled | {name: one_of((GROUPS[name], frozenset({"red"}), frozenset[str]()), y)}
    crash(world, 0, y // 3)


def rotate(world: World, _: int, __: int) -> None:
    """The bot gets a new key. The link to it is on disk before it is used."""
    if not world.books.refuses and world.books.rotations < MOST_ROTATIONS:
        world.books.rotations += 1


def relist(world: World, x: int, _: int) -> None:
    """Other stop keys count from now on."""
    if not world.books.refuses:
        keys = tuple(str(STOP[each]) for each in one_of(ROSTERS, x))
        world.books.roster = Roster(world.books.roster.serial + 1, keys)


def command(world: World, x: int, y: int) -> None:
    """Somebody gives a command to one component or to all, for the sessions that the bot knows of."""
    bot, names = world.bot, tuple(GROUPS)
    chosen = names if x % 4 == 0 else (one_of(names, x // 4),)
    targets = tuple(Called(name, bot.heard[name].session) for name in chosen if name in bot.heard)
    expires = round(bot.clock.at(world.real) * 1000) + one_of(EXPIRIES_MS, y)
    given = Command(world.draw(16).hex(), "walk", {}, targets, THE_BOT, expires, "olga")
    for each in targets:
        asked = world.judge.asked.get(bot.heard[each.id].nonce)
        world.judge.lives[f"{given.id}/{each.id}"] = asked.life if asked is not None else -1
        message = Signed(given, bot.key, each.id)
        world.send(message)
        if y // 10 % 2:
            world.deliver(message)


def pad(world: World, x: int, y: int) -> None:
    """A stop reaches a component in an envelope that somebody has made too long to be passed on."""
    component = awake(world, x)
    stops = [each for each in world.record[-30:] if isinstance(each.what, Stop)]
    if component is not None and stops:
        message = one_of(stops, y)
        world.to_component(component, Signed(message.what, message.signer, component.name, PADDED), 0.0)


@dataclass(frozen=True, slots=True)
class Action:
    """One step of a history."""

    name: str
    x: int = 0
    y: int = 0

    def __str__(self) -> str:
        return f"{self.name.replace('_', ' ')} ({self.x}, {self.y})"


ACTIONS: dict[str, Callable[[World, int, int], None]] = {
    each.__name__: each
    for each in (
        *network.COMMON,
        *(order, finish, write, answer, stall_the_disk, crash, run_again, reset, stop_by_key, pad),
        *(reboot, restart, break_a_disk, freeze, thaw, silence, regroup, configure, rotate, relist, command),
        *thieves.THEFTS,
    )
}
