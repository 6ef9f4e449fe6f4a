"""A whole bot whose control room is one conversation with a Zulip topic, and which has a topic of MQTT besides."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator
from pathlib import Path

from bench.talk.bare import Bare
from bench.talk.zulip import PLACE, Reader, Zulip
from demo.world import World, running
from tests.zulip.client import Person
from tests.zulip.lab import BOB, INCIDENTS

CAROL = "@carol:localhost"
BOB_ON_MATRIX = 'matrix = ["@bob:localhost"]\n'
CONFIG = """
[channels.lab]
places = ["matrix:{room}", "{place}"]
share_encrypted = true

[channels.quiet]
places = ["mqtt:lab/quiet", "zulip:{channel}/quiet"]
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """All who are there."""

    world: World
    carol: Bare
    room: str
    """Another one, with alice, bob and carol, and without a bot."""
    reader: Reader
    bob: Person
    alice: Person


@contextlib.asynccontextmanager
async def staged(folder: Path) -> AsyncGenerator[Scene]:
    """Everybody hears everything."""
    async with (
        running(folder, tell=lambda _: None, known=frozenset({CAROL})) as world,
        Zulip.running(folder) as zulip,
        Bare.online(world.homeserver, "carol", folder / "carol") as carol,
    ):
        room = await world.alice.create_room("Without a bot", world.bob.user, CAROL)
        await world.bob.join(room)
        await world.alice.joined(room, CAROL)
        await _configure(world, zulip)
        bob, alice = (zulip.somebody(name) for name in ("bob", "alice"))
        yield Scene(world, carol, room, await Reader.of(bob), bob, alice)


async def _configure(world: World, zulip: Zulip) -> None:
    config = world.folder / "bot" / "config.toml"
    listed = config.read_text().replace(BOB_ON_MATRIX, f'{BOB_ON_MATRIX}zulip = ["{BOB}"]\n')
    channels = CONFIG.format(room=world.room, place=PLACE, channel=INCIDENTS)
    config.write_text(listed + zulip.configure(config.parent) + channels)
    await world.bot.stop()
    await world.bot.start()
    await zulip.heard_by(world.bot)
    await world.alice.answer_to(await world.alice.say(world.room, "!whoami"))
