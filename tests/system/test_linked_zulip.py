"""A commander links an encrypted room with a topic of Zulip: what the bot says that is to be done is what has to be."""

import asyncio
from pathlib import Path

from tests.system.test_channels_zulip import TOPIC, joined, said, until
from tests.typed import tocsin
from tests.zulip.lab import INCIDENTS

PLACE = f"zulip:{INCIDENTS}/{TOPIC}"
WRITTEN = """
[channels.linked-1]
places = ["matrix:{room}"]
share_encrypted = true
"""
COMMANDER = ('"operator"\nmatrix = ["@alice', '"commander"\nmatrix = ["@alice')
"""Who may link places."""


async def test_words_of_a_linked_room_go_to_zulip_once_the_file_says_what_the_bot_has_asked_for(tmp_path: Path) -> None:
    async with joined(tmp_path, share=False) as (world, zulip, _):
        alice, room = world.alice, world.room
        config = world.folder / "bot" / "config.toml"
        listed = config.read_text().partition("\n[channels.lab]")[0].replace(*COMMANDER)

        async def taken(content: str) -> None:
            config.write_text(content)
            done = await asyncio.to_thread(tocsin, "reload", "--config", config)
            assert done.returncode == 0, done.stderr

        async def answer(words: str) -> str:
            return (await alice.answer_to(await alice.say(room, words))).body

        await taken(listed)
        linked = await answer(f"!link {PLACE}")
        assert "Linked as linked-1" in linked
        written = WRITTEN.format(room=room)
        assert all(line in linked for line in written.strip().splitlines())
        await until(world, lambda: any("Linked" in each.content for each in said(zulip)))
        (told,) = [each.content for each in said(zulip) if "Linked" in each.content]
        assert all(f"matrix:{room} does not go to {PLACE}" in each for each in (linked, told))
        shown = await answer("!channels")
        assert "words kept back: encrypted" in shown
        await alice.say(room, "a secret")
        await taken(listed + written)
        assert "words kept back" not in await answer("!channels")
        await alice.say(room, "the lamp is on")
        await until(world, lambda: any("the lamp is on" in each.content for each in said(zulip)))
        assert not [each.content for each in said(zulip) if "secret" in each.content]
