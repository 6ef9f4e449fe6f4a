"""What components say of their jobs, and what becomes of it: whatever comes, in whatever order, and from whomever."""

import asyncio
import dataclasses
import hashlib
import re
import threading
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.fleet import jobs as jobs_module
from bot.fleet.jobs import LATE_S, LOST_S
from bot.fleet.orders import EXPIRES_S
from bot.fleet.pace import EDITED_EVERY_S
from bot.fleet.pictures import MOST_BYTES, Pictures
from bot.fleet.registry import Listed, Registry
from bot.fleet.talk import KEPT_OF_EACH
from bot.stop.bell import Bell
from bot.store import Store, Tx
from bot.store import jobs as rows
from bot.store.jobs import State
from bot.system import System
from bot.words.document import Picture
from bot.words.errors import Refused
from bot.words.message import Lane
from bot.words.plain import to_plain
from tests.unit.test_desk import Counter
from tests.unit.tower import Component, refuse, take_again, tower
from tests.unit.yard import (
    ANOTHER,
    DONE,
    HELD,
    JOB,
    PATIENCE,
    RUNNING,
    SESSION,
    Yard,
    key_of,
    reply,
    said,
    speaks,
    yard_of,
)
from wire import messages, work
from wire.birth import Birth, Danger, Offer
from wire.envelope import PrivateKey, seal, unseal
from wire.messages import ROOT, Shown
from wire.mqtt import Delivery
from wire.picture import LARGEST_PICTURE, MediaType, PictureNamed
from wire.work import JobState, Status

STRANGER = PrivateKey(bytes(32))
PNG = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR" + (8).to_bytes(4, "big") * 2 + bytes(20)


@pytest_asyncio.fixture
async def yard(store: Store) -> AsyncIterator[Yard]:
    async with yard_of(store, "walker", "crane") as opened:
        yield opened


async def test_a_job_is_followed_and_its_end_told_once_however_often_it_comes(yard: Yard) -> None:
    await yard.order("walker")
    await yard.hears(said("walker", 1, RUNNING), said("walker", 1, RUNNING))
    assert yard.state() is State.RUNNING
    for _ in range(3):
        await yard.hears(said("walker", 2, DONE), said("walker", 2, DONE), said("walker", 3, DONE))
    assert (await yard.told(), await yard.recorded()) == (["DONE"], ["done"])


async def test_what_comes_out_of_its_order_hides_nothing(yard: Yard) -> None:
    await yard.order("walker")
    await yard.hears(said("walker", 5, RUNNING), said("walker", 4, HELD), reply("walker", Status.ACCEPTED))
    assert yard.state() is State.RUNNING
    end, empty = said("walker", 9, DONE), Delivery(f"{ROOT}/job/walker/{JOB}", b"", 1, retain=False)
    await yard.hears(end, said("walker", 7, RUNNING), reply("walker", Status.REJECTED), empty)
    await yard.hears(said("walker", 10, RUNNING), reply("walker", Status.ERROR))
    assert (yard.state(), await yard.told()) == (State.DONE, ["DONE"])


