"""The two-person rule: another person, exactly what was asked for, and nothing of it changed since."""

import asyncio
import contextlib
import dataclasses
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from bot.desk import intent
from bot.desk.approvals import LIVES_S, MOST_OPEN_EACH, Approvals
from bot.desk.authority import Action
from bot.desk.call import Call, Work
from bot.desk.catalogue import Catalogue
from bot.desk.command import Command, Hit, Stakes, command
from bot.desk.decision import Beginning
from bot.store import Store, audit, inbox, requests
from bot.store.requests import Request, State
from bot.system import System
from bot.words.document import Document, document
from bot.words.errors import Refused
from bot.words.message import Change, Place, Standing
from bot.words.people import Account, Person, Role
from bot.words.plain import to_plain
from tests.unit.room import PATIENCE, Room


class World:
    """What the command under test acts on."""

    def __init__(self) -> None:
        self.wall = "standing"
        self.fired: list[tuple[str, str, str | None]] = []
        self.crowd = 0
        self.answer: Document | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """Done while the stakes are looked at."""
        self.while_firing: Callable[[], Awaitable[None]] | None = None


class Clocks:
    """One that people set, and one that nobody sets."""

    def __init__(self) -> None:
        self.wall = time.time() + 10
        self.steady = 0.0


class Court(Room):
    """Where things are asked for that take two."""

    def __init__(self, store: Store, system: System, clocks: Clocks) -> None:
        super().__init__(store, system, now=lambda: clocks.wall)
        self.clocks = clocks

    async def asks(self, text: str = "!fire tower", account: str = "carol") -> Request:
        """Ask for something that takes two, and find the request."""
        card = await self.said(text, account)
        assert "A second person must agree" in card
        (request,) = await self.system.approvals.open()
        assert request.code in card
        return request

    async def state(self, request: Request) -> State:
        found = await self.store.read(lambda tx: requests.find(tx, request.code))
        assert found is not None
        return found.state

    async def told_of(self, request: Request) -> str:
        """What the one who asked was told last."""
        return await self.told(request.message)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest_asyncio.fixture
async def room(store: Store, system: System, world: World, clocks: Clocks) -> AsyncIterator[Court]:
    async def at_stake(_: Call, target: str) -> Stakes:
        if world.meanwhile is not None:
            await world.meanwhile()
        crowd = (Hit(f"bystander-{number}", "near") for number in range(world.crowd))
        return Stakes((Hit(target, world.wall), *crowd), "It cannot be taken back.")

    @command(
        "fire", role=Role.OPERATOR, action=Action.RUN, two_persons=True, preview=at_stake, summary="Fire at a target"
    )
    async def fire(call: Call, target: str) -> Document:
        world.fired.append((call.person.name, target, call.approved_by and call.approved_by.name))
        call.write_along(lambda tx: audit.record(tx, "along"))
        if world.while_firing is not None:
            await world.while_firing()
        if target == "nothing":
            raise RuntimeError(target)
        return world.answer or document(f"Fired at {target}.")

    approvals = Approvals(store, queued=lambda: None, now=lambda: clocks.wall, clock=lambda: clocks.steady)
    catalogue = Catalogue((*system.catalogue.commands, fire))
    opened = Court(store, dataclasses.replace(system, catalogue=catalogue, approvals=approvals), clocks)
    working = asyncio.create_task(opened.desk.run())
    yield opened
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


async def test_nothing_happens_before_a_second_person_agrees(room: Court, world: World) -> None:
    card = await room.said("!fire tower", "carol")
    assert "!fire tower" in card
    assert "carol, as carol" in card
    assert "tower" in card
    assert "standing" in card
    assert "It cannot be taken back." in card
    assert world.fired == []


async def test_another_person_agrees_and_it_is_done_once(room: Court, world: World) -> None:
    request = await room.asks()
    answer = await room.said(f"!approve {request.code}", "otto")
    assert world.fired == [("carol", "tower", "otto")]
    assert "Approved" in answer
    assert "Fired at tower." in answer
    assert await room.state(request) is State.DONE
    assert "was approved by otto and is done" in await room.said(f"!approve {request.code}", "olga")
    assert len(world.fired) == 1


async def test_the_one_who_asked_learns_who_agreed(room: Court) -> None:
    request = await room.asks()
    await room.said(f"!approve {request.code}", "otto")
    told = await room.told_of(request)
    assert "otto approved your request" in told
    assert "Fired at tower." in told


