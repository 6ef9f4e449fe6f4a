"""Jobs that must not go on by themselves: what was stopped or cancelled, and what nobody may have done any more."""

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from bot.desk.call import Call
from bot.desk.wanted import understood
from bot.fleet import jobs as jobs_module
from bot.fleet.going_on import BY_NOBODY, MOST_TIMES, STOPPED, times
from bot.fleet.orders import write_going_on
from bot.store import Store, Tx, incidents
from bot.store import jobs as rows
from bot.store.helm import Held
from bot.store.jobs import Job, State
from bot.system import System
from bot.words.people import Account, Person, Role
from bot.words.plain import to_plain
from commands.run import begin
from tests.unit.ground import COMMANDS, HINT, NAMES, WALK, WALK_ON, Ground, ground_of
from tests.unit.test_desk import Counter
from tests.unit.tower import ALL, ORIGIN, TWO, A, Component
from tests.unit.yard import DONE, HELD, JOB, PATIENCE, RUNNING, SESSION, said, speaks
from wire import messages
from wire.birth import Birth, Danger, Offer
from wire.broker import QoS
from wire.messages import Target
from wire.work import Status


@pytest_asyncio.fixture
async def ground(store: Store) -> AsyncIterator[Ground]:
    async with ground_of(store, *NAMES) as opened:
        yield opened


async def test_the_birth_of_the_old_session_does_not_say_how_it_goes_on_in_the_new_one(ground: Ground) -> None:
    await ground.walks()
    walker = Component("walker")
    ground.born(walker, SESSION)
    await ground.talks(walker)
    await ground.looks()
    assert (ground.yard.state(), ground.sent()) == (State.HELD, [])
    ground.commands["walk"] = dataclasses.replace(WALK, goes_on_by="")
    ground.born(walker)
    await ground.yard.later(1)
    assert ground.is_lost(BY_NOBODY)


async def test_a_component_that_may_be_a_recording_is_waited_for(ground: Ground) -> None:
    await ground.walks()
    walker = await ground.anew(lets=False)
    recorded = dataclasses.replace(walker.latch.ask(0.0), shown=Component("walker").latch.shown(0.0))
    speaks(ground.yard, recorded.session)  # it says that it works, and has not echoed what it was answered
    assert ground.yard.registry.works("walker")
    await ground.looks()
    assert (ground.yard.state(), ground.sent()) == (State.HELD, [])


async def test_what_would_go_on_by_a_command_that_is_none_is_lost(ground: Ground) -> None:
    for wrong in (
        {"walk": WALK},
        COMMANDS | {"walk": dataclasses.replace(WALK, goes_on_by="")},
        COMMANDS | {"walk-on": dataclasses.replace(WALK_ON, job=False)},
        {"walk-on": WALK_ON},
    ):
        ground.commands = wrong
        ground.born(Component("walker"), SESSION)
        judged = ground.yard.goes_on and ground.yard.goes_on.judged(
            dataclasses.replace(ground.yard.asked("walker")[0], state=State.RUNNING), ground.yard.tower.bell, 0.0
        )
        assert judged is not None
        assert judged.message.endswith(BY_NOBODY), "and no command is named that is not there"


def suspended(ground: Ground) -> None:
    ground.people.suspend("olga")


def worked_on(ground: Ground) -> None:
    ground.remarks["walker"] = "maintenance until 12:00, otto"


def by_a_job_of_two(ground: Ground) -> None:
    ground.commands["walk"] = dataclasses.replace(WALK, danger=Danger.HIGH)


def by_a_command_of_two(ground: Ground) -> None:
    ground.commands["walk-on"] = dataclasses.replace(WALK_ON, danger=Danger.HIGH)


REASONS: dict[str, tuple[Callable[[Ground], None], str]] = {
    "its person is suspended": (suspended, "olga may not give commands any more."),
    "somebody works on it": (worked_on, "It is in maintenance until 12:00, otto."),
    "it takes two persons since": (by_a_job_of_two, "It takes two persons."),
    "going on takes two persons": (by_a_command_of_two, "It takes two persons."),
}


