"""Commands that are given later: as their person's, once for each time, and never where they may not be given."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from bot.desk.catalogue import Catalogue
from bot.desk.limits import Limit, Limits
from bot.desk.plans import LATEST_S, LATEST_STOP_S, MOST, MOST_EACH, Plans
from bot.fleet.registry import Registry
from bot.settings.sections import CommandSettings
from bot.store import Store, Tx, audit, forgetting, inbox, jobs, plans
from bot.store.inbox import Received
from bot.store.jobs import Job, State
from bot.store.plans import Plan
from bot.store.reporting import Whom
from bot.system import Known, System
from bot.words.errors import Refused
from bot.words.message import Change, Message, Standing
from bot.words.people import Account, People
from bot.words.plain import to_plain
from commands.plans import spelled
from tests.unit.room import HERE, LIMITS, PATIENCE, Room
from wire import messages
from wire.birth import Birth, Danger, Offer
from wire.messages import Shown

HOUR = 3_600.0


class Later(Room):
    """A room whose plans are looked at when the test says so, at the time that the test says."""

    def __init__(self, store: Store, system: System, limits: Limits) -> None:
        self.ahead = 0.0
        self.is_cut_off = False
        """The process dies before the desk hears of what is given."""
        self._begun, self._go_on = asyncio.Event(), asyncio.Event()
        made = Plans(
            store,
            system.people,
            queued=lambda: None,
            now=lambda: time.time() + self.ahead,
            pause=self._pause,
        )
        super().__init__(store, dataclasses.replace(system, plans=made), limits=limits)
        made.attach(self, {"chat"})
        self.looking = asyncio.create_task(made.run())

    def receive(self, new: Sequence[Received]) -> None:
        """As the desk does."""
        if not self.is_cut_off:
            self.desk.receive(new)

    def hurry(self, messages: Sequence[Message]) -> None:
        """As the desk does."""
        self.desk.hurry(messages)

    async def _pause(self, _: float) -> None:
        self._begun.set()
        await self._go_on.wait()
        self._go_on.clear()

    async def later(self, seconds: float) -> None:
        """So much time passes, and what is due then is given."""
        self.ahead += seconds
        await self.look()
        await self.settled()

    async def wake(self) -> None:
        """A look begins; nobody waits for what it writes."""
        await self._begun.wait()
        self._begun.clear()
        self._go_on.set()
        await self._begun.wait()

    async def break_off(self) -> None:
        """What looks ends half-way, as where another part of the bot breaks, and begins anew."""
        await self._begun.wait()
        self._go_on.set()
        await asyncio.sleep(0)  # it reads what stands
        self.looking.cancel()
        await asyncio.wait([self.looking])
        self._begun.clear()
        self._go_on.clear()
        self.looking = asyncio.create_task(self.system.plans.run())

    async def look(self) -> None:
        """A look from its beginning to its end."""
        async with asyncio.timeout(PATIENCE):
            for _ in range(2):
                await self.wake()
                for _ in range(3):  # what it writes is written, and handed on
                    await self.store.write(lambda _: None)

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
async def opened(store: Store, system: System, *, ahead: float = 0.0, limits: Limits = LIMITS) -> AsyncGenerator[Later]:
    """A life of the bot."""
    room = Later(store, system, limits)
    room.ahead = ahead
    desk = asyncio.create_task(room.desk.run())
    yield room
    working = [desk, room.looking]
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
            await room.look()
            assert await store.read(inbox.open_rows)
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


async def test_what_follows_from_a_plan_hangs_on_the_message_that_made_it(store: Store, system: System) -> None:
    """Nobody knows the event of a run: an answer to it would hang on nothing. Also after a restart."""
    async with opened(store, system) as room:
        message, _ = await room.plan("!at +10m shutdown walker")
        room.is_cut_off = True
        room.ahead = 600
        await room.look()
    async with opened(store, system, ahead=600) as room:
        await room.settled()
        sql = "SELECT reply_to FROM outbox WHERE reply_to IS NOT NULL"
        assert {event for (event,) in await store.read(lambda tx: tx.execute(sql).fetchall())} == {message.event}
        (incident,) = room.system.bell.incidents()
        course = room.system.bell.course(incident.id)
        assert course is not None
        assert [each.event for each in course.origins] == [message.event]


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
        ("!at +10m commander take walker mine", "nobody gives !commander take later"),
        ("!at +10m again", "nobody gives !again later"),
        ("!every 1m more", "nobody gives !more later"),
        ("!at +10m cancel abcd1234", "nobody gives !cancel later"),
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


async def test_what_takes_more_than_planning_does_is_judged_when_it_is_planned(room: Later) -> None:
    assert "this takes a commander" in await room.said("!at +10m what-if otto status", "olga")
    assert await room.stand() == []
    await room.plan("!at +10m what-if otto status", "carol")


async def test_what_takes_two_persons_by_the_configuration_is_not_planned_either(store: Store, system: System) -> None:
    wishes = {"maintenance": CommandSettings(two_persons=True)}
    asking = dataclasses.replace(system, catalogue=Catalogue.installed(wishes))
    async with opened(store, asking) as room:
        assert "two persons must agree to !maintenance" in await room.said("!at +1h maintenance walker for 5m", "olga")
        assert await room.stand() == []


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


class TestTheDisk:
    """A disk that hangs, or that refuses something."""

    async def test_what_a_hanging_disk_has_kept_for_too_long_is_missed(
        self, room: Later, hang_disk: Callable[[Store], AbstractAsyncContextManager[threading.Event]]
    ) -> None:
        message, _ = await room.plan("!at +10m maintenance walker for 5m")
        room.ahead = 600
        async with hang_disk(room.store):
            await room.wake()
            room.ahead = 600 + HOUR
        await room.later(0)
        assert "could not be given in time" in await room.told(message)
        assert await room.records("maintenance") == []

    async def test_a_planned_stop_does_not_wait_for_it_and_is_recorded_once(
        self, room: Later, hang_disk: Callable[[Store], AbstractAsyncContextManager[threading.Event]]
    ) -> None:
        await room.plan("!at +10m shutdown all")
        room.ahead = 600
        async with hang_disk(room.store):
            await room.wake()
            async with asyncio.timeout(PATIENCE):
                while not room.system.bell.incidents():
                    await asyncio.to_thread(lambda: None)
            room.ahead = 600 + HOUR
        await room.later(0)
        (incident,) = room.system.bell.incidents()
        assert [each["id"] for each in await room.records("outcome") if each["command"] == "shutdown"] == [incident.id]
        assert await room.records("plan missed") == []

    async def test_one_that_it_refuses_keeps_no_other_from_its_time(self, room: Later) -> None:
        _, refused = await room.plan("!at +10m status")
        await room.plan("!at +20m maintenance walker for 5m")
        trigger = (
            f"CREATE TRIGGER no BEFORE DELETE ON plan WHEN old.id = '{refused.id}' BEGIN SELECT raise(ABORT, 'no'); END"
        )
        await room.store.write(lambda tx: tx.execute(trigger))
        await room.later(601)
        await room.later(600)
        assert len(await room.records("maintenance")) == 1

    async def test_a_standing_that_nobody_knows_may_do_nothing(self, room: Later) -> None:
        message, _ = await room.plan("!at +10m maintenance walker for 5m")
        await room.store.write(lambda tx: tx.execute("UPDATE plan SET standing = 'sworn'"))
        await room.later(601)
        assert "passed on is never a command" in await room.told(message)
        assert await room.records("maintenance") == []

    async def test_it_looks_again_after_it_has_broken_off(self, room: Later) -> None:
        await room.plan("!at +10m maintenance walker for 5m")
        room.ahead = 601
        await room.break_off()
        await room.later(0)
        assert len(await room.records("maintenance")) == 1


@pytest.mark.parametrize(("late", "stops"), [(LATEST_S + 60, 1), (LATEST_STOP_S + 60, 0)])
async def test_a_planned_stop_may_be_as_late_as_one_that_is_said(room: Later, late: float, stops: int) -> None:
    await room.plan("!at +10m shutdown all")
    await room.later(600 + late)
    assert len(room.system.bell.incidents()) == stops
    assert len(await room.records("plan missed")) == 1 - stops


async def test_what_is_taken_back_while_it_waits_in_the_inbox_is_not_run(store: Store, system: System) -> None:
    async with opened(store, system) as room:
        message, _ = await room.plan("!at +10m maintenance walker for 5m")
        room.is_cut_off = True
        room.ahead = 600
        await room.look()
        await room.intake.accept([], cursor="d", changes=[Change(HERE, message.event, message.account, removed=True)])
    async with opened(store, system, ahead=600) as room:
        await room.settled()
        assert "edited or removed" in await room.told(message)
    assert await room.records("maintenance") == []


async def test_who_was_suspended_and_is_back_has_no_plans_any_more(room: Later) -> None:
    message, _ = await room.plan("!every 10m maintenance walker for 5m")
    await room.said("!person suspend olga", "carol")
    assert await room.stand() == []
    assert "VOID" in await room.told(message)
    room.system.people.resume("olga")
    await room.later(601)
    assert await room.records("maintenance") == []


@pytest.mark.parametrize("shown", [None, "another key"])
async def test_whose_identity_has_changed_gives_nothing_later_but_a_stop(room: Later, shown: str | None) -> None:
    olga = Account("chat", "olga")
    assert await room.system.identities.holds(olga, "her key")
    message, _ = await room.plan("!at +10m maintenance walker for 5m")
    await room.plan("!at +10m shutdown all")
    if shown:
        assert not await room.system.identities.holds(olga, shown)
    await room.later(601)
    assert len(await room.records("maintenance")) == (0 if shown else 1)
    assert ("the identity of olga is another one since" in await room.told(message)) is bool(shown)
    assert len(room.system.bell.incidents()) == 1


async def test_an_account_that_is_somebody_elses_by_now_gives_nothing(room: Later, store: Store) -> None:
    await room.plan("!every 10m maintenance walker for 5m")
    await store.write(lambda tx: tx.execute("UPDATE plan SET person = 'otto'"))
    await room.later(601)
    assert (await room.records("maintenance"), await room.stand()) == ([], [])


async def test_where_nobody_would_hear_of_it_nothing_but_a_stop_is_given(room: Later) -> None:
    await room.plan("!at +10m maintenance walker for 5m")
    await room.plan("!at +10m shutdown all")
    room.system.plans.attach(room, {"matrix"})
    await room.later(601)
    assert await room.records("maintenance") == []
    assert len(room.system.bell.incidents()) == 1


async def test_plans_are_no_part_of_the_talk_that_is_limited(store: Store, system: System) -> None:
    few = dataclasses.replace(LIMITS, person=Limit(5, 0.001))
    async with opened(store, system, limits=few) as room:
        for minutes in range(1, 5):
            await room.plan(f"!at +{minutes}m maintenance walker for {minutes}m")
        await room.said("!whoami", "olga")
        assert "too many" in await room.said("!whoami", "olga")
        for _ in range(4):
            await room.later(61)
    assert len(await room.records("maintenance")) == 4


async def test_who_may_have_ended_a_plan_is_told_to_whoever_made_it(room: Later) -> None:
    mine, plan = await room.plan("!every 10m maintenance walker for 5m")
    await room.said(f"!cancel {plan.id[:8]}", "otto")
    assert "otto has ended it" in await room.told(mine)
    assert not await room.system.plans.end(plan, room.system.people["otto"])


async def test_what_a_plan_and_a_job_begin_with_ends_neither(room: Later) -> None:
    _, plan = await room.plan("!every 10m maintenance walker for 5m")
    begun = Job(plan.id[:8] + "0" * 24, "walker", "5e", "walk", "{}", "olga", HERE, "", True, 1.0, 2.0, State.RUNNING)
    await room.store.write(lambda tx: jobs.add(tx, begun))
    assert "A plan and a job begin with" in await room.said(f"!cancel {plan.id[:8]}", "olga")
    assert len(await room.stand()) == 1


async def test_a_run_whose_place_in_the_inbox_is_taken_is_told_as_missed(room: Later) -> None:
    message, plan = await room.plan("!at +10m maintenance walker for 5m")
    taken = dataclasses.replace(room.message("!status", "olga"), event=plan.event(1))
    await room.store.write(lambda tx: inbox.add(tx, taken))
    await room.store.write(lambda tx: tx.execute("UPDATE inbox SET state = 'done' WHERE event = ?", (taken.event,)))
    await room.later(601)
    assert "MISSED" in await room.told(message)


async def test_what_was_edited_before_it_was_read_plans_nothing(room: Later) -> None:
    message = room.message("!at +10m status", "olga")
    plan = Plan("1f" * 16, "olga", message, 1.0, 2.0, None)
    await room.store.write(lambda tx: inbox.accept(tx, "chat", [message], "c"))
    await room.store.write(lambda tx: inbox.accept(tx, "chat", [], "d", [Change(HERE, message.event, message.account)]))
    with pytest.raises(Refused, match="edited or removed"):
        await room.system.plans.make(plan)


async def test_all_people_together_do_not_plan_without_end(room: Later) -> None:
    def write(tx: Tx) -> None:
        for number in range(MOST):
            plans.add(tx, Plan(f"{number:032x}", f"p{number}", room.message("!status", "otto"), 1.0, 1e12, None))

    await room.store.write(write)
    assert f"{MOST} plans stand already, 0 of them yours" in await room.said("!at +10m status", "olga")


async def test_a_plan_that_somebody_has_moved_on_is_not_given_twice(room: Later) -> None:
    _, plan = await room.plan("!every 10m maintenance walker for 5m")
    assert await room.store.write(lambda tx: plans.move_on(tx, plan, plan.due + 1, 1))
    assert not await room.store.write(lambda tx: plans.move_on(tx, plan, plan.due + 2, 2))
    assert not await room.store.write(lambda tx: plans.move_on(tx, plan, None, 1))


async def test_what_is_planned_is_seen_by_those_alone_who_are_proven(room: Later) -> None:
    await room.plan("!at +10m shutdown all because vera drank")
    assert "because vera drank" in await room.said("!plans", "vera")
    assert "vera" not in await room.said("!plans", "vera", standing=Standing.NAMED)


async def test_nobodys_name_and_words_stand_in_the_record_in_the_open(room: Later, store: Store) -> None:
    _, plan = await room.plan("!at +10m what-if otto status", "carol")
    (entry,) = [each for each in await store.read(lambda tx: audit.last(tx, 100)) if each.kind == "planned"]
    assert entry.fields.keys() == {"kind", "at", "session", "id", "due", "every_s"}
    assert entry.all["resolved"] == "what-if otto …"
    await room.later(601)
    await store.write(lambda tx: forgetting.forget(tx, Whom("carol", frozenset({"chat:carol"}))))
    kept = await store.read(lambda tx: tx.execute("SELECT group_concat(planned_by || event) FROM inbox").fetchone()[0])
    assert plan.asked.event not in kept
