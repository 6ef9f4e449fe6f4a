"""Bytes that mean nothing, on every topic that somebody listens to, while a stop is on its way. Nobody dies of them."""

import os
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.faults.field import GROUP, STOP_KEY, Field, paused, stood_still, until
from wire.envelope import PrivateKey, seal
from wire.messages import ROOT, Drill, Stop, Target

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEEP = 10_000
MIB = 1024 * 1024
MOST_GROWTH_MIB = 64
RANDOM = 1_000
NONSENSE = (
    b"",
    b"{}",
    b"null",
    b"\xff\xfe\x00" * 20,
    b'{"payloadType": NaN, "payload": NaN, "signatures": NaN}',
    b'{"payload": "", "payload": "", "payloadType": "", "payloadType": 1, "signatures": []}',
    b"[" * DEEP,
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b'{"payloadType": "x", "payload": "' + b"A" * 300_000 + b'", "signatures": []}',
    b"\x00" * (5 * MIB),
)
# What is inside of a message whose signature is right: a component that has gone mad, or whose key was stolen.
INSIDE = (
    b"",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b'{"id": NaN, "incident": NaN, "drill": NaN}',
    b"[" * DEEP + b"]" * DEEP,
    b'{"id": {"id": {"id": 1}}, "incidents": {"id": 1}, "nonce": 1, "session": 1, "state": "busy"}',
    b'{"id": "' + b"a" * 30_000 + b'"}',
    Stop("g" * 32, Target(), 1).to_bytes(),
    Drill("not hex", Target(), 1).to_bytes(),
)


def topics(field: Field) -> list[str]:
    """All that anybody listens to."""
    names = [*field.walkers, "nobody", "x" * 300]
    kinds = ("birth", "state", "lease", "key", "roster", "cmd", "stop/id")
    return [
        "stop/all",
        f"stop/group/{GROUP}",
        "stop/",
        "birth/",
        *(f"{kind}/{name}" for kind in kinds for name in names),
    ]


def signed(field: Field) -> Iterable[tuple[str, bytes]]:
    """Nonsense under signatures that count."""
    walker = field.walkers["walk-2"]
    for inside in INSIDE:
        signers: tuple[tuple[str, str, PrivateKey], ...] = (
            (f"state/{walker.name}", "state", walker.enrolment.key),
            (f"birth/{walker.name}", "birth", walker.enrolment.key),
            ("stop/all", "stop", STOP_KEY),
            ("stop/all", "drill", STOP_KEY),
            *((f"{kind}/{walker.name}", kind, field.bot_key) for kind in ("lease", "key", "roster", "cmd")),
        )
        for topic, kind, key in signers:
            yield topic, seal(key, ROOT, kind, inside)


def memory_mib(pid: int) -> float:
    """What a process has in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def of_processes(field: Field) -> dict[str, float]:
    """The memory of each, by its name. The leash has become what it holds."""
    processes = (field.bot, *(each.process for each in field.walkers.values()))
    return {f"{process.name} {process.log.name}": memory_mib(process.pid) for process in processes}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux shows the memory so")
@pytest.mark.parametrize("count", [RANDOM, pytest.param(50 * RANDOM, marks=pytest.mark.soak)])
async def test_nonsense_on_every_topic_neither_ends_anybody_nor_keeps_a_stop_from_being_confirmed(
    field: Field, count: int
) -> None:
    dice = random.Random(20261121)
    slow, *_ = field.walkers.values()
    before, refused, pids = of_processes(field), await field.refused(), [field.bot.pid, slow.process.pid]
    everywhere, incidents = topics(field), len(field.incidents())
    async with paused(slow.process):
        order = field.say("!shutdown all")
        await until(lambda: field.news("STOPPING", order), "it is on its way", field.last_words)
        for topic in everywhere:
            for payload in NONSENSE if topic in ("stop/all", "state/walk-2", "birth/walk-2") else NONSENSE[:-1]:
                await field.wire.say(topic, payload)
        for topic, payload in signed(field):
            await field.wire.say(topic, payload)
        for number in range(count):
            await field.wire.say(everywhere[number % len(everywhere)], dice.randbytes(dice.randint(0, 400)))
        assert not field.news("STOPPED", order)
    told = await field.hears("STOPPED everything: 3 of 3", order)
    for name in field.walkers:
        await until(lambda name=name: field.wire.states(name, told.at)[2:], f"{name} asks on")
    await field.refuses(refused + count / 4)
    for walker in field.walkers.values():
        walker.process.check()
        assert walker.process.said("refused on ")
    assert [field.bot.pid, slow.process.pid] == pids
    for name, used in of_processes(field).items():
        assert used - before[name] < MOST_GROWTH_MIB, f"{name} grew from {before[name]:.0f} to {used:.0f} MiB"
    assert len(field.incidents()) == incidents + 1
    stood_still(field.walkers.values(), told.at, await field.reset())
    await field.work()