@pytest.mark.parametrize(("happens", "why"), REASONS.values(), ids=REASONS)
async def test_it_does_not_go_on(ground: Ground, happens: Callable[[Ground], None], why: str) -> None:
    await ground.walks()
    happens(ground)
    await ground.anew()
    assert ground.is_lost(f"{why} {HINT}")
    (end,) = await ground.yard.ends()
    assert "LOST walker walk" in (words := to_plain(end.document))
    assert HINT in words
    await ground.yard.hears(said("walker", 7, RUNNING))
    assert ground.yard.state() is State.RUNNING, "a late word of the old session counts"
    ground.people.resume("olga")
    ground.remarks.clear()
    ground.commands |= COMMANDS
    await ground.anew()
    assert ground.is_lost(BY_NOBODY), "and what was told to be lost does not go on behind one's back"


@pytest.mark.parametrize("of", ["walk", "walk-on"])
async def test_what_takes_two_persons_by_the_configuration_does_not_go_on(store: Store, of: str) -> None:
    async with ground_of(store, "walker", danger={of: Danger.HIGH}) as ground:
        await ground.walks()
        await ground.anew()
        assert ground.is_lost("It takes two persons.")


@pytest.mark.parametrize("role", [Role.VIEWER, None])
async def test_the_job_of_somebody_who_may_not_run_it_any_more_does_not_go_on(
    ground: Ground, role: Role | None
) -> None:
    await ground.walks()
    listed = () if role is None else (Person("olga", role, frozenset({Account("chat", "olga")})),)
    ground.people.replace(listed, frozenset())
    await ground.anew()
    assert ground.is_lost(f"olga may not give commands any more. {HINT}")


@pytest.mark.parametrize("who", ["olga", "otto"])
async def test_where_somebody_else_commands_a_component_nothing_of_others_goes_on(ground: Ground, who: str) -> None:
    await ground.walks()
    now = ground.yard.time[0]
    await ground.helm.take(Held("walker", who, ORIGIN.place, "$h", now, now + 3600), by=who, session=SESSION)
    await ground.anew()
    assert ground.is_lost("otto commands walker until") if who == "otto" else ground.sent()


async def test_a_stop_that_goes_on_has_it_lost_at_once_and_nothing_goes_on_after_the_reset(ground: Ground) -> None:
    await ground.walks()
    walker = Component("walker")
    await ground.yard.tower.bell.order(A, Target.parse("id/walker"), ORIGIN)
    await ground.yard.tower.broker.until(lambda: bool(ground.yard.tower.broker.stops()))
    ground.born(walker)
    await ground.talks(walker)
    await ground.looks()
    assert ground.is_lost(f"{STOPPED} {HINT}")
    await ground.yard.tower.reset(A, None, TWO)
    await ground.talks(walker)
    ground.born(walker)
    assert walker.works
    assert ground.yard.registry.works("walker")
    await ground.looks()
    assert ground.is_lost(STOPPED)


@pytest.mark.parametrize("restarts", [False, True], ids=["", "the bot restarts"])
async def test_a_stop_that_came_and_went_while_it_was_away_lets_nothing_go_on(ground: Ground, restarts: bool) -> None:
    await ground.walks()
    walker = Component("walker")
    await ground.yard.tower.stopped(A, ALL, walker, crane := Component("crane"))
    await ground.yard.tower.reset(A, None, TWO)
    await ground.yard.tower.talk(walker, crane)
    ground.born(walker)
    async with ground.yard.open() if restarts else contextlib.nullcontext():
        await ground.talks(walker)
        assert ground.yard.registry.works("walker")
        await ground.looks()
        assert ground.is_lost(BY_NOBODY if restarts else STOPPED)
        assert await ground.went_on() == []


