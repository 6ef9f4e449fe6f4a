"""The calculator of virtual hardware: its figures, what always holds of them, and the component on a real broker.

The figures are those of the specification: 13 nodes of 128 vCPU and 2,048 GiB, 20% reserved, 72 GiB overhead a node,
24 GiB control plane; 16 × 10 × 7.68 TiB kept three times, 10% overhead; a machine of 16 vCPU at 2.20 GHz, two threads
a core. They are calculated again here by hand, in fractions.
"""

import asyncio
import dataclasses
import os
import sys
from collections.abc import AsyncGenerator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from components.capacity.capacity import plan
from components.capacity.plan import FORMULAS, Cluster, Fit, Machine, Reading, Storage, fit
from demo.broker import ROOT, LocalBroker
from demo.process import Process
from tests.system.played_bot import BOT, NAME, PATIENCE, Bot, running
from wire.birth import Danger
from wire.enrolment import Enrolment
from wire.errors import Rejected
from wire.work import Status

LEFT = 1 - Fraction(20, 100)
SPECIFIED = {
    Reading.UNBRACKETED: (26_542, 13 * 2048 - 24 - 72 * LEFT),
    Reading.ONCE: (21_222, (13 * 2048 - 72 - 24) * LEFT),
    Reading.OVERHEAD_PER_NODE: (20_531, (13 * (2048 - 72) - 24) * LEFT),
    Reading.ALL_PER_NODE: (20_301, 13 * (2048 - 72 - 24) * LEFT),
}
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
STARTS = {
    "as a module": ("-m", "components.capacity"),
    "by its file": ("-m", "bot", "component", "run", str(ROOT / "components/capacity/capacity.py")),
}


@pytest.mark.parametrize("reading", Reading)
async def test_each_reading_gives_its_figure_and_all_are_told_beside_it(reading: Reading) -> None:
    figure, by_hand = SPECIFIED[reading]
    told = await plan(memory_reading=reading)
    assert (round(told["memory_gib"]), Fraction(str(told["memory_gib"]))) == (figure, by_hand)
    assert (told["memory_reading"], told["memory_formula"]) == (reading.value, FORMULAS[reading])
    beside = {name: round(value) for name, value in told.items() if name.startswith("memory_gib_read_")}
    assert beside == {
        "memory_gib_read_unbracketed": 26_542,
        "memory_gib_read_once": 21_222,
        "memory_gib_read_overhead_per_node": 20_531,
        "memory_gib_read_all_per_node": 20_301,
    }


async def test_drives_clock_and_vcpus_are_as_specified() -> None:
    told = await plan()
    raw = 16 * 10 * Fraction("7.68")
    assert [Fraction(str(told[f"storage_{each}_tib"])) for each in ("raw", "replicated", "usable")] == [
        raw,
        raw / 3,
        raw / 3 * Fraction(9, 10),
    ]
    assert (told["storage_raw_tib"], told["storage_replicated_tib"]) == (1228.8, 409.6)
    assert told["machine_ghz"] == float(16 * Fraction("2.20") / 2) == 17.6
    assert (told["vcpus_raw"], told["vcpus_to_give"]) == (13 * 128, float(13 * 128 * LEFT))


async def test_every_answer_is_flat_and_says_that_it_is_arithmetic() -> None:
    told = await plan(machine_memory_gib=64, machine_storage_gib=500)
    assert told["basis"].startswith("arithmetic, not a measurement")
    assert {type(each) for each in told.values()} <= {int, float, str}
    assert max(len(each) for each in told.values() if isinstance(each, str)) < 100


