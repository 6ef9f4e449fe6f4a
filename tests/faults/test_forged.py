"""What was recorded and is said again, and what is signed by the wrong key: it permits nothing and latches nothing."""

import asyncio
import dataclasses
import os
import sys
from collections.abc import Callable, Iterable

import pytest

from tests.faults.field import (
    SHORT,
    STOP_KEY,
    Field,
    environment,
    held_since,
    passed,
    paused,
    stood_still,
    until,
)
from tests.faults.short import TTL_S
from wire.clock import boot_clock
from wire.envelope import PrivateKey, read_unproven, seal
from wire.messages import ROOT, Drill, HandOver, Lease, Open, Roster, Shown, State, Stop, Target
from wire.work import Called, Command

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRANGER = PrivateKey(b"a stranger".ljust(32, b"."))


def drawn() -> str:
    return os.urandom(16).hex()


async def asked_again(field: Field, times: int = 2, names: Iterable[str] = ()) -> None:
    """Each has stated again how it is, so that what was said before that has been taken, or not."""
    now = boot_clock()
    for name in names or field.walkers:
        await until(lambda name=name: field.wire.states(name, now)[times:], f"{name} asks", field.last_words)


async def say_all(field: Field, recorded: Iterable[tuple[str, bytes]]) -> None:
    for topic, payload in recorded:
        await field.wire.say(topic.removeprefix(f"{ROOT}/"), payload)


async def a_day(field: Field) -> tuple[tuple[str, bytes], ...]:
    """All that the contract knows is said once, by those who may. Returns it."""
    name = next(iter(field.walkers))
    await field.stopped()
    await field.reset()
    assert "DRILL PASSED" in (await field.answer("!drill")).words
    stop = Stop(drawn(), Target(), 1)
    await field.wire.say("stop/all", seal(STOP_KEY, ROOT, "stop", stop.to_bytes()))
    await until(lambda: field.news("STOPPED everything: 3 of 3")[1:], "the stop key has stopped all", field.last_words)
    await field.reset()
    await field.work()
    session = field.wire.states(name)[-1][1].session
    command = Command(drawn(), "where", {}, (Called(name, session),), "tocsin", 2**53, "alice")
    await field.wire.say(f"cmd/{name}", seal(field.bot_key, ROOT, "cmd", command.to_bytes()))
    await until(lambda: field.wire.on("reply/"), "the command is answered")
    await followed(field)
    kinds = {each.topic.split("/")[2] for each in field.wire.heard}
    assert kinds >= {"birth", "state", "lease", "stop", "key", "roster", "cmd", "reply", "tele"}
    return tuple(dict.fromkeys((each.topic, each.payload) for each in field.wire.heard if "/tele/" not in each.topic))


