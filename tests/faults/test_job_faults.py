"""Jobs of components that answer all at once, twice, out of order, too late, with lies, or without end.

Each end is told once, nothing is begun twice or after its time, and nobody else is held up by any of it.
"""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from bot.enrol import stanza
from bot.fleet.pace import EDITED_EVERY_S
from bot.words.glyphs import hides_something
from demo.broker import mosquitto
from demo.process import Process
from tests.faults import bad_worker
from tests.faults.bad_worker import CROWD, DARK, FLOOD, FLOODER, OFFERS, Actor, Message, hostile, odd, unreadable, wrong
from tests.faults.field import Field, Said, environment, paused, running, until
from tests.faults.test_jobs import job_in
from wire.birth import Offer
from wire.clock import boot_clock
from wire.envelope import read_unproven
from wire.messages import ROOT, Shown
from wire.work import Command, JobState, Status

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNT = 1_500
ACTORS = ("echo", "phoenix", "sleeper", "liar", "braggart")
LONGEST = 32 * 1024
CREW = "".join(f'[people.{name}]\nrole = "operator"\nfeed = ["{name}"]\n' for name in ("carol", "dave"))
RUNNING, DONE, FAILED = JobState.RUNNING, JobState.DONE, JobState.FAILED


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def field(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Field]:
    """A field with two walkers that write their jobs down, with a crowd and a flooder, and room for actors."""
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    folder = tmp_path_factory.mktemp("field")
    async with running(folder, walkers=2) as field:
        config = folder / "config.toml"
        crowd = (Actor(f"{CROWD}-{number}", "", (CROWD,)) for number in range(COUNT))
        cast = (*crowd, *(Actor(each, "") for each in (FLOODER, *ACTORS)))
        known = (stanza(each.enrolment(field.broker.address, field.bot_key.public)) for each in cast)
        config.write_text(config.read_text() + CREW + "".join(known))
        (folder / "begun").touch()
        for each in field.walkers.values():
            await each.process.stop(0.5)
            each.process.command[1:3] = [bad_worker.__file__, "walker", str(folder / "begun")]
            await each.process.start()
        await field.bot.stop()
        await field.begun()
        words = map(str, (field.broker.address.port, field.bot_key.public.id, COUNT, folder / "begun"))
        command = [sys.executable, bad_worker.__file__, "players", *words]
        async with Process(command, folder / "players.log", env=environment(folder), name="players") as players:
            async with asyncio.timeout(60):
                while await heard_of(field) < COUNT + 1 + len(field.walkers):
                    players.check()
            await field.work()
            yield field


async def heard_of(field: Field) -> float:
    """Of how many the bot has heard how they are."""
    metrics = await field.metrics()
    return sum(metrics[f'tocsin_components{{state="{each}"}}'] for each in ("ready", "busy", "silent"))


def begun(field: Field) -> list[str]:
    """Who has begun which job, a line each."""
    return (field.folder / "begun").read_text().splitlines()


async def perform(field: Field, *messages: Message) -> None:
    """Say all of it, one after the other."""
    for topic, payload in messages:
        await field.wire.say(topic, payload)


async def enter(field: Field, actor: Actor, *birth: Message) -> None:
    """It is born and the bot has heard so, and how it is."""
    now = boot_clock()
    await perform(field, *(birth or (actor.birth(),)), actor.state())
    await until(lambda: field.wire.on(f"lease/{actor.name}", now), f"{actor.name} is answered")


async def entered(field: Field, name: str) -> Actor:
    """One whose words a test says, and that is there."""
    actor = Actor(name, field.bot_key.public.id)
    await enter(field, actor)
    return actor


async def called(field: Field, actor: Actor, text: str, who: str = "carol") -> tuple[str, Command]:
    """Somebody tells it to do something. Their event, and the command that comes of it."""
    now = boot_clock()
    event = field.say(text, who)
    heard = await until(lambda: field.wire.on(f"cmd/{actor.name}", now), f"{text!r} is sent", field.last_words)
    return event, bad_worker.read(heard[0].payload)


async def noticed(field: Field, actor: Actor) -> None:
    """All that it has said so far has been looked at: a question after it is answered."""
    event, command = await called(field, actor, f"!run {actor.name} where")
    await perform(field, actor.reply(command, Status.DONE, {"place": 0}))
    await field.hears(f"DONE {actor.name} where", event)


