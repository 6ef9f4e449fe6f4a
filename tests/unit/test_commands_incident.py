"""`!incident`, `!verified` and `!reset`, as people type them and read their answers."""

import dataclasses
import re

import pytest

from bot.desk.authority import Action
from bot.desk.card import card_of, digest_of
from bot.desk.command import Stakes
from bot.store import Store, audit, incidents
from bot.store.incidents import Step, What
from bot.store.requests import Request
from bot.words.errors import StoreError, UsageError
from bot.words.people import People, Role
from bot.words.plain import to_plain
from commands.incident import (
    FIRST_LINES,
    LONGEST_WORDS,
    MOST_HITS,
    MOST_LINES,
    MOST_LISTED,
    MOST_READ,
    reset,
    show_incident,
    take,
    verified,
)
from tests.unit.office import Office, office
from tests.unit.tower import ALL, ORIGIN, TWO, A, B, Component, refuse
from wire.messages import Target

pytestmark = pytest.mark.usefixtures("hurried")
WALKER = Target(id="walker")


async def stakes(o: Office, words: str = "") -> Stakes:
    assert reset.preview is not None
    bound = reset.signature.bind(words, o.system.names)
    return await reset.preview(o.call("olga"), *bound.args, **bound.kwargs)


async def stopped(o: Office, incident: str, target: Target, *components: Component) -> None:
    """All of these say that they stand still, and the room was told."""
    await o.tower.stopped(incident, target, *components)
    await o.tower.looked_at()


def test_who_may_do_what() -> None:
    assert [(each.role, each.action) for each in (show_incident, take, verified, reset)] == [
        (Role.VIEWER, Action.READ),
        (Role.OPERATOR, Action.RUN),
        (Role.OPERATOR, Action.GOVERN),
        (Role.OPERATOR, Action.GOVERN),
    ]
    assert [each.demand.two_persons for each in (take, verified, reset)] == [False, False, True]


async def test_where_nothing_was_ever_stopped_there_is_nothing_to_show_and_to_do(
    store: Store, people: People, walker: Component
) -> None:
    async with office(store, people, walker) as o:
        assert await o.types(show_incident) == "Nothing was ever stopped."
        for command, words in ((take, ""), (reset, ""), (verified, "walker lies there")):
            with pytest.raises(UsageError, match=r"No incident is open\.|Nothing stops walker now\."):
                await o.types(command, words)


