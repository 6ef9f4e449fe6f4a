"""One conversation in two channels of Zulip: its files, what people show beside it, and its answers."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from demo.world import World, running
from tests.zulip import server
from tests.zulip.client import Person, hand, person
from tests.zulip.lab import ALICE, BOB, INCIDENTS, TOCSIN, WEIRD, key_of
from tests.zulip.things import Message
from tests.zulip.world import World as Zulip

PATIENCE_S = 30.0
TOPIC = "lab"
ZULIP = f"""
[zulip]
site = "{{site}}"
email = "tocsin-bot@lab.test"
key_file = "zulip-key"

[channels.lab]
places = ["zulip:{INCIDENTS}/{TOPIC}", "zulip:{WEIRD}/{TOPIC}"]
"""


@asynccontextmanager
async def joined(folder: Path) -> AsyncGenerator[tuple[World, Zulip, Person, Person]]:
    """A whole world, whose bot joins two topics."""
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(running(folder, tell=print))
        zulip = await stack.enter_async_context(server.running())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        key = world.folder / "bot" / "zulip-key"
        key.touch(mode=0o600)
        key.write_text(key_of("tocsin"))
        config = world.folder / "bot" / "config.toml"
        config.write_text(config.read_text() + ZULIP.format(site=zulip.url))
        await again(world, zulip, session)
        yield world, zulip, person(zulip, session, ALICE), person(zulip, session, BOB)


async def again(world: World, zulip: Zulip, session: aiohttp.ClientSession) -> None:
    """The bot is started anew."""
    await world.bot.stop()
    await world.bot.start()
    await hand(zulip.url, session, "listening", **{"as": "tocsin"})


async def until(world: World, holds: Callable[[], object]) -> None:
    async def there() -> bool:
        return bool(holds())

    await world.bot.until(there, seconds=PATIENCE_S)


def said(zulip: Zulip, channel: int) -> list[Message]:
    """What the bot has said in the topic of a channel, as it stands there now."""
    messages = sorted(zulip.realm.messages.values(), key=lambda each: each.id)
    return [each for each in messages if each.sender_id == TOCSIN and each.channel_id == channel]


def shown(zulip: Zulip, message: int) -> list[str]:
    """What the bot shows beside a message."""
    return [each.name for each in zulip.realm.messages[message].reactions if each.user_id == TOCSIN]


def quoting(message: Message, words: str, url: str) -> str:
    link = f"{url}/#narrow/channel/{message.channel_id}/topic/{TOPIC}/near/{message.id}"
    return f"@_**tocsin|{TOCSIN}** [said]({link}):\n```quote\n{message.content}\n```\n{words}"


async def test_what_is_shown_sent_along_and_answered_in_one_channel_is_so_in_the_other(tmp_path: Path) -> None:
    async with joined(tmp_path) as (world, zulip, alice, bob):
        address = await bob.put("a.png", b"\x89PNG\r\n\x1a\n")
        number = (await bob.say(f"look\n[a.png]({address})", topic=TOPIC)).body["id"]
        await until(world, lambda: len(said(zulip, WEIRD)) == 2)
        copy, file = said(zulip, WEIRD)
        (upload,) = [each for each in zulip.realm.uploads.values() if each.owner_id == TOCSIN]
        assert upload.data == b"\x89PNG\r\n\x1a\n"
        assert "look" in copy.content
        assert file.content.endswith(f"](/user_uploads/{upload.path})")

        eyes = {"emoji_name": "eyes"}
        for who in (alice, bob):
            await who.ask("POST", f"/messages/{number}/reactions", eyes)
        await until(world, lambda: shown(zulip, copy.id) == ["eyes"])
        await alice.ask("POST", f"/messages/{copy.id}/reactions", {"emoji_name": "heart"})
        await until(world, lambda: shown(zulip, number) == ["heart"])
        await again(world, zulip, bob.session)
        await bob.ask("DELETE", f"/messages/{number}/reactions", eyes)
        await alice.ask("DELETE", f"/messages/{copy.id}/reactions", {"emoji_name": "heart"})
        await until(world, lambda: shown(zulip, number) == [])
        assert shown(zulip, copy.id) == ["eyes"], "alice shows it still"
        await alice.ask("DELETE", f"/messages/{number}/reactions", eyes)
        await until(world, lambda: shown(zulip, copy.id) == [])

        await alice.say(quoting(copy, "I see it", zulip.url), topic=TOPIC, to="Störung / Netz")
        await until(world, lambda: said(zulip, INCIDENTS))
        (back,) = said(zulip, INCIDENTS)
        head, _, words = back.content.partition("\n")
        assert head.endswith(f"(#narrow/stream/{INCIDENTS}/topic/{TOPIC}/near/{number}):")
        assert words.endswith("I see it")
        assert "quote" not in back.content

        await alice.say("the lamp is on", topic=TOPIC, to="Störung / Netz")
        await until(world, lambda: len(said(zulip, INCIDENTS)) == 2)
        await bob.say(quoting(said(zulip, INCIDENTS)[1], "it is", zulip.url), topic=TOPIC)
        await until(world, lambda: any(each.content.endswith("it is") for each in said(zulip, WEIRD)))
        (answered,) = [each for each in said(zulip, WEIRD) if each.content.endswith("it is")]
        lamp = next(each.id for each in zulip.realm.messages.values() if each.content == "the lamp is on")
        assert f"/near/{lamp})" in answered.content.partition("\n")[0]