async def test_the_machines_of_the_specification_fit_as_counted_by_hand() -> None:
    told = await plan(machine_memory_gib=64, machine_storage_gib=500, overcommit=3)
    a_node = SPECIFIED[Reading.OVERHEAD_PER_NODE][1] / 13
    by_hand = 13 * (128 * 3 * LEFT // 16), 13 * (a_node // 64), Fraction("1228.8") / 3 * Fraction(9, 10) * 1024 // 500
    assert tuple(told[f"machines_by_{each}"] for each in ("vcpus", "memory", "storage")) == by_hand == (247, 312, 754)
    assert (told["machines"], told["limit"]) == (247, "vcpus")
    assert told["vcpus_per_thread_when_full"] == round(247 * 16 / (13 * 128), 2)
    assert (told["one_node_down_machines"], told["one_node_down_limit"]) == (228, "vcpus")
    assert told["one_node_down_memory_gib"] == float((12 * (2048 - 72) - 24) * LEFT)


async def test_what_is_not_said_of_a_machine_limits_nothing() -> None:
    told = await plan(machine_memory_gib=64)
    assert "machines_by_storage" not in told
    assert {"machines_by_vcpus", "machines_by_memory"} <= told.keys()
    assert (await plan(machine_storage_gib=100_000))["limit"] == "storage"


async def test_things_that_run_out_together_are_both_the_limit() -> None:
    told = await plan(overhead_gib=0, control_plane_gib=0, machine_memory_gib=256)
    assert (told["machines"], told["limit"]) == (78, "vcpus and memory")


async def test_a_tenth_is_a_tenth_and_no_double_near_it() -> None:
    assert 160 * (1 - 0.9) < 16  # what floats would make of it: not one machine
    assert (await plan(nodes=1, vcpus=160, reserved=0.9))["machines_by_vcpus"] == 1


async def test_of_a_single_node_nothing_is_left_when_it_fails() -> None:
    told = await plan(nodes=1, machine_memory_gib=64)
    assert told["machines"] == 6
    assert [told[f"one_node_down_{each}"] for each in ("machines", "memory_gib", "vcpus_to_give")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"overhead_gib": 3000}, r"overhead_gib 3,000 leaves nothing of memory_gib 2,048\. .* less overhead or more"),
        ({"overhead_gib": 2048}, "overhead_gib 2,048 leaves nothing"),
        ({"control_plane_gib": 30_000}, "control_plane_gib 30,000 leaves no memory on 13 nodes, read as overhead-per-"),
        ({"control_plane_gib": 1976, "memory_reading": Reading.ALL_PER_NODE}, "leaves no memory .* all-per-node"),
        ({"replicas": 3, "storage_nodes": 2}, "3 replicas need as many storage_nodes, and there are 2"),
        ({"machine_vcpus": 129, "overcommit": 4}, "machine_vcpus 129 is more than a node has: vcpus is 128"),
        ({"machine_memory_gib": 2048.5}, r"machine_memory_gib 2,048\.5 is more than a node has: memory_gib is 2,048"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_what_to_change(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(Rejected, match=said):
        await plan(**arguments)


async def test_a_reading_that_leaves_nothing_is_nothing_beside_one_that_leaves_some() -> None:
    told = await plan(control_plane_gib=1976)
    assert (told["memory_gib_read_all_per_node"], told["memory_gib"]) == (0, 18_969.6)


WHOLE = st.integers(1, 60)
PARTS = st.integers(0, 99).map(lambda part: Fraction(part, 100))
SIZES = st.integers(1, 4_000).map(lambda quarters: Fraction(quarters, 4))
READINGS = st.sampled_from(Reading)
CLUSTERS = st.builds(
    Cluster,
    nodes=WHOLE,
    vcpus=st.integers(1, 256),
    memory_gib=SIZES,
    reserved=PARTS,
    overhead_gib=st.one_of(st.just(Fraction(0)), SIZES),
    control_plane_gib=st.one_of(st.just(Fraction(0)), SIZES),
    overcommit=st.integers(4, 32).map(lambda quarters: Fraction(quarters, 4)),
)
STORAGES = st.builds(Storage, nodes=WHOLE, drives=WHOLE, drive_tib=SIZES, replicas=st.integers(1, 5), overhead=PARTS)
MACHINES = st.builds(
    Machine,
    vcpus=st.integers(1, 64),
    memory_gib=st.none() | SIZES,
    storage_gib=st.none() | SIZES,
    base_ghz=SIZES,
    threads_per_core=st.integers(1, 8),
)


@given(CLUSTERS, READINGS)
def test_what_is_calculated_is_what_the_formula_says(cluster: Cluster, reading: Reading) -> None:
    names = {name: getattr(cluster, name) for name in ("nodes", "memory_gib", "reserved", "overhead_gib")}
    text = FORMULAS[reading].replace("×", "*")
    left = eval(text, names | {"control_plane_gib": cluster.control_plane_gib})  # noqa: S307 - our own text
    assert cluster.memory_to_give(reading) == max(0, left)


def counts(found: Fit) -> dict[str, int]:
    return dict(found.by) | {"machines": found.machines}


@given(MACHINES, CLUSTERS, STORAGES, READINGS)
def test_nothing_is_negative_and_the_limit_is_what_there_is_least_of(
    machine: Machine, cluster: Cluster, storage: Storage, reading: Reading
) -> None:
    found = fit(machine, cluster, storage, reading)
    assert min(cluster.vcpus_to_give, cluster.memory_to_give(reading), storage.usable_tib, machine.ghz) >= 0
    assert all(each >= 0 for each in found.by.values())
    assert {found.by[name] for name in found.limit.split(" and ")} == {min(found.by.values())}
    assert found.machines == min(found.by.values())


@given(MACHINES, CLUSTERS, STORAGES, READINGS)
def test_a_node_or_a_storage_node_more_is_never_less(
    machine: Machine, cluster: Cluster, storage: Storage, reading: Reading
) -> None:
    smaller, found = cluster.without_one_node(), counts(fit(machine, cluster, storage, reading))
    fewer = dataclasses.replace(storage, nodes=storage.nodes - 1)
    assert smaller.vcpus_to_give < cluster.vcpus_to_give
    assert smaller.memory_to_give(reading) <= cluster.memory_to_give(reading)
    assert fewer.usable_tib < storage.usable_tib
    for less in (fit(machine, smaller, storage, reading), fit(machine, cluster, fewer, reading)):
        assert all(number <= found[name] for name, number in counts(less).items())


@given(MACHINES, CLUSTERS, STORAGES)
def test_as_many_fit_as_can_be_placed_one_by_one(machine: Machine, cluster: Cluster, storage: Storage) -> None:
    cluster = dataclasses.replace(cluster, nodes=min(cluster.nodes, 4))
    reading = Reading.OVERHEAD_PER_NODE
    kept = 1 - cluster.reserved
    of_a_node = (cluster.memory_gib - cluster.overhead_gib - cluster.control_plane_gib / cluster.nodes) * kept
    needs = machine.memory_gib or Fraction(0)
    pool, placed = storage.raw_tib * 1024 / storage.replicas * (1 - storage.overhead), 0
    for _ in range(cluster.nodes):
        threads, memory = cluster.vcpus * kept * cluster.overcommit, max(Fraction(0), of_a_node)
        while threads >= machine.vcpus and memory >= needs and pool >= (machine.storage_gib or 0):
            threads, memory, pool = threads - machine.vcpus, memory - needs, pool - (machine.storage_gib or 0)
            placed += 1
    assert fit(machine, cluster, storage, reading).machines == placed


@pytest_asyncio.fixture(params=STARTS)
async def bot(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Bot]:
    """A bot that lets the component work, which runs as a program."""
    async with LocalBroker(tmp_path / "broker", kind="mosquitto") as broker:
        enrolment = Enrolment(NAME, "capacity", (), broker.address, BOT.public, (), bytes([9]) * 32)
        enrolment.save(tmp_path / "capacity.json")
        played = Bot(enrolment)
        command = [sys.executable, *STARTS[request.param], str(tmp_path / "capacity.json")]
        async with running(played):
            await played.link.ready()
            async with Process(command, tmp_path / "log", env=ENVIRONMENT):
                await played.lets()
                yield played


async def test_the_program_answers_a_bot_at_once_and_refuses_what_cannot_be(bot: Bot) -> None:
    birth = await bot.births.get()
    assert {name: (each.job, each.danger) for name, each in birth.commands.items()} == {"plan": (False, Danger.NONE)}
    assert "arithmetic" in birth.title
    done = await bot.asks("plan", {"memory_reading": "once", "nodes": 13})
    assert (done.status, round(done.result["memory_gib"])) == (Status.DONE, 21_222)
    for arguments, status, said in (
        ({"nodes": 0}, Status.REJECTED, "nodes must be a whole number from 1 to 10000, not 0."),
        ({"memory_reading": "mine"}, Status.REJECTED, 'memory_reading must be one of "unbracketed", "once"'),
        ({"reserved": 1}, Status.REJECTED, "reserved must be a number from 0 to 0.99, not 1."),
        ({"overhead_gib": 3000}, Status.REJECTED, "Impossible: overhead_gib 3,000 leaves nothing of memory_gib 2,048."),
    ):
        refused = await bot.asks("plan", arguments)
        assert refused.status is status
        assert refused.error.startswith(said)
    assert (await bot.asks("plan")).status is Status.DONE


async def test_the_judge_of_components_finds_nothing_wrong() -> None:
    rules = ("birth-right", "starts-held", "stop-heard", "stop-survives", "cmd-runs", "cmd-arguments", "cmd-stopped")
    only = [word for rule in rules for word in ("--only", rule)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "components.check", *only,
        "--", sys.executable, "-m", "components.capacity", "{enrolment}", "--latch", "{latch}",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=ENVIRONMENT, cwd=ROOT,
    )  # fmt: skip
    async with asyncio.timeout(10 * PATIENCE):
        printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    assert "7 kept" in printed.decode()
