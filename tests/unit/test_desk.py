"""The way of a command: who may, what is recorded, and exactly one answer, whatever happens on the way."""

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import AsyncGenerator, Callable

import pytest
import structlog

from bot import intake as intake_module
from bot.bridge import Health
from bot.desk import conclusion as conclusion_module
from bot.desk import desk as desk_module
from bot.desk import intent
from bot.desk import way as way_module
from bot.desk.authority import Action
from bot.desk.call import Call, Work
from bot.desk.catalogue import Catalogue
from bot.desk.command import command
from bot.desk.desk import Desk
from bot.desk.limits import Limit, Limits
from bot.desk.way import STOP_LINE
from bot.intake import Intake
from bot.outgoing import Outgoing
from bot.stop.bell import Bell
from bot.store import Store, Tx, audit, inbox, incidents, outbox, overlay
from bot.store import store as store_module
from bot.system import System
from bot.words import packed
from bot.words.document import Document, document, table
from bot.words.errors import StoreError, TocsinError
from bot.words.message import Change, Lane, Message, Place, Post, Standing
from bot.words.people import Account, Role
from bot.words.plain import to_plain
from wire.messages import ROOT

PATIENCE = 60.0
SECRET = "opensesame"  # noqa: S105 - somebody's words, to be looked for where they must not be
Say = Callable[..., Message]
HangDisk = Callable[[Store], contextlib.AbstractAsyncContextManager[object]]


class Fault(Exception):
    """What nobody foresaw."""


@command("echo", role=Role.VIEWER, summary="Say it again")
async def echo(_: Call, word: str = "nothing") -> Document:
    return document(f"You said {word}.")


@command("break", role=Role.VIEWER, summary="Break")
async def breaks(_: Call) -> Document:
    raise Fault("a part of the inside")


@command("fail", role=Role.VIEWER, summary="Fail in a way that was foreseen")
async def fails(_: Call) -> Document:
    raise TocsinError("The horse has bolted.", hint="Close the door.")


@command("hang", role=Role.VIEWER, summary="Never come back")
async def hangs(_: Call) -> Document:
    await asyncio.Event().wait()
    raise AssertionError


@command("overrun", role=Role.VIEWER, summary="Take longer than one may", may_take_s=0.01)
async def overruns(_: Call) -> Document:
    await asyncio.Event().wait()
    raise AssertionError


@command("long", role=Role.VIEWER, summary="Say many lines")
async def long(_: Call, count: int) -> Document:
    return document(table(("number", "square"), [(str(number), str(number**2)) for number in range(count)]))


@command("switch", role=Role.OPERATOR, action=Action.RUN, summary="Switch something")
async def switch(call: Call) -> Document:
    before = await call.system.store.read(lambda tx: len(audit.last(tx, 100)))
    await call.system.store.write(lambda tx: audit.record(tx, f"switched, after records: {before}"))
    return document("Switched.")


@command("along", role=Role.OPERATOR, action=Action.RUN, summary="Write something along")
async def along(call: Call, how: str = "well") -> Document:
    call.write_along(lambda tx: audit.record(tx, "along"))
    if how == "badly":
        call.write_along(lambda tx: tx.execute("INSERT INTO cursor (network, token) VALUES ('x', NULL)"))
    if how == "fail":
        raise TocsinError("It failed.")
    return document("Written.")


@command("giveup", role=Role.VIEWER, summary="Say that it was cancelled")
async def gives_up(_: Call) -> Document:
    raise asyncio.CancelledError


@command("mumble", role=Role.OPERATOR, action=Action.RUN, summary="Return what is no document")
async def mumble(call: Call) -> Document:
    call.write_along(lambda tx: audit.record(tx, "along"))
    return Document(("not a block",))  # pyright: ignore[reportArgumentType] - what a careless plug-in does


