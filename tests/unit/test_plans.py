"""Commands that are given later: as their person's, once for each time, and never where they may not be given."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from bot.desk.catalogue import Catalogue
from bot.desk.plans import LATEST_S, MOST_EACH, Plans
from bot.fleet.registry import Registry
from bot.store import Store, inbox, jobs, plans
from bot.store.inbox import Received
from bot.store.jobs import Job, State
from bot.store.plans import Plan
from bot.system import Known, System
from bot.words.message import Change, Message, Standing
from bot.words.people import Account, People
from bot.words.plain import to_plain
from commands.plans import spelled
from tests.unit.room import HERE, PATIENCE, Room
from wire import messages
from wire.birth import Birth, Danger, Offer
from wire.messages import Shown

HOUR = 3_600.0


class Later(Room):
    """A room whose plans are looked at when the test says so, at the time that the test says."""

    def __init__(self, store: Store, system: System) -> None:
        self.ahead = 0.0
        self.is_cut_off = False
        """The process dies before the desk hears of what is given."""
        self._begun, self._go_on = asyncio.Event(), asyncio.Event()
        made = Plans(
            store,
            system.people,
            queued=lambda: None,
            receive=self._receive,
            now=lambda: time.time() + self.ahead,
            pause=self._pause,
        )
        super().__init__(store, dataclasses.replace(system, plans=made))

    def _receive(self, new: Sequence[Received]) -> None:
        if not self.is_cut_off:
            self.desk.receive(new)

    async def _pause(self, _: float) -> None:
        self._begun.set()
        await self._go_on.wait()
        self._go_on.clear()

    async def later(self, seconds: float) -> None:
        """So much time passes, and what is due then is given."""
        self.ahead += seconds
        async with asyncio.timeout(PATIENCE):
            await self._begun.wait()
            self._begun.clear()
            self._go_on.set()
            await self._begun.wait()
        await self.settled()

    async def plan(self, text: str, who: str = "olga") -> tuple[Message, Plan]:
        """Have something planned, and find it."""
        before = {each.id for each in await self.stand()}
        message = self.message(text, who)
        assert "Planned" in (answer := await self.hears(message)), answer
        (made,) = [each for each in await self.stand() if each.id not in before]
        return message, made

    async def stand(self) -> list[Plan]:
        return await self.store.read(plans.all_plans)


@contextlib.asynccontextmanager
async def opened(store: Store, system: System, *, ahead: float = 0.0) -> AsyncGenerator[Later]:
    """A life of the bot."""
    room = Later(store, system)
    room.ahead = ahead
    working = [asyncio.create_task(each) for each in (room.desk.run(), room.system.plans.run())]
    yield room
    for each in working:
        each.cancel()
    await asyncio.wait(working)


@pytest_asyncio.fixture
async def room(store: Store, system: System) -> AsyncIterator[Later]:
    async with opened(store, system) as room:
        yield room


async def test_a_command_is_given_at_its_time_as_its_persons_and_once(room: Later) -> None:
    message, plan = await room.plan("!at +10m maintenance walker for 5m")
    await room.later(599)
    assert await room.records("maintenance") == []
    await room.later(2)
    assert "Noted: olga works on walker" in await room.told(message)
    intent = next(each for each in await room.records("intent") if each["command"] == "maintenance")
    assert (intent["person"], intent["account"]) == ("olga", "chat:olga")
    assert intent["event"] == f"plan {plan.id} 1"
    assert intent["resolved"] == "maintenance … for 5m", "nobody's own words stand there"
    (planned,) = await room.records("planned")
    assert (planned["id"], planned["person"], planned["resolved"]) == (plan.id, "olga", "maintenance … for 5m")
    assert await room.stand() == []
    await room.later(HOUR)
    assert len(await room.records("maintenance")) == 1


async def test_a_time_of_day_is_the_next_one_and_a_date_is_that_day(room: Later) -> None:
    _, plan = await room.plan("!at 14:30 status")
    due = dt.datetime.fromtimestamp(plan.due, dt.UTC)
    assert (due.hour, due.minute) == (14, 30)
    assert 0 < plan.due - time.time() <= 86_400
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    _, dated = await room.plan(f"!at {tomorrow:%Y-%m-%dT%H:%MZ} status")
    assert dt.datetime.fromtimestamp(dated.due, dt.UTC) == tomorrow.replace(second=0, microsecond=0)
    shown = await room.said("!plans", "vera")
    assert [each for each in shown.splitlines() if "!status" in each and "olga" in each and "once" in each]


async def test_again_and_again_until_it_is_cancelled(room: Later) -> None:
    _, plan = await room.plan("!every 1h maintenance walker for 5m")
    for count in (1, 2, 3):
        await room.later(HOUR)
        assert len(await room.records("maintenance")) == count
    assert f"{plan.id[:8]}" in await room.said("!plans", "olga")
    assert "1 planned" in await room.said("!jobs", "olga")
    assert "Not planned any more: !maintenance walker for 5m" in await room.said(f"!cancel {plan.id[:8]}", "otto")
    (ended,) = await room.records("plan ended")
    assert (ended["id"], ended["person"], ended["ended_by"]) == (plan.id, "olga", "otto")
    await room.later(HOUR)
    assert len(await room.records("maintenance")) == 3
    assert "Nothing is planned" in await room.said("!plans", "olga")


async def test_what_was_missed_is_told_and_not_made_up_for(store: Store, system: System) -> None:
    async with opened(store, system) as room:
        once, _ = await room.plan("!at +10m maintenance walker for 5m")
        often, _ = await room.plan("!every 10m maintenance walker for 6m")
    async with opened(store, system) as room:
        await room.later(600 + LATEST_S + 1)
        assert "MISSED !maintenance walker for 5m" in await room.told(once)
        assert "MISSED !maintenance walker for 6m" in await room.told(often)
        assert await room.records("maintenance") == []
        assert len(await room.records("plan missed")) == 2
        assert len(await room.stand()) == 1
        await room.later(600 - LATEST_S)
        assert len(await room.records("maintenance")) == 1


async def test_what_was_due_a_moment_ago_is_still_given_after_a_restart(store: Store, system: System) -> None:
    async with opened(store, system) as room:
        await room.plan("!at +10m maintenance walker for 5m")
    async with opened(store, system) as room:
        await room.later(600 + LATEST_S / 2)
        assert len(await room.records("maintenance")) == 1


async def test_a_crash_between_the_disk_and_the_desk_gives_it_once(store: Store, system: System) -> None:
    """The run is in the inbox, and its plan has moved on, in one commit."""
    async with opened(store, system) as room:
        await room.plan("!every 10m maintenance walker for 5m")
        room.is_cut_off = True
        room.ahead = 600
        async with asyncio.timeout(PATIENCE):
            room._go_on.set()  # pyright: ignore[reportPrivateUsage] - nobody deals with it, so nothing is settled
            while not await store.read(inbox.open_rows):
                await store.write(lambda _: None)
    async with opened(store, system, ahead=600) as room:
        await room.settled()
        await room.later(1)
        assert len(await room.records("maintenance")) == 1


@pytest.mark.parametrize("removed", [False, True])
async def test_what_is_edited_or_removed_plans_nothing(room: Later, removed: bool) -> None:
    message, _ = await room.plan("!every 10m maintenance walker for 5m")
    stranger = Change(HERE, message.event, Account("chat", "otto"))
    await room.intake.accept([], cursor="d", changes=[stranger])
    assert len(await room.stand()) == 1
    await room.intake.accept([], cursor="e", changes=[Change(HERE, message.event, message.account, removed=removed)])
    assert await room.stand() == []
    assert "VOID !maintenance walker for 5m" in await room.told(message)
    assert len(await room.records("plan void")) == 1


async def test_who_is_suspended_gives_nothing_later_either(room: Later) -> None:
    message, _ = await room.plan("!every 10m maintenance walker for 5m")
    room.system.people.suspend("olga")
    await room.later(601)
    assert "olga may not give commands any more" in await room.told(message)
    assert (await room.records("maintenance"), await room.stand()) == ([], [])


async def test_nothing_begins_while_the_run_before_goes_on(room: Later) -> None:
    message, plan = await room.plan("!every 10m maintenance walker for 5m")
    await room.later(600)
    run = inbox.id_of("chat", plan.event(1))
    begun = Job(run, "walker", "5e", "walk", "{}", "olga", HERE, "", True, 1.0, 2.0, State.RUNNING)
    await room.store.write(lambda tx: jobs.add(tx, begun))
    await room.later(600)
    assert f"the run before still goes on: job {run[:8]}" in await room.told(message)
    await room.store.write(lambda tx: jobs.update(tx, dataclasses.replace(begun, state=State.DONE)))
    await room.later(600)
    assert len(await room.records("maintenance")) == 2


async def test_a_stop_can_be_planned_and_stops(room: Later) -> None:
    await room.plan("!at +10m shutdown all because the day is over")
    await room.later(601)
    (incident,) = room.system.bell.incidents()
    assert str(incident.target) == "all"
    assert [each for each in await room.posts() if "STOPPING everything" in to_plain(each.document)]


async def test_a_clock_that_was_set_ahead_and_back_does_not_end_what_comes_again(room: Later) -> None:
    await room.plan("!every 10m maintenance walker for 5m")
    await room.later(1_000_000)
    await room.later(-1_000_000)
    await room.later(601)
    assert len(await room.records("maintenance")) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("!at 25:00 status", "is not a time of day"),
        ("!at +0s status", "is over"),
        ("!at 2001-01-01T00:00Z status", "is over"),
        ("!at +900d status", "too far away"),
        ("!at +10 status", "needs a unit"),
        ("!every 5s status", "out of range"),
        ("!at +10m statsu", "no command"),
        ("!at +10m run nobody walk", "No component"),
        ("!at +10m maintenance walker", "time"),
        ("!at +10m at +20m status", "nobody gives !at later"),
        ("!every 1h every 2h status", "nobody gives !every later"),
        ("!at +10m approve ABCDEF", "nobody gives !approve later"),
        ("!at +10m reset", "nobody gives !reset later"),
    ],
)
async def test_what_cannot_be_given_is_not_planned_and_says_why(room: Later, text: str, why: str) -> None:
    assert why in await room.said(text, "olga")
    assert await room.stand() == []


async def test_who_may_not_give_it_now_plans_nothing(room: Later) -> None:
    assert "this takes an operator" in await room.said("!at +10m status", "vera")
    assert "proves that this came from you" in await room.said("!at +1h status", "olga", standing=Standing.UNPROVEN)
    assert await room.stand() == []


async def test_what_takes_two_persons_is_not_planned_by_one(room: Later) -> None:
    offers = {"walk": Offer("Walk", {}, job=True), "dive": Offer("Dive", {}, job=True, danger=Danger.HIGH)}
    room.system.registry.born(Birth("walker", "5e" * 16, "A walker", "demo", "1", (), offers))
    room.system.registry.heard(messages.State("walker", "5e" * 16, "0a", None, Shown.READY))
    assert "two persons must agree to !run" in await room.said("!at +10m run walker dive", "olga")
    assert await room.stand() == []
    message, _ = await room.plan("!at +10m run walker walk")
    more = {"walk": Offer("Walk", {}, job=True, danger=Danger.HIGH)}
    room.system.registry.born(Birth("walker", "5e" * 16, "A walker", "demo", "1", (), more))
    await room.later(601)
    assert "by now two persons must agree to it" in await room.told(message)
    assert await room.system.approvals.open() == []


async def test_nobody_plans_without_end(room: Later) -> None:
    for _ in range(MOST_EACH):
        await room.plan("!at +10m status")
    assert f"{MOST_EACH} of them yours" in await room.said("!at +10m status", "olga")
    await room.plan("!at +10m status", "otto")


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=30)


@given(words=st.lists(WORDS, max_size=5), more=st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), WORDS))
def test_what_is_planned_is_what_was_typed(words: list[str], more: dict[str, str]) -> None:
    """Whatever quotes stood around its words: the command that is given later is bound to the same values."""
    echo = next(each for each in Catalogue.installed().commands if each.name == "run")
    said = spelled(["run", "walker", "walk", *words], more)
    bound = echo.signature.bind(said.removeprefix("!run"), Known(Registry({}), People()))
    assert bound.args == ("walker", "walk", *words)
    assert bound.kwargs == more
