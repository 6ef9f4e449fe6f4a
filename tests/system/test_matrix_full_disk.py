"""The bot's whole disk is full: who asks in an encrypted room is answered there all the same, and a stop stops."""

from pathlib import Path

import pytest

from demo.world import COMPONENT, running
from tests.faults.small_disk import full, impossible, mounted


async def test_a_full_disk_is_told_in_the_room_and_keeps_nobody_from_reading_and_stopping(tmp_path: Path) -> None:
    if reason := impossible():
        pytest.skip(reason)
    with mounted(tmp_path / "bot", "64m") as small:
        async with running(tmp_path, tell=print) as world:
            alice, room = world.alice, world.room
            await alice.answer_to(await alice.say(room, "!whoami"))
            with full(small):
                refused = await alice.say(room, f"!maintenance {COMPONENT} for 10m")
                assert "Not run: it cannot be recorded." in (await alice.answer_to(refused)).body
                read = await alice.say(room, "!status")
                assert COMPONENT in (await alice.answer_to(read)).body
                order = await alice.say(room, "!shutdown all")
                assert "Not recorded yet." in (await alice.answer_to(order)).body
                second = await alice.say(room, "!status")
                assert "stopped" in (await alice.answer_to(second)).body
            await alice.wait_for(lambda heard: heard.in_reply_to == order and heard.body.startswith("STOPPED"))
            after = await alice.say(room, "!audit")
            assert "refused" in (await alice.answer_to(after)).body
            answers = [heard.in_reply_to for heard in alice.heard if heard.in_reply_to in (refused, read, second)]
            assert sorted(answers) == sorted((refused, read, second)), "each is answered once"