class Gate:
    """Where a handler waits until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def pass_through(self) -> None:
        self.reached.set()
        await self.opened.wait()


gates: list[Gate] = []


@pytest.fixture
def gate() -> Gate:
    gates[:] = [Gate()]
    return gates[0]


@command("change", role=Role.OPERATOR, action=Action.RUN, summary="Change something, slowly")
async def change(_: Call) -> Document:
    await gates[0].pass_through()
    return document("changed")


@command("wait", role=Role.VIEWER, summary="Wait until the test says so")
async def wait(_: Call) -> Document:
    await gates[0].pass_through()
    return document("waited")


async def no_document(_: Call) -> None:
    """What a careless plug-in does."""


@pytest.fixture
def office(system: System) -> System:
    careless = command("careless", role=Role.VIEWER, summary="Return nothing")(no_document)  # pyright: ignore[reportArgumentType] - on purpose
    more = (echo, breaks, fails, hangs, overruns, long, switch, along, gives_up, mumble, wait, change, careless)
    return dataclasses.replace(system, catalogue=Catalogue((*system.catalogue.commands, *more)))


class Counter:
    """The desk with a database behind it, as a bridge sees it."""

    def __init__(self, store: Store, system: System) -> None:
        self.store = store
        self.system = system
        self.late_s = 0.0
        self._news = asyncio.Event()
        self._numbers = iter(range(1_000))
        limits = Limits(person=Limit(1_000, 1.0), place=Limit(1_000, 1.0))
        self.desk = Desk(system, queued=lambda: None, now=self.now, limits=limits)

    def now(self) -> float:
        return time.time() + self.late_s

    def message(self, text: str, who: str = "olga", *, age_s: float = 0.5, proven: bool = True) -> Message:
        return Message(
            place=Place("chat", "room"),
            account=Account("chat", who),
            event=f"$event{next(self._numbers)}",
            text=text,
            standing=Standing.ATTESTED if proven else Standing.UNPROVEN,
            device="PHONE",
            sent_ms=1,
            age_s=age_s,
        )

    async def put(self, *messages: Message) -> None:
        new = await self.store.write(lambda tx: inbox.accept(tx, "chat", messages, "c"))
        self.desk.receive(new)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """The desk works until the block ends."""
        working = asyncio.create_task(self.desk.run())
        try:
            yield
        finally:
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working

    async def desk_again(self) -> None:
        """Another desk at the same inbox, as after a restart of this part."""
        await Desk(self.system, queued=lambda: None, now=self.now).run()

    async def all_done(self) -> None:
        """Everything that was received is dealt with."""
        async with asyncio.timeout(PATIENCE):
            while await self.store.read(inbox.open_rows):
                await self.store.write(lambda _: None)  # what the desk handed in before this is written

    async def answers(self) -> list[Post]:
        sql = "SELECT place, document, lane, reply_to FROM outbox WHERE state = 'waiting' ORDER BY lane, id"
        rows = await self.store.read(lambda tx: tx.execute(sql).fetchall())
        return [Post(Place("chat", place), packed.load(said), Lane(lane), to) for place, said, lane, to in rows]

    async def records(self) -> list[dict[str, audit.Value]]:
        return [entry.all for entry in await self.store.read(lambda tx: audit.last(tx, 1_000))]

    async def said(self, text: str, who: str = "olga", *, age_s: float = 0.5, proven: bool = True) -> str:
        """Say something, and get the one answer to it as plain text."""
        message = self.message(text, who, age_s=age_s, proven=proven)
        before = len(await self.answers())
        await self.put(message)
        async with self.open():
            await self.all_done()
        new = await self.answers()
        mine = [post for post in new if post.reply_to == message.event]
        alarms = [post for post in new if post.lane is Lane.ALERT]
        assert len(new) == before + len(mine) + len(alarms)
        assert len(mine) <= 1
        return to_plain(mine[0].document) if mine else ""


@pytest.fixture
def counter(store: Store, office: System) -> Counter:
    return Counter(store, office)


async def last(counter: Counter) -> dict[str, audit.Value]:
    return (await counter.records())[-1]


async def test_a_command_is_answered_where_it_was_asked_and_recorded(counter: Counter) -> None:
    assert await counter.said("!echo hay", "vera") == "You said hay."
    (post,) = await counter.answers()
    assert (post.place, post.lane) == (Place("chat", "room"), Lane.ANSWER)
    (record,) = await counter.records()
    assert record["kind"] == "outcome"
    assert record["result"] == "done"
    assert (record["command"], record["person"], record["account"]) == ("echo", "vera", "chat:vera")
    assert (record["device"], record["standing"], record["event"]) == ("PHONE", "attested", post.reply_to)


async def test_what_people_say_to_each_other_leaves_nothing(counter: Counter, store: Store) -> None:
    assert await counter.said("shall we stop all of them?") == ""
    assert await counter.records() == []
    assert await store.read(lambda tx: tx.execute("SELECT text FROM inbox").fetchall()) == [("",)]


@pytest.mark.parametrize("text", ["!shutdown all", "!echo", "!nonsense", "!help"])
async def test_a_stranger_gets_no_answer_and_leaves_a_record(counter: Counter, text: str) -> None:
    assert await counter.said(text, "mallory") == ""
    record = await last(counter)
    assert (record["result"], record["person"], record["account"]) == ("refused: not listed", None, "chat:mallory")
    assert not await counter.store.read(incidents.all_incidents)


async def test_a_viewer_may_not_stop(counter: Counter, published: list[tuple[str, bytes]]) -> None:
    assert "takes an operator, and vera is a viewer" in await counter.said("!shutdown all", "vera")
    assert (await last(counter))["result"] == "refused"
    assert published == []


async def test_a_stop_that_nobody_can_prove_is_carried_out_with_an_alarm(
    counter: Counter, published: list[tuple[str, bytes]]
) -> None:
    assert "STOPPING" in await counter.said("!shutdown all", "olga", proven=False)
    assert published
    alarms = [post for post in await counter.answers() if post.lane is Lane.ALERT]
    assert [post.place.id for post in alarms] == ["room", "alarms"]
    assert "nothing proves that it was olga" in to_plain(alarms[0].document)
    assert "!person suspend olga" in to_plain(alarms[0].document)
    assert "alarm" in [record["kind"] for record in await counter.records()]


@pytest.mark.parametrize("text", ["!echo hay", "!nonsense", "!person suspend olga"])
async def test_what_nobody_can_prove_is_not_run(counter: Counter, text: str) -> None:
    assert "nothing proves that this came from you" in await counter.said(text, "carol", proven=False)
    assert (await last(counter))["result"] == "refused"
    assert not await counter.store.read(incidents.all_incidents)


async def said_from(counter: Counter, standing: Standing, text: str) -> tuple[str, list[Document]]:
    """What carol is answered where her standing is this, and the alarms."""
    message = dataclasses.replace(counter.message(text, "carol"), standing=standing)
    before = len(await counter.answers())
    await counter.put(message)
    async with counter.open():
        await counter.all_done()
    new = (await counter.answers())[before:]
    (answer,) = (each for each in new if each.reply_to == message.event)
    return to_plain(answer.document), [each.document for each in new if each.lane is Lane.ALERT]


@pytest.mark.parametrize(("standing", "why"), [(Standing.SIGNED, "!verify carol"), (Standing.CLEAR, "in clear")])
@pytest.mark.parametrize("text", ["!maintenance all for 2h", "!person suspend olga", "!requests"])
async def test_who_is_not_proven_enough_reads_and_nothing_beyond(
    counter: Counter, standing: Standing, why: str, text: str
) -> None:
    assert (await said_from(counter, standing, "!echo hay"))[0] == "You said hay."
    answer, alarms = await said_from(counter, standing, text)
    assert answer.startswith("Not run: ")
    assert why in answer
    assert (await last(counter))["result"] == "refused"
    assert alarms == []


@pytest.mark.parametrize(("standing", "alarms"), [(Standing.SIGNED, 0), (Standing.CLEAR, 2)])
async def test_who_is_not_proven_enough_stops_and_in_clear_everybody_hears_of_it(
    counter: Counter, published: list[tuple[str, bytes]], standing: Standing, alarms: int
) -> None:
    answer, told = await said_from(counter, standing, "!shutdown all")
    assert "STOPPING" in answer
    assert published
    assert len(told) == alarms


@pytest.mark.parametrize(
    ("text", "age_s", "runs"),
    [
        ("!echo", 59, True),
        ("!echo", 61, False),
        ("!shutdown all", 599, True),
        ("!shutdown all", 601, False),
    ],
)
async def test_what_is_old_is_not_run_and_a_stop_ages_more_slowly(
    counter: Counter, text: str, age_s: float, runs: bool
) -> None:
    answer = await counter.said(text, age_s=age_s)
    assert ("Send it again if it still holds." in answer) is not runs
    assert (await last(counter))["result"] == ("done" if runs else "refused")
    assert bool(await counter.store.read(incidents.all_incidents)) is (runs and "shutdown" in text)


async def test_a_command_that_lay_in_the_inbox_ages_there(counter: Counter) -> None:
    counter.late_s = 10.0**6
    assert "not run" in (await counter.said("!echo")).lower()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("!ecko", "Did you mean !echo?"),
        ("!xyzzy", "!help lists what there is."),
        ("!echo a b", "Usage: !echo [word]"),
        ("!echo 'a", "Usage: !echo"),
    ],
)
async def test_what_is_not_understood_is_helped(counter: Counter, text: str, hint: str) -> None:
    assert hint in await counter.said(text)
    assert (await last(counter))["result"] == "not understood"


@pytest.mark.parametrize(
    "text",
    [
        *("!shutdwn all", "!stpo", "!stop", "!stop!", "!halt", "!shutdown now", "!shutdown 'all"),
        *(
            "!shutdown everythin",
            "stop all",
            "! stop all",
            "!!halt everything!!",
            "stop",
            "fire! !shutdown all",
            "oh no\n!stop all",
        ),
    ],
)
async def test_a_mistyped_stop_is_answered_with_the_exact_line_to_send(counter: Counter, text: str) -> None:
    answer = await counter.said(text)
    assert "Nothing was stopped" in answer
    assert "!shutdown all" in answer
    assert not await counter.store.read(incidents.all_incidents)


@pytest.mark.parametrize("text", ["STOP ALL", "HALT ALL!", "STOP EVERYTHING."])
async def test_a_cry_to_stop_in_capitals_is_a_stop(
    counter: Counter, published: list[tuple[str, bytes]], text: str
) -> None:
    assert "STOPPING everything" in await counter.said(text)
    assert published


async def test_the_first_word_of_a_family_alone_shows_the_family(counter: Counter) -> None:
    answer = await counter.said("!person", "carol")
    assert "'person' alone says too little." in answer
    assert "!person suspend <person>" in answer


@pytest.mark.parametrize("text", ["123", "?!", "💥", "-", "x" * 5_000])
async def test_in_a_talk_of_two_whatever_is_no_command_is_answered_too(counter: Counter, text: str) -> None:
    message = dataclasses.replace(counter.message(text), addressed=True)
    await counter.put(message)
    async with counter.open():
        await counter.all_done()
    (answer,) = await counter.answers()
    assert to_plain(answer.document).startswith("There is no command")
    assert len(to_plain(answer.document)) < 300


async def test_who_asks_too_much_hears_it_once_and_may_still_stop(
    counter: Counter, published: list[tuple[str, bytes]]
) -> None:
    counter.desk = Desk(
        counter.system,
        queued=lambda: None,
        now=counter.now,
        limits=Limits(person=Limit(2, 0.001), told=Limit(1, 0.001)),
    )
    answers = [await counter.said("!echo hay") for _ in range(5)]
    assert answers[:2] == ["You said hay."] * 2
    assert "too many commands from you" in answers[2]
    assert answers[3:] == ["", ""]
    assert await counter.said("!echo hay", "vera") == "You said hay."
    assert "STOPPING" in await counter.said("!shutdown all")
    assert published
    assert [record.get("result") for record in await counter.records()].count("refused: too many") == 3


async def test_strangers_do_not_fill_the_record(counter: Counter) -> None:
    limits = Limits(records=Limit(3, 0.001))
    counter.desk = Desk(counter.system, queued=lambda: None, now=counter.now, limits=limits)
    for _ in range(10):
        assert await counter.said("!echo", "mallory") == ""
    assert len(await counter.records()) == 3


async def test_a_long_answer_comes_in_pages_and_nothing_of_it_is_lost(counter: Counter) -> None:
    pages = [await counter.said("!long 250")]
    while "!more" in pages[-1]:
        pages.append(await counter.said("!more"))
        assert len(pages) < 50
    numbers = [int(line.split()[0]) for page in pages for line in page.splitlines() if line[:1].isdigit()]
    assert numbers == list(range(250))
    assert "nothing more" in await counter.said("!more")


async def test_a_command_that_changes_something_has_its_intent_on_disk_before_it_runs(counter: Counter) -> None:
    await counter.said("!switch")
    kinds = [(record["kind"], record.get("result")) for record in await counter.records()]
    assert kinds == [("intent", None), ("switched, after records: 1", None), ("outcome", "done")]


async def test_a_command_that_changes_something_is_not_run_without_its_record(
    counter: Counter, hang_disk: HangDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = intent.before

    async def while_the_disk_hangs(store: Store, work: Work) -> None:
        async with hang_disk(store):
            await original(store, work)

    monkeypatch.setattr(intent, "DISK_MAY_TAKE_S", 0.01)
    monkeypatch.setattr(intent, "before", while_the_disk_hangs)
    assert "the disk did not take the record in time" in await counter.said("!switch")
    kinds = [(record["kind"], record.get("result")) for record in await counter.records()]
    assert kinds == [("intent", None), ("outcome", "refused: late")]


async def test_a_command_that_changes_something_and_was_cut_off_is_not_run_again(
    counter: Counter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await interrupted(counter, store, monkeypatch, "!switch")
    (row,) = await store.read(inbox.open_rows)
    assert row.running
    async with counter.open():
        await counter.all_done()
    (answer,) = await counter.answers()
    assert "I was interrupted" in to_plain(answer.document)
    kinds = [record["kind"] for record in await counter.records()]
    assert kinds == ["intent", "switched, after records: 1", "outcome"]
    assert (await last(counter))["result"] == "unknown after crash"


async def test_what_is_written_along_is_written_with_the_outcome_or_not_at_all(counter: Counter) -> None:
    await counter.said("!along")
    assert [record["kind"] for record in await counter.records()] == ["intent", "outcome", "along"]
    await counter.said("!along fail")
    assert [record["kind"] for record in await counter.records()][3:] == ["intent", "outcome"]


async def test_more_than_the_desk_holds_waits_in_the_inbox_in_its_order_and_a_stop_passes_it(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, published: list[tuple[str, bytes]]
) -> None:
    monkeypatch.setattr(desk_module, "MOST_UNDER_WAY", 8)
    async with counter.open():
        await counter.put(*(counter.message(f"!echo {number}") for number in range(100)))
        stop = counter.message("!shutdown all")
        await counter.put(stop)
        await counter.all_done()
    answers = [to_plain(post.document) for post in await counter.answers()]
    assert sorted(answers[1:]) == sorted(f"You said {number}." for number in range(100))
    assert published
    places = [post.reply_to for post in await counter.answers()]
    assert places[0] == stop.event


async def test_a_stop_goes_out_while_the_disk_hangs(
    counter: Counter, store: Store, hang_disk: HangDisk, published: list[tuple[str, bytes]]
) -> None:
    intake = Intake("chat", store, counter.desk, counter.system.approvals, counter.system.plans, queued=lambda: None)
    message = counter.message("!shutdown all")
    async with counter.open():
        await counter.put(counter.message("!echo ready"))
        await counter.all_done()
        async with hang_disk(store):
            accepting = asyncio.create_task(intake.accept([message], cursor="c"))
            async with asyncio.timeout(PATIENCE):
                while not published:
                    await store.read(lambda _: None)
        await accepting
        await counter.all_done()
    answers = [post for post in await counter.answers() if post.reply_to == message.event]
    assert [to_plain(post.document)[:8] for post in answers] == ["STOPPING"]
    assert len(await store.read(incidents.all_incidents)) == 1


@pytest.mark.parametrize("proven", [True, False])
async def test_a_stop_that_went_before_the_disk_is_not_called_too_old_afterwards(
    counter: Counter, store: Store, published: list[tuple[str, bytes]], proven: bool
) -> None:
    message = counter.message("!shutdown all", proven=proven)
    async with counter.open():
        await counter.put(counter.message("!echo ready"))
        await counter.all_done()
        counter.desk.hurry([message])
        async with asyncio.timeout(PATIENCE):
            while not published:
                await store.read(lambda _: None)
        counter.system.people.suspend("olga")
        counter.late_s = 7_200.0
        await counter.put(message)
        await counter.all_done()
    answers = [to_plain(post.document) for post in await counter.answers() if post.reply_to == message.event]
    assert [answer[:8] for answer in answers] == ["STOPPING"]
    alarms = [post.place.id for post in await counter.answers() if post.lane is Lane.ALERT]
    assert alarms == ([] if proven else ["room", "alarms"])


async def test_a_suspension_waits_for_no_disk_and_is_written_once_there_is_one(
    counter: Counter, store: Store, hang_disk: HangDisk
) -> None:
    intake = Intake("chat", store, counter.desk, counter.system.approvals, counter.system.plans, queued=lambda: None)
    message = counter.message("!person suspend olga", "carol")
    async with counter.open():
        await counter.put(counter.message("!echo ready"))
        await counter.all_done()
        async with hang_disk(store):
            accepting = asyncio.create_task(intake.accept([message], cursor="c"))
            async with asyncio.timeout(PATIENCE):
                while not counter.system.people.is_suspended("olga"):
                    await store.read(lambda _: None)
        await accepting
        await counter.all_done()
    assert [entry.key for entry in await store.read(overlay.entries)] == ["people.olga.suspended"]
    answers = [to_plain(post.document) for post in await counter.answers() if post.reply_to == message.event]
    assert [answer[:9] for answer in answers] == ["Suspended"]


@pytest.mark.parametrize("text", ["!shutdown nosuch", "!shutdown", "!shutdown now or never"])
async def test_no_alarm_says_that_a_stop_was_carried_out_which_was_not(counter: Counter, text: str) -> None:
    answer = await counter.said(text, "olga", proven=False)
    assert answer == f"Nothing was stopped. {STOP_LINE}"
    assert [post for post in await counter.answers() if post.lane is not Lane.ANSWER] == []
    assert "alarm" not in [record["kind"] for record in await counter.records()]


async def test_what_stops_nothing_does_not_fill_the_lane_of_stops(counter: Counter) -> None:
    counter.desk = Desk(counter.system, queued=lambda: None, now=counter.now)
    await counter.put(
        *(counter.message("!stop all", "vera") for _ in range(100)),
        *(counter.message("!stop nope", "olga", proven=False) for _ in range(100)),
    )
    async with counter.open():
        await counter.all_done()
    posts = await counter.answers()
    assert len(posts) < 50
    assert {post.lane for post in posts} == {Lane.ANSWER}
    records = await counter.records()
    assert [record["result"] for record in records if record.get("person") == "vera"].count("refused") == 100
    intents = {str(record["id"]) for record in records if record["kind"] == "intent"}
    assert intents <= {str(record["id"]) for record in records if record["kind"] == "outcome"}


async def test_stops_are_all_carried_out_and_not_all_answered(counter: Counter, bell: Bell) -> None:
    counter.desk = Desk(counter.system, queued=lambda: None, now=counter.now)
    await counter.put(*(counter.message("!stop all") for _ in range(100)), counter.message("!stop walker"))
    async with counter.open():
        await counter.all_done()
    assert len(await counter.answers()) < 20
    assert {str(each.target) for each in bell.incidents()} >= {"all"}
    assert [record["result"] for record in await counter.records() if record["kind"] == "outcome"] == ["done"] * 101


async def test_two_persons_are_asked_for_whatever_a_command_does(counter: Counter) -> None:
    echoed = counter.system.catalogue.called("echo")
    assert echoed is not None
    both = Catalogue((echoed.asking_for(None, two_persons=True),))
    counter.desk = Desk(dataclasses.replace(counter.system, catalogue=both), queued=lambda: None, now=counter.now)
    assert "A second person must agree" in await counter.said("!echo hay")


async def test_what_was_begun_is_reported_as_unknown_whatever_became_of_its_person(
    counter: Counter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await interrupted(counter, store, monkeypatch, "!switch")
    counter.system.people.suspend("olga")
    async with counter.open():
        await counter.all_done()
    (answer,) = await counter.answers()
    assert "I was interrupted" in to_plain(answer.document)
    assert (await last(counter))["result"] == "unknown after crash"


async def test_who_is_suspended_while_the_record_is_written_does_nothing_any_more(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = intent.before

    async def meanwhile(store: Store, work: Work) -> None:
        await original(store, work)
        counter.system.people.suspend("olga")

    monkeypatch.setattr(intent, "before", meanwhile)
    assert "olga was suspended just now" in await counter.said("!switch")
    assert [record["kind"] for record in await counter.records()] == ["intent", "outcome"]


async def test_an_edit_that_comes_before_the_intent_is_seen(
    counter: Counter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = counter.message("!switch")
    original = intent.before

    async def meanwhile(into: Store, work: Work) -> None:
        changes = [Change(message.place, message.event, message.account)]
        await store.write(lambda tx: inbox.accept(tx, "chat", [], "d", changes))
        await original(into, work)

    monkeypatch.setattr(intent, "before", meanwhile)
    await counter.put(message)
    async with counter.open():
        await counter.all_done()
    (answer,) = await counter.answers()
    assert "edited or removed" in to_plain(answer.document)
    assert [record["kind"] for record in await counter.records()] == ["outcome"]


async def test_a_handler_that_says_that_it_was_cancelled_is_answered(counter: Counter) -> None:
    assert "Something broke inside." in await counter.said("!giveup")
    assert (await last(counter))["result"] == "failed"


async def test_a_command_that_ran_is_not_called_failed_for_its_answer(counter: Counter) -> None:
    assert "It ran, but its answer cannot be shown." in await counter.said("!mumble")
    records = await counter.records()
    assert [(record["kind"], record.get("result")) for record in records] == [
        ("intent", None),
        ("outcome", "done"),
        ("along", None),
    ]


async def test_what_the_database_refuses_to_take_along_is_not_tried_for_ever(counter: Counter) -> None:
    assert "what it wanted written could not be" in await counter.said("!along badly")
    assert (await last(counter))["result"] == "not written"


async def test_slow_commands_of_one_do_not_hold_up_another(counter: Counter) -> None:
    async with counter.open():
        await counter.put(*(counter.message("!hang", "vera") for _ in range(20)))
        echo_, suspend_ = counter.message("!echo hay", "olga"), counter.message("!person suspend vera", "carol")
        await counter.put(echo_, suspend_)
        async with asyncio.timeout(PATIENCE):
            while {post.reply_to for post in await counter.answers()} != {echo_.event, suspend_.event}:
                await counter.store.write(lambda _: None)


async def test_deciding_over_others_waits_for_nobody(counter: Counter) -> None:
    hanging = [counter.message("!hang", who) for who in ("olga", "otto", "vera", "cleo") for _ in range(4)]
    suspend_ = counter.message("!person suspend vera", "carol")
    async with counter.open():
        await counter.put(*hanging, suspend_)
        async with asyncio.timeout(PATIENCE):
            while {post.reply_to for post in await counter.answers()} != {suspend_.event}:
                await counter.store.write(lambda _: None)


async def test_a_desk_that_is_started_again_knows_what_is_still_with_the_writer(
    counter: Counter, store: Store, hang_disk: HangDisk, gate: Gate
) -> None:
    message = counter.message("!change")
    async with counter.open():
        await counter.put(message)
        async with asyncio.timeout(PATIENCE):
            await gate.reached.wait()
            async with hang_disk(store):
                gate.opened.set()
                while store._waiting < 2:  # pyright: ignore[reportPrivateUsage] - nothing else tells
                    await store.read(lambda _: None)
                again = asyncio.create_task(counter.desk_again())
                for _ in range(20):
                    await store.read(lambda _: None)
            await counter.all_done()
        again.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await again
    results = [record.get("result") for record in await counter.records() if record["kind"] == "outcome"]
    assert results == ["done"]


async def test_commands_are_answered_while_others_keep_coming(counter: Counter) -> None:
    await counter.put(counter.message("!echo first"))
    async with counter.open():
        async with asyncio.timeout(PATIENCE):
            while not await counter.answers():
                await counter.put(counter.message("just talk"))
        await counter.all_done()


async def test_the_desk_finishes_what_runs_and_begins_nothing_more(counter: Counter, gate: Gate) -> None:
    async with counter.open():
        await counter.put(counter.message("!echo ready"))
        await counter.all_done()
        slow = counter.message("!wait")
        await counter.put(slow)
        async with asyncio.timeout(PATIENCE):
            await gate.reached.wait()
            finishing = asyncio.create_task(counter.desk.finish())
            await counter.put(counter.message("!echo late"))
            gate.opened.set()
            await finishing
    assert slow.event in [post.reply_to for post in await counter.answers()]
    (left,) = await counter.store.read(inbox.open_rows)
    assert left.message.text == "!echo late"


async def test_names_of_commands_are_not_told_to_those_who_may_not_give_them(counter: Counter) -> None:
    for text in ("!person", "!person suspnd", "!swich", "!shutdwn"):
        answer = await counter.said(text, "vera")
        assert "!help lists what there is." in answer
        assert "suspend" not in answer


async def test_a_clock_that_was_set_back_makes_nothing_young(counter: Counter) -> None:
    counter.late_s = -3_600.0
    assert "the clock was set back" in await counter.said("!echo hay")
    assert "STOPPING" in await counter.said("!shutdown all")


async def test_an_endless_name_is_not_said_again(counter: Counter) -> None:
    for text in ("!" + "x" * 50_000, "!echo a " + "b" * 50_000, "!help " + "x" * 50_000, "!stop " + "x" * 50_000):
        assert len(await counter.said(text)) < 500


async def test_a_handler_that_breaks_gives_one_sentence_and_the_place_in_the_log(counter: Counter) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await counter.said("!break")
    (entry,) = (entry for entry in logs if entry["event"] == "a command broke")
    assert answer == f"Something broke inside. The log has the details under {str(entry['id'])[:8]}."
    assert (await last(counter))["result"] == "failed"
    assert (await last(counter))["id"] == entry["id"]


async def test_a_handler_that_fails_as_foreseen_says_what_and_what_next(counter: Counter) -> None:
    assert await counter.said("!fail") == "The horse has bolted. Close the door."
    assert (await last(counter))["result"] == "failed"


async def test_a_handler_that_does_not_come_back_is_given_up(counter: Counter) -> None:
    assert "It took too long and was given up." in await counter.said("!overrun")
    assert (await last(counter))["result"] == "overran"


async def test_a_handler_that_gives_no_document_is_answered_and_the_desk_goes_on(counter: Counter) -> None:
    assert "Something broke inside." in await counter.said("!careless")
    assert (await last(counter))["result"] == "failed"
    assert await counter.said("!echo hay") == "You said hay."


async def test_handlers_that_hang_hold_up_no_stop(counter: Counter, published: list[tuple[str, bytes]]) -> None:
    await counter.put(*(counter.message("!hang") for _ in range(way_module.MOST_AT_ONCE + 4)))
    stop = counter.message("!shutdown all")
    async with counter.open():
        await counter.put(stop)
        async with asyncio.timeout(PATIENCE):
            while not [post for post in await counter.answers() if post.reply_to == stop.event]:
                await counter.store.write(lambda _: None)
    assert published[0][0].endswith("stop/all")


async def test_only_so_many_commands_run_at_once(counter: Counter) -> None:
    await counter.put(*(counter.message("!overrun") for _ in range(way_module.MOST_AT_ONCE)), counter.message("!echo"))
    async with counter.open():
        await counter.all_done()
    assert to_plain((await counter.answers())[0].document).startswith("It took too long")  # the echo had to wait


async def test_a_stop_has_an_intent_before_its_outcome(counter: Counter) -> None:
    assert "STOPPING" in await counter.said("!shutdown all")
    (post,) = await counter.answers()
    assert post.lane is Lane.STOP
    records = [record for record in await counter.records() if record["kind"] in ("intent", "outcome")]
    assert [record["kind"] for record in records] == ["intent", "outcome"]
    assert records[0]["id"] == records[1]["id"]


async def interrupted(counter: Counter, store: Store, monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    """The desk dies after the work and before the outcome is on disk."""
    reached = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()

    def refuse(_: Tx, __: Post, ___: str | None = None) -> str:
        loop.call_soon_threadsafe(reached.release)
        raise StoreError("The disk is full.")

    with monkeypatch.context() as patch, structlog.testing.capture_logs():
        patch.setattr(outbox, "queue", refuse)
        await counter.put(*(counter.message(text) for text in texts))
        async with counter.open():
            for _ in texts:
                async with asyncio.timeout(PATIENCE):
                    await reached.acquire()
            await store.write(lambda _: None)


async def test_outcome_answer_and_done_are_one_commit(
    counter: Counter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await interrupted(counter, store, monkeypatch, "!echo hay")
    (row,) = await store.read(inbox.open_rows)
    assert row.message.text == "!echo hay"
    assert await counter.records() == []
    async with counter.open():
        await counter.all_done()
    (answer,) = await counter.answers()
    assert to_plain(answer.document) == "You said hay."
    assert [record["kind"] for record in await counter.records()] == ["outcome"]


@pytest.mark.parametrize("days", [0, 3])
async def test_an_interrupted_stop_is_run_again_under_its_id_with_no_second_intent(
    counter: Counter, store: Store, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    await interrupted(counter, store, monkeypatch, "!shutdown all")
    (row,) = await store.read(inbox.open_rows)
    assert row.running
    counter.late_s = days * 86_400.0
    async with counter.open():
        await counter.all_done()
    (answer,) = await counter.answers()
    assert "STOPPING" in to_plain(answer.document)
    assert [record["kind"] for record in await counter.records()].count("intent") == 1
    (incident,) = await store.read(incidents.all_incidents)
    assert incident.id == row.id


async def test_what_an_earlier_run_left_comes_first(
    counter: Counter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await interrupted(counter, store, monkeypatch, "!echo old", "!echo older")
    await counter.put(counter.message("!echo new"))
    async with counter.open():
        await counter.all_done()
    answers = [to_plain(post.document) for post in await counter.answers()]
    assert sorted(answers) == ["You said new.", "You said old.", "You said older."]
    assert answers[-1] == "You said new."


async def test_a_stop_goes_out_although_no_intent_can_be_written(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, published: list[tuple[str, bytes]]
) -> None:
    def refuse(_: Tx, __: int) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(inbox, "begin", refuse)
    assert "STOPPING" in await counter.said("!shutdown all")
    assert published


async def test_no_words_of_a_message_stand_in_the_records_or_in_the_log(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logs:
        for who in ("olga", "mallory"):
            for text in ("!{}", "!echo {}", "!shutdown {}", "!echo '{}", "!echo a {}", "!help {}", "talk of {}"):
                await counter.said(text.format(SECRET), who)
    assert SECRET not in str(logs)
    assert SECRET not in caplog.text
    assert SECRET not in str(await counter.records())


async def test_two_who_stop_the_same_at_once_share_one_incident(counter: Counter, bell: Bell) -> None:
    await counter.put(counter.message("!shutdown all", "carol"), counter.message("!shutdown all", "olga"))
    async with counter.open():
        await counter.all_done()
    answers = [to_plain(post.document) for post in await counter.answers()]
    assert len(answers) == 2
    assert sum(answer.startswith("STOPPING") for answer in answers) == 1
    assert len(bell.incidents()) == 1


async def test_an_outcome_that_the_disk_refuses_is_written_and_answered_when_it_takes_it_again(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, published: list[tuple[str, bytes]]
) -> None:
    refusals = iter((StoreError("The disk is full."),) * 2)
    queue = outbox.queue

    def sometimes(tx: Tx, post: Post, key: str | None = None) -> str:
        for error in refusals:
            raise error
        return queue(tx, post, key)

    monkeypatch.setattr(desk_module, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(outbox, "queue", sometimes)
    with structlog.testing.capture_logs():
        answer = await counter.said("!shutdown all")
    assert answer.startswith("STOPPING everything")
    assert len({payload for _, payload in published}) == 1


async def test_a_stop_goes_out_while_the_disk_takes_nothing_and_is_answered_once_it_does(
    counter: Counter, store: Store, published: list[tuple[str, bytes]], bell: Bell
) -> None:
    intake = Intake("chat", store, counter.desk, counter.system.approvals, counter.system.plans, queued=lambda: None)
    message = counter.message("!shutdown all")
    talk, old = counter.message("x" * 100_000), counter.message("!shutdown walker", age_s=3_600)
    foreign, weak = counter.message("!shutdown walker", "mallory"), counter.message("!shutdown walker", "vera")

    def fill(tx: Tx) -> None:
        (pages,) = tx.execute("PRAGMA page_count").fetchone()
        tx.execute(f"PRAGMA max_page_count = {pages}")

    await store.write(fill)
    with structlog.testing.capture_logs():
        async with counter.open():
            for _ in range(2):  # the bridge offers the batch again and again
                with pytest.raises(StoreError):
                    await intake.accept([message, talk, old, foreign, weak], cursor="c")
            async with asyncio.timeout(PATIENCE):
                while not published:
                    await store.read(lambda _: None)
    assert {topic for topic, _ in published} == {f"{ROOT}/stop/all"}
    assert [str(each.target) for each in bell.incidents()] == ["all"]

    await store.write(lambda tx: tx.execute("PRAGMA max_page_count = 1000000"))
    await intake.accept([message], cursor="c")
    async with counter.open():
        await counter.all_done()
    answers = [post for post in await counter.answers() if post.reply_to == message.event]
    assert [to_plain(post.document)[:8] for post in answers] == ["STOPPING"]
    assert len(await store.read(incidents.all_incidents)) == 1


async def test_what_a_command_was_understood_as_is_recorded_without_somebodys_own_words(counter: Counter) -> None:
    await counter.said("!shutdown walker because it smokes")
    resolved = [record["resolved"] for record in await counter.records() if record["kind"] == "intent"]
    assert resolved == ["shutdown … … … …"]


async def ready(counter: Counter) -> None:
    """The open desk takes what comes."""
    await counter.put(counter.message("!echo"))
    await counter.all_done()


class Loud:
    """A network that takes what is said, and keeps it."""

    def __init__(self) -> None:
        self.said: dict[str, Post] = {}
        self.fails: BaseException | None = None
        self.news = asyncio.Event()

    def health(self) -> Health:
        return Health(ready=True)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def send(self, post: Post, *, key: str) -> str:
        if self.fails is not None:
            raise self.fails
        self.said[key] = post
        self.news.set()
        return key

    def heard(self, message: Message) -> list[Post]:
        return [each for each in self.said.values() if each.reply_to == message.event]

    async def to(self, message: Message) -> str:
        """What was said to a message."""
        async with asyncio.timeout(PATIENCE):
            while not (found := self.heard(message)):
                self.news.clear()
                await self.news.wait()
        return to_plain(found[0].document)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that hangs is known to hang soon."""
    for module in (intake_module, conclusion_module):
        monkeypatch.setattr(module, "DISK_MAY_STAND_S", 0.05)
    monkeypatch.setattr(store_module, "STANDS_S", 0.01)


