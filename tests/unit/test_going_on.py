"""Jobs that go on by themselves after their component has begun anew: in its new session, and as the same ones."""

from collections.abc import AsyncIterator

import pytest_asyncio

from bot.fleet.going_on import BY_NOBODY, MOST_TIMES, WAITS
from bot.fleet.jobs import LATE_S, LOST_S
from bot.fleet.orders import EXPIRES_S
from bot.store import Store
from bot.store.jobs import State
from bot.words.message import Lane
from bot.words.plain import to_plain
from tests.unit.ground import HINT, NAMES, Ground, ground_of
from tests.unit.tower import Component, refuse, take_again
from tests.unit.yard import DONE, HELD, JOB, RUNNING, SESSION, said, speaks
from wire.work import Called, JobState


@pytest_asyncio.fixture
async def ground(store: Store) -> AsyncIterator[Ground]:
    async with ground_of(store, *NAMES) as opened:
        yield opened


async def test_it_goes_on_in_the_new_session_as_the_same_job(ground: Ground) -> None:
    await ground.walks()
    walker = await ground.anew()
    (command,) = ground.sent()
    session = walker.latch.session
    assert (command.id, command.command, dict(command.args)) == (JOB, "walk-on", {"of": JOB})
    assert ([(each.id, each.session) for each in command.targets], command.actor) == ([("walker", session)], "olga")
    assert command.expires_ms == round((ground.yard.time[0] + EXPIRES_S) * 1000)
    assert (ground.yard.state(), (await ground.row()).session) == (State.SENT, session)
    await ground.looks()
    assert len(ground.sent()) == 1


async def test_its_end_is_told_once_and_its_course_stays_one_message(ground: Ground) -> None:
    await ground.walks()
    session = (await ground.anew()).latch.session
    assert "is told to go on" in to_plain((await ground.yard.tower.posts(Lane.PROGRESS))[-1].document)
    await ground.yard.hears(said("walker", 0, RUNNING, session=session))
    assert ground.yard.state() is State.RUNNING
    await ground.yard.hears(*(said("walker", seq, DONE, session=session) for seq in (1, 1, 2)))
    subjects = {post.subject for post in await ground.yard.tower.posts() if post.subject}
    assert (await ground.yard.told(), await ground.yard.recorded(), subjects) == (["DONE"], ["done"], {f"job {JOB}"})
    assert (await ground.row()).may_go_on == 0


async def test_the_record_says_that_it_goes_on_and_where(ground: Ground) -> None:
    await ground.walks()
    session = (await ground.anew()).latch.session
    (entry,) = await ground.went_on()
    named = {name: entry[name] for name in ("id", "component", "command", "component_session")}
    assert named == {"id": JOB, "component": "walker", "command": "walk-on", "component_session": session}


async def test_it_waits_until_its_component_may_work(ground: Ground) -> None:
    await ground.walks()
    walker = await ground.anew(lets=False)
    assert (ground.yard.state(), ground.job().message, ground.sent()) == (State.HELD, WAITS, [])
    shown = to_plain((await ground.yard.tower.posts(Lane.PROGRESS))[-1].document)
    assert "It goes on by itself." in shown
    await ground.looks()
    assert (ground.yard.state(), ground.sent()) == (State.HELD, [])
    await ground.talks(walker)
    await ground.yard.later(1)
    assert [each.command for each in ground.sent()] == ["walk-on"]


async def test_one_that_was_held_when_its_component_ended_goes_on_as_well(ground: Ground) -> None:
    await ground.walks()
    await ground.yard.hears(said("walker", 2, HELD))
    await ground.anew()
    assert [each.command for each in ground.sent()] == ["walk-on"]


