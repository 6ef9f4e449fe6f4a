"""`!jobs`, `!job`, `!cancel`, `!again`: what components were told to do, how it goes, and how to end or repeat it."""

import time
from collections.abc import Sequence

import orjson

from bot.desk.authority import Action
from bot.desk.call import Call
from bot.desk.command import Stakes, command
from bot.desk.offers import canonical
from bot.desk.wanted import Wanted, typed, understood
from bot.fleet.orders import CANCEL, asked_of
from bot.fleet.told import TONES, answered, short
from bot.store import jobs
from bot.store.jobs import Job, State
from bot.store.plans import Plan
from bot.words.document import Document, Span, document, mono, table, text
from bot.words.errors import UsageError
from bot.words.glyphs import cut, one_line, quoted
from bot.words.people import Role
from bot.words.times import clock, span
from commands.run import begin, stakes

MOST_SHOWN = 40
SHORTEST = 4
LONGEST_ARGUMENTS = 300


@command("jobs", role=Role.VIEWER, action=Action.READ, summary="Show what components were told to do")
async def show(call: Call, filter: str = "") -> Document:  # noqa: A002 - it is what people type
    """All that goes on, and what ended lately. A filter is a part of a component, a command, a person or a state."""
    found = await call.system.store.read(lambda tx: jobs.newest(tx, 1000))
    wanted = filter.lower()
    some = [job for job in found if wanted in f"{job.component} {job.command} {job.person} {job.state}".lower()]
    planned = len(await call.system.plans.stand())
    later = [text(f"{planned} planned: ", mono("!plans"))] if planned else []
    if not some:
        return document(
            f"No job fits {quoted(filter)}." if filter else "No component was told to do anything yet.", *later
        )
    going_on = [job for job in some if not job.state.is_over]
    ended = [job for job in some if job.state.is_over]
    shown = [*going_on, *ended][:MOST_SHOWN]
    more = [text(f"… and {len(some) - len(shown)} more.")] if len(some) > len(shown) else []
    head = ("job", "component", "command", "by", "state", "", "since")
    return document(table(head, [_row(call, job) for job in shown]), *more, *later)


def _row(call: Call, job: Job) -> tuple[Span | str, ...]:
    job = next((each for each in call.system.jobs.of(job.id) if each.component == job.component), job)
    is_known = job.progress is not None and not job.state.is_over
    how_far = f"{int((job.progress or 0) * 100)} %" if is_known else ""
    since = clock(job.made, time.time())
    state = Span(job.state, tone=TONES[job.state])
    return mono(short(job)), job.component, job.command, job.person, state, how_far, since


@command("job", role=Role.VIEWER, action=Action.READ, summary="Show one job: how far it is, and what it brought")
async def one(call: Call, job: str) -> Document:
    """With what it was told, and its results."""
    same = await _found(call, job)
    first = same[0]
    arguments = cut(one_line(canonical(orjson.loads(first.args))), LONGEST_ARGUMENTS)
    asked = f"Asked by {first.person} at {clock(first.made, time.time())}"
    told = text(asked, f", {span(time.time() - first.made)} ago", *([": ", mono(arguments)] if arguments else ["."]))
    return Document((*answered(same).blocks, told, *await call.system.jobs.all_pictures(first.id)))


@command(
    "cancel", only_now=True, role=Role.OPERATOR, action=Action.RUN, summary="End a job, or a plan", may_take_s=None
)
async def cancel(call: Call, job: str) -> Document:
    """A job ends at its next step, and can be begun again with `!again`. `!plans` shows what is planned."""
    if plan := await _planned(call, job):
        return await _end(call, plan)
    same = await _found(call, job)
    call.system.helm.check(call.person.name, (each.component for each in same if _goes_on(each)))
    await call.system.jobs.stay(same[0].id)
    same = call.system.jobs.of(same[0].id) or same  # it may have been told to go on meanwhile, in another session
    going_on = [each for each in same if _goes_on(each)]
    if not going_on:
        raise UsageError(f"Nothing to cancel: {short(same[0])} is {same[0].state}.", hint="!jobs shows what goes on.")
    order = asked_of(
        [(each.component, each.session) for each in going_on],
        id=call.id,
        command=CANCEL,
        args=orjson.dumps({"job": same[0].id}).decode(),
        person=call.person.name,
        place=call.message.place,
        reply_to="",
        takes_long=False,
        now=time.time(),
    )
    said = await call.system.jobs.order(order)
    done = [each for each in said if each.state is State.DONE]
    if len(done) == len(said):
        return document(text("Told to end: ", mono(short(same[0])), f", {same[0].command} at {_names(said)}."))
    return answered(said)