@pytest.fixture
def loud(counter: Counter) -> Loud:
    """The network of the desk."""
    network = Loud()
    system = dataclasses.replace(counter.system, ways_out={"chat": Outgoing("chat", network, counter.store)})
    counter.desk = Desk(system, queued=lambda: None, now=counter.now)
    return network


@pytest.mark.usefixtures("impatient")
async def test_a_disk_that_hangs_keeps_nobody_from_reading_and_stopping_and_nothing_is_refused_that_may_still_be_done(
    counter: Counter, loud: Loud, store: Store, hang_disk: HangDisk, published: list[tuple[str, bytes]]
) -> None:
    intake = Intake("chat", store, counter.desk, counter.system.approvals, counter.system.plans, queued=lambda: None)
    said = talk, read, privileged, stop = [
        counter.message(text) for text in ("good morning", "!echo hay", "!switch", "!shutdown all")
    ]
    async with counter.open():
        await ready(counter)
        async with hang_disk(store):
            taking = asyncio.create_task(intake.accept(said, cursor="c"))
            assert await loud.to(read) == "You said hay."
            assert "Not recorded yet. The disk has not answered" in await loud.to(stop)
            assert published
            assert not taking.done()
            assert not loud.heard(privileged), "it was handed to the disk, and may be taken after all"
        await taking
        await counter.all_done()
    assert len(loud.said) == 2, talk
    assert [to_plain(post.document) for post in await counter.answers() if post.reply_to == privileged.event] == [
        "Switched."
    ]
    outcomes = {each["event"]: each for each in await counter.records() if each["kind"] == "outcome"}
    assert {event: outcomes[event]["result"] for event in (read.event, privileged.event, stop.event)} == {
        read.event: "done",
        privileged.event: "done",
        stop.event: "done",
    }
    assert [outcomes[each.event].get("late") for each in (read, privileged, stop)] == [True, None, True]
    intents = [each["event"] for each in await counter.records() if each["kind"] == "intent"]
    assert sorted(map(str, intents)) == sorted([privileged.event, stop.event])


