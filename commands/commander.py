"""`!commander`: take a simulation under one's own command for a while. Reading and stopping are everybody's as ever."""

import datetime as dt
import time as clocks
from typing import Annotated

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import command
from bot.desk.kinds import Between, PersonName
from bot.desk.simulations import simulation_called
from bot.store.helm import Held
from bot.words.document import Document, Tone, document, mono, strong, table, text
from bot.words.errors import Refused, UsageError
from bot.words.glyphs import cut, one_line
from bot.words.people import Role
from bot.words.times import clock, span

Long = Annotated[dt.timedelta, Between(dt.timedelta(minutes=1), dt.timedelta(hours=12))]
AS_LONG = dt.timedelta(minutes=30)
LONGEST_REASON = 200


@command(
    "commander", only_now=True, role=Role.OPERATOR, action=Action.RUN, summary="Command a simulation alone for a while"
)
async def commander(call: Call, simulation: str = "", /, time: Long = AS_LONG) -> Document:
    """Others cannot tell it anything meanwhile. Without a name it shows who commands what."""
    if not simulation:
        return _everything(call)
    name, session = _meant(call, simulation)
    held = _held(call, name, call.person.name, clocks.time() + time.total_seconds())
    await call.system.helm.take(held, by=call.person.name, session=session)
    return _told(held)


@command(
    "commander take",
    only_now=True,
    role=Role.OPERATOR,
    action=Action.RUN,
    summary="Take the command of a simulation from somebody",
)
async def take(call: Call, simulation: str, /, *reason: str) -> Document:
    """With a reason, which they are told."""
    name, session = _meant(call, simulation)
    why = cut(one_line(" ".join(reason)), LONGEST_REASON)
    if not why:
        raise UsageError("Say why you take it.", hint=f"!commander take {name} REASON")
    held = _held(call, name, call.person.name, clocks.time() + AS_LONG.total_seconds())
    before = call.system.helm.holder(name)
    told = document(text(strong("TAKEN", Tone.WARN), f": {call.person.name} commands {name} now. The reason: {why}"))
    await call.system.helm.take(held, by=call.person.name, session=session, reason=why, told=told)
    answer = _told(held)
    if before is None or before.person == call.person.name:
        return answer
    return Document((*answer.blocks, text(f"It was {before.person}'s. The reason: {why}")))


@command(
    "commander give",
    only_now=True,
    role=Role.OPERATOR,
    action=Action.RUN,
    summary="Hand the command of a simulation over",
)
async def give(call: Call, simulation: str, person: PersonName, /) -> Document:
    """To somebody who may give commands. It ends when yours would have."""
    name, session = _meant(call, simulation)
    call.system.helm.mine(name, call.person.name)
    other = call.system.people[person]
    if other.role < Role.OPERATOR or call.system.people.is_suspended(person):
        raise Refused(f"Not handed over: {person} may not give commands.", hint="!people shows who may.")
    new = _held(call, name, person, clocks.time())
    return _told(await call.system.helm.give(name, call.person.name, new, session=session))


@command(
    "commander end", only_now=True, role=Role.OPERATOR, action=Action.RUN, summary="Command a simulation alone no more"
)
async def end(call: Call, simulation: str, /) -> Document:
    """Everybody who may can tell it something again."""
    name, _ = _meant(call, simulation)
    await call.system.helm.end(name, call.person.name)
    return document(text(strong("Over", Tone.GOOD), f": nobody commands {name} alone any more."))


def _meant(call: Call, word: str) -> tuple[str, str]:
    """A simulation, and the session in which it runs. One that is commanded is one, whatever it says by now."""
    registry = call.system.registry
    if word in registry.components() and call.system.helm.holder(word) is not None:
        return word, registry.session(word) or ""
    birth = simulation_called(registry, word)
    return birth.id, birth.session


def _held(call: Call, component: str, person: str, until: float) -> Held:
    return Held(component, person, call.message.place, call.message.hangs_on, clocks.time(), until)


def _told(held: Held) -> Document:
    now = clocks.time()
    return document(
        text(
            strong("In command", Tone.GOOD),
            f": {held.person} commands {held.component} until {clock(held.until, now)}, for {span(held.until - now)}. "
            "Nobody else can tell it anything; a stop counts as ever. To end it: ",
            mono(f"!commander end {held.component}"),
        )
    )


def _everything(call: Call) -> Document:
    now = clocks.time()
    rows = [
        (held.component, held.person, f"{clock(held.until, now)}, in {span(held.until - now)}")
        for held in call.system.helm.everything()
    ]
    if not rows:
        return document(text("Nobody commands a simulation alone. To do so: ", mono("!commander SIM")))
    return document(table(("simulation", "commander", "until"), rows))
