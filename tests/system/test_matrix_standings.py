"""How sure the bot is of people where the configuration says so: who was compared, and rooms without encryption."""

import pytest

from bot.keys import DATABASE
from bot.words.errors import NetworkError
from bot.words.message import Standing
from bot.words.people import Account as Holder
from demo.operator import Operator
from demo.stage import Stage, says
from tests.system.test_matrix_hostile import held


async def puts(somebody: Operator, room: str, words: str) -> None:
    """Say something in clear."""
    await somebody.put(room, "m.room.message", {"msgtype": "m.text", "body": words})


async def test_who_was_not_compared_is_signed_and_is_attested_from_the_next_message_on(stage: Stage) -> None:
    async with stage.bot_online(proof="verified") as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        event = await alice.say(room, "!status")
        message = await stage.inbox.next()
        assert (message.standing, message.device) == (Standing.SIGNED, alice.device)
        await bot.send(says(room, "all is well", event), key="1")
        assert (await alice.answer_to(event)).decrypted
        holder = Holder("matrix", stage.alice)
        await stage.identities.verified(holder, (await stage.identities.known())[holder].key)
        await alice.say(room, "!run-sim swarm")
        assert (await stage.inbox.next()).standing is Standing.ATTESTED


async def test_a_room_that_may_be_unencrypted_is_answered_in_clear_until_it_is_encrypted(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        room = await alice.create_open_room("hall", stage.bot)
        async with stage.bot_online(unencrypted_rooms=[room]) as bot:
            await alice.joined(room, stage.bot)
            await puts(alice, room, "!status")
            message = await stage.inbox.next()
            assert (message.standing, message.device) == (Standing.CLEAR, "")
            await bot.send(says(room, "for everybody", message.event), key="1")
            answer = await alice.answer_to(message.event)
            assert (answer.body, answer.decrypted) == ("for everybody", False)
            assert all(each.reads for each in bot.reach(message.place) or [])
            path = f"/_matrix/client/v3/rooms/{room}/state/m.room.encryption"
            await alice.connection.request("PUT", path, {"algorithm": "m.megolm.v1.aes-sha2"})
            await puts(alice, room, "!status")
            message = await stage.inbox.next()
            assert message.standing is Standing.UNPROVEN
            await bot.send(says(room, "for alice", message.event), key="2")
            assert (await alice.answer_to(message.event)).decrypted


async def test_nothing_is_said_in_clear_where_encryption_was_seen_beside_a_stream_that_stands(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        room = await alice.create_open_room("hall", stage.bot)
        async with stage.bot_online(unencrypted_rooms=[room]) as bot:
            await alice.joined(room, stage.bot)
            await puts(alice, room, "!status")
            await stage.inbox.next()
            with held(stage.folder / DATABASE):
                await puts(alice, room, "just talk")
                await stage.inbox.until_offered("just talk")
                path = f"/_matrix/client/v3/rooms/{room}/state/m.room.encryption"
                await alice.connection.request("PUT", path, {"algorithm": "m.megolm.v1.aes-sha2"})
                await puts(alice, room, "!shutdown all")
                await stage.inbox.until_hurried("!shutdown all")
                with pytest.raises(NetworkError, match="not encrypted"):
                    await bot.send(says(room, "words in clear"), key="1")


async def test_where_a_listed_person_writes_encrypted_nothing_is_said_in_clear_any_more(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        room = await alice.create_open_room("hall", stage.bot)
        async with stage.bot_online(unencrypted_rooms=[room]) as bot:
            await alice.joined(room, stage.bot)
            # As where the homeserver keeps the state of the room from the bot.
            alice.connection.client.rooms[room].encrypted = True
            alice.connection.olm.users_for_key_query.add(stage.bot)
            await alice.say(room, "!requests")
            assert (await stage.inbox.next()).standing is Standing.ATTESTED
            with pytest.raises(NetworkError, match="is not encrypted; nothing is said there"):
                await bot.send(says(room, "nothing for others"), key="1")
            await puts(alice, room, "!status")
            assert (await stage.inbox.next()).standing is Standing.UNPROVEN