async def stopped_in_the_past(ground: Ground, over: float | None) -> None:
    """An incident as it lies on the disk, which ended then, or has not."""

    def write(tx: Tx) -> None:
        incidents.open_incident(tx, A, "id/walker", None, None, None, at=1.0)
        incidents.affect(tx, ((A, "walker"),))
        tx.execute("UPDATE incident SET over = ? WHERE id = ?", (over, A))

    await ground.store.write(write)


@pytest.mark.parametrize(("over", "goes_on"), [(None, False), (1.0, False), (0.0, False), (-1.0, True)])
async def test_a_stop_from_before_the_order_counts_where_it_was_not_over_by_then(
    ground: Ground, over: float | None, goes_on: bool
) -> None:
    await stopped_in_the_past(ground, None if over is None else ground.yard.time[0] + over)
    await ground.walks()
    await ground.anew()
    assert bool(ground.sent()) is goes_on
    assert goes_on or ground.is_lost(f"{STOPPED} {HINT}")


async def test_a_stop_counts_whatever_the_clock_of_the_day_was_set_to_meanwhile(ground: Ground) -> None:
    await ground.walks()
    await stopped_in_the_past(ground, ground.yard.time[0] - 3600)
    await ground.yard.hears(said("walker", 2, HELD))
    await ground.anew()
    assert ground.is_lost(STOPPED)


async def test_a_stop_of_another_component_changes_nothing(ground: Ground) -> None:
    await ground.walks()
    await ground.yard.tower.stopped(A, Target.parse("id/crane"), Component("crane"))
    await ground.anew()
    assert [each.command for each in ground.sent()] == ["walk-on"]


@pytest.mark.parametrize("restarts", [False, True], ids=["", "the bot restarts"])
async def test_what_was_cancelled_while_its_component_was_away_does_not_go_on(
    ground: Ground, system: System, restarts: bool
) -> None:
    await ground.walks()
    counter = Counter(ground.store, dataclasses.replace(system, jobs=ground.yard.jobs))
    message = counter.message(f"!cancel {JOB[:8]}", "olga")
    await counter.put(message)
    async with counter.open():
        await ground.yard.until(lambda: len(ground.sent()) == 1)
        (cancel,) = ground.sent()
        assert (cancel.command, dict(cancel.args)) == ("cancel", {"job": JOB})
        ground.yard.tower.broker.sent.pop()
        async with ground.yard.open() if restarts else contextlib.nullcontext():
            await ground.anew()
            assert ground.is_lost(BY_NOBODY)


async def test_a_cancel_reaches_it_in_the_session_in_which_it_goes_on(ground: Ground, system: System) -> None:
    await ground.walks()
    stays = ground.yard.jobs.stay
    session = ""

    async def meanwhile(id_: str) -> None:
        nonlocal session
        session = (await ground.anew()).latch.session  # it went on just before it was to stay
        await stays(id_)

    counter = Counter(ground.store, dataclasses.replace(system, jobs=ground.yard.jobs))
    await counter.put(counter.message(f"!cancel {JOB[:8]}", "olga"))
    ground.yard.jobs.stay = meanwhile
    async with counter.open():
        await ground.yard.until(lambda: len(ground.sent()) == 2)
        on, cancel = ground.sent()
        assert [(each.command, each.targets[0].session) for each in (on, cancel)] == [
            ("walk-on", session),
            ("cancel", session),
        ]


async def cancelled(ground: Ground) -> None:
    await ground.yard.jobs.stay(JOB)


async def worked_on_now(ground: Ground) -> None:
    worked_on(ground)


async def ended(ground: Ground) -> None:
    ground.yard.hear(said("walker", 9, DONE))
    await ground.yard.judged()


async def suspended_now(ground: Ground) -> None:
    suspended(ground)