async def test_what_was_refused_without_the_disk_is_not_run_when_the_stream_brings_it(
    counter: Counter, loud: Loud, store: Store
) -> None:
    intake = Intake("chat", store, counter.desk, counter.system.approvals, counter.system.plans, queued=lambda: None)
    privileged, read = counter.message("!switch"), counter.message("!echo hay")
    async with counter.open():
        await ready(counter)
        await intake.despite_the_disk([privileged, read], "The disk is full.")
        assert await loud.to(privileged) == (
            "Not run: it cannot be recorded. The disk is full. Send it again when that is mended."
        )
        for _ in range(2):
            await intake.despite_the_disk([privileged, read], "The disk is full.")
            await intake.accept([privileged, read], cursor="c")
        await counter.all_done()
    assert len(loud.said) == 2
    outcomes = [(each["event"], each["result"]) for each in await counter.records() if each["kind"] == "outcome"]
    assert outcomes[1:] == [(privileged.event, "refused: no record"), (read.event, "done")]
    assert not [each for each in await counter.records() if str(each["kind"]).startswith("switched")]


async def test_what_the_inbox_has_is_not_dealt_with_beside_it(counter: Counter, loud: Loud, store: Store) -> None:
    intake = Intake("chat", store, counter.desk, counter.system.approvals, counter.system.plans, queued=lambda: None)
    message = counter.message("!switch")
    async with counter.open():
        await counter.put(message)
        await counter.all_done()
        await intake.despite_the_disk([message], "The disk is full.")
        await ready(counter)
    assert loud.said == {}
    assert [each["result"] for each in await counter.records() if each["kind"] == "outcome"] == ["done", "done"]