FORGED = {
    "of another session": said("walker", 9, DONE, session=ANOTHER),
    "of another job": said("walker", 9, DONE, job="ab"),
    "of another kind": said("walker", 9, DONE, kind="reply"),
    "signed by another component": said("walker", 9, DONE, key="crane"),
    "a reply that another has signed": reply("walker", Status.DONE, key=key_of("crane")),
    "unsigned": Delivery(
        f"{ROOT}/job/walker/{JOB}", work.Job("walker", JOB, SESSION, 9, DONE).to_bytes(), 1, retain=True
    ),
    "a reply on the topic of a job": Delivery(
        f"{ROOT}/job/walker/{JOB}", reply("walker", Status.DONE).payload, 1, retain=True
    ),
    "a job on the topic of replies": Delivery(f"{ROOT}/reply/tocsin", said("walker", 9, DONE).payload, 1, retain=False),
    "of somebody else on its topic": Delivery(
        f"{ROOT}/job/walker/{JOB}", said("crane", 9, DONE).payload, 1, retain=True
    ),
    "a reply to nothing": reply("walker", Status.DONE, id="ab"),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
async def test_what_does_not_count_changes_nothing_and_hides_nothing(yard: Yard, forged: Delivery) -> None:
    await yard.order("walker")
    await yard.hears(forged)
    assert (yard.state(), await yard.told()) == (State.QUEUED, [])
    await yard.hears(said("walker", 2, DONE), forged, forged)
    assert (yard.state(), await yard.told()) == (State.DONE, ["DONE"])


async def test_a_forged_reply_does_not_take_the_place_of_the_true_one(yard: Yard) -> None:
    ordering = asyncio.create_task(yard.jobs.order(yard.asked("walker", long=False)))
    await yard.until(lambda: bool(yard.tower.broker.to("cmd", "walker")))
    yard.hear(reply("walker", Status.DONE), reply("walker", Status.REJECTED, key=STRANGER))
    (job,) = await ordering
    assert (job.state, job.result) == (State.DONE, '{"distance":7}')


async def test_a_flood_of_one_job_costs_little_and_its_newest_word_counts(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await yard.order("walker")
    opened: list[str] = []
    real = Bell.opened

    def counted(self: Bell, component: str, kind: str, envelope: bytes) -> bytes:
        opened.append(component)
        return real(self, component, kind, envelope)

    monkeypatch.setattr(Bell, "opened", counted)
    flood = [said("walker", seq, RUNNING) for seq in range(10_000)]
    await yard.hears(*flood)
    assert (yard.state(), yard.jobs.of(JOB)[0].seq, len(opened)) == (State.RUNNING, 9_999, KEPT_OF_EACH)
    await yard.hears(*flood, said("walker", 10_000, DONE))
    assert (await yard.told(), len(opened)) == (["DONE"], 2 * KEPT_OF_EACH + 1), (
        "an end is kept beside the newest words"
    )


@pytest.mark.parametrize("state", [RUNNING, DONE])
async def test_no_crowd_of_words_behind_an_end_hides_it(yard: Yard, state: JobState) -> None:
    await yard.order("walker")
    behind = [said("walker", seq, state, key="crane") for seq in range(100)]
    old = [said("walker", seq, RUNNING) for seq in range(100)]
    await yard.hears(said("walker", 200, DONE), *behind, *old)
    assert await yard.told() == ["DONE"]


async def test_a_whole_fleet_answers_at_once_and_is_told_in_one_message(store: Store) -> None:
    names = [f"legs-{number:04}" for number in range(1_500)]
    async with yard_of(store, *names) as yard:
        await yard.order(*names)
        assert {each.state for each in yard.jobs.of(JOB)} == {State.QUEUED}
        yard.hear(*(said(name, 1, DONE) for name in names[1:]))
        await yard.until(lambda: sum(each.state is State.DONE for each in yard.jobs.of(JOB)) == len(names) - 1)
        await yard.later(EDITED_EVERY_S)
        assert await yard.ends() == []
        (_, edited) = await yard.tower.posts()
        assert (edited.lane, edited.subject) == (Lane.PROGRESS, f"job {JOB}")
        assert "DONE 1499" in to_plain(edited.document)
        await yard.hears(said(names[0], 1, DONE))
        (end,) = await yard.ends()
        assert "DONE 1500" in to_plain(end.document)
        assert len(await yard.recorded()) == len(names)


async def test_an_end_that_the_disk_refuses_is_told_once_when_it_takes_it(yard: Yard) -> None:
    await yard.order("walker", "crane")
    await yard.hears(said("crane", 1, DONE))
    await yard.pages(None)
    with structlog.testing.capture_logs() as logs:
        await yard.hears(said("walker", 2, DONE, note="x" * 30_000))
        await yard.later(2 * rows.RECENT_S)  # what has ended is let go of by then, but not before it is told
        assert (yard.state(), await yard.told()) == (State.DONE, [])
    assert "jobs have to wait for the database" in {each["event"] for each in logs}
    await yard.pages(1_000_000)
    await yard.later(1)
    await yard.later(1)
    (end,) = await yard.ends()
    assert "DONE 2" in to_plain(end.document)
    assert await yard.recorded() == ["done", "done"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_end_that_comes_while_the_first_answer_is_written_is_told_once(yard: Yard, when: str) -> None:
    ordering = asyncio.create_task(yard.jobs.order(yard.asked("walker")))
    await yard.until(lambda: bool(yard.tower.broker.to("cmd", "walker")))
    yard.hear(reply("walker", Status.ACCEPTED))
    await ordering
    await yard.later(0)  # nothing else is with the writer
    _, follow = yard.jobs.answer(JOB)
    if when == "before":
        await yard.hears(said("walker", 1, DONE))
        await yard.tower.store.write(follow)
    else:
        go_on, begun = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def wait(tx: Tx) -> None:
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(PATIENCE)
            follow(tx)

        writing = asyncio.create_task(yard.tower.store.write(wait))
        await begun.wait()
        yard.hear(said("walker", 1, DONE))
        await yard.judged()
        go_on.set()
        await writing
    await yard.later(1)
    assert (await yard.told(), await yard.recorded()) == (["DONE"], ["done"])


async def test_what_has_ended_before_the_first_answer_is_told_by_that_alone(yard: Yard) -> None:
    await yard.order("walker", answers=Status.REJECTED)
    await yard.later(1)
    (answer,) = await yard.tower.posts()
    assert to_plain(answer.document).startswith("REJECTED walker walk")


async def test_an_end_that_the_disk_refuses_is_not_told_again_where_the_first_answer_has_said_it(yard: Yard) -> None:
    ordering = asyncio.create_task(yard.jobs.order(yard.asked("walker")))
    await yard.until(lambda: bool(yard.tower.broker.to("cmd", "walker")))
    await refuse(yard.tower.store, "audit")
    await yard.hears(reply("walker", Status.REJECTED))
    await ordering
    await take_again(yard.tower.store, "audit")
    await yard.answer()
    await yard.later(1)
    assert (await yard.told(), await yard.recorded()) == ([], ["rejected"])


async def test_who_does_not_answer_in_time_is_told_of_and_may_still_answer(yard: Yard) -> None:
    said_so = await yard.jobs.order(yard.asked("walker", made=yard.time[0] - EXPIRES_S - LATE_S))
    assert [each.state for each in said_so] == [State.UNANSWERED]
    assert to_plain(await yard.answer()).startswith("UNANSWERED walker walk")
    await yard.hears(reply("walker", Status.ACCEPTED), said("walker", 1, RUNNING))
    assert (yard.state(), yard.jobs.of(JOB)[0].ended) == (State.RUNNING, None)
    await yard.later(2 * rows.RECENT_S)
    await yard.hears(said("walker", 2, DONE))
    assert await yard.told() == ["DONE"]


async def test_what_the_broker_does_not_take_is_said_and_a_job_that_began_all_the_same_counts(yard: Yard) -> None:
    yard.tower.broker.away = True
    said_so = await yard.jobs.order(yard.asked("walker"))
    assert [(each.state, each.message) for each in said_so] == [(State.NOT_SENT, "The broker is away.")]
    await yard.answer()
    await yard.hears(said("walker", 1, RUNNING), said("walker", 2, DONE))
    assert await yard.told() == ["DONE"]


async def test_a_component_that_began_anew_has_lost_its_job_unless_it_says_an_end(yard: Yard) -> None:
    await yard.order("walker")
    speaks(yard, ANOTHER)
    await yard.later(0)
    await yard.later(LOST_S)
    assert yard.state() is State.QUEUED
    await yard.later(1)
    assert (yard.state(), await yard.told()) == (State.LOST, ["LOST"])
    await yard.hears(said("walker", 2, DONE, session=ANOTHER))
    assert yard.state() is State.LOST
    await yard.hears(said("walker", 2, DONE))
    assert (yard.state(), await yard.told()) == (State.DONE, ["LOST", "DONE"])


async def test_after_a_restart_an_end_is_told_once_and_one_that_was_told_is_not_told_again(yard: Yard) -> None:
    await yard.order("walker")
    async with yard.open():
        assert yard.state() is State.QUEUED
        await yard.hears(said("walker", 2, DONE), said("walker", 2, DONE))
        assert await yard.told() == ["DONE"]
    async with yard.open():
        await yard.hears(said("walker", 2, DONE), said("walker", 3, DONE))
        assert (await yard.told(), await yard.recorded()) == (["DONE"], ["done"])


async def test_the_job_of_a_component_that_is_enrolled_no_more_is_told_as_lost(yard: Yard, store: Store) -> None:
    await yard.order("walker")
    async with tower(store, Component("crane")) as t:
        smaller = Yard(t, Registry({"crane": Listed()}), yard.time)
        async with smaller.open():
            await smaller.hears(said("walker", 2, DONE))
            assert (smaller.state(), await smaller.told()) == (State.LOST, ["LOST"])


async def test_what_has_ended_makes_room_and_what_goes_on_does_not(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "MOST_KNOWN", 1)
    await yard.order("walker")
    another = [dataclasses.replace(each, id="0b") for each in yard.asked("crane", made=0.0)]
    with pytest.raises(Refused, match="too many commands"):
        await yard.jobs.order(another)
    await yard.hears(said("walker", 1, DONE))
    await yard.jobs.order(another)
    assert yard.jobs.of(JOB) == []


async def shown_by(yard: Yard, picture: bytes, named: PictureNamed, *, late: bool = False) -> bool:
    """Whether the end of a job shows a picture."""
    published = Delivery(f"{ROOT}/picture/walker/{named.sha256}", picture, 1, retain=True)
    await yard.order("walker")
    yard.hear(*([] if late else [published]))
    await yard.hears(said("walker", 1, DONE, named))
    yard.hear(published)
    (end,) = await yard.ends()
    return any(isinstance(each, Picture) for each in end.document.blocks)


async def test_a_picture_that_came_before_the_end_is_shown(yard: Yard) -> None:
    assert await shown_by(yard, PNG, PictureNamed.of("A walk", MediaType.PNG, PNG))


async def test_pictures_can_be_looked_at_after_a_restart(store: Store) -> None:
    async with yard_of(store, "walker") as yard:
        assert await shown_by(yard, PNG, PictureNamed.of("A walk", MediaType.PNG, PNG))
        shown = yard.jobs.pictures(JOB)
    async with yard_of(store, "walker") as again:
        assert again.jobs.pictures(JOB) == []
        assert await again.jobs.all_pictures(JOB) == shown


async def test_a_picture_that_comes_after_the_end_is_not_shown(yard: Yard) -> None:
    assert not await shown_by(yard, PNG, PictureNamed.of("A walk", MediaType.PNG, PNG), late=True)
    assert yard.jobs.pictures(JOB)


async def test_a_picture_that_is_not_the_one_that_was_named_is_not_shown(yard: Yard) -> None:
    assert not await shown_by(yard, PNG + b"more", PictureNamed.of("A walk", MediaType.PNG, PNG))


def test_pictures_are_kept_within_their_bound_and_the_oldest_goes() -> None:
    pictures = Pictures()
    few = [PNG + bytes(LARGEST_PICTURE - len(PNG) - 2) + number.to_bytes(2, "big") for number in range(65)]
    assert len(few[0]) * (len(few) - 1) == MOST_BYTES
    named = [PictureNamed.of("A walk", MediaType.PNG, each) for each in few]
    for data, name in zip(few, named, strict=True):
        assert pictures.take("walker", name.sha256, data)
        assert pictures.take("walker", name.sha256, data)
    kept = [isinstance(each, Picture) for each in pictures.shown("walker", named)]
    assert kept == [False] + [True] * (len(few) - 1)
    too_large = bytes(LARGEST_PICTURE + 1)
    assert not pictures.take("walker", hashlib.sha256(too_large).hexdigest(), too_large)
    assert not pictures.take("walker", hashlib.sha256(PNG).hexdigest(), PNG[:-1])


@pytest.mark.parametrize("by_birth", [True, False])
async def test_what_is_dangerous_takes_two_persons_and_is_void_once_its_component_has_changed(
    store: Store, system: System, published: list[tuple[str, bytes]], by_birth: bool
) -> None:
    registry = Registry({"walker": Listed(frozenset(), {} if by_birth else {"walk": Danger.HIGH})})
    offer = Offer("Walk", {}, job=True, danger=Danger.HIGH if by_birth else Danger.NONE)
    registry.born(Birth("walker", SESSION, "A walker", "demo", "1", (), {"walk": offer}))

    def shows(shown: Shown, session: str = SESSION) -> None:
        registry.heard(messages.State("walker", session, "0a", None, shown))

    counter = Counter(store, dataclasses.replace(system, registry=registry))

    async def types(who: str, text: str) -> str:
        message = counter.message(text, who)
        await counter.put(message)
        async with counter.open():
            await counter.all_done()
        return "\n".join(to_plain(each.document) for each in await counter.answers() if each.reply_to == message.event)

    shows(Shown.READY)
    code = re.compile(r"!approve ([A-Z]{6})")
    asked = code.search(await types("olga", "!run walker walk"))
    assert asked is not None
    assert published == []
    again = asked
    for changed in ({"shown": Shown.HELD}, {"shown": Shown.HELD, "session": "beef" * 8}):
        shows(**changed)  # pyright: ignore[reportArgumentType] - a state, and perhaps a session
        assert "what it would hit has changed" in await types("otto", f"!approve {again[1]}")
        again = code.search(await types("olga", "!run walker walk"))
        assert again is not None
    running = asyncio.create_task(system.jobs.run())
    approving = asyncio.create_task(types("otto", f"!approve {again[1]}"))
    async with asyncio.timeout(PATIENCE):
        while not published:
            await store.write(lambda _: None)
        ((_, envelope),) = published
        command = work.Command.parse(unseal(envelope, ROOT, "cmd", system.bell.key))
        answer = reply("walker", Status.ACCEPTED, id=command.id)
        assert system.jobs.hear("reply", "tocsin", answer.payload)
        assert "QUEUED walker walk" in await approving
    running.cancel()


def enveloped(said: tuple[str, bytes, PrivateKey]) -> bytes:
    kind, body, key = said
    return seal(key, ROOT, kind, body)


KINDS = st.sampled_from(["reply", "job", "picture"])
BODIES = st.binary() | st.dictionaries(st.sampled_from(["id", "job", "seq", "state", "from"]), st.text()).map(
    orjson.dumps
)
KEYS = st.sampled_from([STRANGER, key_of("crane"), key_of("walker")])
PAYLOADS = st.binary() | st.tuples(KINDS, BODIES, KEYS).map(enveloped)
REAL_TOPICS = st.sampled_from(["reply/tocsin", f"job/walker/{JOB}", f"picture/walker/{'0' * 64}"])
TOPICS = REAL_TOPICS | st.tuples(KINDS, st.text()).map("/".join)


async def test_whatever_is_said_of_jobs_raises_nothing_and_changes_nothing(yard: Yard) -> None:
    await yard.order("walker")
    before = yard.jobs.of(JOB)

    @settings(deadline=None)
    @given(st.lists(st.tuples(TOPICS, PAYLOADS)))
    def say(some: list[tuple[str, bytes]]) -> None:
        yard.hear(*(Delivery(f"{ROOT}/{topic}", payload, 1, retain=False) for topic, payload in some))

    say()
    await yard.later(1)
    assert (yard.jobs.of(JOB), await yard.ends()) == (before, [])
