"""Jobs of real components, from the room: told, followed, cancelled, held, stopped, and found again after a restart."""

import re

import pytest

from tests.faults.field import Field, until
from wire.clock import boot_clock

pytestmark = pytest.mark.asyncio(loop_scope="module")


def job_in(words: str) -> str:
    """The job that an answer names."""
    found = re.search(r"job ([0-9a-f]{8})", words)
    assert found is not None, words
    return found[1]


async def test_a_job_is_answered_at_once_followed_and_ends_with_what_it_brought(field: Field) -> None:
    answer = await field.answer("!run walk-1 walk steps=60")
    job = job_in(answer.words)
    ended = await field.hears("DONE walk-1 walk after", answer.to)
    assert ended.edits is None
    assert re.search(r"from\s+-?\d", ended.words)
    assert re.search(r"to\s+-?\d", ended.words)
    edits = await until(lambda: [each for each in field.said() if each.edits == answer.key], "its message is edited")
    await until(lambda: edits[-1].words == f"DONE walk-1 walk, job {job}", "it says the end, too")
    shown = await field.answer(f"!job {job}")
    assert "Asked by alice" in shown.words
    assert "steps=60" in shown.words
    assert re.search(rf"{job}\s+walk-1\s+walk\s+alice\s+done", (await field.answer("!jobs")).words)
    kinds = [
        each["kind"] for each in field.records("intent", "dispatch", "ended", "outcome") if each["id"].startswith(job)
    ]
    assert kinds[:2] == ["intent", "dispatch"]
    assert sorted(kinds) == ["dispatch", "ended", "intent", "outcome"]


async def test_what_is_no_job_is_answered_and_what_is_wrong_is_refused_with_help(field: Field) -> None:
    assert "position" in (await field.answer("!run walk-1 where")).words
    assert "walk" in (await field.answer("!run walk-1")).words
    assert "Did you mean walk?" in (await field.answer("!run walk-1 wakl")).words
    wrong = await field.answer("!run walk-1 walk steps=many")
    assert "steps" in wrong.words
    assert "number" in wrong.words
    assert "to 100000" in (await field.answer("!run walk-1 walk steps=1e6")).words
    assert "No component" in (await field.answer("!run walk-9 walk")).words


async def test_a_job_is_cancelled_and_run_again_with_other_parameters(field: Field) -> None:
    answer = await field.answer("!run-sim walk-2 steps=100000")
    job = job_in(answer.words)
    assert "Told to end" in (await field.answer(f"!cancel {job}")).words
    await field.hears("CANCELLED walk-2 walk", answer.to)
    assert "Nothing to cancel" in (await field.answer(f"!cancel {job}")).words
    again = await field.answer(f"!again {job} steps=30")
    ended = await field.hears("DONE walk-2 walk", again.to)
    assert "steps=30" in (await field.answer(f"!job {job_in(ended.words)}")).words


async def test_a_group_is_told_once_and_each_member_answers(field: Field) -> None:
    answer = await field.answer("!run walkers walk steps=40")
    ended = await field.hears("DONE 3", answer.to)
    assert all(name in ended.words for name in field.walkers)


async def test_a_stop_ends_a_job_for_good_and_says_so(field: Field) -> None:
    answer = await field.answer("!run walk-3 walk steps=100000")
    await field.stopped("!shutdown walk-3")
    ended = await field.hears("STOPPED walk-3 walk", answer.to)
    assert "does not go on by itself" in ended.words
    await field.reset()
    await field.work()


async def test_a_job_outlives_the_bot_and_is_held_meanwhile(field: Field) -> None:
    answer = await field.answer("!run walk-1 walk steps=700")
    job = job_in(answer.words)
    await until(lambda: [each for each in field.said() if job in each.words and "RUNNING" in each.words], "it runs")
    await field.bot.kill()
    killed = boot_clock()
    await until(lambda: field.wire.states("walk-1", killed)[2:], "it asks on")
    await field.begun()
    ended = await field.hears("DONE walk-1 walk", answer.to)
    assert job_in(ended.words) == job
    assert len(field.news("DONE walk-1 walk after", answer.to)) == 1


async def test_a_component_that_dies_in_a_job_is_told_as_lost(field: Field) -> None:
    answer = await field.answer("!run walk-2 walk steps=100000")
    await field.walkers["walk-2"].process.kill()
    await field.walkers["walk-2"].process.start()
    lost = await field.hears("LOST walk-2 walk", answer.to)
    assert "begun anew" in lost.words
    await field.work()


async def test_nobody_is_told_to_do_what_they_cannot_do(field: Field) -> None:
    await field.stopped("!shutdown walk-1")
    refused = await field.answer("!run walk-1 walk")
    assert "REJECTED walk-1 walk" in refused.words
    await field.reset()
    await field.work()
