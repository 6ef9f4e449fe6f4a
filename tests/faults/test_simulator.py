"""Thousands of histories of both halves of the stop machine, drawn and exhaustive. Where one breaks, it can be seen."""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulator.actions import Action
from tests.simulator.history import drawn
from tests.simulator.many import broken, broken_small, complaint, soak, soak_small
from tests.simulator.replay import told
from tests.simulator.small import AT_WORK, STOPPED, small

AT_ONCE = 500
TOLD = 1_000
HAPPENS = {
    "a command runs": r"[abc] runs #",
    "a command is too late": r"rejects .* too late",
    "a command comes twice": r"rejects .* it came before",
    "a command is for another session": r"rejects .* another session",
    "a reset is agreed to": r"two persons let all off",
    "a reset of one component is agreed to": r"two persons let [abc] off",
    "a reset is taken": r"takes the lease .* clears .*#",
    "a lease stops": r"takes the lease .* stops .*#.* clears",
    "a key is handed over": r"takes bot key 1 after bot key 0",
    "a key is handed over again": r"takes bot key 2 after bot key 1",
    "the thief of the bot's key takes a component": r"takes a key that nobody knows",
    "who signs without our keys is refused": r"refuses what a key that nobody knows",
    "a roster is taken": r"takes the roster 1$",
    "a statement is replayed": r"the bot hears .* in vain",
    "a stop key stops": r"a stop key stops",
    "an own incident is named": r"asks .* own-#",
    "a component stands still": r"and is stopped #",
    "a component works": r"and is ready",
}


@functools.cache
def tried(first: int) -> tuple[list[str], list[str]]:
    """What breaks in so many histories, and of the first ones also what they tell."""
    story: list[str] = []
    found = broken(range(first, first + AT_ONCE), story=story if first < TOLD else None)
    return [complaint(*each) for each in found], story


@functools.cache
def stories() -> list[str]:
    """What some hundred histories tell."""
    return [line for first in range(0, TOLD, AT_ONCE) for line in tried(first)[1]]


@pytest.mark.parametrize("first", range(0, 5_000, AT_ONCE))
def test_no_history_breaks(first: int) -> None:
    complaints, _ = tried(first)
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("beginning", [AT_WORK, STOPPED], ids=["at work", "stopped"])
def test_no_small_history_breaks(beginning: tuple[Action, ...]) -> None:
    complaints = list(broken_small(small(4, beginning)))
    assert not complaints, "\n".join(complaints[:5])


@pytest.mark.parametrize(
    ("mutant", "depth", "beginning"),
    [
        ("latch", 2, AT_WORK),
        ("command-id", 2, AT_WORK),
        ("disk-before-lease", 2, AT_WORK),
        ("stop-on-disk", 3, AT_WORK),
        ("ttl", 3, AT_WORK),
        ("replay", 2, STOPPED),
        ("reset-when-stopped", 3, STOPPED),
        ("echo", 3, STOPPED),
    ],
)
def test_small_histories_miss_a_guard_that_is_taken_out(mutant: str, depth: int, beginning: tuple[Action, ...]) -> None:
    assert next(broken_small(small(depth, beginning), mutant), None) is not None


@pytest.mark.parametrize("what", HAPPENS)
def test_what_the_histories_are_about_happens_in_them(what: str) -> None:
    pattern = re.compile(HAPPENS[what])
    assert sum(pattern.search(line) is not None for line in stories()) >= 3


def replayed(seed: int, hashes: int, **more: str) -> tuple[int, str]:
    """What a process of its own shows of a seed. The order in sets differs from one process to the next."""
    environment = os.environ | {"SEED": str(seed), "PYTHONHASHSEED": str(hashes)} | more
    process = subprocess.run(
        [sys.executable, "-m", "tests.simulator"],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return process.returncode, process.stdout + process.stderr


@pytest.mark.parametrize("seed", [17, 101])
def test_a_seed_is_the_same_history_each_time(seed: int) -> None:
    first, second = replayed(seed, 1), replayed(seed, 2)
    assert first == second
    assert first[0] == 0
    assert "Nothing broke." in first[1]
    assert drawn(seed) != drawn(seed + 1)


def test_who_asks_for_no_history_is_told_how() -> None:
    for seed, mutant in ((-1, ""), (17, "nobody")):
        code, said = replayed(seed, 1, MUTANT=mutant)
        assert code == 2
        assert "make replay SEED=17" in said


def test_a_history_that_breaks_is_told_step_by_step_and_is_short() -> None:
    story = told(0, "latch")
    assert "BROKEN: nothing works that was stopped" in story[-1] or "BROKEN: stopped is what does" in story[-1]
    steps = [line for line in story if re.match(r" +[0-9]+ +[0-9.]+ s ", line)]
    assert 0 < len(steps) <= 12
    assert "without this guard: nothing works with an incident open" in story[0]


def test_a_history_that_holds_is_told_to_its_end() -> None:
    assert told(17)[-1] == "Nothing broke."


@pytest.mark.soak
def test_half_a_million_histories(capfd: pytest.CaptureFixture[str]) -> None:
    with capfd.disabled():  # so that its bar is seen
        complaints = soak(range(500_000))
    assert not complaints, "\n".join(complaints[:5])


@pytest.mark.soak
@pytest.mark.parametrize("beginning", [AT_WORK, STOPPED], ids=["at work", "stopped"])
def test_all_small_histories_one_step_deeper(beginning: tuple[Action, ...], capfd: pytest.CaptureFixture[str]) -> None:
    with capfd.disabled():
        complaints = soak_small(5, beginning)
    assert not complaints, "\n".join(complaints[:5])