async def test_request_approval_and_outcome_are_recorded_under_one_id(room: Court) -> None:
    request = await room.asks()
    await room.said(f"!approve {request.code}", "otto")
    (asked,) = await room.records("request")
    (approval,) = await room.records("approval")
    (outcome,) = [each for each in await room.records("outcome") if each.get("approved_by")]
    assert asked["id"] == approval["id"] == outcome["id"] == request.id
    assert (approval["by"], outcome["approved_by"], outcome["person"]) == ("otto", "otto", "carol")
    assert asked["digest"] == request.digest


@pytest.mark.parametrize("account", ["carol", "carol-at-home"])
async def test_nobody_agrees_with_themselves_by_whatever_account(room: Court, world: World, account: str) -> None:
    request = await room.asks()
    assert "you asked for this yourself" in await room.said(f"!approve {request.code}", account)
    assert world.fired == []
    assert await room.state(request) is State.OPEN


@pytest.mark.parametrize("standing", sorted(set(Standing) - {Standing.ATTESTED, Standing.LOCAL}))
async def test_only_a_place_that_proves_who_one_is_counts(room: Court, world: World, standing: Standing) -> None:
    request = await room.asks()
    assert "Not run" in await room.said(f"!approve {request.code}", "otto", standing=standing)
    assert world.fired == []


async def test_who_may_not_do_it_may_not_agree_to_it(room: Court, world: World) -> None:
    request = await room.asks()
    assert "vera is a viewer" in await room.said(f"!approve {request.code}", "vera")
    assert world.fired == []


async def test_of_two_only_one_may_be_at_the_console(room: Court, world: World) -> None:
    card = await room.said("!fire tower", "carol", standing=Standing.LOCAL)
    assert "Another person, an operator, and not at the console: !approve" in card
    (request,) = await room.system.approvals.open()
    assert "only one may be at the console" in await room.said(
        f"!approve {request.code}", "otto", standing=Standing.LOCAL
    )
    assert world.fired == []
    await room.said(f"!approve {request.code}", "otto")
    assert world.fired == [("carol", "tower", "otto")]


@pytest.mark.parametrize("account", ["otto", "carol"])
async def test_one_denial_is_the_end_and_the_one_who_asked_may_take_it_back(
    room: Court, world: World, account: str
) -> None:
    request = await room.asks()
    assert "Denied" in await room.said(f"!deny {request.code}", account)
    assert f"was denied by {account}" in await room.told_of(request)
    assert f"was denied by {account}" in await room.said(f"!approve {request.code}", "olga")
    assert world.fired == []


async def test_what_has_changed_meanwhile_is_not_what_was_agreed_to(room: Court, world: World) -> None:
    request = await room.asks()
    world.wall = "fallen"
    assert "what it would hit has changed" in await room.said(f"!approve {request.code}", "otto")
    assert await room.state(request) is State.VOID
    world.wall = "standing"
    assert "is void" in await room.said(f"!approve {request.code}", "otto")
    assert world.fired == []


@pytest.mark.parametrize("removed", [False, True])
async def test_a_request_is_void_when_its_message_is_edited_or_removed(
    room: Court, world: World, removed: bool
) -> None:
    request = await room.asks()
    by = Account("chat", "moderator" if removed else "carol")
    await room.intake.accept(
        [], cursor="d", changes=[Change(request.message.place, request.message.event, by, removed=removed)]
    )
    assert "is void" in await room.told_of(request)
    assert "is void" in await room.said(f"!approve {request.code}", "otto")
    assert world.fired == []


async def test_what_somebody_else_calls_an_edit_changes_nothing(room: Court) -> None:
    request = await room.asks()
    await room.intake.accept(
        [], cursor="d", changes=[Change(request.message.place, request.message.event, Account("chat", "mallory"))]
    )
    assert await room.state(request) is State.OPEN


async def test_what_is_removed_in_another_place_changes_nothing(room: Court) -> None:
    request = await room.asks()
    elsewhere = Change(Place("chat", "hall"), request.message.event, Account("chat", "moderator"), removed=True)
    await room.intake.accept([], cursor="d", changes=[elsewhere])
    assert await room.state(request) is State.OPEN


async def test_a_message_that_was_edited_before_it_was_read_asks_for_nothing(room: Court) -> None:
    message = room.message("!fire tower", "carol")
    await room.intake.accept([message], cursor="d", changes=[Change(message.place, message.event, message.account)])
    await room.settled()
    assert "edited or removed" in to_plain((await room.posts())[-1].document)
    assert await room.system.approvals.open() == []


