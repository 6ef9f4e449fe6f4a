"""A reload while a whole bot is on its networks: nothing is connected anew, and a new channel counts at once.

Where a room cannot be told that its words will leave it in clear, they do not.
"""

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.system.test_channels_zulip import TOPIC, joined, said, until
from tests.system.test_zulip_bot import Whole, whole
from tests.typed import tocsin
from tests.zulip.lab import INCIDENTS, WEIRD
from tests.zulip.world import World as Zulip

LAB = f'[channels.lab]\nplaces = ["zulip:{INCIDENTS}/lab", "zulip:{WEIRD}/hall"]\n'
ONCE = ("/register", "/users/me", "/users/me/subscriptions")
"""What a bot asks a server when it comes there."""
REFUSED = """\
CREATE TRIGGER refused BEFORE INSERT ON known_key WHEN NEW.role = 'what leaves a room'
BEGIN SELECT RAISE(ABORT, 'refused'); END
"""


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole(tmp_path) as made:
        yield made


async def tocsin_reload(folder: Path) -> CompletedProcess[str]:
    """As an operator types it, in a process of its own, while all else goes on."""
    return await asyncio.to_thread(tocsin, "reload", "--config", folder / "bot" / "config.toml")


def begun(zulip: Zulip) -> tuple[Counter[str], list[str]]:
    """How often the bot has come to the server, and the queues that it has there."""
    asked = Counter(name for each in zulip.requests for name in ONCE if each.path.endswith(name))
    return asked, [each.id for each in zulip.queues.each()]


@contextlib.contextmanager
def no_room_can_be_told(database: Path) -> Generator[None]:
    """The disk refuses to note that a room is told what leaves it."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute(REFUSED)
        yield
        other.execute("DROP TRIGGER refused")


async def test_a_reload_leaves_the_queue_of_zulip_and_a_new_channel_joins_its_places_at_once(
    there: Whole, tmp_path: Path
) -> None:
    config = tmp_path / "bot" / "config.toml"
    before, process, began = begun(there.world), there.bot.pid, config.read_text()
    assert (before[0]["/register"], before[0]["/users/me"], len(before[1])) == (1, 1, 1)
    await there.alice.say("too early", topic="lab")
    config.write_text(began + LAB)
    done = await tocsin_reload(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "channels.lab.places" in done.stdout
    await there.alice.say("is anybody there?", topic="lab")
    copy = await there.until_said("is anybody there?")
    assert (copy.channel_id, copy.topic) == (WEIRD, "hall")
    await there.bob.say("I am", topic="hall", to="Störung / Netz")
    copy = await there.until_said("I am")
    assert (copy.channel_id, copy.topic) == (INCIDENTS, "lab")
    config.write_text(began)
    os.kill(process, signal.SIGHUP)
    await there.until(lambda: sum("RELOADED" in each.content for each in there.answers()) > 1)
    await there.alice.say("too late", topic="lab")
    await there.direct(there.alice, "whoami")  # it is heard behind that
    await there.until(lambda: any("operator" in each.content for each in there.answers()))
    config.write_text(began + LAB)
    assert (await tocsin_reload(tmp_path)).returncode == 0
    await there.alice.say("and again", topic="lab")
    await there.until_said("and again")
    assert not [each.content for each in there.answers() if "too early" in each.content or "too late" in each.content]
    assert begun(there.world) == before
    assert there.bot.pid == process


async def test_words_leave_an_encrypted_room_after_a_reload_only_where_the_room_was_told(tmp_path: Path) -> None:
    async with joined(tmp_path, share=False) as (world, zulip, bob):
        config = tmp_path / "bot" / "config.toml"
        before = begun(zulip)
        config.write_text(config.read_text().replace("share_encrypted = false", "share_encrypted = true"))
        with no_room_can_be_told(world.database):
            done = await tocsin_reload(tmp_path)
            assert done.returncode == 1
            assert "NOT RELOADED" in done.stdout
            await world.alice.say(world.room, "a secret")
            await world.alice.answer_to(await world.alice.say(world.room, "!whoami"))  # it is heard behind that
        done = await tocsin_reload(tmp_path)
        assert done.returncode == 0, done.stderr
        await world.alice.wait_for(lambda each: "From now on what is said here is passed on" in each.body)
        await world.alice.say(world.room, "the lamp is on")
        await until(world, lambda: any("the lamp is on" in each.content for each in said(zulip)))
        await bob.say("I see it", topic=TOPIC)
        await world.alice.wait_for(lambda each: each.body == "bob (zulip): I see it")
        assert not [each.content for each in said(zulip) if "secret" in each.content]
        assert begun(zulip) == before
        assert not world.bot.said("logged in"), "the login of before serves still"
