"""The way of a command: who may, what is recorded, and exactly one answer, whatever happens on the way."""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncGenerator, Callable

import orjson
import pytest
import structlog

from bot.desk import desk as desk_module
from bot.desk.call import Call
from bot.desk.catalogue import Catalogue
from bot.desk.command import Command, command
from bot.desk.desk import Desk
from bot.runtime import Intake
from bot.stop.bell import Bell
from bot.store import Store, Tx, audit, inbox, incidents, outbox
from bot.system import System
from bot.words.document import Document, document
from bot.words.errors import StoreError, TocsinError
from bot.words.message import Lane, Message, Place, Post, Standing
from bot.words.people import Account, People, Role
from bot.words.plain import to_plain
from wire.messages import ROOT

PATIENCE = 10.0
SECRET = "opensesame"  # noqa: S105 - somebody's words, to be looked for where they must not be
Say = Callable[..., Message]


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


async def no_document(_: Call) -> None:
    """What a careless plug-in does."""


@pytest.fixture
def office(system: System) -> System:
    careless = Command("careless", no_document, Role.VIEWER, echo.action, "Return nothing")  # pyright: ignore[reportArgumentType] - on purpose
    more = (echo, breaks, fails, hangs, careless)
    return dataclasses.replace(system, catalogue=Catalogue((*system.catalogue.commands, *more)))


class Counter:
    """The desk with a database behind it, as a bridge sees it."""

    def __init__(self, store: Store, people: People, system: System) -> None:
        self.store = store
        self.late_s = 0.0
        self._news = asyncio.Event()
        self._numbers = iter(range(1_000))
        self.desk = Desk(store, people, system, queued=lambda: None, now=self._now)

    def _now(self) -> float:
        return 0.0 if not self.late_s else 10.0**10 + self.late_s

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
        await self.store.write(lambda tx: inbox.accept(tx, "chat", messages, "c"))
        self.desk.wake()

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

    async def all_done(self) -> None:
        """Everything that was received is dealt with."""
        async with asyncio.timeout(PATIENCE):
            while await self.store.read(inbox.open_rows):
                await self.store.write(lambda _: None)  # what the desk handed in before this is written

    async def answers(self) -> list[Post]:
        return [each.post for each in await self.store.read(lambda tx: outbox.waiting(tx, "chat"))]

    async def records(self) -> list[dict[str, object]]:
        return [orjson.loads(entry) for _, entry in await self.store.read(lambda tx: audit.last(tx, 100))]

    async def said(self, text: str, who: str = "olga", *, age_s: float = 0.5, proven: bool = True) -> str:
        """Say something, and get the one answer to it as plain text."""
        message = self.message(text, who, age_s=age_s, proven=proven)
        before = len(await self.answers())
        await self.put(message)
        async with self.open():
            await self.all_done()
        new = await self.answers()
        mine = [post for post in new if post.reply_to == message.event]
        assert len(new) == before + len(mine)
        assert len(mine) <= 1
        return to_plain(mine[0].document) if mine else ""


@pytest.fixture
def counter(store: Store, people: People, office: System) -> Counter:
    return Counter(store, people, office)


async def last(counter: Counter) -> dict[str, object]:
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
    assert "takes an operator, and you are a viewer" in await counter.said("!shutdown all", "vera")
    assert (await last(counter))["result"] == "refused"
    assert published == []


@pytest.mark.parametrize("text", ["!shutdown all", "!echo hay", "!nonsense"])
async def test_what_nobody_can_prove_is_not_run(counter: Counter, text: str) -> None:
    assert "nothing proves that this came from you" in await counter.said(text, "carol", proven=False)
    assert (await last(counter))["result"] == "refused"
    assert not await counter.store.read(incidents.all_incidents)


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
    counter.late_s = 1
    assert "not run" in (await counter.said("!echo")).lower()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("!ecko", "Did you mean !echo?"),
        ("!xyzzy", "!help lists what there is."),
        ("!echo a b", "Usage: !echo [word]"),
        ("!echo 'a", "stands alone"),
    ],
)
async def test_what_is_not_understood_is_helped(counter: Counter, text: str, hint: str) -> None:
    assert hint in await counter.said(text)
    assert (await last(counter))["result"] == "not understood"


