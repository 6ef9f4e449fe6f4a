"""`!run`: whatever a component's birth certificate offers. `!run-sim`: the same for simulations, in fewer words."""

import time

import orjson

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import Hit, Stakes, command
from bot.desk.offers import canonical, offers
from bot.desk.simulations import simulation_called, simulations
from bot.desk.targets import find
from bot.desk.wanted import Wanted, typed, understood
from bot.fleet.going_on import times
from bot.fleet.orders import asked_of
from bot.fleet.registry import Registry
from bot.fleet.told import subject_of
from bot.words.document import Document, document, mono, table, text
from bot.words.errors import Refused, UsageError
from bot.words.glyphs import cut, one_line, quoted
from bot.words.people import Role

LONGEST_ARGUMENTS = 1000
LONGEST_TITLE = 80


async def takes_two(call: Call, target: str, command: str = "", /, *words: str, **more: str) -> bool:
    """Whether two persons must agree, as birth and configuration say."""
    return bool(command) and understood(call.system.registry, target, command, typed(words, more)).takes_two


async def preview(call: Call, target: str, command: str = "", /, *words: str, **more: str) -> Stakes:
    """What it would be done to, and how that is just now."""
    return stakes(call, understood(call.system.registry, target, command, typed(words, more)))


def stakes(call: Call, wanted: Wanted) -> Stakes:
    """What something that is understood would be done to."""
    sights = {each.id: each for each in call.system.registry.sights()}
    hits = [
        Hit(name, f"{sights[name].says(confirmed=call.system.bell.has_stopped(name)).text}, session {session[:8]}")
        for name, session in wanted.components  # who has begun anew since is another one
    ]
    return Stakes(tuple(hits), f"{wanted.command}: {wanted.offer.title}. {canonical(wanted.args)}".strip())


@command(
    "run",
    role=Role.OPERATOR,
    action=Action.RUN,
    summary="Have a component do something",
    preview=preview,
    takes_two=takes_two,
    may_take_s=None,
)
async def run(call: Call, target: str, command: str = "", /, *words: str, **more: str) -> Document:
    """Without a command it shows what there is. What takes long is followed here."""
    if not command:
        return what_there_is(call.system.registry, target)
    return await begin(call, understood(call.system.registry, target, command, typed(words, more)))


async def simulation_takes_two(call: Call, simulation: str = "", /, *words: str, **more: str) -> bool:
    """The same for a simulation."""
    return bool(simulation) and await takes_two(call, *simulated(call.system.registry, simulation), *words, **more)


async def preview_of_simulation(call: Call, simulation: str = "", /, *words: str, **more: str) -> Stakes:
    """The same for a simulation."""
    return await preview(call, *simulated(call.system.registry, simulation), *words, **more)


@command(
    "run-sim",
    role=Role.OPERATOR,
    action=Action.RUN,
    summary="Start a simulation and follow it here",
    preview=preview_of_simulation,
    takes_two=simulation_takes_two,
    may_take_s=None,
)
async def run_sim(call: Call, simulation: str = "", /, *words: str, **more: str) -> Document:
    """Without a name it shows which simulations there are."""
    if not simulation:
        return which_simulations(call.system.registry)
    target, command = simulated(call.system.registry, simulation)
    return await begin(call, understood(call.system.registry, target, command, typed(words, more)))


async def begin(call: Call, wanted: Wanted) -> Document:
    """Have it done, and follow it."""
    jobs = call.system.jobs
    call.system.helm.check(call.person.name, (name for name, _ in wanted.components))
    asked = asked_of(
        wanted.components,
        id=call.id,
        command=wanted.command,
        args=orjson.dumps(dict(wanted.args)).decode(),
        person=call.person.name,
        place=call.message.place,
        reply_to=call.message.hangs_on,
        takes_long=wanted.offer.job,
        now=time.time(),
        may_go_on=0 if call.approved_by else times(wanted.offer, wanted.danger),
    )
    await jobs.order(asked)
    answer, follow = jobs.answer(call.id)
    if wanted.offer.job:
        call.goes_on(subject_of(call.id))
        call.write_along(follow)
    return answer


def what_there_is(registry: Registry, target: str) -> Document:
    """All commands of a component."""
    meant = find(registry, target)
    found = [each for each in registry.components() if meant.meets(each, registry.groups_of(each))]
    births = [birth for each in found if (birth := registry.birth(each)) is not None]
    if not births:
        raise Refused(f"Nobody of {quoted(target)} has said what it can do.", hint="Is it switched on? See !status.")
    return offers(births[0])


def simulated(registry: Registry, simulation: str) -> tuple[str, str]:
    """The component that is meant, and the job that it does when it is told nothing else: its first."""
    birth = simulation_called(registry, simulation)
    jobs = [name for name, offer in birth.commands.items() if offer.job]
    if not jobs:
        raise UsageError(f"{birth.id} has nothing that takes long.", hint=f"!run {birth.id} shows what there is.")
    return birth.id, jobs[0]


def which_simulations(registry: Registry) -> Document:
    """Which there are."""
    births = simulations(registry)
    if not births:
        return document("No simulation has said that it is there.")
    rows = [
        (
            birth.id,
            cut(one_line(birth.title), LONGEST_TITLE),
            ", ".join(name for name, offer in birth.commands.items() if offer.job),
        )
        for birth in births
    ]
    return document(table(("simulation", "title", "jobs"), rows), text("Start one: ", mono(f"!run-sim {births[0].id}")))