async def test_nobody_takes_all_places_of_those_who_are_answered_without_the_disk(
    counter: Counter, loud: Loud, store: Store, hang_disk: HangDisk
) -> None:
    intake = Intake("chat", store, counter.desk, counter.system.approvals, counter.system.plans, queued=lambda: None)
    crowd = [counter.message("!echo hay", "olga") for _ in range(100)]
    forged = [counter.message("!echo hay", "otto", proven=False) for _ in range(100)]
    other = counter.message("!echo straw", "carol")
    async with counter.open():
        await ready(counter)
        async with hang_disk(store):
            await intake.despite_the_disk([*forged, *crowd, other], "The disk is full.")
            assert await loud.to(other) == "You said straw."
            assert len([each for each in crowd if loud.heard(each)]) <= desk_module.MOST_APART_OF_ONE
            assert not [each for each in forged if loud.heard(each)]


@pytest.mark.parametrize("broken", [asyncio.CancelledError(), RuntimeError("the bridge broke")])
async def test_a_bridge_that_breaks_while_the_disk_takes_nothing_loses_no_outcome(
    counter: Counter, loud: Loud, store: Store, broken: BaseException
) -> None:
    intake = Intake("chat", store, counter.desk, counter.system.approvals, counter.system.plans, queued=lambda: None)
    message = counter.message("!switch")
    loud.fails = broken
    async with counter.open():
        await ready(counter)
        await intake.despite_the_disk([message], "The disk is full.")
        async with asyncio.timeout(PATIENCE):
            while (await last(counter))["event"] != message.event:
                await store.write(lambda _: None)
    assert (await last(counter))["result"] == "refused: no record"
    answers = [to_plain(post.document) for post in await counter.answers() if post.reply_to == message.event]
    assert answers[0].startswith("Not run: it cannot be recorded.")


