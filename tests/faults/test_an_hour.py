"""An hour of a whole system in which nobody orders a stop: nobody is stopped, nobody is held for long, no job is lost.

The bot is restarted again and again, its disk fills, the homeserver is away, pictures are rendered beside its loop.
"""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo.broker import mosquitto
from tests.faults.hour import AT_WORK, Hour, Plan
from tests.faults.hour_verdict import summary, wrong
from tests.faults.hour_world import running
from tests.faults.small_disk import impossible, mounted

DISK = "96m"
MOST_SHOWN = 20
REHEARSAL = Plan(180.0, (True, False, True), 15.0, 15.0, report_every_s=20.0)
HOUR = Plan(3600.0, (True, False) * 5, 180.0, 60.0)


@pytest.mark.soak
@pytest.mark.parametrize("plan", [REHEARSAL, HOUR], ids=["rehearsal", "whole"])
async def test_in_an_hour_without_a_stop_nobody_is_stopped_or_held_and_no_job_is_lost(
    plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")

    def show(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")
            sys.stdout.flush()

    with ExitStack() as disk:
        state = tmp_path / "state"
        if not impossible():
            disk.enter_context(mounted(state, DISK))
        async with running(tmp_path, state) as world:
            hour = Hour(world, plan, show)
            try:
                await hour.run()
            finally:
                for line in (*summary(world, hour), *wrong(world, hour)[:MOST_SHOWN]):
                    show(line)
            assert wrong(world, hour) == []
            assert world.watch.jobs_done() >= AT_WORK
            assert world.watch.held, "a bot that stays away holds everybody: or the watch has not seen it"
