"""Pictures of a job in the kit: added in any thread within their bounds, and named by its end, however it ends."""

import asyncio
import threading
from typing import Any

import pytest

from components.jobs import Job
from components.post import LARGEST_WAITING, MOST_UNSENT
from components.threads import ThreadStep
from components.trouble import Cancelled
from components.voice import PICTURES_LOST
from tests.unit.test_component_jobs import Machine, running, turns
from tests.unit.test_component_voice import Away, reply
from tests.vectors.signed import PICTURE
from wire import work
from wire.picture import LARGEST_PICTURE, LONGEST_ALT, MediaType, PictureNamed
from wire.work import MOST_PICTURES, JobState


def shown(machine: Machine, job: str) -> list[tuple[str, bytes]]:
    """The pictures of a job that has ended."""
    data = machine.said.pictures[job]
    named = machine.said.ends[job].pictures
    assert all(each.is_of(data[each.sha256]) for each in named)
    return [(each.alt, data[each.sha256]) for each in named]


async def ended(machine: Machine, call: Any) -> tuple[work.Job, list[tuple[str, bytes]]]:
    machine.let()
    async with running(machine):
        job = machine.begin(call)
        return await machine.said.end(job), shown(machine, job)


async def test_a_job_ends_with_its_pictures_in_their_order() -> None:
    async def call(job: Job) -> None:
        job.picture("A map", PICTURE)
        job.picture("A curve", b"jpeg", "image/jpeg")
        job.picture("The same map", PICTURE)

    end, pictures = await ended(Machine(), call)
    assert pictures == [("A map", PICTURE), ("A curve", b"jpeg"), ("The same map", PICTURE)]
    assert [each.media_type for each in end.pictures] == [MediaType.PNG, MediaType.JPEG, MediaType.PNG]


async def test_pictures_are_added_in_a_thread() -> None:
    def run(job: Job, step: ThreadStep) -> None:
        for number in range(3):
            step()
            job.picture(f"At {number}", bytes([number]))

    async def call(job: Job) -> None:
        await job.in_thread(lambda step: run(job, step))

    _, pictures = await ended(Machine(), call)
    assert pictures == [("At 0", b"\0"), ("At 1", b"\1"), ("At 2", b"\2")]


async def test_many_threads_together_add_no_more_than_there_may_be() -> None:
    machine, refused = Machine(), list[str]()

    def run(job: Job) -> None:
        try:
            job.picture("One of many", PICTURE)
        except ValueError as error:
            refused.append(str(error))

    async def call(job: Job) -> None:
        threads = [threading.Thread(target=run, args=(job,)) for _ in range(20)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    _, pictures = await ended(machine, call)
    assert len(pictures) == MOST_PICTURES
    assert refused == ["a job has up to 8 pictures"] * 12


async def test_what_ends_otherwise_than_done_shows_its_pictures_too() -> None:
    async def fails(job: Job) -> None:
        job.picture("Before it broke", PICTURE)
        raise RuntimeError("the belt is torn")

    end, pictures = await ended(Machine(), fails)
    assert (end.state, pictures) == (JobState.FAILED, [("Before it broke", PICTURE)])


@pytest.mark.parametrize("state", [JobState.STOPPED, JobState.CANCELLED])
async def test_what_is_stopped_or_cancelled_may_still_add_one(state: JobState) -> None:
    machine, begun = Machine(), asyncio.Event()

    async def call(job: Job) -> None:
        try:
            while True:
                await job.step()
                begun.set()
        finally:
            job.picture("How far it came", PICTURE)

    machine.let()
    async with running(machine):
        job = machine.begin(call)
        await begun.wait()
        if state is JobState.STOPPED:
            machine.stop()
        else:
            machine.jobs.cancel(job)
        assert (await machine.said.end(job)).state is state
        assert shown(machine, job) == [("How far it came", PICTURE)]


async def test_after_its_end_it_takes_no_more() -> None:
    machine, kept = Machine(), list[Job]()

    async def call(job: Job) -> None:
        kept.append(job)

    await ended(machine, call)
    with pytest.raises(Cancelled):
        kept[0].picture("Too late", PICTURE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("A map", b""), "a picture has 1 to 262144 bytes, not 0"),
        (("A map", bytes(LARGEST_PICTURE + 1)), "a picture has 1 to 262144 bytes, not 262145"),
        (("", PICTURE), "alt says in 1 to 300 characters what a picture shows, not in 0"),
        (("x" * (LONGEST_ALT + 1), PICTURE), "alt says in 1 to 300 characters what a picture shows, not in 301"),
        (("A map", PICTURE, "image/gif"), "a picture is image/png, image/jpeg, image/webp, not 'image/gif'"),
    ],
    ids=lambda each: None if isinstance(each, tuple) else each,
)
async def test_what_is_over_a_bound_is_told_where_it_is_added(arguments: tuple[Any, ...], said: str) -> None:
    async def call(job: Job) -> None:
        job.picture("y" * LONGEST_ALT, bytes(LARGEST_PICTURE), "image/webp")
        job.picture(*arguments)

    end, pictures = await ended(Machine(), call)
    assert (end.message, len(pictures)) == (f"ValueError: {said}", 1)


async def test_any_kind_of_bytes_is_taken_as_it_is_then_and_no_other_thing() -> None:
    async def call(job: Job) -> None:
        canvas = bytearray(PICTURE)
        job.picture("A canvas\nof \udcff two lines\x1b", memoryview(canvas))  # type: ignore[arg-type]
        canvas[0] ^= 1
        job.picture("A number", 7)  # type: ignore[arg-type]

    end, pictures = await ended(Machine(), call)
    assert pictures == [("A canvas of   two lines", PICTURE)]
    assert end.message.startswith("TypeError: ")


def end_with(number: int, size: int) -> tuple[work.Job, dict[str, bytes]]:
    data = number.to_bytes(size, "big")
    named = PictureNamed.of("A map", MediaType.PNG, data)
    return work.Job("c", f"{number:x}", "5e", 1, JobState.DONE, pictures=(named,)), {named.sha256: data}


async def test_an_end_waits_as_one_with_its_pictures() -> None:
    voice = Away().voice
    voice.ended(*end_with(1, 10))
    assert voice.waiting == ("r/job/c/1",)


async def test_what_waits_of_pictures_is_bounded_and_the_end_is_said_without_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    voice, fit = Away().voice, LARGEST_WAITING // LARGEST_PICTURE
    for number in range(fit):
        voice.ended(*end_with(number, LARGEST_PICTURE))
    assert caplog.text == ""
    voice.ended(*end_with(fit, 1))
    assert f"pictures wait; not sent: those of r/job/c/{fit:x}" in caplog.text
    assert len(voice.waiting) == fit + 1
    for _ in range(MOST_UNSENT):
        voice.reply("bot", reply(1))  # what waits goes, and its pictures with it
    caplog.clear()
    voice.ended(*end_with(fit, LARGEST_PICTURE))
    await turns(1)
    assert "pictures wait" not in caplog.text
    assert PICTURES_LOST not in caplog.text