def ends(field: Field, event: str | None) -> list[Said]:
    """What the room was told as an end."""
    over = ("DONE", "FAILED", "CANCELLED", "STOPPED", "REJECTED", "LOST", "UNANSWERED")
    return [each for each in field.news("", event) if each.words.startswith(over)]


@pytest.mark.parametrize("first", ["accepted", "progress", "end"])
async def test_words_that_come_twice_late_or_out_of_order_tell_the_end_once_and_right(field: Field, first: str) -> None:
    echo = await entered(field, "echo")
    event, command = await called(field, echo, "!run echo walk steps=3")
    accepted = echo.reply(command, Status.ACCEPTED)
    half, back = echo.job(command, 1, RUNNING, 0.5), echo.job(command, 3, RUNNING, 0.2)
    far, end = echo.job(command, 2, RUNNING, 0.9), echo.job(command, 4, DONE, 1.0, {"to": 7})
    after = (echo.job(command, 5, RUNNING, 0.1), echo.job(command, 6, FAILED, 0.1, {"to": 8}))
    order: dict[str, tuple[Message, ...]] = {
        "accepted": (accepted, half, accepted, half, back, far, end, end, *after),
        "progress": (far, half, accepted, back, accepted, end, accepted, end, *after),
        "end": (end, accepted, half, far, back, end, *after, accepted),
    }
    await perform(field, *order[first])
    told = (await until(lambda: ends(field, event), "the end is told", field.last_words))[0]
    await perform(field, *order[first], echo.reply(command, Status.ERROR, error="no"))
    await noticed(field, echo)
    assert ends(field, event) == [told]
    assert re.match(r"DONE echo walk.*\bto\s+7", told.words, re.DOTALL)
    assert (await field.answer(f"!job {job_in(told.words)}", "dave")).words.startswith("DONE echo walk")


async def test_an_end_is_not_hidden_by_older_words_that_come_behind_it(field: Field) -> None:
    echo = await entered(field, "echo")
    event, command = await called(field, echo, "!run echo walk steps=3")
    await perform(field, echo.reply(command, Status.ACCEPTED), echo.job(command, 0, RUNNING, 0.1))
    await field.answered(event)
    async with paused(field.bot):  # so that it finds all of it at once
        await perform(field, echo.job(command, 100, DONE, 1.0))
        await perform(field, *(echo.job(command, seq, RUNNING, seq / 100) for seq in range(1, 21)))
    await noticed(field, echo)
    assert [each.words.split(" after")[0] for each in ends(field, event)] == ["DONE echo walk"]


async def test_what_comes_too_late_is_not_begun_and_what_is_lost_is_told_so(field: Field) -> None:
    """They wait for the same seconds, so they are told together."""
    async with asyncio.TaskGroup() as stories:
        for each in (an_old_will, a_late_answer, a_late_command, a_lost_line):
            stories.create_task(each(field))


async def an_old_will(field: Field) -> None:
    """A will that comes after the next birth is no word of the session that lives."""
    phoenix = await entered(field, "phoenix")
    event, command = await called(field, phoenix, "!run phoenix walk steps=3", "alice")
    await perform(field, phoenix.reply(command, Status.ACCEPTED), phoenix.job(command, 0, RUNNING, 0.1))
    await field.answered(event)
    will = phoenix.state(Shown.LOST)
    phoenix.begin_anew()
    await enter(field, phoenix)
    await enter(field, phoenix, will)
    again, anew = await called(field, phoenix, "!run phoenix walk steps=4", "alice")
    assert [each.session for each in anew.targets] == [phoenix.session]
    await perform(field, phoenix.state(), *(phoenix.job(anew, seq, RUNNING, seq / 10) for seq in (7, 2)))
    assert re.search(r"phoenix\s+ready", (await field.answer("!status phoenix", "alice")).words)
    assert "begun anew" in (await field.hears("LOST phoenix walk", event)).words
    assert "70 %" in (await field.answer(f"!job {anew.id}", "alice")).words
    await perform(field, phoenix.job(anew, 8, DONE, 1.0))
    await field.hears("DONE phoenix walk", again)
    assert len(ends(field, event)) == len(ends(field, again)) == 1


