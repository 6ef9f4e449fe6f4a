"""Who commands a simulation alone: others can tell it nothing, and can read it and stop it as ever."""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.fleet.helm import Helm
from bot.fleet.registry import Listed, Registry
from bot.store import Store, audit, forgetting, helm, jobs, reporting
from bot.store.jobs import Job
from bot.store.jobs import State as JobState
from bot.store.reporting import Whom
from bot.system import System
from bot.words.errors import Refused
from bot.words.message import Message
from bot.words.people import Role
from tests.unit.room import HERE, Room
from wire.birth import Birth, Offer
from wire.messages import Shown, State

REPAIR = {"repair": Offer("Repair", {}, job=True), "weather": Offer("Weather", {})}


class Bridge(Room):
    """A room with two simulations and a machine, and a clock of its own."""

    def __init__(self, store: Store, system: System) -> None:
        self.ahead = 0.0
        registry = Registry({name: Listed(frozenset({"all-sims"})) for name in ("swarm", "flock", "lathe")})
        for name, kind in (("swarm", "simulation"), ("flock", "simulation"), ("lathe", "machine")):
            registry.born(Birth(name, "5e" * 16, name.title(), kind, "1", (), REPAIR))
            registry.heard(State(name, "5e" * 16, "0a", None, Shown.READY))
        self.helm = Helm(store, system.people, queued=lambda: None, now=lambda: time.time() + self.ahead)
        super().__init__(store, dataclasses.replace(system, registry=registry, helm=self.helm))

    async def does(self, text: str, who: str, result: str = "In command") -> Message:
        message = self.message(text, who)
        assert result in (answer := await self.hears(message)), answer
        return message


@pytest_asyncio.fixture
async def bridge(store: Store, system: System) -> AsyncIterator[Bridge]:
    bridge = Bridge(store, system)
    working = asyncio.create_task(bridge.desk.run())
    yield bridge
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


@pytest.mark.parametrize(
    "told",
    ["!run swarm repair", "!run-sim swarm", "!weather swarm", "!run all-sims weather", "!run all repair"],
)
async def test_others_can_tell_it_nothing(bridge: Bridge, published: list[tuple[str, bytes]], told: str) -> None:
    await bridge.does("!commander swarm", "olga", "olga commands swarm until")
    answer = await bridge.said(told, "otto")
    assert "Not run: olga commands swarm until" in answer
    assert "!commander take swarm REASON" in answer
    assert published == []


async def test_others_read_it_and_stop_it_as_ever(bridge: Bridge) -> None:
    await bridge.does("!commander swarm", "olga")
    assert "olga" in await bridge.said("!commander", "otto")
    assert "repair" in await bridge.said("!run swarm", "otto")
    bridge.helm.check("otto", ["flock"])
    await bridge.said("!shutdown all", "otto")
    assert len(bridge.system.bell.incidents()) == 1


async def test_it_is_taken_with_a_reason_and_whoever_had_it_is_told(bridge: Bridge) -> None:
    mine = await bridge.does("!commander swarm", "olga")
    await bridge.does("!commander swarm", "otto", "Not run: olga commands swarm")
    await bridge.does("!commander take swarm", "otto", "Say why you take it.")
    await bridge.does("!commander take swarm she is asleep", "otto", "It was olga's. The reason: she is asleep")
    assert "TAKEN: otto commands swarm now. The reason: she is asleep" in await bridge.told(mine)
    with pytest.raises(Refused, match="otto commands swarm"):
        bridge.helm.check("olga", ["swarm"])
    bridge.helm.check("otto", ["swarm"])
    first, second = await bridge.records("commander")
    assert (first["person"], first["component"], first["component_session"]) == ("olga", "swarm", "5e" * 16)
    assert (second["person"], second["taken_from"]) == ("otto", "olga")
    assert second["reason"], "its digest; the words are people's own"


async def test_it_is_handed_over_and_given_up(bridge: Bridge) -> None:
    await bridge.does("!commander swarm time=1h", "olga")
    until = [each.until for each in bridge.helm.everything()]
    await bridge.does("!commander give swarm vera", "olga", "vera may not give commands")
    await bridge.does("!commander give swarm otto", "cleo", "Not done: olga commands swarm, and not you")
    await bridge.does("!commander give swarm otto", "olga", "otto commands swarm")
    assert [(each.person, each.until) for each in bridge.helm.everything()] == [("otto", until[0])]
    await bridge.does("!commander end swarm", "olga", "otto commands swarm, and not you")
    await bridge.does("!commander end swarm", "otto", "nobody commands swarm alone any more")
    await bridge.does("!commander end swarm", "otto", "nobody commands swarm alone")
    assert "Nobody commands a simulation alone" in await bridge.said("!commander", "olga")


