"""What a listed person wrote and the bot cannot read, on a real homeserver: read when its key comes, else told once."""

from collections.abc import Mapping
from typing import Any

from bot.words.message import Change, Place, Standing
from bot.words.people import Account
from demo.operator import Operator
from demo.stage import SOON_S, Stage

LONG_S = 600.0
"""Longer than any test: who waits for a key so long does not give up."""


async def says_it_is_there(operator: Operator, room: str) -> str:
    """In clear, so that it is read whatever became of keys. What was said before it has then been looked at."""
    return await operator.put(room, "m.room.message", {"msgtype": "m.text", "body": "there?"})


async def seal(stage: Stage, alice: Operator, room: str, text: str) -> tuple[str, Mapping[str, Any]]:
    """Say something that waits for its key at the bot. Returns its event and the key."""
    await alice.say(room, "first")
    assert (await stage.inbox.next()).text == "first"
    event, key = await alice.say_before_the_key(room, text)
    await says_it_is_there(alice, room)
    assert (await stage.inbox.next()).text == "there?"
    return event, key


async def rows(stage: Stage, event: str) -> list[tuple[str, int]]:
    return await stage.store.read(
        lambda tx: tx.execute("SELECT text, edited FROM inbox WHERE event = ?", (event,)).fetchall()
    )


async def test_what_a_device_wrote_that_keeps_its_keys_to_itself_is_told(stage: Stage) -> None:
    async with stage.bot_online(key_may_take_s=0.2), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        async with stage.online(stage.alice, "tablet", signed=False, alone=True) as tablet:
            await tablet.joined(room, stage.bot)
            event = await tablet.say(room, "!shutdown all")
            told = await stage.inbox.next_unreadable()  # nothing else happens in the room, and it does not wait for it
            assert (told.place, told.account) == (Place("matrix", room), Account("matrix", stage.alice))
            assert (told.device, told.event) == (tablet.device, event)
            assert told.sent_ms > 0
        await alice.say(room, "last")
        assert (await stage.inbox.next()).text == "last"
        assert stage.inbox.unreadable.empty()


async def test_what_a_stranger_wrote_that_cannot_be_read_is_not_told(stage: Stage) -> None:
    async with (
        stage.bot_online(key_may_take_s=0) as bot,
        stage.online(stage.alice) as alice,
        stage.online(stage.mallory, alone=True) as mallory,
    ):
        room = await stage.room_of(alice, mallory)
        await mallory.say(room, "!shutdown all")
        await alice.say(room, "last")
        assert (await stage.inbox.next()).text == "last"
        assert stage.inbox.unreadable.empty()
        assert bot.health().counts == {"unreadable_events": 0}


async def test_what_was_written_before_the_bot_came_is_not_told(stage: Stage) -> None:
    async with stage.bot_online(key_may_take_s=0) as bot, stage.online(stage.alice) as alice:
        room = await alice.create_room("old")
        await alice.say(room, "!shutdown all")
        await alice.invite(room, stage.bot)
        await alice.joined(room, stage.bot)
        await alice.say(room, "welcome")
        assert (await stage.inbox.next()).text == "welcome"
        assert bot.health().counts == {"unreadable_events": 1}  # it was there to be seen
        assert stage.inbox.unreadable.empty()


async def test_a_key_that_comes_late_opens_what_waited_for_it_and_nothing_is_told(stage: Stage) -> None:
    async with stage.bot_online(key_may_take_s=LONG_S), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        event, key = await seal(stage, alice, room, "!shutdown all")
        cursor = await stage.inbox.cursor()
        await alice.give(key)
        message = await stage.inbox.next()
        assert (message.event, message.text, message.standing) == (event, "!shutdown all", Standing.ATTESTED)
        assert message.device == alice.device
        assert 0 < message.age_s < SOON_S
        assert await stage.inbox.cursor() != cursor
        await alice.say(room, "last")
        assert (await stage.inbox.next()).text == "last"
        assert stage.inbox.unreadable.empty()


async def test_what_waited_for_its_key_when_the_bot_went_is_told_once(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online(key_may_take_s=LONG_S):
            room = await stage.room_of(alice)
            event, _ = await seal(stage, alice, room, "!shutdown all")
        async with stage.bot_online(key_may_take_s=0.2):
            assert (await stage.inbox.next_unreadable()).event == event
            assert (await stage.inbox.next()).text == "there?"  # it came again
        async with stage.bot_online(key_may_take_s=0):
            await alice.say(room, "last")
            assert (await stage.inbox.next()).text == "last"
            assert stage.inbox.unreadable.empty()


async def test_a_key_that_comes_while_the_bot_is_away_opens_what_waited_for_it_once(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online(key_may_take_s=LONG_S):
            room = await stage.room_of(alice)
            event, key = await seal(stage, alice, room, "!shutdown all")
        await alice.give(key)
        async with stage.bot_online(key_may_take_s=LONG_S):
            assert (await stage.inbox.next()).event == event
            assert (await stage.inbox.next()).text == "there?"  # it came again, and is there once
            await alice.say(room, "last")
            assert (await stage.inbox.next()).text == "last"
        assert await rows(stage, event) == [("!shutdown all", 0)]
        assert stage.inbox.unreadable.empty()


async def test_what_was_edited_while_it_waited_for_its_key_counts_as_edited(stage: Stage) -> None:
    async with stage.bot_online(key_may_take_s=LONG_S), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        event, key = await seal(stage, alice, room, "!run it")
        change = {"msgtype": "m.text", "body": "* no", "m.new_content": {"msgtype": "m.text", "body": "no"}}
        await alice.put(
            room, "m.room.message", {**change, "m.relates_to": {"rel_type": "m.replace", "event_id": event}}
        )
        edited = Change(Place("matrix", room), event, Account("matrix", stage.alice), text="no")
        assert await stage.inbox.next_change() == edited
        await alice.give(key)
        assert (await stage.inbox.next()).event == event
        assert await rows(stage, event) == [("!run it", 1)]