async def test_what_was_told_without_the_disk_is_recorded_before_the_end_or_the_end_is_not(
    counter: Counter, loud: Loud, store: Store, hang_disk: HangDisk
) -> None:
    intake = Intake("chat", store, counter.desk, counter.system.approvals, counter.system.plans, queued=lambda: None)
    privileged = counter.message("!switch")
    async with contextlib.AsyncExitStack() as until_it_is_written, counter.open():
        await ready(counter)
        await until_it_is_written.enter_async_context(hang_disk(store))
        await intake.despite_the_disk([privileged], "The disk is full.")
        await loud.to(privileged)
    assert await store.settled()
    results = [(each["kind"], each.get("result")) for each in await counter.records()][1:]
    assert results == [("outcome", "refused: no record")]

    store.owe(lambda tx: tx.execute("SELECT absent FROM nowhere"))
    assert not await store.settled()


async def test_after_a_crash_nothing_is_run_that_was_sent_before_it(counter: Counter) -> None:
    """The run before may have told somebody that it does not run it, and have had no disk to note that."""
    before = counter.message("!switch", age_s=20)
    await counter.put(before)
    counter.desk = Desk(counter.system, queued=lambda: None, now=counter.now, after_a_crash=True)
    async with counter.open():
        await counter.all_done()
    (first,) = await counter.answers()
    assert to_plain(first.document) == "Switched.", "it was in the inbox: nobody was told otherwise"
    assert await counter.said("!switch", age_s=5) == (
        "Not run: it was sent before I began, and the run before may have broken off. Send it again if it still holds."
    )
    assert await counter.said("!echo hay", age_s=5) == "You said hay."
    assert (await counter.said("!shutdown all", age_s=5)).startswith("STOPPING")
    assert await counter.said("!switch", age_s=0) == "Switched."
