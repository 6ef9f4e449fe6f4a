"""The Matrix bridge on a real homeserver: what becomes a message, how far it is believed, and what is said back."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
import structlog

from bot.words.errors import NetworkError, StoreError
from bot.words.message import Standing
from bot.words.people import Account as Holder
from bridges.matrix.account import Account
from demo.stage import SOON_S, Stage, says


async def test_a_message_of_a_listed_cross_signed_operator_is_attested_and_can_be_answered(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        event = await alice.say(room, "!status")
        message = await stage.inbox.next()
        assert (message.text, message.standing, message.device) == ("!status", Standing.ATTESTED, alice.device)
        assert (message.account, message.event) == (Holder("matrix", stage.alice), event)
        assert message.addressed
        assert 0 <= message.age_s < SOON_S
        said = await bot.send(says(room, "all is well", event), key="one")
        answer = await alice.answer_to(event)
        assert (answer.event, answer.body, answer.sender) == (said, "all is well", stage.bot)
        assert answer.verified


async def test_an_unsigned_device_of_an_operator_is_unproven_and_gets_no_key(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        async with stage.online(stage.alice, "rogue", signed=False) as rogue:
            await rogue.joined(room, stage.bot)
            await rogue.say(room, "!shutdown all")
            message = await stage.inbox.next()
            assert (message.standing, message.device) == (Standing.UNPROVEN, rogue.device)
            event = await bot.send(says(room, "who are you?"), key="one")
            assert (await alice.wait_for(lambda heard: heard.event == event)).body == "who are you?"
            await rogue.could_not_read(event)


async def test_plain_text_in_an_encrypted_room_is_unproven(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        await alice.put(room, "m.room.message", {"msgtype": "m.text", "body": "!shutdown all"})
        message = await stage.inbox.next()
        assert (message.text, message.standing) == ("!shutdown all", Standing.UNPROVEN)


async def test_words_of_another_under_the_name_of_an_operator_are_unproven(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice, stage.online(stage.mallory) as mallory:
        room = await stage.room_of(alice, mallory)
        await mallory.say(room, "the bot has my key now")
        assert (await stage.inbox.next()).standing == Standing.UNPROVEN
        kind, content = mallory.connection.client.encrypt(
            room, "m.room.message", {"msgtype": "m.text", "body": "!shutdown all"}
        )
        await alice.put(room, kind, content)
        message = await stage.inbox.next()
        assert (message.account.id, message.text) == (stage.alice, "!shutdown all")
        assert message.standing == Standing.UNPROVEN


async def test_a_ciphertext_sent_again_after_a_restart_is_not_taken(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online():
            room = await stage.room_of(alice)
            event = await alice.say(room, "!shutdown all")
            assert (await stage.inbox.next()).event == event
        whole = await alice.connection.request("GET", f"/_matrix/client/v3/rooms/{room}/event/{event}")
        await alice.put(room, "m.room.encrypted", whole["content"])
        async with stage.bot_online():
            await alice.say(room, "last")
            assert (await stage.inbox.next()).text == "last"


async def test_edits_notices_and_reactions_are_never_messages(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        event = await alice.say(room, "first")
        await alice.say(
            room,
            "* !shutdown all",
            **{
                "m.new_content": {"msgtype": "m.text", "body": "!shutdown all"},
                "m.relates_to": {"rel_type": "m.replace", "event_id": event},
            },
        )
        await alice.say(room, "!shutdown all", msgtype="m.notice")
        reaction = {"rel_type": "m.annotation", "event_id": event, "key": "!shutdown all"}
        await alice.put(room, "m.reaction", {"m.relates_to": reaction})
        await alice.say(room, "last")
        assert [(await stage.inbox.next()).text for _ in range(2)] == ["first", "last"]


async def test_the_invitation_of_a_stranger_is_not_accepted(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice, stage.online(stage.mallory) as mallory:
        trap = await mallory.create_room("trap", stage.bot)
        await stage.room_of(alice)
        path = f"/_matrix/client/v3/rooms/{trap}/state/m.room.member/{stage.bot}"
        assert (await mallory.connection.request("GET", path))["membership"] == "invite"


async def test_a_batch_that_the_inbox_did_not_take_is_offered_again(stage: Stage) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        stage.inbox.fail = StoreError("The disk is full.")
        await alice.say(room, "kept")
        assert (await stage.inbox.next()).text == "kept"


async def test_what_was_not_accepted_before_a_crash_comes_after_it(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online():
            room = await stage.room_of(alice)
            stage.inbox.hung = asyncio.Event()
            await alice.say(room, "kept")
            async with asyncio.timeout(SOON_S):
                await stage.inbox.hung.wait()
        stage.inbox.hung = None
        async with stage.bot_online():
            message = await stage.inbox.next()
            assert (message.text, message.standing) == ("kept", Standing.ATTESTED)


async def test_nothing_is_lost_in_an_outage_that_is_longer_than_a_timeline(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online():
            room = await stage.room_of(alice)
            await alice.say(room, "first")
            await stage.inbox.next()
        numbers = [str(number) for number in range(70)]
        for number in numbers:
            await alice.say(room, number)
        async with stage.bot_online():
            assert [(await stage.inbox.next()).text for _ in numbers] == numbers


async def test_the_same_key_says_it_once_also_after_a_restart(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online() as bot:
            room = await stage.room_of(alice)
            await alice.say(room, "are you there?")
            await stage.inbox.next()
            first = await bot.send(says(room, "once"), key="one")
            assert await bot.send(says(room, "once"), key="one") == first
        async with stage.bot_online() as bot:
            assert await bot.send(says(room, "once"), key="one") == first


async def test_nothing_is_said_in_a_room_without_encryption(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await alice.create_open_room("open", stage.bot)
        await alice.joined(room, stage.bot)
        await alice.put(room, "m.room.message", {"msgtype": "m.text", "body": "hello"})
        await stage.inbox.next()
        with pytest.raises(NetworkError, match="not encrypted"):
            await bot.send(says(room, "secret"), key="one")


async def test_state_that_comes_encrypted_changes_nothing(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice, stage.online(stage.mallory) as mallory:
        room = await stage.room_of(alice, mallory)
        await mallory.say(room, "the bot has my key now")
        await stage.inbox.next()
        event = await bot.send(says(room, "yes"), key="zero")
        await alice.wait_for(lambda heard: heard.event == event)
        forged = {
            "type": "m.room.member",
            "room_id": room,
            "state_key": stage.alice,
            "content": {"membership": "leave"},
        }
        await mallory.put(room, "m.room.encrypted", mallory.connection.olm.group_encrypt(room, forged))
        await mallory.say(room, "gone?")
        await stage.inbox.next()
        again = await bot.send(says(room, "no"), key="one")
        assert (await alice.wait_for(lambda heard: heard.event == again)).body == "no"


async def test_a_login_with_rubbish_for_keys_costs_its_owner_and_others_nothing(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online():
            room = await stage.room_of(alice)
        rogue = await Account(stage.homeserver.url, stage.alice, "rogue", stage.folder / "rogue").login(
            f"secret of {stage.alice}"
        )
        rubbish: dict[str, Any] = {
            "user_id": rogue.user,
            "device_id": rogue.device,
            "algorithms": [],
            "keys": {f"ed25519:{rogue.device}": "xxx", f"curve25519:{rogue.device}": "y"},
            "signatures": {rogue.user: {f"ed25519:{rogue.device}": "x"}},
        }
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {rogue.token}"}) as http,
            http.post(
                f"{stage.homeserver.url}/_matrix/client/v3/keys/upload", json={"device_keys": rubbish}
            ) as response,
        ):
            assert response.status == HTTPStatus.OK
        async with stage.bot_online() as bot:
            event = await alice.say(room, "!status")
            message = await stage.inbox.next()
            assert (message.event, message.standing) == (event, Standing.ATTESTED)
            await bot.send(says(room, "all is well", event), key="one")
            assert (await alice.answer_to(event)).body == "all is well"


class Wait:
    """Hears when the bridge says that it has to wait."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    def __call__(self, _logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Look at a line of the log."""
        if event["event"] == "matrix has to wait":
            self.begun.set()
        raise structlog.DropEvent