async def test_the_list_says_of_each_how_it_stands(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        await stopped(o, A, WALKER, walker, crane)
        await o.tower.bell.order(B, ALL, ORIGIN)
        assert re.search(r"bbbbbbbb STOPPING everything \d\d:\d\d UTC", await o.types(show_incident))
        await o.tower.later(10)
        assert "bbbbbbbb NOT CONFIRMED everything" in await o.types(show_incident)
        await o.talk(walker)
        lines = (await o.types(show_incident)).splitlines()
        assert lines[0] == "incident state target since"
        assert lines[1].startswith("bbbbbbbb PARTIAL everything ")
        assert lines[2].startswith("aaaaaaaa STOPPED walker ")
        await o.types(verified, 'crane "its fuse is out"')
        assert "bbbbbbbb PARTIAL everything" in await o.types(show_incident)  # it says itself that it works
        await o.tower.later(11)
        await o.talk(walker)
        assert "bbbbbbbb STOPPED, as far as seen everything" in await o.types(show_incident)
        await o.tower.later(60)
        assert "aaaaaaaa STOPPED, last heard walker" in await o.types(show_incident)
        await o.tower.reset(A, None, TWO)
        assert "aaaaaaaa RESET PENDING walker" in await o.types(show_incident)
        await o.tower.reset(B, None, TWO)
        await o.talk(walker, crane)
        await o.tower.looked_at()
        said = await o.types(show_incident)
        assert ("aaaaaaaa READY walker" in said, "bbbbbbbb READY everything" in said) == (True, True)


async def test_an_incident_of_another_day_is_listed_with_its_day(
    store: Store, people: People, walker: Component
) -> None:
    async with office(store, people, walker) as o:
        await store.write(lambda tx: incidents.open_incident(tx, A, "all", b"signed", None, None, at=1_700_000_000.0))
        assert "2023-11-14 22:13 UTC" in await o.types(show_incident)
        await store.write(lambda tx: incidents.note(tx, A, [Step(What.ORDERED, at=1_700_000_000.0)]))
        assert "2023-11-14 22:13 UTC ordered" in await o.types(show_incident, A)


async def test_of_many_incidents_the_open_ones_come_first_and_the_rest_are_counted(
    store: Store, people: People, walker: Component
) -> None:
    async with office(store, people, walker) as o:
        await o.tower.bell.order(A, ALL, ORIGIN)
        for number in range(MOST_LISTED + 4):
            incident = f"{number:032x}"
            await store.write(lambda tx, each=incident: incidents.open_incident(tx, each, "all", b"x", None, None))
            await store.write(lambda tx, each=incident: incidents.end(tx, each))
        lines = (await o.types(show_incident)).splitlines()
        assert lines[1].startswith("aaaaaaaa")
        assert lines[-1] == "And 5 older ones."
        assert len(lines) == 1 + MOST_LISTED + 2


async def test_one_is_shown_with_its_whole_course(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        await stopped(o, A, ALL, walker)
        await o.types(take, "aaaa")
        await o.types(verified, 'crane "its fuse is out" really')
        await o.tower.looked_at()
        head, table, course = (await o.types(show_incident, "AAAA")).split("\n\n")
        assert head == f"STOPPED, as far as seen: everything. Incident {A}."
        assert table.splitlines() == ["component says after", "crane seen by olga –", "walker stopped 0.0 s"]
        first, *rest = course.splitlines()[1:]
        assert re.fullmatch(r"\d\d:\d\d UTC ordered – –", first)
        assert [line.removeprefix("+0 s ") for line in rest] == [
            "taken – olga",
            "verified crane olga: its fuse is out really",
            "stopped walker –",
            "confirmed – 1 of 2",
        ]


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("abc", "No incident begins with 'abc'"),
        ("", "2 incidents are open: aaaaaaaa, aaaa0000"),
        ("aaaa", "2 incidents begin so"),
        ("bbbb", "No incident begins with 'bbbb'"),
        ("x" * 500, "No incident begins with 'xxxxx"),
        ("%%%%", "No incident begins with '%%%%'"),
    ],
)
async def test_who_names_no_one_incident_is_told_how_to(
    store: Store, people: People, walker: Component, word: str, what: str
) -> None:
    async with office(store, people, walker) as o:
        await o.tower.bell.order(A, WALKER, ORIGIN)
        await o.tower.bell.order("aaaa" + "0" * 28, ALL, ORIGIN)
        for command in (take, show_incident) if word else (take,):
            with pytest.raises(UsageError) as wrong:
                await o.types(command, word)
            assert what in wrong.value.what
            assert wrong.value.hint
            assert len(str(wrong.value)) < 300
        assert await o.types(take, "aaaaa") == "Yours: incident aaaaaaaa."


async def test_a_crowd_that_stopped_is_one_line_and_how_it_began_is_kept(store: Store, people: People) -> None:
    async with office(store, people) as o:
        crowd = [Step(What.STOPPED, f"c{number}", at=2.0) for number in range(MOST_READ - 2 - MOST_LINES)]
        steps = [Step(What.ORDERED, at=1.0), *crowd, Step(What.CONFIRMED, words="all", at=3.0)]
        late = [Step(What.NOT_CONFIRMED, words=f"look {number}", at=4.0) for number in range(MOST_LINES)]
        await store.write(lambda tx: incidents.open_incident(tx, A, "all", b"x", None, None, at=1.0))
        await store.write(lambda tx: incidents.note(tx, A, [*steps, *late]))
        _, course = (await o.types(show_incident, A)).split("\n\n")
        lines = course.splitlines()[1:]
        assert len(lines) == MOST_LINES
        assert "ordered" in lines[0]
        assert f"stopped c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and {len(crowd) - 10} more" in lines[1]
        assert lines[FIRST_LINES].startswith("… 4 more")
        assert lines[-1].endswith(f"look {MOST_LINES - 1}")


