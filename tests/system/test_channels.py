"""One conversation in two encrypted rooms: written in one, read in the other, changed and answered, over a restart."""

from pathlib import Path

from demo.beside import sees_removal
from demo.operator import Heard, Operator
from demo.world import World, running


async def joined(world: World) -> str:
    """A second room, which is one conversation with the first."""
    second = await world.alice.create_room("Next door", world.bob.user, "@tocsin:localhost")
    await world.bob.join(second)
    await world.alice.joined(second, "@tocsin:localhost")
    config = world.folder / "bot" / "config.toml"
    places = ", ".join(f'"matrix:{room}"' for room in (world.room, second))
    config.write_text(f"{config.read_text()}\n[channels.lab]\nplaces = [{places}]\n")
    await again(world)
    return second


async def again(world: World) -> None:
    """The bot is started anew."""
    await world.bot.stop()
    await world.bot.start()
    answer = await world.alice.answer_to(await world.alice.say(world.room, "!whoami"))
    assert "alice" in answer.body


async def copy_of(who: Operator, room: str, words: str) -> Heard:
    """What somebody reads in a room of the bot's, decrypted."""
    heard = await who.wait_for(lambda each: (each.room, each.body) == (room, words))
    assert heard.decrypted
    return heard


async def test_what_is_written_in_one_room_is_read_changed_and_answered_in_the_other(tmp_path: Path) -> None:
    async with running(tmp_path, tell=print) as world:
        alice, bob, here = world.alice, world.bob, world.room
        there = await joined(world)
        lamp = await alice.say(here, "the lamp is on\n@room look")
        copy = await bob.wait_for(lambda each: each.room == there and "the lamp is on" in each.body)
        assert copy.body == "alice (matrix): the lamp is on\n\n│ @room look"
        assert (copy.decrypted, copy.mentions, copy.sender) == (True, {}, "@tocsin:localhost")
        answer = await bob.say(there, "I see it", **replying(copy.event))
        back = await copy_of(alice, here, "bob (matrix): I see it")
        assert back.in_reply_to == lamp
        await again(world)
        await alice.edit(here, lamp, "the lamp is off")
        edited = await bob.wait_for(lambda each: each.edits == copy.event)
        assert edited.body == "alice (matrix): the lamp is off"
        await bob.remove(there, answer)
        await sees_removal(alice, here, back.event)
        assert "up to date" in (await alice.answer_to(await alice.say(there, "!channels"))).body
        own = [each for each in bob.heard if each.room == there and "!channels" not in each.body and not each.edits]
        assert len([each for each in own if each.body.startswith("alice (matrix): the lamp")]) == 1
        assert not [each for each in alice.heard if each.body.count("(matrix)") > 1], "nothing goes round"


def replying(event: str) -> dict[str, object]:
    """What makes a message an answer."""
    return {"m.relates_to": {"m.in_reply_to": {"event_id": event}}}
