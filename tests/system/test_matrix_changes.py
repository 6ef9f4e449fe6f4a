"""What changes after it was said: edits, redactions, who counts, and whether the homeserver is there."""

from pathlib import Path

import pytest

from bot.words.message import Change, Place, Standing
from bot.words.people import Account
from bridges.matrix.bridge import SILENT_S
from demo.homeserver import Homeserver
from demo.stage import Stage, says


async def test_the_inbox_hears_who_edited_which_message(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        event = await alice.say(room, "!shutdown walkers")
        await stage.inbox.next()
        await alice.edit(room, event, "!shutdown all")
        assert await stage.inbox.next_change() == Change(
            Place("matrix", room),
            event,
            Account("matrix", stage.alice),
            text="!shutdown all",
            standing=Standing.ATTESTED,
        )
        await alice.say(room, "last")
        assert (await stage.inbox.next()).text == "last"


async def test_the_inbox_hears_who_took_which_message_back(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        event = await alice.say(room, "!shutdown all")
        await stage.inbox.next()
        await alice.remove(room, event)
        assert await stage.inbox.next_change() == Change(
            Place("matrix", room), event, Account("matrix", stage.alice), removed=True
        )


@pytest.mark.parametrize("version", ["1", "6", "11"])
async def test_a_message_is_taken_back_in_rooms_of_every_shape(stage: Stage, version: str) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice, version=version)
        event = await alice.say(room, "!shutdown all")
        await stage.inbox.next()
        await alice.remove(room, event)
        assert (await stage.inbox.next_change()).removed


async def test_the_edit_of_a_stranger_carries_the_name_of_the_stranger(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice, stage.online(stage.mallory) as mallory:
        room = await stage.room_of(alice, mallory)
        event = await alice.say(room, "!shutdown all")
        await stage.inbox.next()
        await mallory.edit(room, event, "!status")
        assert await stage.inbox.next_change() == Change(
            Place("matrix", room), event, Account("matrix", stage.mallory), text="!status"
        )


async def test_an_edit_that_the_bot_has_no_key_for_is_an_edit(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        event = await alice.say(room, "!shutdown all")
        await stage.inbox.next()
        async with stage.online(stage.alice, "tablet", signed=False, alone=True) as tablet:
            await tablet.joined(room, stage.bot)
            await tablet.edit(room, event, "!status")
        assert await stage.inbox.next_change() == Change(Place("matrix", room), event, Account("matrix", stage.alice))


async def test_an_edit_that_says_so_only_where_it_is_encrypted_is_an_edit(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        event = await alice.say(room, "!shutdown all")
        await stage.inbox.next()
        relation = {"rel_type": "m.replace", "event_id": event}
        content = {"msgtype": "m.text", "body": "* !status", "m.relates_to": relation}
        sealed = alice.connection.olm.group_encrypt(room, {"type": "m.room.message", "content": content})
        await alice.put(room, "m.room.encrypted", sealed)
        assert await stage.inbox.next_change() == Change(
            Place("matrix", room), event, Account("matrix", stage.alice), standing=Standing.ATTESTED
        )


@pytest.mark.parametrize("more", [{"content": {}}, {}], ids=["whole", "malformed"])
async def test_nobody_takes_back_what_another_said_by_encrypting_that_they_do(
    stage: Stage, more: dict[str, object]
) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice, stage.online(stage.mallory) as mallory:
        room = await stage.room_of(alice, mallory)
        event = await alice.say(room, "!shutdown all")
        await mallory.say(room, "the bot has my key now")
        assert (await stage.inbox.next()).event == event
        await stage.inbox.next()
        forged = {"type": "m.room.redaction", "redacts": event, "sender": stage.alice, **more}
        await mallory.put(room, "m.room.encrypted", mallory.connection.olm.group_encrypt(room, forged))
        await mallory.say(room, "gone?")
        assert (await stage.inbox.next()).text == "gone?"
        assert stage.inbox.changed.empty()


async def test_what_the_bot_edits_is_shown_in_the_place_of_what_it_said(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        question = await alice.say(room, "!status")
        await stage.inbox.next()
        first = await bot.send(says(room, "one of two", question), key="one")
        assert (await alice.answer_to(question)).event == first
        for words in ("two of two", "all of it"):
            assert await bot.send(says(room, words, question, edits=first), key=words) == first
            edit = await alice.wait_for(lambda heard, words=words: heard.edits == first and heard.body == words)
            assert (edit.sender, edit.verified) == (stage.bot, True)
        await alice.say(room, "last")
        await stage.inbox.next()
        assert stage.inbox.changed.empty()


async def test_who_is_suspended_reads_nothing_that_is_said_from_then_on(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice, stage.online(stage.bob) as bob:
        room = await stage.room_of(alice, bob)
        before = await bot.send(says(room, "before"), key="before")
        for reader in (alice, bob):
            assert (await reader.wait_for(lambda heard: heard.event == before)).body == "before"
        stage.people.suspend("bob")
        meanwhile = await bot.send(says(room, "meanwhile"), key="meanwhile")
        await alice.wait_for(lambda heard: heard.event == meanwhile)
        await bob.could_not_read(meanwhile)
        stage.people.resume("bob")
        after = await bot.send(says(room, "after"), key="after")
        for reader in (alice, bob):
            assert (await reader.wait_for(lambda heard: heard.event == after)).body == "after"


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


async def test_it_is_ready_while_the_homeserver_is_heard(tmp_path: Path) -> None:
    clock = Clock()
    async with Homeserver(tmp_path / "homeserver") as homeserver, Stage.built(homeserver, tmp_path) as stage:
        async with stage.bot_online(clock) as bot:
            assert not bot.health().ready
            async with stage.online(stage.alice) as alice:
                room = await stage.room_of(alice)
                assert bot.health().ready
                await homeserver.stop()
                clock.now += SILENT_S
                assert bot.health().ready
                clock.now += 1
                health = bot.health()
                assert (health.ready, health.what) == (False, "no word from the homeserver for 121 s")
                await homeserver.start()
                await alice.say(room, "are you there?")
                await stage.inbox.next()
                assert bot.health().ready
        assert not bot.health().ready


async def test_what_it_cannot_read_is_counted(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        assert bot.health().counts == {"unreadable_events": 0}
        async with stage.online(stage.alice, "tablet", signed=False, alone=True) as tablet:
            await tablet.joined(room, stage.bot)
            await tablet.say(room, "nobody reads this")
        await alice.say(room, "last")
        await stage.inbox.next()
        assert bot.health().counts == {"unreadable_events": 1}
