"""One conversation in an encrypted Matrix room and in a Zulip topic: written, changed and taken back on either side."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from demo.world import World, running
from tests.zulip import server
from tests.zulip.client import Person, hand, person
from tests.zulip.lab import BOB, INCIDENTS, TOCSIN, WEIRD, key_of
from tests.zulip.things import Message
from tests.zulip.world import World as Zulip

PATIENCE_S = 30.0
TOPIC = "lab"
ZULIP = """
[zulip]
site = "{site}"
email = "tocsin-bot@lab.test"
key_file = "zulip-key"

[channels.lab]
places = ["matrix:{room}", "zulip:{channel}/{topic}"]
share_encrypted = {share}
"""


@asynccontextmanager
async def joined(folder: Path, *, share: bool) -> AsyncGenerator[tuple[World, Zulip, Person]]:
    """A whole world, whose control room is one conversation with a topic of Zulip. bob is on both networks."""
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(running(folder, tell=print))
        zulip = await stack.enter_async_context(server.running())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        own = world.folder / "bot"
        key = own / "zulip-key"
        key.touch(mode=0o600)
        key.write_text(key_of("tocsin"))
        config = own / "config.toml"
        listed = config.read_text().replace(
            'matrix = ["@bob:localhost"]\n', f'matrix = ["@bob:localhost"]\nzulip = ["{BOB}"]\n'
        )
        more = ZULIP.format(site=zulip.url, room=world.room, channel=INCIDENTS, topic=TOPIC, share=str(share).lower())
        config.write_text(listed + more)
        await again(world)
        await hand(zulip.url, session, "listening", **{"as": "tocsin"})
        yield world, zulip, person(zulip, session, BOB)


async def again(world: World) -> None:
    """The bot is started anew."""
    await world.bot.stop()
    await world.bot.start()
    assert "alice" in (await world.alice.answer_to(await world.alice.say(world.room, "!whoami"))).body


def said(zulip: Zulip) -> list[Message]:
    """What the bot has said in the topic, as it stands there now."""
    messages = sorted(zulip.realm.messages.values(), key=lambda each: each.id)
    return [each for each in messages if each.sender_id == TOCSIN]


async def until(world: World, holds: Callable[[], bool]) -> None:
    async def there() -> bool:
        return holds()

    await world.bot.until(there, seconds=PATIENCE_S)


async def test_what_is_written_on_one_network_is_read_changed_and_taken_back_on_the_other(tmp_path: Path) -> None:
    async with joined(tmp_path, share=True) as (world, zulip, bob):
        alice, room = world.alice, world.room
        warned = await alice.wait_for(lambda each: "From now on what is said here is passed on" in each.body)
        assert f"zulip:{INCIDENTS}/{TOPIC}" in warned.body
        lamp = await alice.say(room, "@**all** the lamp is on")
        await until(world, lambda: any("the lamp is on" in each.content for each in said(zulip)))
        (copy,) = [each for each in said(zulip) if "the lamp is on" in each.content]
        assert copy.content.startswith("**alice** (matrix): ")
        assert "@**all**" not in copy.content
        answer = await bob.say("I see it", topic=TOPIC)
        back = await alice.wait_for(lambda each: each.body == "bob (zulip): I see it")
        assert (back.decrypted, back.sender) == (True, "@tocsin:localhost")
        await again(world)
        await alice.edit(room, lamp, "the lamp is off")
        await until(world, lambda: "the lamp is off" in zulip.realm.messages[copy.id].content)
        await bob.ask("PATCH", f"/messages/{answer.body['id']}", {"content": "I saw it"})
        edited = await alice.wait_for(lambda each: each.edits == back.event)
        assert edited.body == "bob (zulip): I saw it"
        await alice.remove(room, lamp)
        await until(world, lambda: copy.id not in zulip.realm.messages)
        assert len([each for each in said(zulip) if "alice" in each.content and "lamp" in each.content]) <= 1
        assert not [each for each in alice.heard if "(matrix)" in each.body and each.room == room], "nothing goes round"


async def test_what_is_encrypted_stays_where_it_is_unless_the_channel_says_otherwise(tmp_path: Path) -> None:
    async with joined(tmp_path, share=False) as (world, zulip, bob):
        await world.alice.say(world.room, "a secret")
        await bob.say("no secret", topic=TOPIC)
        await world.alice.wait_for(lambda each: each.body == "bob (zulip): no secret")
        await world.alice.answer_to(await world.alice.say(world.room, "!whoami"))
        assert [each.content for each in said(zulip) if each.topic == TOPIC] == []


async def test_what_is_written_into_a_message_that_was_moved_to_another_channel_is_not_passed_on(
    tmp_path: Path,
) -> None:
    async with joined(tmp_path, share=False) as (world, zulip, bob):
        number = (await bob.say("the lamp is on", topic=TOPIC)).body["id"]
        copy = await world.alice.wait_for(lambda each: each.body == "bob (zulip): the lamp is on")
        owner = Person(zulip.url, "alice@lab.test", key_of("alice"), bob.session)
        assert (await owner.ask("PATCH", f"/messages/{number}", {"stream_id": WEIRD, "topic": TOPIC})).status == 200
        assert (await bob.ask("PATCH", f"/messages/{number}", {"content": "a secret"})).status == 200
        await bob.say("the door is open", topic=TOPIC)
        await world.alice.wait_for(lambda each: each.body == "bob (zulip): the door is open")
        await world.alice.answer_to(await world.alice.say(world.room, "!whoami"))
        assert not [each for each in world.alice.heard if "secret" in each.body or each.edits == copy.event]