@pytest.mark.parametrize(
    "text",
    [
        *("!shutdwn all", "!stpo", "!stop", "!stop!", "!halt", "!shutdown all now", "!shutdown 'all"),
        *("!shutdown everythin", "STOP ALL", "! stop all", "!!halt everything!!", "stop", "Shut down now!"),
    ],
)
async def test_a_mistyped_stop_is_answered_with_the_exact_line_to_send(counter: Counter, text: str) -> None:
    answer = await counter.said(text)
    assert "Nothing was stopped" in answer
    assert "!shutdown all" in answer
    assert not await counter.store.read(incidents.all_incidents)


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


async def test_a_handler_that_does_not_come_back_is_given_up(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "HANDLER_MAY_TAKE_S", 0.01)
    assert "It took too long." in await counter.said("!hang")
    assert (await last(counter))["result"] == "failed"


async def test_a_handler_that_gives_no_document_is_answered_and_the_desk_goes_on(counter: Counter) -> None:
    assert "Something broke inside." in await counter.said("!careless")
    assert (await last(counter))["result"] == "failed"
    assert await counter.said("!echo hay") == "You said hay."


async def test_handlers_that_hang_hold_up_no_stop(counter: Counter, published: list[tuple[str, bytes]]) -> None:
    await counter.put(*(counter.message("!hang") for _ in range(desk_module.MOST_AT_ONCE + 4)))
    stop = counter.message("!shutdown all")
    async with counter.open():
        await counter.put(stop)
        async with asyncio.timeout(PATIENCE):
            while not [post for post in await counter.answers() if post.reply_to == stop.event]:
                await counter.store.write(lambda _: None)
    assert published[0][0].endswith("stop/all")


async def test_only_so_many_commands_run_at_once(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "HANDLER_MAY_TAKE_S", 0.01)
    await counter.put(*(counter.message("!hang") for _ in range(desk_module.MOST_AT_ONCE)), counter.message("!echo"))
    async with counter.open():
        await counter.all_done()
    assert to_plain((await counter.answers())[0].document).startswith("It took too long.")  # the echo had to wait


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

    def refuse(tx: Tx, _: Post) -> str:
        loop.call_soon_threadsafe(reached.release)
        tx.execute("INSERT INTO outbox (key) VALUES (NULL)")
        raise AssertionError

    with monkeypatch.context() as patch, structlog.testing.capture_logs():
        patch.setattr(desk_module.outbox, "queue", refuse)
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
    def refuse(tx: Tx, _row: int) -> None:
        tx.execute("INSERT INTO outbox (key) VALUES (NULL)")

    monkeypatch.setattr(desk_module.inbox, "begin", refuse)
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

    def sometimes(tx: Tx, post: Post) -> str:
        for error in refusals:
            raise error
        return queue(tx, post)

    monkeypatch.setattr(desk_module, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(desk_module.outbox, "queue", sometimes)
    with structlog.testing.capture_logs():
        answer = await counter.said("!shutdown all")
    assert answer.startswith("STOPPING everything")
    assert len({payload for _, payload in published}) == 1


async def test_a_stop_goes_out_while_the_disk_takes_nothing_and_is_answered_once_it_does(
    counter: Counter, store: Store, published: list[tuple[str, bytes]], bell: Bell
) -> None:
    intake = Intake("chat", store, counter.desk)
    message = counter.message("!shutdown all")
    talk, old = counter.message("x" * 100_000), counter.message("!shutdown walker", age_s=3_600)
    foreign, weak = counter.message("!shutdown walker", "mallory"), counter.message("!shutdown walker", "vera")

    def fill(tx: Tx) -> None:
        (pages,) = tx.execute("PRAGMA page_count").fetchone()
        tx.execute(f"PRAGMA max_page_count = {pages}")

    await store.write(fill)
    with structlog.testing.capture_logs():
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
    assert [to_plain(post.document)[:8] for post in await counter.answers()] == ["STOPPING"]
    assert len(await store.read(incidents.all_incidents)) == 1
