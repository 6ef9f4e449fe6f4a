"""A topic in Zulip as a witness of the record: what stands there is what `tocsin audit verify` takes."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.system.test_zulip_bot import Whole, whole
from tests.typed import tocsin
from tests.zulip.lab import INCIDENTS
from tests.zulip.things import Message

SAID = re.compile(r"Checkpoint of the record: [\d,]+ entr(?:y|ies)\.\n\n```text\n(.+)\n```", re.DOTALL)


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole(tmp_path, f'[audit]\nwitness_places = ["zulip:{INCIDENTS}/record"]\n') as made:
        yield made


async def checkpoint(there: Whole) -> Message:
    """The newest one, after a stop."""
    before = len(there.answers())
    await there.alice.say("@**tocsin** !shutdown all", topic="Lab")
    await there.until(lambda: any(each.topic == "record" for each in there.answers()[before:]))
    return [each for each in there.answers() if each.topic == "record"][-1]


async def test_a_checkpoint_stands_in_its_topic_as_the_command_takes_it(there: Whole, tmp_path: Path) -> None:
    said = await checkpoint(there)
    assert said.channel_id == INCIDENTS
    held = tmp_path / "held"
    answer = await there.bob.ask("GET", f"/messages/{said.id}", {"apply_markdown": False})
    copied = SAID.fullmatch(answer.body["raw_content"])
    assert copied is not None
    held.write_text(f"{copied[1]}\n")
    assert await verified(tmp_path, held) == 0
    size = int(copied[1].split("\n")[1])
    held.write_text(f"{copied[1]}\n".replace(f"\n{size}\n", f"\n{size + 1}\n"))
    assert await verified(tmp_path, held) != 0


async def verified(folder: Path, held: Path) -> int:
    words = ("audit", "verify", "--witness", held, "-c", folder / "bot" / "config.toml")
    return (await asyncio.to_thread(tocsin, *words)).returncode