async def a_late_answer(field: Field) -> None:
    """Who is told of as unanswered is told of once more when the word comes after all."""
    sleeper = await entered(field, "sleeper")
    event, command = await called(field, sleeper, "!run sleeper walk steps=3", "bob")
    unanswered = await field.hears("UNANSWERED sleeper walk", event)
    late = sleeper.job(command, 0, DONE, 1.0, {"to": 3})
    await perform(field, sleeper.reply(command, Status.ACCEPTED), late, late)
    told = await field.hears("DONE sleeper walk", event)
    await perform(field, late, sleeper.job(command, 1, FAILED))
    await noticed(field, sleeper)
    assert ends(field, event) == [unanswered, told]


async def a_late_command(field: Field) -> None:
    """What reaches a component after its time is not begun, also where it may work again."""
    walker, now = field.walkers["walk-2"], boot_clock()
    async with paused(walker.process):
        event = field.say("!run walk-2 walk steps=3", "bob")
        await field.hears("UNANSWERED walk-2 walk", event)
    (sent,) = field.wire.on("cmd/walk-2", now)
    command = bad_worker.read(sent.payload)
    await field.hears("REJECTED walk-2 walk", event)
    await walker.works()
    again = boot_clock()
    await field.wire.say("cmd/walk-2", sent.payload)

    def is_refused() -> bool:
        said = (
            read_unproven(each.payload, ROOT, "reply") for each in field.wire.on(f"reply/{command.reply_to}", again)
        )
        return any(command.id.encode() in each and b"too late" in each for each in said)

    await until(is_refused, "it says that it is too late")
    assert not any(command.id in line for line in begun(field))
    assert [each.words.split()[0] for each in ends(field, event)] == ["UNANSWERED", "REJECTED"]


async def a_lost_line(field: Field) -> None:
    """Who dies has lost what it did and what waited, and begins none of it again."""
    first = await field.answer("!run walk-1 walk steps=100000", "dave")
    second = await field.answer("!run walk-1 walk steps=3", "dave")
    assert second.words.startswith("QUEUED walk-1 walk")
    await until(lambda: any(job_in(first.words) in line for line in begun(field)), "it has begun the first")
    await field.walkers["walk-1"].process.kill()
    await field.walkers["walk-1"].process.start()
    for each in (first, second):
        await field.hears("LOST walk-1 walk", each.to)
        assert len(ends(field, each.to)) == 1
    await field.walkers["walk-1"].works()
    assert not any(job_in(second.words) in line for line in begun(field))


async def test_a_will_of_a_session_that_is_over_hides_nothing_of_the_one_that_lives(field: Field) -> None:
    ghost = await entered(field, "phoenix")
    will = ghost.state(Shown.LOST)
    ghost.begin_anew()
    await enter(field, ghost)
    await perform(field, will)
    await entered(field, "echo")  # who is answered behind it
    _, command = await called(field, ghost, "!run phoenix where")
    assert [each.session for each in command.targets] == [ghost.session]
    assert "connection lost" not in (await field.answer("!status phoenix", "alice")).words


def is_harmless(words: str) -> bool:
    """It is no longer than it may be, and nothing in it moves the cursor or hides."""
    return len(words) <= LONGEST and not hides_something(words.replace("\n", ""))


async def test_whatever_a_birth_offers_is_shown_in_bounds(field: Field) -> None:
    liar = await entered(field, "liar")
    bomb = "a" * 4_000 + "!"
    for number, schema in enumerate(hostile()):
        await enter(field, liar, liar.birth(OFFERS | {"walk": Offer(DARK, schema, job=True)}))
        for text in ("!run liar", f"!run liar walk x={bomb}", f"!run liar walk {bomb}"):
            heard = await field.answer(text, ("alice", "bob", "carol", "dave")[number % 4])
            assert is_harmless(heard.words), (number, text, heard.words[:1000])
    birth = {"contract": 1, "id": "liar", "session": liar.session, "title": "x", "kind": "x", "version": "1"}
    for each in unreadable(birth):
        refused = await field.refused()
        await perform(field, liar.said("birth", each))
        await field.refuses(refused)
    assert "where" in (await field.answer("!run liar", "dave")).words, "what was refused has changed nothing"