async def test_who_takes_it_is_named_in_what_is_told(store: Store, people: People, walker: Component) -> None:
    async with office(store, people, walker) as o:
        await o.tower.bell.order(A, ALL, ORIGIN)
        await o.types(take, call=o.call("otto"))
        await o.tower.later(10)
        assert "otto leads." in (await o.tower.news())[0]


async def test_what_a_person_saw_counts_in_every_incident_that_stops_it(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        await o.tower.bell.order(A, WALKER, ORIGIN)
        await o.tower.bell.order(B, ALL, ORIGIN)
        said = await o.types(verified, "walker " + "it lies there " * 100)
        assert said == "Noted: olga has seen walker. Incident aaaaaaaa, bbbbbbbb."
        for incident in (A, B):
            (step,) = [each for each in await o.tower.course(incident) if each.what is What.VERIFIED]
            assert (step.person, len(step.words) <= LONGEST_WORDS) == ("olga", True)
        with pytest.raises(UsageError, match="'what-i-saw' is missing"):
            await o.types(verified, "walker")
        with pytest.raises(UsageError, match="'wolker'"):
            await o.types(verified, "wolker lies there")


async def test_the_card_of_a_reset_shows_who_stands_still_and_who_does_not(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        await stopped(o, A, ALL, walker)
        at_stake = await stakes(o)
        assert {hit.target: hit.now for hit in at_stake.hits} == {"walker": "stopped", "crane": "NOT CONFIRMED"}
        assert "everything, incident aaaaaaaa: they may work again." in at_stake.note
        assert "So may whatever else it was meant for." in at_stake.note
        assert "Not confirmed: crane. Who has not said that it stands still may run" in at_stake.note
        await o.types(verified, "crane lies there")
        at_stake = await stakes(o, "aaaa crane")
        assert [(hit.target, hit.now) for hit in at_stake.hits] == [("crane", "seen by olga")]
        assert "whatever else" not in at_stake.note
        assert "look at it first" not in at_stake.note
        await o.tower.reset(A, frozenset({"walker"}), TWO)
        assert [hit.target for hit in (await stakes(o)).hits] == ["crane"]
        with pytest.raises(UsageError, match="Not stopped by this incident: walker"):
            await stakes(o, "aaaa walker")
        with pytest.raises(UsageError, match=r"walker is a component\. .*: !reset INCIDENT walker"):
            await stakes(o, "walker")
        await o.tower.reset(A, None, TWO)
        with pytest.raises(UsageError, match="This incident is reset already"):
            await stakes(o, "aaaa")


async def test_what_changes_meanwhile_voids_what_was_agreed_to(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        await stopped(o, A, ALL, walker)
        call = o.call("olga")

        async def digest() -> str:
            return digest_of(call.person, call.message, "!reset aaaa", await stakes(o))

        first = await digest()
        assert await digest() == first
        await o.talk(crane)
        second = await digest()
        assert second != first
        o.tower.time[0] += 60
        assert await digest() not in (first, second)


async def test_a_card_of_a_thousand_is_short_and_names_who_runs(store: Store, people: People) -> None:
    many = [Component(f"c{number:04d}") for number in range(1000)]
    async with office(store, people, *many) as o:
        await o.tower.stopped(A, ALL, *many[:-3])
        at_stake = await stakes(o)
        assert [(hit.target, hit.now) for hit in at_stake.hits] == [
            ("997 components", "stopped"),
            ("3 components", "NOT CONFIRMED"),
        ]
        assert "Not confirmed: c0997, c0998, c0999." in at_stake.note
        call = o.call("olga")
        request = Request("abcd", call.id, "olga", call.message, "!reset", "", 0.0, 600.0)
        assert len(to_plain(card_of(request, reset, at_stake))) < 1200
        few = await stakes(o, "aaaa " + " ".join(each.name for each in many[:MOST_HITS]))
        assert len(few.hits) == MOST_HITS
        before = dataclasses.asdict(at_stake)
        await o.tower.talk(many[-1])
        assert dataclasses.asdict(await stakes(o)) != before


async def test_a_reset_by_two_lets_go_what_was_named(
    store: Store, people: People, walker: Component, crane: Component
) -> None:
    async with office(store, people, walker, crane) as o:
        await stopped(o, A, ALL, walker, crane)
        said = await o.types(reset, "aaaa walker", call=o.call("carol", agreed="otto"))
        assert said == "RESET PENDING walker: by carol and otto. Incident aaaaaaaa. Each is told as soon as it asks."
        await o.talk(walker, crane)
        assert (walker.works, crane.works) == (True, False)
        assert "walker let go –" in await o.types(show_incident, "aaaa")
        said = await o.types(reset, call=o.call("carol", agreed="otto"))
        assert said.startswith("RESET PENDING everything: by carol and otto.")
        await o.talk(walker, crane)
        await o.tower.looked_at()
        *_, first, second, last = (await o.types(show_incident, "aaaa")).splitlines()
        assert first.endswith("reset walker carol and otto")
        assert second.endswith("reset – carol and otto")
        assert last.endswith("ready – –")


async def test_all_that_is_open_is_let_go_by_one_agreement(store: Store, people: People) -> None:
    many = [Component(f"c{number:02d}", kept=None) for number in range(30)]  # each has stopped itself
    async with office(store, people, *many) as o:
        with pytest.raises(UsageError, match="No incident is open"):
            await stakes(o, "all")
        await o.talk(*many[:-1])
        await o.tower.bell.order(A, ALL, ORIGIN)
        at_stake = await stakes(o, "all")
        assert [(hit.target, hit.now) for hit in at_stake.hits] == [("30 components", "NOT CONFIRMED")]
        await o.tower.broker.until(lambda: o.tower.broker.stops() != [])
        await o.talk(*many[:-1])
        at_stake = await stakes(o, "ALL")
        assert [(hit.target, hit.now) for hit in at_stake.hits] == [
            ("29 components", "stopped"),
            ("c29", "NOT CONFIRMED"),
        ]
        assert "30 incidents, all that are open: " in at_stake.note
        assert "Not confirmed: c29." in at_stake.note
        call = o.call("olga")
        request = Request("abcd", call.id, "olga", call.message, "!reset all", "", 0.0, 600.0)
        assert len(to_plain(card_of(request, reset, at_stake))) < 1200
        await o.talk(many[-1])  # and there is one more
        assert (await stakes(o, "all")).note != at_stake.note
        with pytest.raises(UsageError, match="Components are let off one incident at a time"):
            await stakes(o, "all c01")
        before = await stakes(o, "all")
        await o.tower.reset(A, None, ("olga", "otto"))
        await o.tower.bell.order(B, ALL, ORIGIN)  # as many as before, of the same components
        await o.tower.broker.until(lambda: o.tower.broker.stops().count("all") > 1)
        await o.talk(*many)
        after = await stakes(o, "all")
        assert after.hits == before.hits
        assert after.note != before.note
        said = await o.types(reset, "all", call=o.call("carol", agreed="otto"))
        assert said == "RESET PENDING 31 incidents: by carol and otto. Each component is told as soon as it asks."
        await o.talk(*many)
        assert all(each.works for each in many)
        resets = [each for each in await store.read(lambda tx: audit.last(tx, 500)) if each.kind == "incident reset"]
        assert [each.all["person"] for each in resets].count(["carol", "otto"]) == 31


async def test_a_disk_that_takes_no_reset_of_all_is_told(store: Store, people: People, walker: Component) -> None:
    async with office(store, people, walker) as o:
        await stopped(o, A, ALL, walker)
        await refuse(store, "cleared")
        with pytest.raises(StoreError):
            await o.types(reset, "all", call=o.call("carol", agreed="otto"))
        assert [each.id for each in o.tower.bell.incidents()] == [A]


async def test_a_reset_of_many_by_name_is_one_short_line(store: Store, people: People) -> None:
    many = [Component(f"c{number:02d}") for number in range(30)]
    async with office(store, people, *many) as o:
        await stopped(o, A, ALL, *many)
        call = o.call("carol", agreed="otto")
        said = await o.types(reset, "aaaa " + " ".join(each.name for each in many[:25]), call=call)
        assert "c09 and 15 more: by carol and otto" in said
        assert "reset c00, c01" in (shown := await o.types(show_incident, "aaaa"))
        assert "c09 and 15 more carol and otto" in shown
