"""`!shutdown`, `!drill`, `!maintenance` and `!status`, as people type them and read their answers."""

import asyncio
import dataclasses

import pytest

from bot.stop import drill as drills
from bot.store import Store, incidents
from bot.store.incidents import What
from bot.words.errors import UsageError
from bot.words.message import Standing
from bot.words.people import People
from commands.drill import drill
from commands.maintenance import end, maintenance, show
from commands.shutdown import LONGEST_REASON, shutdown
from commands.status import MOST_INCIDENTS, MOST_ROWS, status
from tests.unit.office import Office, office
from tests.unit.tower import BOT_KEY, ORIGIN, TWO, A, Component, HangDisk
from wire.birth import Birth
from wire.envelope import seal
from wire.messages import ROOT, Shown, Stop, Target

pytestmark = pytest.mark.usefixtures("hurried")


async def targets(store: Store) -> list[str]:
    return [row.target for row in await store.read(incidents.all_incidents)]


async def test_several_targets_are_stopped_by_one_line_each_by_its_own_incident(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        call = o.call("olga")
        said = await o.types(shutdown, "walker arms WALKER, because it smells", call=call)
        assert said.count("STOPPING") == 2
        assert "STOPPING walker: 1 component. Incident" in said
        assert "STOPPING group arms: 1 component. Incident" in said
        assert await targets(store) == ["id/walker", "group/arms"]
        assert await o.types(shutdown, "walker arms", call=call) == said  # as after a crash
        assert len(await targets(store)) == 2


async def test_a_disk_that_hangs_keeps_none_of_several_targets_from_being_stopped(
    store: Store, people: People, walker: Component, crane: Component, hang_disk: HangDisk
) -> None:
    async with office(store, people, walker, crane) as o, hang_disk(store) as go_on:
        ordering = asyncio.create_task(o.types(shutdown, "walker crane"))
        try:
            await o.tower.broker.until(lambda: {"id/walker", "id/crane"} <= set(o.tower.broker.stops()))
            assert not ordering.done()
        finally:
            go_on.set()
            said = await ordering
        assert said.count("STOPPING") == 2


async def test_the_reason_and_who_gave_it_stand_in_the_course_and_not_on_the_wire(
    store: Store, people: People, walker: Component
) -> None:
    async with office(store, people, walker) as o:
        await o.types(shutdown, "all because: it smells of smoke", call=(call := o.call("olga")))
        (step,) = await o.tower.course(call.id)
        assert (step.what, step.person, step.words) == (What.ORDERED, "olga", "it smells of smoke")
        await o.tower.broker.until(lambda: bool(o.tower.broker.stops()))
        assert all(word not in payload for _, payload in o.tower.broker.sent for word in (b"olga", b"smoke"))


@pytest.mark.parametrize(
    ("words", "wanted", "reason"),
    [
        ("walker reason it burns", ["id/walker"], "it burns"),
        ("walker Because, it burns", ["id/walker"], "it burns"),
        ("walker because", ["id/walker"], ""),
        ("walker crane", ["id/walker", "id/crane"], ""),
        ("walker because " + "x" * 900, ["id/walker"], "x" * LONGEST_REASON),
    ],
)
async def test_what_follows_because_is_no_target(
    store: Store, people: People, walker: Component, crane: Component, words: str, wanted: list[str], reason: str
) -> None:
    async with office(store, people, walker, crane) as o:
        await o.types(shutdown, words)
        assert await targets(store) == wanted
        rows = await store.read(incidents.all_incidents)
        assert {step.words for row in rows for step in await o.tower.course(row.id)} == {reason}


async def test_what_was_named_rightly_is_stopped_beside_what_was_not(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        said = await o.types(shutdown, "wolker crane")
        assert await targets(store) == ["id/crane"]
        assert "STOPPING crane" in said
        assert "NOT STOPPED: no component and no group is called 'wolker'. To stop, send: !shutdown walker" in said


async def test_who_proves_nothing_is_not_told_what_there_is_to_stop(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        said = await o.types(shutdown, "wolker crane", call=o.call("olga", standing=Standing.UNPROVEN))
        assert "NOT STOPPED: the rest of what you named." in said
        assert "walker" not in said


async def test_a_stop_of_what_somebody_stopped_by_key_says_that_it_was_stopped_already(
    store: Store, people: People, walker: Component
) -> None:
    async with office(store, people, walker) as o:
        stop = Stop(A, Target(), 1)
        walker.latch.stop(stop, seal(BOT_KEY, ROOT, "stop", stop.to_bytes()))
        walker.latch.down = True
        await o.talk(walker)
        said = await o.types(shutdown, "all")
        assert said.startswith(f"ALREADY STOPPED everything, by incident {A[:8]}.")
        assert "walker stopped –" in said


async def test_the_same_order_after_a_reset_says_that_it_is_over(
    store: Store, people: People, walker: Component
) -> None:
    async with office(store, people, walker) as o:
        call = o.call("olga")
        await o.types(shutdown, "all", call=call)
        await o.tower.reset(call.id, None, TWO)
        assert "This stop was carried out, and reset since: incident" in await o.types(shutdown, "all", call=call)
        assert (await o.types(shutdown, "all")).startswith("STOPPING everything")


async def test_a_second_order_is_told_how_it_stands(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        await o.types(shutdown, "all")
        await o.tower.broker.until(lambda: bool(o.tower.broker.stops()))
        await o.talk(walker)
        said = await o.types(shutdown, "everything!", call=o.call("carol"))
        assert said.startswith("ALREADY STOPPING everything")
        assert "crane not heard yet –" in said
        assert "walker stopped 0.0 s" in said
        await o.talk(crane)
        assert (await o.types(shutdown, "all")).startswith("ALREADY STOPPED everything")


async def test_a_drill_shows_who_would_have_heard(
    store: Store, people: People, walker: Component, crane: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office(store, people, walker, crane) as o:

        async def drilled(words: str, *components: Component) -> str:
            o.tower.broker.sent.clear()
            for each in components:
                each.heard = 0
            running = asyncio.create_task(o.types(drill, words))
            await o.tower.broker.until(lambda: bool(o.tower.broker.drills()))
            o.tower.time[0] += 0.25
            await o.talk(*components)
            return await running

        passed = await drilled("", walker, crane)
        assert passed.startswith("DRILL PASSED everything: 2 of 2 heard it. Nothing was stopped.")
        assert "crane heard 0.25 s" in passed
        assert "would have" not in passed
        monkeypatch.setattr(drills, "LASTS_S", 0.2)
        failed = await drilled("all", walker)
        assert failed.startswith("DRILL FAILED everything: 1 of 2 heard it. Nothing was stopped.")
        assert failed.index("crane no answer –") < failed.index("walker heard")
        assert "would have worked on until its lease ends" in failed
        assert await targets(store) == []


async def test_a_drill_of_nobody_says_so(store: Store, people: People) -> None:
    async with office(store, people) as o:
        assert await o.types(drill) == "No enrolled component is meant by everything."
        with pytest.raises(UsageError, match="No component and no group is called 'wolker'"):
            await o.types(drill, "wolker")


async def test_maintenance_begins_is_listed_and_ends(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        assert await o.types(show) == "Nobody works on anything."
        said = await o.types(maintenance, "legs for 2h")
        assert said.startswith("Noted: olga works on group legs until ")
        assert said.endswith("UTC. A stop counts there as everywhere.")
        listed = await o.types(show)
        assert listed.startswith("target who until\ngroup legs olga ")
        assert "from now" in listed
        assert "maintenance until" in await o.types(status)
        with pytest.raises(UsageError, match="Nobody works on crane") as wrong:
            await o.types(end, "crane")
        assert "!maintenance list" in wrong.value.hint
        assert await o.types(end, "legs") == "Over: the work on group legs."
        assert "maintenance" not in await o.types(status)


@pytest.mark.parametrize(
    "words", ["", "walker", "walker for", "walker 2h", "walker for 30s", "walker for 31d", "wolker for 2h"]
)
async def test_maintenance_without_an_end_or_of_nothing_is_refused(
    store: Store, people: People, walker: Component, words: str
) -> None:
    async with office(store, people, walker) as o:
        with pytest.raises(UsageError):
            await o.types(maintenance, words)
        assert o.system.maintenance.going_on() == ()


async def test_what_is_worked_on_is_stopped_all_the_same(store: Store, people: People, walker: Component) -> None:
    async with office(store, people, walker) as o:
        await o.types(maintenance, "walker for 2h")
        said = await o.types(shutdown, "walker")
        assert said.startswith("STOPPING walker: 1 component.")
        await o.tower.broker.until(lambda: set(o.tower.broker.stops()) == {"id/walker"})


async def test_status_has_a_column_for_all_that_is_known(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        o.system.registry.born(Birth("walker", "5e", "A walker", "demo", "1"))
        await o.talk(walker)
        o.tower.time[0] += 3
        lines = (await o.types(status)).splitlines()
        assert lines == [
            "component state heard spare groups what it is",
            "crane not heard since I started – – arms –",
            "walker ready 3 s ago 10.0 s legs A walker",
        ]
        assert (await o.types(status, "legs")).count("\n") == 1
        assert "walker" in await o.types(status, "walker")
        assert await o.types(status, "nowhere") == "No component is in 'nowhere'."


async def test_status_says_what_is_open_and_what_is_not_back_yet(
    store: Store, people: People, walker: Component
) -> None:
    async with office(store, people, walker) as o:
        await o.types(shutdown, "all", call=(call := o.call("olga")))
        assert f"Open incident {call.id[:8]} stops everything." in await o.types(status)
        await o.tower.reset(call.id, None, TWO)
        assert f"RESET PENDING everything. Incident {call.id[:8]}." in await o.types(status)
        await o.talk(walker)
        await o.tower.told(1)
        assert call.id[:8] not in await o.types(status)


async def test_status_of_many_incidents_and_many_components_is_bounded(store: Store, people: People) -> None:
    many = [Component(f"c{number:03d}") for number in range(MOST_ROWS + 3)]
    async with office(store, people, *many) as o:
        for each in many[: MOST_INCIDENTS + 2]:
            await o.tower.bell.order(each.key.public.raw.hex()[:32], Target(id=each.name), ORIGIN)
        said = await o.types(status)
        assert said.count("Open incident") == MOST_INCIDENTS
        assert "And 2 more incidents: !incident." in said
        assert "And 3 more. !status GROUP shows some of them." in said


async def test_status_shows_strangers_as_strangers(store: Store, people: People, walker: Component) -> None:
    async with office(store, people, walker) as o:
        o.system.registry.stranger("ghost", [A])
        assert "Not enrolled, and nothing of it is proven: ghost. They name 1 incident." in await o.types(status)
        for number in range(9):
            o.system.registry.stranger(f"g{number}", ["b" * 32])
        assert "g0, g1, g2, g3, g4 …. They name 2 incidents." in await o.types(status)


async def test_status_says_when_there_is_no_broker(store: Store, people: People, walker: Component) -> None:
    async with office(store, people, walker) as o:
        assert "broker" not in await o.types(status)
        away = Office(o.tower, dataclasses.replace(o.system, connected=lambda: False))
        assert "I have no connection to the broker. All below is from before." in await away.types(status)


async def test_how_often_it_was_held_is_shown_in_place_of_what_was_spare(
    store: Store, people: People, walker: Component
) -> None:
    async with office(store, people, walker) as o:
        await o.talk(walker)
        state = o.system.registry.sights()[0]
        assert state.spare_s is not None
        for times, words in ((1, "held once"), (2, "held 2 times")):
            said = walker.latch.ask(0.0)
            o.system.registry.heard(dataclasses.replace(said, shown=Shown.HELD))
            assert words in await o.types(status), times
            o.system.registry.heard(said)