@pytest.mark.parametrize(("wall", "steady"), [(LIVES_S, 0.0), (0.0, LIVES_S), (-3_600.0, 0.0)])
async def test_it_ends_by_whichever_clock_says_so_first(
    room: Court, world: World, clocks: Clocks, wall: float, steady: float
) -> None:
    request = await room.asks()
    clocks.wall += wall
    clocks.steady += steady
    otto = room.message(f"!approve {request.code}", "otto")
    person = room.system.people.holder_of(otto.account)
    assert person is not None
    with pytest.raises(Refused, match="has expired"):
        await room.system.approvals.approve(Call("0" * 32, person, otto, room.system), request.code)
    assert world.fired == []


@pytest.mark.parametrize("by", ["wall", "steady"])
async def test_what_nobody_decides_ends_by_itself_and_is_told(
    room: Court, clocks: Clocks, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await room.asks()
    setattr(clocks, by, getattr(clocks, by) + LIVES_S)
    monkeypatch.setattr(clocks, "wall", clocks.wall - 60 if by == "steady" else clocks.wall)  # set back a little
    expiring = asyncio.create_task(room.system.approvals.expire())
    async with asyncio.timeout(PATIENCE):
        while await room.state(request) is State.OPEN:
            await room.store.write(lambda _: None)
    assert "has expired" in await room.told_of(request)
    expiring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await expiring


async def test_a_request_that_is_not_on_disk_yet_is_waited_for(room: Court, clocks: Clocks) -> None:
    expiring = asyncio.create_task(room.system.approvals.expire())
    await room.store.read(lambda _: None)
    request = await room.asks()
    await room.store.write(lambda _: None)
    left = await room.system.approvals._expire_those_that_are_over()  # pyright: ignore[reportPrivateUsage] - how long it sleeps
    assert left is not None
    assert 0 < left <= LIVES_S
    clocks.steady += LIVES_S
    assert await room.system.approvals._expire_those_that_are_over() is None  # pyright: ignore[reportPrivateUsage] - the same
    assert await room.state(request) is State.EXPIRED
    expiring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await expiring


async def test_who_was_suspended_meanwhile_asks_for_nothing(room: Court, world: World) -> None:
    request = await room.asks()
    room.system.people.suspend("carol")
    assert "its person may do nothing any more" in await room.said(f"!approve {request.code}", "otto")
    assert world.fired == []


async def test_a_request_outlives_a_restart_of_the_desk(room: Court, world: World, clocks: Clocks) -> None:
    request = await room.asks()
    approvals = Approvals(room.store, queued=lambda: None, now=lambda: clocks.wall, clock=lambda: 0.0)
    again = Court(room.store, dataclasses.replace(room.system, approvals=approvals), clocks)
    working = asyncio.create_task(again.desk.run())
    message = dataclasses.replace(room.message(f"!approve {request.code}", "otto"), event="$later")
    assert "Fired at tower." in await again.hears(message)
    assert world.fired == [("carol", "tower", "otto")]
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


async def test_what_a_crash_cut_off_is_told_and_not_run_again(room: Court, world: World) -> None:
    request = await room.asks()
    await room.store.write(lambda tx: requests.decide(tx, request.code, State.RUNNING, "otto"))
    await room.system.approvals.recover()
    assert "a crash cut it off" in await room.told_of(request)
    assert "a crash cut it off" in await room.said(f"!approve {request.code}", "olga")
    assert world.fired == []


async def test_what_breaks_is_told_to_both(room: Court, world: World) -> None:
    request = await room.asks("!fire nothing")
    answer = await room.said(f"!approve {request.code}", "otto")
    assert "Something broke inside." in answer
    assert "It was not done." in await room.told_of(request)
    assert await room.state(request) is State.FAILED
    assert len(world.fired) == 1


async def test_two_who_agree_at_once_run_it_once(room: Court, world: World) -> None:
    request = await room.asks()
    messages = [room.message(f"!approve {request.code}", who) for who in ("otto", "olga")]
    await room.intake.accept(messages, cursor="d")
    await room.settled()
    assert len(world.fired) == 1


@pytest.mark.parametrize(("late", "state"), [(1, State.OPEN), (2, State.VOID)])
async def test_without_a_record_in_time_nothing_is_run(
    room: Court,
    world: World,
    late: int,
    state: State,
    hang_disk: Callable[[Store], contextlib.AbstractAsyncContextManager[object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = await room.asks()
    message = room.message(f"!approve {request.code}", "otto")
    monkeypatch.setattr(intent, "DISK_MAY_TAKE_S", 0.01)
    original = intent.before

    numbers = itertools.count(1)

    async def while_it_hangs(store: Store, work: Work, if_late: Work | None = None) -> None:
        async with hang_disk(store) if next(numbers) == late else contextlib.nullcontext():
            await original(store, work, if_late=if_late)

    monkeypatch.setattr(intent, "before", while_it_hangs)
    assert "the disk did not take the record in time" in await room.hears(message)
    assert world.fired == []
    assert await room.state(request) is state
    results = [each["result"] for each in await room.records("outcome")]
    assert results[-1] == "refused: late"


@pytest.mark.parametrize("code", ["", "XXXXX", "'; DROP TABLE request", "💥"])
async def test_a_code_that_is_none_is_answered(room: Court, code: str) -> None:
    answer = await room.said(f"!approve {code}", "otto")
    assert "There is no request" in answer or "missing" in answer or "Usage" in answer


async def test_the_list_shows_what_waits(room: Court) -> None:
    assert await room.said("!requests", "olga") == "No request waits."
    request = await room.asks()
    listed = await room.said("!requests", "olga")
    assert request.code in listed
    assert "!fire tower" in listed


async def test_one_person_does_not_fill_the_list(room: Court) -> None:
    for number in range(MOST_OPEN_EACH):
        assert "A second person" in await room.said(f"!fire tower{number}", "carol")
    assert "wait already" in await room.said("!fire tower", "carol")
    assert "A second person" in await room.said("!fire tower", "olga")


@pytest.mark.parametrize("unseen", ["\u200b", "\u200d", "\u3164", "\u2800", "\ufe0f", "\u034f", "\U000e0100"])
async def test_what_nobody_can_see_is_not_asked_for(room: Court, unseen: str) -> None:
    assert "nobody can see" in await room.said(f"!fire tow{unseen}er", "carol")
    assert await room.system.approvals.open() == []


@pytest.mark.parametrize("target", ["x" * 15_000, "all"])
async def test_nobody_is_asked_to_agree_to_what_the_card_does_not_show_whole(
    room: Court, world: World, target: str
) -> None:
    world.crowd = 5_000 if target == "all" else 0
    answer = await room.said(f"!fire {target}" if target == "all" else "!fire " + target[:3_900], "carol")
    if target == "all":
        assert "too long to be shown whole" in answer
        assert await room.system.approvals.open() == []
    else:
        assert target[:3_900] in answer


async def test_all_that_it_hits_is_named_however_many(room: Court, world: World) -> None:
    world.crowd = 200
    card = await room.said("!fire all", "carol")
    assert "it hits 201" in card
    assert all(f"bystander-{number}" in card for number in range(200))
    assert "!more" not in card


async def test_an_edit_while_the_stakes_are_looked_at_voids_the_request(room: Court, world: World) -> None:
    message = room.message("!fire tower", "carol")

    async def meanwhile() -> None:
        await room.store.write(
            lambda tx: inbox.accept(tx, "chat", [], "d", [Change(message.place, message.event, message.account)])
        )

    world.meanwhile = meanwhile
    await room.intake.accept([message], cursor="c")
    await room.settled()
    told = [to_plain(post.document) for post in await room.posts() if post.reply_to == message.event]
    assert any("is void: its message was edited" in words for words in told)
    assert await room.system.approvals.open() == []


async def test_what_changes_while_the_approval_is_written_is_not_what_was_agreed_to(room: Court, world: World) -> None:
    request = await room.asks()
    loop = asyncio.get_running_loop()

    async def meanwhile() -> None:
        loop.call_soon(setattr, world, "wall", "fallen")  # behind the look at it, and before the disk has the approval

    world.meanwhile = meanwhile
    answer = await room.said(f"!approve {request.code}", "otto")
    assert f"Not run: {request.code} is void, what it would hit has changed since it was asked for." in answer
    assert world.fired == []
    assert await room.state(request) is State.VOID
    assert "is void" in await room.told_of(request)


@pytest.mark.parametrize("who", ["otto", "carol"])
async def test_whoever_is_suspended_while_the_stakes_are_looked_at_has_no_say(
    room: Court, world: World, who: str
) -> None:
    request = await room.asks()

    async def meanwhile() -> None:
        room.system.people.suspend(who)

    world.meanwhile = meanwhile
    message = room.message(f"!approve {request.code}", "otto")
    await room.intake.accept([message], cursor="d")
    await room.settled()
    assert world.fired == []
    assert await room.state(request) is State.VOID


async def test_what_somebody_asked_for_is_void_once_they_are_suspended(room: Court) -> None:
    request = await room.asks(account="olga")
    await room.said("!person suspend olga", "carol")
    assert await room.state(request) is State.VOID
    assert await room.system.approvals.open() == []


async def test_a_denial_that_comes_too_late_is_not_called_one(room: Court, world: World) -> None:
    request = await room.asks()
    answers: list[str] = []

    async def meanwhile() -> None:
        world.meanwhile = None
        message = room.message(f"!deny {request.code}", "olga")
        await room.intake.accept([message], cursor="e")
        async with asyncio.timeout(PATIENCE):
            while not answers:
                answers.extend(to_plain(post.document) for post in await room.posts() if post.reply_to == message.event)

    world.while_firing = meanwhile
    await room.said(f"!approve {request.code}", "otto")
    assert answers[0] == f"Not run: {request.code} has been approved by otto."
    assert len(world.fired) == 1


async def test_who_agrees_too_late_takes_nothing_back_from_the_one_who_was_in_time(room: Court) -> None:
    request = await room.asks()
    first, late = (
        Beginning(request, Person(name, Role.COMMANDER, frozenset()), whoever(room)) for name in ("otto", "cleo")
    )
    await room.store.write(first.write)
    with pytest.raises(Refused, match="decided by somebody else"):
        await room.store.write(late.write)
    await room.store.write(late.take_back)
    assert await room.state(request) is State.RUNNING
    await room.store.write(first.take_back)
    assert await room.state(request) is State.VOID


async def test_of_an_approval_and_a_denial_at_once_both_hear_what_came_of_it(
    room: Court,
    world: World,
    hang_disk: Callable[[Store], contextlib.AbstractAsyncContextManager[object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intent, "DISK_MAY_TAKE_S", PATIENCE)
    request = await room.asks()
    calls = {
        name: Call(f"{name:0<32}", person, room.message("", name), room.system)
        for name in ("otto", "olga")
        if (person := room.system.people.named(name)) is not None
    }
    async with hang_disk(room.store):
        approving = asyncio.create_task(room.system.approvals.approve(calls["otto"], request.code))
        await handed_in(room.store, 2)
        denying = asyncio.create_task(room.system.approvals.deny(calls["olga"], request.code))
        await handed_in(room.store, 3)
    assert "Approved" in to_plain(await approving)
    with pytest.raises(Refused, match="has been approved by otto"):
        await denying
    assert len(world.fired) == 1


async def handed_in(store: Store, jobs: int) -> None:
    """So many pieces of work are with the writer, the one that hangs among them."""
    async with asyncio.timeout(PATIENCE):
        while store._waiting < jobs:  # pyright: ignore[reportPrivateUsage] - nothing else tells what is with the writer
            await store.read(lambda _: None)


def whoever(room: Court) -> Command:
    found = room.system.catalogue.called("fire")
    assert found is not None
    return found


async def test_nothing_is_written_along_with_what_failed(room: Court) -> None:
    request = await room.asks("!fire nothing")
    await room.said(f"!approve {request.code}", "otto")
    assert await room.records("along") == []
    request = await room.asks("!fire tower")
    await room.said(f"!approve {request.code}", "otto")
    assert len(await room.records("along")) == 1


async def test_an_answer_that_cannot_be_shown_is_no_failure(room: Court, world: World) -> None:
    world.answer = Document(("no block",))  # pyright: ignore[reportArgumentType] - what a careless plug-in does
    request = await room.asks()
    assert "It ran, but its answer cannot be shown." in await room.said(f"!approve {request.code}", "otto")
    assert await room.state(request) is State.DONE
    assert "It is done." in await room.told_of(request)


async def test_many_requests_at_once_do_not_pass_the_bound(room: Court) -> None:
    messages = [room.message(f"!fire tower{number}", "carol") for number in range(12)]
    await room.intake.accept(messages, cursor="d")
    await room.settled()
    assert len(await room.system.approvals.open()) <= MOST_OPEN_EACH