async def test_it_goes_on_three_times_at_most_and_a_restart_of_the_bot_counts_on(ground: Ground) -> None:
    await ground.walks()
    for time in range(1, MOST_TIMES + 1):
        async with ground.yard.open():
            session = (await ground.anew()).latch.session
            assert (len(ground.sent()), (await ground.row()).may_go_on) == (time, MOST_TIMES - time)
            await ground.yard.hears(said("walker", 0, RUNNING, session=session))
            await ground.yard.later(2)
    async with ground.yard.open():
        await ground.anew()
        assert (ground.yard.state(), len(ground.sent())) == (State.LOST, MOST_TIMES)
        assert ground.job().message.endswith(f"{BY_NOBODY} {HINT}")


async def test_each_new_session_has_its_time_to_say_an_end(ground: Ground) -> None:
    await ground.walks()
    session = (await ground.anew()).latch.session
    await ground.yard.hears(said("walker", 0, RUNNING, session=session))
    another = Component("walker")
    ground.born(another)
    await ground.talks(another)
    await ground.yard.later(0)
    await ground.yard.later(LOST_S)
    assert (ground.yard.state(), len(ground.sent())) == (State.RUNNING, 1)
    await ground.yard.later(1)
    assert len(ground.sent()) == 2


async def test_an_end_of_the_old_session_that_comes_in_time_counts_and_nobody_is_told_to_go_on(ground: Ground) -> None:
    await ground.walks()
    await ground.anew(lets=False)
    assert ground.yard.state() is State.HELD
    await ground.yard.hears(said("walker", 2, DONE))
    await ground.anew()
    assert (ground.yard.state(), ground.sent(), await ground.yard.told()) == (State.DONE, [], ["DONE"])


async def test_what_the_old_session_says_after_it_has_gone_on_counts_no_more(ground: Ground) -> None:
    await ground.walks()
    await ground.anew()
    await ground.yard.hears(said("walker", 9, RUNNING), said("walker", 9, JobState.STOPPED))
    assert (ground.yard.state(), await ground.yard.told()) == (State.SENT, [])


async def test_while_the_disk_refuses_nobody_is_told_and_then_it_goes_on(ground: Ground) -> None:
    await ground.walks()
    await refuse(ground.store, "audit")
    await ground.anew()
    assert (ground.yard.state(), ground.sent(), (await ground.row()).session) == (State.RUNNING, [], SESSION)
    await take_again(ground.store, "audit")
    await ground.yard.later(1)
    assert ([each.command for each in ground.sent()], len(await ground.went_on())) == (["walk-on"], 1)


async def test_of_an_order_to_two_only_the_one_that_began_anew_is_told_to_go_on(ground: Ground) -> None:
    await ground.walks("walker", "crane")
    speaks(ground.yard, SESSION)
    session = (await ground.anew("crane")).latch.session
    assert (ground.sent(), [each.targets for each in ground.sent("crane")]) == ([], [(Called("crane", session),)])
    await ground.yard.hears(said("walker", 2, DONE), said("crane", 0, DONE))
    assert await ground.yard.told() == [], "that is the old session of the crane"
    await ground.yard.hears(said("crane", 0, DONE, session=session))
    (end,) = await ground.yard.ends()
    assert "DONE 2" in to_plain(end.document)


async def test_after_a_restart_of_the_bot_it_goes_on_as_before(ground: Ground) -> None:
    await ground.walks()
    await ground.anew(lets=False)
    assert ground.yard.state() is State.HELD
    async with ground.yard.open():
        session = (await ground.anew()).latch.session
        assert [each.targets for each in ground.sent()] == [(Called("walker", session),)]
    async with ground.yard.open():
        assert (ground.yard.state(), ground.job().session) == (State.SENT, session)
        await ground.yard.hears(said("walker", 3, DONE, session=session))
        assert (await ground.yard.told(), len(ground.sent())) == (["DONE"], 1)


async def test_where_the_bot_ended_just_then_nobody_is_told_twice(ground: Ground) -> None:
    await ground.walks()
    await ground.anew()
    async with ground.yard.open():
        await ground.yard.later(EXPIRES_S + LATE_S + 1)
        assert (ground.yard.state(), len(ground.sent())) == (State.UNANSWERED, 1)