@pytest.fixture
def wait() -> Iterator[Wait]:
    before = structlog.get_config()
    wait = Wait()
    structlog.configure(processors=[wait])
    yield wait
    structlog.configure(**before)


@pytest.mark.parametrize("files", ["seen-*.db", "keys-*.db"])
async def test_a_disk_that_takes_nothing_for_a_while_costs_no_command(stage: Stage, wait: Wait, files: str) -> None:
    async with stage.online(stage.alice) as alice, stage.bot_online():
        room = await stage.room_of(alice)
        (file,) = (stage.folder / "bot").glob(files)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as full:
            # Every row that would be written fails, as on a full disk.
            tables = [name for (name,) in full.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for each in tables:
                for change in ("INSERT", "UPDATE"):
                    full.execute(
                        f"CREATE TRIGGER full_{each}_{change} BEFORE {change} ON {each}"
                        " BEGIN SELECT RAISE(ROLLBACK, 'disk full'); END"
                    )
            event = await alice.say(room, "!shutdown all")
            async with asyncio.timeout(SOON_S):
                await wait.begun.wait()
            if files == "seen-*.db":  # it was read, and goes out before the disk has it
                await stage.inbox.until_hurried("!shutdown all")
            for each in tables:
                for change in ("INSERT", "UPDATE"):
                    full.execute(f"DROP TRIGGER full_{each}_{change}")
        message = await stage.inbox.next()
        assert (message.event, message.standing) == (event, Standing.ATTESTED)
