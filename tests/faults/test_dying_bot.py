"""Whenever the bot is killed: nothing runs twice, and whatever was accepted is answered or reported as unknown."""

import asyncio
import collections
import json
import sys
from pathlib import Path
from typing import TypedDict, cast

import pytest

DYING_BOT = Path(__file__).with_name("dying_bot.py")
PATIENCE = 400.0


class Life(TypedDict):
    """What there was to see at the end: see the file that prints it."""

    ends: list[int]
    step: str
    marks: list[list[str]]
    said: list[list[str]]
    stops: list[str]
    outcomes: list[list[str]]
    incidents: int


async def lives_of(*arguments: str) -> list[Life]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(DYING_BOT),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=DYING_BOT.parents[2],
    )
    async with asyncio.timeout(PATIENCE):
        printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return cast("list[Life]", json.loads(printed))


def judge(life: Life) -> None:
    """What must hold at the end of every history."""
    step = life["step"]
    ran = collections.Counter(call for call, _ in life["marks"])
    assert not [call for call, times in ran.items() if times > 1], f"something ran twice: {step}"

    keys = [key for key, _, _ in life["said"]]
    assert len(set(keys)) == len(keys), f"something was said twice: {step}"

    outcomes: dict[str, list[str]] = collections.defaultdict(list)
    for _, event, result in life["outcomes"]:
        outcomes[event].append(result)
    answers: dict[str, list[str]] = collections.defaultdict(list)
    for _, event, words in life["said"]:
        if "NOT CONFIRMED" not in words and " so far. " not in words:  # the news of a stop that nobody answers here
            answers[event].append(words)
    for event, results in outcomes.items():
        asked = "asked" in results  # its own outcome, then that of what was approved
        assert len(results) <= 1 + asked, f"{event} ended twice: {step}"
        assert answers[event], f"{event} was never answered: {step}"
        assert len(answers[event]) <= 1 + asked, f"{event} was answered twice: {step}"

    for call, _ in life["marks"]:
        (event,) = {event for each, event, _ in life["outcomes"] if each == call}
        known = [words for words in answers[event] if "done" in words]
        unknown = [words for words in answers[event] if "I was interrupted" in words or "a crash cut it off" in words]
        assert known or unknown, f"{event} ran, and nobody was told: {step}"
    for event, told in answers.items():
        if any(words in ("mark done", "fire done") for words in told):
            assert {call for call, each, _ in life["outcomes"] if each == event} <= ran.keys(), f"a false word: {step}"


async def test_killed_at_each_step_of_every_kind_of_command(tmp_path: Path) -> None:
    lives = await lives_of("points", str(tmp_path))
    for life in lives:
        judge(life)
        assert life["ends"][-1] == 0
        assert len({event for _, event, _ in life["outcomes"]}) == 5, f"something was never dealt with: {life['step']}"
        assert (life["incidents"], len(life["stops"])) == (1, 1), f"the stop went out as two: {life['step']}"
    deaths = [life for life in lives if life["ends"][0] == -9]
    assert len(deaths) == len(lives) - 1
    assert len(deaths) > 40
    results = collections.Counter(result for life in deaths for _, _, result in life["outcomes"])
    assert results["unknown after crash"] > 3, "no death hit a command in its midst"


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.soak)])
async def test_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    (life,) = await lives_of("random", str(tmp_path), str(kills), "20261121")
    judge(life)
    assert life["ends"].count(-9) == kills, "the day was too short to be killed so often"
    assert life["ends"][-1] == 0
    assert len({event for _, event, _ in life["outcomes"]}) == len(life["outcomes"])
    assert len(life["outcomes"]) > kills
