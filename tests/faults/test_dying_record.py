"""Killed at any moment under load, the record loses nothing that was confirmed, has nothing twice, and verifies."""

import asyncio
import collections
import os
import random
import sys
from pathlib import Path

import pytest

from bot import keys
from bot.record import held_keys
from bot.record.opening import PUBLIC, opened
from bot.record.verdict import State
from bot.record.verifying import verify
from bot.store import audit, tree
from wire.messages import ROOT

RECORDER = Path(__file__).with_name("recorder.py")
LONGEST_LIFE = 8000
"""Bytes of confirmations, after which it is killed at the latest: some thousand entries."""
PATIENCE_S = 60.0


async def one_life(folder: Path, life: int, draw: random.Random) -> list[str]:
    """Record until killed. Returns what was confirmed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, RECORDER, folder, str(life)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(RECORDER.parents[2])},
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        assert (await process.stdout.readline()).split() == [b"begun"]
        said = await process.stdout.readexactly(draw.randrange(1, LONGEST_LIFE))
        process.kill()
        said += await process.stdout.read()
        await process.wait()
    return said.decode().split("\n")[:-1]  # the last line may be cut


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.soak)])
async def test_killed_under_load_it_loses_nothing_confirmed_and_verifies(tmp_path: Path, kills: int) -> None:
    draw = random.Random(20261121)
    confirmed: list[str] = []
    note = b""
    for life in range(kills):
        confirmed += await one_life(tmp_path, life, draw)
        verdict = await asyncio.to_thread(
            verify, tmp_path / keys.DATABASE, held_keys.in_file(tmp_path / PUBLIC), [note] if note else []
        )
        assert verdict.state is (State.INTACT if note else State.INCOMPLETE), verdict
        async with opened(tmp_path, ROOT) as store:
            assert store.distrusted == ""
            note = await store.read(tree.newest_note) or b""
    async with opened(tmp_path, ROOT) as store:
        entries = await store.read(audit.everything)
    times = collections.Counter(str(entry.fields.get("name")) for entry in entries if entry.kind == "noted")
    assert len(confirmed) > kills
    assert {name: times[name] for name in confirmed} == dict.fromkeys(confirmed, 1)
    assert max(times.values()) == 1