def _goes_on(job: Job) -> bool:
    return job.takes_long and not job.state.is_over


async def _planned(call: Call, start: str) -> Plan | None:
    """The one plan whose id begins so."""
    if len(start) < SHORTEST:
        return None
    meant = [plan for plan in await call.system.plans.stand() if plan.id.startswith(start.lower())]
    if meant and await call.system.store.read(lambda tx: jobs.beginning_with(tx, start.lower())):
        raise UsageError(f"A plan and a job begin with {quoted(start)}.", hint="Type more of it; !plans lists plans.")
    return meant[0] if len(meant) == 1 else None


async def _end(call: Call, plan: Plan) -> Document:
    if not await call.system.plans.end(plan, call.person):
        raise UsageError(f"Nothing to cancel: {plan.id[:8]} is not planned any more.", hint="!plans lists what is.")
    return document(text("Not planned any more: ", mono(cut(one_line(plan.asked.text), LONGEST_ARGUMENTS)), "."))


async def once_more(call: Call, job: str, words: Sequence[str]) -> Wanted:
    """The same as before, with what is said anew in the place of what was said then."""
    if job:
        before = (await _found(call, job))[0]
    else:
        mine = [each for each in await call.system.store.read(lambda tx: jobs.newest(tx, 1000)) if _is_own(call, each)]
        if not mine:
            raise UsageError("You have run nothing yet that could be run again.", hint="Name a job: !jobs lists them.")
        before = mine[0]
    changed = {word.lstrip("-").partition("=")[0].replace("-", "_") for word in words}
    kept = [f"{name}={_typed(value)}" for name, value in orjson.loads(before.args).items() if name not in changed]
    return understood(call.system.registry, before.component, before.command, [*words, *kept])


def _is_own(call: Call, job: Job) -> bool:
    return job.person == call.person.name and job.command != CANCEL


def _typed(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


async def again_takes_two(call: Call, job: str = "", /, *words: str, **more: str) -> bool:
    """Whether two persons must agree to it once more."""
    return (await once_more(call, job, typed(words, more))).takes_two


async def preview(call: Call, job: str = "", /, *words: str, **more: str) -> Stakes:
    """What it would be done to."""
    return stakes(call, await once_more(call, job, typed(words, more)))


@command(
    "again",
    only_now=True,
    role=Role.OPERATOR,
    action=Action.RUN,
    summary="Run a job once more, with changed parameters where you say so",
    preview=preview,
    takes_two=again_takes_two,
    may_take_s=None,
)
async def again(call: Call, job: str = "", /, *words: str, **more: str) -> Document:
    """The newest of yours, where you name none. It is told to one component: that of the job."""
    return await begin(call, await once_more(call, job, typed(words, more)))


async def _found(call: Call, start: str) -> list[Job]:
    """The job whose id begins so, at all components that it is for. As it is known now, if it is."""
    if len(start) < SHORTEST:
        raise UsageError(f"{quoted(start)} is too short for a job.", hint="!jobs lists them.")
    rows = await call.system.store.read(lambda tx: jobs.beginning_with(tx, start.lower()))
    ids = {row.id for row in rows}
    if len(ids) != 1:
        few = "No job begins" if not ids else f"{len(ids)} jobs begin"
        raise UsageError(f"{few} with {quoted(start)}.", hint="!jobs lists them.")
    (id_,) = ids
    return call.system.jobs.of(id_) or await call.system.store.read(lambda tx: jobs.of(tx, id_))


def _names(some: Sequence[Job]) -> str:
    return cut(", ".join(each.component for each in some), LONGEST_ARGUMENTS)