async def rotate(field: Field) -> None:
    """The bot gets a new key, as an operator gives it one."""
    await field.bot.stop()
    words = ["bot", "key", "rotate", "--config", field.folder / "config.toml"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, SHORT, *words, env=environment(field.folder), stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0
    await field.begun()


async def followed(field: Field) -> None:
    """The bot gets a new key, and all work under it."""
    await rotate(field)
    now = field.bot_key.public.id
    await until(lambda: all(field.wire.states(each)[-1][1].key == now for each in field.walkers), "all have followed")
    await asked_again(field)
    await field.work()


async def test_all_that_was_ever_said_permits_and_latches_nothing_when_it_is_said_again(field: Field) -> None:
    recorded = await a_day(field)
    known = field.incidents()

    async def nothing_comes_of_it() -> None:
        began = boot_clock()
        await say_all(field, recorded)
        said = {payload for _, payload in recorded}
        await asked_again(field)
        fresh = [each for each in field.wire.on("state/", began) if each.payload not in said]
        assert fresh
        shown = [State.parse(read_unproven(each.payload, ROOT, "state")) for each in fresh]
        assert not [each for each in shown if each.incidents or each.shown not in (Shown.BUSY, Shown.HELD)]
        assert len({(each.id, each.session) for each in shown}) == len(field.walkers), "nobody was made to begin anew"
        assert field.incidents() == known
        newest = field.wire.on("state/walk-1")[-1].payload
        before = await field.refused()
        await field.wire.say("state/walk-1", newest)
        await field.refuses(before)

    await nothing_comes_of_it()
    for walker in field.walkers.values():
        assert walker.process.said("refused on ")
        await walker.process.kill()
        await walker.process.start()
    await field.work()
    await nothing_comes_of_it()
    await field.bot.kill()
    await field.broker.kill()
    await field.broker.start()
    dead = boot_clock()
    await passed(dead + TTL_S)
    await say_all(field, recorded)
    await asked_again(field)
    held_since(field.walkers.values(), dead)
    await field.begun()
    await field.work()
    order = await field.stopped()
    told = field.news("STOPPED", order)[0]
    await say_all(field, recorded)
    await asked_again(field)
    stood_still(field.walkers.values(), told.at, await field.reset())
    assert len(field.incidents()) == len(known) + 1
    await field.work()


async def test_what_a_component_said_to_an_earlier_bot_does_not_show_it_as_stopped(field: Field) -> None:
    dead = next(iter(field.walkers.values()))
    began = boot_clock()
    order = await field.stopped()
    recorded = [each.payload for each in field.wire.on(f"state/{dead.name}", began)]
    await field.bot.kill()
    await dead.process.kill()
    await field.begun()
    others = [each for each in field.walkers if each != dead.name]
    await asked_again(field, names=others)
    for payload in recorded:
        await field.wire.say(f"state/{dead.name}", payload)

    async def seen() -> str:
        status = (await field.answer("!status")).words
        return "\n".join(line for line in status.splitlines() if line.startswith("walk-"))

    await asked_again(field, names=others)
    rows = dict(line.split(maxsplit=1) for line in (await seen()).splitlines())
    assert rows[dead.name].startswith(("stopped, last heard", "stopping, last heard")), rows
    assert all(rows[each].startswith("stopped ") and "last heard" not in rows[each] for each in others), rows
    await dead.process.start()
    await field.reset()
    assert len(field.news("STOPPED", order)) == 1
    await field.work()


@dataclasses.dataclass(frozen=True)
class Forger:
    """Somebody with a key that is not the one that counts."""

    who: str
    key: Callable[[Field], PrivateKey]
    may_stop: bool = False


FORGERS = (
    Forger("a stranger", lambda _: STRANGER),
    Forger("another component", lambda field: field.walkers["walk-2"].enrolment.key),
    Forger("a stop key", lambda _: STOP_KEY, may_stop=True),
)


def to_components(
    field: Field, key: PrivateKey, name: str, *, open_: str, may_stop: bool
) -> dict[str, tuple[str, bytes]]:
    """By topic: a kind and a payload that would let work, reset, take over or stop, if the signature were right."""
    state = field.wire.states(name)[-1][1]
    lease = Lease(state.nonce, drawn(), 1, 10_000, (), (open_,))
    said = {
        f"lease/{name}": ("lease", lease.to_bytes()),
        f"key/{name}": ("key", HandOver(field.bot_key.public, key.public).to_bytes()),
        f"roster/{name}": ("roster", Roster(2**50 - 1, (str(STRANGER.public),)).to_bytes()),
        f"cmd/{name}": (
            "cmd",
            Command(drawn(), "walk", {}, (Called(name, state.session),), "tocsin", 2**53, "alice").to_bytes(),
        ),
    }
    if not may_stop:
        said["stop/all"] = ("stop", Stop(drawn(), Target(), 1).to_bytes())
        said[f"stop/id/{name}"] = ("drill", Drill(drawn(), Target(), 1).to_bytes())
    return said


async def forge(field: Field, *forgers: Forger, open_: str = "f" * 32) -> None:
    """To each component, in answer to what it asks just then."""
    for name in field.walkers:
        for forger in forgers:
            key = forger.key(field)
            said = to_components(field, key, name, open_=open_, may_stop=forger.may_stop)
            for topic, (kind, payload) in said.items():
                await field.wire.say(topic, seal(key, ROOT, kind, payload))
                await field.wire.say(topic, seal(field.bot_key, "elsewhere/v1", kind, payload))
                await field.wire.say(topic, seal(field.bot_key, ROOT, "reply", payload))
    await asked_again(field, 1)


async def test_a_wrong_key_lets_nobody_work_who_is_held_and_stops_nobody(field: Field) -> None:
    old = field.bot_key
    await followed(field)
    assert field.bot_key.public != old.public
    await field.bot.kill()
    dead = boot_clock()
    await passed(dead + TTL_S)
    known = field.incidents()
    began = boot_clock()
    await forge(field, *FORGERS, Forger("the key that the bot had before", lambda _: old))
    held_since(field.walkers.values(), dead)
    shown = [state for name in field.walkers for _, state in field.wire.states(name, began)]
    assert {each.shown for each in shown} == {Shown.HELD}
    assert not [each for each in shown if each.incidents or each.drill is not None]
    assert {each.key for each in shown} == {field.bot_key.public.id}
    await field.begun()
    await field.work()
    assert field.incidents() == known


async def test_a_wrong_key_resets_nobody_and_confirms_nobody(field: Field) -> None:
    silent, *others = field.walkers.values()
    async with paused(silent.process):
        began = boot_clock()
        order = field.say("!shutdown all")
        await until(lambda: field.wire.stops(began), "it is sent")
        incident = field.wire.stops(began)[0].incident
        await until(lambda: all(field.wire.states(each.name, began) for each in others), "they have heard")
        before = await field.refused()
        known = field.wire.states(silent.name)[-1][1]
        leases = [each.payload for each in field.wire.on(f"lease/{silent.name}")]
        n = Lease.parse(read_unproven(leases[-1], ROOT, "lease")).n
        claim = dataclasses.replace(known, re=n, shown=Shown.STOPPED, incidents=(Open(incident),))
        for forger in FORGERS:
            forged = dataclasses.replace(claim, nonce=drawn()).to_bytes()
            await field.wire.say(f"state/{silent.name}", seal(forger.key(field), ROOT, "state", forged))
        told = await field.hears("NOT CONFIRMED", order)
        assert "2 of 3 have stopped" in told.words
        await field.refuses(before + len(FORGERS) - 1)
    told = await field.hears("STOPPED everything: 3 of 3", order)
    await forge(field, *FORGERS, open_=incident)
    stood_still(field.walkers.values(), told.at, await field.reset())
    await field.work()