@pytest.mark.parametrize(
    ("happens", "state"),
    [(cancelled, State.LOST), (worked_on_now, State.LOST), (suspended_now, State.LOST), (ended, State.DONE)],
)
async def test_what_happens_while_it_is_written_down_counts(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Ground], Awaitable[None]], state: State
) -> None:
    await ground.walks()
    loop, begun, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def slowly(job: Job, by: str, tx: Tx) -> bool:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(PATIENCE)
        return write_going_on(job, by, tx)

    monkeypatch.setattr(jobs_module, "write_going_on", slowly)
    beginning = asyncio.create_task(ground.anew())
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    happening = asyncio.ensure_future(happens(ground))
    while not (happening.done() or ground.job().may_go_on == 0):
        await ground.store.read(lambda _: None)
    go_on.set()
    await asyncio.gather(beginning, happening)
    await ground.looks()
    assert (ground.yard.state(), ground.sent()) == (state, [])


async def test_what_waits_behind_another_is_asked_for_again_before_it_is_told(ground: Ground) -> None:
    publish = ground.yard.tower.broker.publish

    async def and_then(topic: str, payload: bytes, *, qos: QoS = 0, retain: bool = False) -> None:
        await publish(topic, payload, qos=qos, retain=retain)
        if ground.sent() or ground.sent("crane"):
            ground.remarks |= dict.fromkeys(("walker", "crane"), "maintenance until 12:00, otto")

    ground.yard.tower.broker.publish = and_then
    async with ground.yard.open():
        await ground.walks("walker", "crane")
        await ground.anew(*NAMES)
        told = {name: len(ground.sent(name)) for name in NAMES}
        assert (sorted(told.values()), len(await ground.went_on())) == ([0, 1], 1)
        states = {each.component: each.state for each in ground.yard.jobs.of(JOB)}
        assert [states[name] for name, count in told.items() if not count] == [State.LOST]


@pytest.mark.parametrize("job", [True, False])
@pytest.mark.parametrize("by", ["walk-on", ""])
@pytest.mark.parametrize("danger", Danger)
def test_only_a_job_whose_birth_says_how_and_that_takes_one_person_may_go_on(
    job: bool, by: str, danger: Danger
) -> None:
    offer = Offer("Walk", {}, job=job, goes_on_by=by, danger=danger)
    assert times(offer, danger) == (3 if job and by and danger is not Danger.HIGH else 0)


async def test_what_was_not_to_go_on_when_it_was_ordered_does_not(store: Store) -> None:
    async with ground_of(store, "walker", may_go_on=0) as ground:
        await ground.walks()
        await ground.anew()
        assert ground.is_lost(f"{BY_NOBODY} {HINT}")


@pytest.mark.parametrize("answers", [Status.ACCEPTED, None], ids=["queued", "sent"])
async def test_what_had_not_begun_is_lost(ground: Ground, answers: Status | None) -> None:
    if answers is None:
        ordering = asyncio.create_task(ground.yard.jobs.order(ground.yard.asked("walker")))
        await ground.yard.until(lambda: bool(ground.yard.tower.broker.to("cmd", "walker")))
    else:
        ordering = asyncio.create_task(ground.yard.order("walker", answers=answers))
        await ordering
    walker = Component("walker")
    ground.born(walker)
    await ground.talks(walker)
    await ground.looks()
    await ordering
    assert ground.is_lost(f"{BY_NOBODY} {HINT}")


@pytest.mark.parametrize("agreed", [None, "otto"], ids=["one person", "two persons"])
async def test_what_two_persons_have_agreed_to_is_not_done_again_by_itself(
    system: System, ask: Callable[[str], Call], published: list[tuple[str, bytes]], agreed: str | None
) -> None:
    system.registry.born(Birth("walker", SESSION, "A walker", "demo", "1", (), COMMANDS))
    system.registry.heard(messages.State("walker", SESSION, "0a", None, messages.Shown.READY))
    call = dataclasses.replace(ask("olga"), approved_by=system.people[agreed] if agreed else None)
    running = asyncio.create_task(begin(call, understood(system.registry, "walker", "walk", [])))
    async with asyncio.timeout(PATIENCE):
        while not published:
            await system.store.read(lambda _: None)
    (row,) = await system.store.read(lambda tx: rows.of(tx, call.id))
    assert row.may_go_on == (0 if agreed else MOST_TIMES)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