async def test_answers_that_do_not_fit_are_refused_and_odd_ones_are_shown_in_bounds(field: Field) -> None:
    liar = await entered(field, "braggart")
    for each in odd():
        event, command = await called(field, liar, "!run braggart where", "dave")
        for payload in wrong(command, liar.name):
            await field.wire.say(f"reply/{command.reply_to}", liar.said("reply", payload)[1])
        assert not field.news("", event)
        await perform(field, liar.reply(command, Status.DONE, each))
        told = await field.hears("DONE braggart where", event)
        assert is_harmless(told.words), told.words[:1000]
    event, command = await called(field, liar, "!run braggart walk steps=3", "dave")
    await perform(field, liar.reply(command, Status.REJECTED, error=f"steps is from 1 to 100000 {DARK}"))
    told = await field.hears("REJECTED braggart walk", event)
    assert "steps is from 1" in told.words
    assert is_harmless(told.words)
    field.bot.check()


async def test_a_flood_of_one_job_is_told_with_few_edits_and_holds_up_neither_a_job_nor_a_stop(field: Field) -> None:
    now = boot_clock()
    good = await field.answer("!run walk-1 walk steps=50", "carol")
    flood = await field.answer(f"!run {FLOODER} walk steps=1", "carol")
    topic = f"job/{FLOODER}/"
    await until(lambda: len(field.wire.on(topic, now)) > FLOOD / 10, "it floods")
    order = await field.stopped("!shutdown walk-2")
    assert not ends(field, flood.to), "the stop was confirmed in its midst"
    await field.hears("DONE walk-1 walk", good.to)
    await field.answer(f"!cancel {job_in(flood.words)}", "carol")
    end = await field.hears(f"CANCELLED {FLOODER} walk", flood.to)
    await field.reset()
    await field.work()
    assert len(field.wire.on(topic, now)) > FLOOD / 2
    edits = [each for each in field.said() if each.edits == flood.key]
    assert len(edits) <= (end.at - now) / EDITED_EVERY_S + 3, "one when it runs, and one at its end, beside the others"
    assert len(ends(field, flood.to)) == len(ends(field, good.to)) == 1
    assert len(field.news("STOPPED", order)) == 1


async def test_jobs_in_a_line_run_in_their_order_and_one_that_is_cancelled_there_never_begins(field: Field) -> None:
    answers = [await field.answer("!run walk-2 walk steps=50", who) for who in ("alice", "bob", "alice", "bob")]
    jobs = [job_in(each.words) for each in answers]
    assert all(each.words.startswith("QUEUED walk-2 walk") for each in answers[1:])
    await field.answer(f"!cancel {jobs[2]}", "alice")
    await field.hears("CANCELLED walk-2 walk", answers[2].to)
    for each in (answers[0], answers[1], answers[3]):
        await field.hears("DONE walk-2 walk", each.to)
    told = [each.at for number in (0, 1, 3) for each in ends(field, answers[number].to)]
    assert told == sorted(told)
    assert len(told) == 3
    assert len(ends(field, answers[2].to)) == 1
    lines = [line.split()[1][:8] for line in begun(field)]
    assert [each for each in lines if each in jobs] == [jobs[0], jobs[1], jobs[3]]


async def test_a_job_goes_on_through_a_restart_of_the_broker_and_its_end_is_told_once(field: Field) -> None:
    answer = await field.answer("!run walk-1 walk steps=150", "carol")
    await until(lambda: any("RUNNING" in each.words for each in field.said() if each.to == answer.to), "it runs")
    await field.broker.kill()
    killed = boot_clock()
    await field.broker.start()
    await until(lambda: field.wire.states("walk-1", killed), "it is back")
    await field.hears("DONE walk-1 walk", answer.to)
    await field.answer("!run walk-1 where", "carol")
    assert [each.words.split()[0] for each in ends(field, answer.to)] == ["DONE"]


async def test_fifteen_hundred_answers_at_once_are_told_in_one_and_counted_once(field: Field) -> None:
    event = field.say(f"!run {CROWD} walk steps=1", "dave")
    told = await field.hears(f"DONE {COUNT}", event)
    assert f"at {COUNT} components" in told.words
    assert f"{CROWD}-0 " in (await field.answer(f"!status {CROWD}", "dave")).words
    assert field.news(f"DONE {COUNT}", event) == [told]
    over = [each["component"] for each in field.records("ended") if each["id"].startswith(job_in(told.words))]
    assert len(over) == len(set(over)) == COUNT


async def test_nothing_was_begun_twice_and_nothing_that_was_not_ordered(field: Field) -> None:
    await field.hears("DONE 2", field.say("!run walkers walk steps=2", "bob"))
    lines = begun(field)
    assert len(lines) == len(set(lines))
    assert {line.split()[1] for line in lines} <= {each["id"] for each in field.records("dispatch")}
