"""What somebody does in a history who has stolen a key, or has none and tries."""

from tests.simulator.keys import BOT, FORGED, HALVES, STOLEN, STOP, THE_BOT, THIEF, Signed
from tests.simulator.world import GROUPS, World
from wire.envelope import PublicKey
from wire.messages import Lease, Open, Roster, Shown, Stop, Target
from wire.work import Called, Command

TARGETS = (Target(), Target(group="red"), *(Target(id=name) for name in GROUPS))


def publish(world: World, stop: Stop, signer: PublicKey) -> None:
    """Onto the topic, for all who listen there."""
    envelope = world.sign(stop, signer)
    for name in (*GROUPS, THE_BOT):
        world.send(Signed(stop, signer, name, envelope))
    world.note("a stop key stops", stop.target, "as", stop.incident)


def steal_a_stop_key(world: World, x: int, y: int) -> None:
    """Somebody stops with a stolen key, also with one that nobody listed, and under ids that are there already."""
    known = [each.id for each in world.bot.books.incidents.values()]
    incident = known[x % len(known)] if known and y % 2 else world.draw(16).hex()
    publish(world, Stop(incident, TARGETS[x % len(TARGETS)], 0), STOP[y % len(STOP)])


def steal_a_component_key(world: World, x: int, y: int) -> None:
    """Somebody speaks for a component: it stands, it works, it has an incident of its own, or nothing open."""
    component = world.all[x % len(world.all)]
    known = [Open(each) for each in sorted(component.received)] or [Open(world.draw(16).hex())]
    shown = (Shown.STOPPED, Shown.BUSY, Shown.READY)[y % 3]
    heard = world.bot.heard.get(component.name)
    world.say(component, shown, tuple(known) if y % 2 else (), heard.re if heard is not None else None)


def steal_the_bot_key(world: World, x: int, y: int) -> None:
    """Somebody has the bot's key of today or an older one: lets work, resets, hands over, commands."""
    place = x % (world.books.rotations + 1)
    key = BOT[place].public
    world.stolen.add(key)
    component = world.all[y % len(world.all)]
    message: Lease | Roster | Command | bytes
    if y % 4 == 0:
        message = STOLEN[place]
    elif y % 4 == 1:
        message = HALVES[place]
    elif y % 4 == 2:
        called = Called(component.name, component.latch.session)
        message = Command(world.draw(16).hex(), "walk", {}, (called,), THE_BOT, 2**53, "nobody")
    else:
        asked = [each for each in world.judge.asked.values() if each.component == component.name]
        if not asked:
            return
        nonce = asked[-1].state.nonce
        message = Lease(nonce, world.draw(16).hex(), 0, 2**53, (), tuple(sorted(component.names())))
        world.judge.permit(nonce)
    world.note("somebody has stolen bot key", place)
    world.send(Signed(message, key, component.name, forged=True))


def try_without_a_key(world: World, x: int, y: int) -> None:
    """Somebody without any of our keys hands over, lets work, lists stop keys and stops."""
    component = world.all[x % len(world.all)]
    asked = [each for each in world.judge.asked.values() if each.component == component.name]
    if y % 4 == 0 and asked:
        lease = Lease(asked[-1].state.nonce, world.draw(16).hex(), 0, 10_000, (), tuple(sorted(component.names())))
        if component.robbed:
            world.judge.permit(lease.nonce)
        world.send(Signed(lease, THIEF.public, component.name))
    elif y % 4 == 1:
        world.send(Signed(Roster(1000, (str(THIEF.public),)), THIEF.public, component.name))
    elif y % 4 == 2:
        publish(world, Stop(world.draw(16).hex(), Target(), 0), THIEF.public)
    else:
        world.send(Signed(FORGED[(x + y) % len(FORGED)], THIEF.public, component.name))


THEFTS = (steal_a_stop_key, steal_a_component_key, steal_the_bot_key, try_without_a_key)
