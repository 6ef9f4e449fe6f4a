"""The stand-in for a Zulip server is held against recordings of a real one, and against its OpenAPI document.

The recordings are played in the order in which they were made, on one stand-in: ids and topics go on from one to the
next. `tests/zulip/left_out.py` names what is not played, with the reasons.
"""

import asyncio
from dataclasses import dataclass

import aiohttp
import pytest

from tests.zulip.left_out import BEFORE, LEFT_OUT, SHOWN_OTHERWISE
from tests.zulip.limited import MOMENTS, RATE_LIMITS, Limited
from tests.zulip.openapi import Schemas
from tests.zulip.recording import FOLDER, RECORDED_IN_THIS_ORDER, read
from tests.zulip.replay import Replay
from tests.zulip.server import running

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the recordings of a Zulip server do not lie beside the project, in shared/zulip"
)
NO_LIMITS = 1_000_000


@dataclass(frozen=True)
class Played:
    """What became of one recording: how many requests were made for it, and all differences."""

    requests: int
    differences: list[str]


@pytest.fixture(scope="module")
def played() -> dict[str, Played]:
    """By recording."""

    async def play() -> dict[str, Played]:
        async with running() as world, aiohttp.ClientSession() as session:
            world.limits.requests = NO_LIMITS
            replay = Replay(world, session, schemas := Schemas())
            limited = Limited(world, session, schemas, replay.likeness)
            found: dict[str, Played] = {}
            for name in RECORDED_IN_THIS_ORDER:
                world.requests.clear()
                differences = await (limited if name == RATE_LIMITS else replay).play(name)
                found[name] = Played(len(world.requests), differences)
            return found

    return asyncio.run(play())


@pytest.mark.parametrize("name", RECORDED_IN_THIS_ORDER)
def test_the_stand_in_answers_and_tells_what_a_real_server_did(played: dict[str, Played], name: str) -> None:
    assert played[name].requests, "nothing of it was played"
    assert not played[name].differences, "\n".join(played[name].differences)


def test_of_the_limits_all_that_was_recorded_is_played(played: dict[str, Played]) -> None:
    assert [each.step for each in read(RATE_LIMITS)] == [step for step, _ in MOMENTS]
    assert played[RATE_LIMITS].requests == len(MOMENTS)


def test_every_recording_is_played() -> None:
    assert sorted(RECORDED_IN_THIS_ORDER) == sorted(path.stem for path in (FOLDER / "recordings").glob("*.jsonl"))


def test_what_is_left_out_or_prepared_is_a_step_of_its_recording() -> None:
    steps = {name: [each.step for each in read(name)] for name in RECORDED_IN_THIS_ORDER}
    unknown = [(name, left) for name, lefts in LEFT_OUT.items() for left in lefts if not _begins(steps[name], left)]
    unknown += [(name, step) for name, step in BEFORE if step not in steps[name]]
    everything = {step for each in steps.values() for step in each}
    assert not unknown
    assert set(SHOWN_OTHERWISE) <= everything


def _begins(steps: list[str], name: str) -> bool:
    return any(step.startswith(name) for step in steps)
