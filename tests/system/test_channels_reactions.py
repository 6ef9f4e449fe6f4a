"""One conversation in two encrypted rooms: what people show beside messages, and files they send, over a restart."""

from pathlib import Path

from demo.beside import count_reactions, react, sees_reaction, sees_removal, send_file
from demo.world import running
from tests.system.test_channels import again, joined

BOT = "@tocsin:localhost"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
THUMB = "\N{THUMBS UP SIGN}"


async def test_reactions_and_pictures_are_seen_in_the_other_room_and_go_with_what_they_stand_for(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, tell=print) as world:
        alice, bob, here = world.alice, world.bob, world.room
        there = await joined(world)
        lamp = await alice.say(here, "the lamp is on")
        copy = (await bob.wait_for(lambda each: each.room == there and "the lamp is on" in each.body)).event
        one = await react(alice, here, lamp, THUMB)
        shown = await sees_reaction(bob, there, copy, THUMB, BOT)
        two = await react(bob, here, lamp, THUMB)
        picture = await send_file(alice, here, "map.png", PNG, kind="m.image", type_="image/png", caption="!stop all")
        words = await bob.wait_for(lambda each: each.room == there and "!stop all" in each.body)
        assert words.body == "alice (matrix): !stop all"
        seen = await bob.wait_for(lambda each: each.room == there and each.file is not None)
        assert (seen.body, seen.sender, seen.decrypted) == ("map.png", BOT, True)
        assert await bob.open(seen) == PNG
        await alice.remove(here, one)

        await again(world)
        back = await react(bob, there, copy, THUMB)
        home = await sees_reaction(alice, here, lamp, THUMB, BOT)
        assert count_reactions(bob, there, copy, THUMB, BOT) == 1
        await bob.remove(here, two)
        await sees_removal(bob, there, shown)
        await bob.remove(there, back)
        await sees_removal(alice, here, home)
        await alice.remove(here, picture)
        for event in (words.event, seen.event):
            await sees_removal(bob, there, event)
        assert "up to date" in (await alice.answer_to(await alice.say(there, "!channels"))).body
        assert not [each for each in alice.heard if each.room == here and each.file is not None], "nothing goes round"
        assert not [each for each in alice.heard if each.in_reply_to == picture], "no caption is a command"