async def test_it_ends_by_itself_and_with_the_rights_of_its_holder(bridge: Bridge) -> None:
    await bridge.does("!commander swarm", "olga")
    await bridge.does("!commander flock time=10m", "otto")
    shown = await bridge.said("!commander", "cleo")
    assert ("olga" in shown, "otto" in shown) == (True, True)
    bridge.ahead = 601
    bridge.helm.check("olga", ["flock"])
    bridge.system.people.suspend("olga")
    bridge.helm.check("otto", ["swarm"])
    assert bridge.helm.everything() == []


async def test_of_two_who_take_it_at_once_one_has_it(bridge: Bridge) -> None:
    asked = [bridge.message("!commander swarm", who) for who in ("olga", "otto")]
    await bridge.intake.accept(asked, cursor="c")
    await bridge.settled()
    told = [await bridge.told(each) for each in asked]
    (held,) = bridge.helm.everything()
    assert [("In command" in each, "commands swarm until" in each) for each in told].count((True, True)) == 1
    assert held.person == ("olga" if "In command" in told[0] else "otto")
    assert len(await bridge.records("commander")) == 1


async def test_of_one_who_takes_it_and_one_who_gives_it_up_both_are_told_what_is_so(bridge: Bridge) -> None:
    await bridge.does("!commander swarm", "olga")
    asked = [bridge.message("!commander take swarm now", "otto"), bridge.message("!commander end swarm", "olga")]
    await bridge.intake.accept(asked, cursor="c")
    await bridge.settled()
    told = [await bridge.told(each) for each in asked]
    assert ("In command" in told[0], [each.person for each in bridge.helm.everything()]) == (True, ["otto"])
    assert "Over" in told[1] or "otto commands swarm" in told[1]


async def test_its_end_is_recorded_and_nobody_else_cancels_meanwhile(bridge: Bridge, store: Store) -> None:
    await bridge.does("!commander swarm", "olga")
    runs = Job("1f" * 16, "swarm", "5e" * 16, "repair", "{}", "olga", HERE, "", True, 1.0, 2.0, JobState.RUNNING)
    await store.write(lambda tx: jobs.add(tx, runs))
    await bridge.does(f"!cancel {runs.id[:8]}", "otto", "Not run: olga commands swarm until")
    await bridge.does("!commander end swarm", "olga", "Over")
    (ended,) = await bridge.records("commander ended")
    assert (ended["person"], ended["component"]) == ("olga", "swarm")


@pytest.mark.parametrize("gone", ["birth", "role", "clock"])
async def test_nobody_keeps_others_out_for_ever(bridge: Bridge, gone: str) -> None:
    await bridge.does("!commander swarm", "olga")
    match gone:
        case "birth":
            bridge.system.registry.decommissioned("swarm")
            await bridge.does("!commander take swarm it is gone", "otto", "otto commands swarm until")
        case "role":
            holder = bridge.system.people["olga"]
            object.__setattr__(holder, "role", Role.VIEWER)
            bridge.helm.check("otto", ["swarm"])
        case _:
            bridge.ahead = -3600
            bridge.helm.check("otto", ["swarm"])


async def test_what_is_said_in_private_words_stands_in_no_clear_part_of_the_record(
    bridge: Bridge, store: Store
) -> None:
    await bridge.does("!commander take swarm she sleeps", "otto")
    (entry,) = [each for each in await store.read(lambda tx: audit.last(tx, 9)) if each.kind == "commander"]
    assert entry.fields.keys() == {"kind", "at", "session", "component", "component_session", "seconds"}


async def test_it_outlives_a_restart(bridge: Bridge, store: Store) -> None:
    await bridge.does("!commander swarm", "olga")
    again = Helm(store, bridge.system.people, queued=lambda: None)
    assert again.everything() == []
    await again.read()
    with pytest.raises(Refused, match="olga commands swarm"):
        again.check("otto", ["swarm"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("!commander lathe", "is no simulation"),
        ("!commander nobody", "No component"),
        ("!commander all", "is no simulation"),
        ("!commander swarm time=1s", "out of range"),
        ("!weather lathe", "is no simulation"),
        ("!levolution swarm", "no command 'levolution'"),
    ],
)
async def test_what_is_no_simulation_has_no_commander(bridge: Bridge, text: str, why: str) -> None:
    assert why in await bridge.said(text, "olga")
    assert bridge.helm.everything() == []


async def test_what_is_held_and_planned_is_reported_and_forgotten(bridge: Bridge, store: Store) -> None:
    await bridge.does("!commander swarm", "olga")
    await bridge.does("!at +10m status", "olga", "Planned")
    held = await store.read(lambda tx: reporting.held(tx, Whom("olga", frozenset({"chat:olga"}))))
    assert [row["component"] for row in held["helm"]] == ["swarm"]
    assert [row["text"] for row in held["plan"]] == ["!status"]
    await store.write(lambda tx: forgetting.forget(tx, Whom("olga", frozenset({"chat:olga"}))))
    assert (await store.read(helm.everything), await bridge.system.plans.stand()) == ([], [])
