"""Where the Matrix library leaves a bot alone, on a real homeserver: keys that run out, are kept back or expire.

And sends that are broken off, lost logins, lost stores. What has a file of its own is tested there.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.bridge import Cause
from bot.words.errors import OutOfService
from bot.words.message import Standing
from bridges.matrix.account import Account, Login
from bridges.matrix.bridge import MatrixBridge
from bridges.matrix.connection import Connection, LoginLost
from bridges.matrix.offered_keys import lacking
from bridges.matrix.withheld import CAUSES, OTHER
from demo.operator import Operator
from demo.stage import SOON_S, Stage, says

UPLOAD = "/_matrix/client/v3/keys/upload"
MOST_KEYS = 60
"""More than a device has on the server."""


def login_of(stage: Stage) -> Login:
    """The bot's own."""
    return Login(**json.loads((stage.folder / "bot" / "login.json").read_bytes()))


async def claim(thief: Operator, user: str, device: str) -> dict[str, Any]:
    """Take one of a device's keys from the server, as whoever begins to write to it does."""
    body = {"one_time_keys": {user: {device: "signed_curve25519"}}}
    answer = await thief.connection.request("POST", "/_matrix/client/v3/keys/claim", body)
    (key,) = answer["one_time_keys"][user][device].values()
    return key


async def drain(thief: Operator, user: str, device: str) -> dict[str, Any]:
    """Take all keys, and return the one that is handed out when there are no others."""
    for _ in range(MOST_KEYS):
        if (key := await claim(thief, user, device)).get("fallback"):
            return key
    raise AssertionError("The keys do not end.")


async def to_device(sender: Operator, kind: str, user: str, device: str, content: dict[str, Any]) -> None:
    """Send something to one device, as it is."""
    path = f"/_matrix/client/v3/sendToDevice/{kind}/{secrets.token_hex(8)}"
    await sender.connection.request("PUT", path, {"messages": {user: {device: content}}})


async def session_of(reader: Operator, room: str, event: str) -> str:
    """The key that an event is encrypted with."""
    whole = await reader.connection.request("GET", f"/_matrix/client/v3/rooms/{room}/event/{event}")
    return whole["content"]["session_id"]


async def test_who_claims_all_keys_while_the_bot_is_away_keeps_no_new_operator_from_being_read(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice, stage.online(stage.mallory) as mallory:
        async with stage.bot_online():
            room = await stage.room_of(alice)
            await alice.say(room, "first")
            assert (await stage.inbox.next()).text == "first"
        device = login_of(stage).device
        last = await drain(mallory, stage.bot, device)
        assert await claim(mallory, stage.bot, device) == last
        async with stage.online(stage.bob) as bob:  # who has never written to the bot
            await alice.invite(room, stage.bob)
            await bob.join(room)
            event = await bob.say(room, "!shutdown all")
            async with stage.bot_online():
                message = await stage.inbox.next()
                assert (message.event, message.text, message.standing) == (event, "!shutdown all", Standing.ATTESTED)
                await alice.say(room, "last")
                assert (await stage.inbox.next()).text == "last"
            assert (await drain(mallory, stage.bot, device))["key"] != last["key"]


async def test_keys_whose_upload_was_never_confirmed_are_the_same_after_a_crash(stage: Stage) -> None:
    folder = stage.folder / "bot"
    login = await Account(stage.homeserver.url, stage.bot, "Tocsin", folder).login("secret of the bot")
    async with Connection.opened(login, folder) as connection:
        await connection.request("POST", UPLOAD, lacking(connection.olm, fallback=False))
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        await alice.say(room, "!status")
        message = await stage.inbox.next()
        assert (message.text, message.standing, login_of(stage).device) == ("!status", Standing.ATTESTED, login.device)


@pytest.mark.parametrize(("code", "cause"), [*CAUSES.items(), ("org.example.mood", OTHER)])
async def test_why_a_key_is_kept_from_the_bot_is_told(stage: Stage, code: str, cause: Cause) -> None:
    async with stage.bot_online(key_may_take_s=0.2), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        async with stage.online(stage.alice, "tablet", signed=False, alone=True) as tablet:
            await tablet.joined(room, stage.bot)
            await tablet.say(room, "nobody knows why")
            assert (await stage.inbox.next_unreadable()).cause is None
            olm = tablet.connection.olm
            about: dict[str, Any] = {"sender_key": olm.account.identity_keys["curve25519"]}
            if code != "m.no_olm":
                about |= {"room_id": room, "session_id": olm.outbound_group_sessions[room].id}
            notice = {"algorithm": "m.megolm.v1.aes-sha2", "code": code, "reason": "send money", **about}
            await to_device(tablet, "m.room_key.withheld", stage.bot, login_of(stage).device, notice)
            event = await tablet.say(room, "!shutdown all")
            told = await stage.inbox.next_unreadable()
            assert (told.event, told.cause) == (event, cause)


async def test_a_room_that_wants_new_keys_sooner_gets_them(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online() as bot:
            room = await stage.room_of(alice)
            await alice.say(room, "first")
            await stage.inbox.next()
            said = [await bot.send(says(room, "before"), key="before")]
            wish = {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": 2}
            await alice.connection.request("PUT", f"/_matrix/client/v3/rooms/{room}/state/m.room.encryption/", wish)
            await alice.say(room, "two messages a key, please")
            await stage.inbox.next()
            said += [await bot.send(says(room, str(number)), key=str(number)) for number in range(4)]
            keys = [await session_of(alice, room, event) for event in said]
            assert keys[0] == keys[1]  # a key that serves already counts what it has served
            assert keys[2] == keys[3] != keys[1]
            assert keys[4] not in keys[:4]
            assert (await alice.wait_for(lambda heard: heard.event == said[-1])).body == "3"
        async with stage.bot_online() as bot:
            said = [await bot.send(says(room, f"again {number}"), key=f"again {number}") for number in range(3)]
            keys = [await session_of(alice, room, event) for event in said]
            assert keys[0] == keys[1] != keys[2]


async def test_a_device_that_bears_the_id_of_the_bots_own_keeps_nobody_from_being_answered(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice, stage.online(stage.bob) as bob:
        room = await stage.room_of(alice, bob)
        await alice.say(room, "first")
        await stage.inbox.next()
        own = login_of(stage)
        async with namesake(stage, own.device) as twin:
            await twin.joined(room, stage.bot)
            # The bot has a way to it, as it would have for any device that has written to it.
            key = (await claim(twin, stage.bot, own.device))["key"]
            olm = twin.connection.olm
            bots = next(device for device in olm.device_store if device.user_id == stage.bot)
            letter = olm._olm_encrypt(olm.create_session(key, bots.curve25519), bots, "m.dummy", {})  # pyright: ignore[reportPrivateUsage] - it sends no key to its own id
            await to_device(twin, "m.room.encrypted", stage.bot, own.device, letter)
            await alice.say(room, "are you there?")
            await stage.inbox.next()
            event = await bot.send(says(room, "yes"), key="one")
            for reader in (alice, bob):
                assert (await reader.wait_for(lambda heard: heard.event == event)).body == "yes"
            await twin.could_not_read(event)


@contextlib.asynccontextmanager
async def namesake(stage: Stage, device: str) -> AsyncGenerator[Operator]:
    """Alice at a device whose id she has chosen."""
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": stage.alice},
        "password": f"secret of {stage.alice}",
        "device_id": device,
    }
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{stage.homeserver.url}/_matrix/client/v3/login", json=body) as answer,
    ):
        token = (await answer.json())["access_token"]
    folder = stage.folder / f"{stage.alice[1:6]}-twin"
    folder.mkdir(mode=0o700)
    login = Login(stage.homeserver.url, stage.alice, device, token, "pickle")
    (folder / "login.json").write_text(json.dumps(dataclasses.asdict(login)))
    (folder / login.store).touch()
    (folder / "identity.json").write_bytes((stage.folder / f"{stage.alice[1:6]}-phone" / "identity.json").read_bytes())
    async with stage.online(stage.alice, "twin") as twin:
        yield twin


async def test_a_send_whose_caller_has_given_up_is_finished_and_blocks_nobody(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        await alice.say(room, "hello")
        await stage.inbox.next()
        server = stage.homeserver.process.pid
        os.kill(server, signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(bot.send(says(room, "first"), key="one"), 0.1)
        finally:
            os.kill(server, signal.SIGCONT)
        second = await bot.send(says(room, "second"), key="two")
        assert (await alice.wait_for(lambda heard: heard.event == second)).body == "second"
        await alice.wait_for(lambda heard: heard.body == "first")


async def test_matrix_alone_is_out_of_service_when_the_login_is_revoked_and_says_what_to_do(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online():
            room = await stage.room_of(alice)
        with pytest.raises(OutOfService, match=r"Remove .*login\.json"):  # noqa: PT012 - it is raised at its end
            async with stage.bot_online() as bot:
                await is_heard_and_answered(stage, bot, alice, room)
                (run,) = [task for task in asyncio.all_tasks() if "MatrixBridge.run" in repr(task.get_coro())]
                headers = {"Authorization": f"Bearer {login_of(stage).token}"}
                async with aiohttp.ClientSession(headers=headers) as http:
                    await http.post(f"{stage.homeserver.url}/_matrix/client/v3/logout")
                await asyncio.wait([run], timeout=SOON_S)
        with pytest.raises(LoginLost, match=r"Remove .*login\.json"):  # noqa: PT012 - see above
            async with stage.bot_online():
                (run,) = [task for task in asyncio.all_tasks() if "MatrixBridge.run" in repr(task.get_coro())]
                await asyncio.wait([run], timeout=SOON_S)
        (stage.folder / "bot" / "login.json").unlink()
        async with stage.bot_online() as bot:
            await is_heard_and_answered(stage, bot, alice, room)


async def test_a_bot_that_lost_its_keys_is_heard_and_answers_as_a_new_device(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online():
            room = await stage.room_of(alice)
        before = login_of(stage)
        for file in (stage.folder / "bot").glob(f"{before.store}*"):
            file.unlink()
        async with stage.bot_online() as bot:
            await is_heard_and_answered(stage, bot, alice, room)
        assert login_of(stage).device != before.device


async def is_heard_and_answered(stage: Stage, bot: MatrixBridge, alice: Operator, room: str) -> None:
    """Alice's device hears of the new one, and each believes the other."""
    async with asyncio.timeout(SOON_S):
        said = await bot.send(says(room, "I am back"), key=secrets.token_hex(8))
    answer = await alice.wait_for(lambda heard: heard.event == said)
    assert (answer.body, answer.verified) == ("I am back", True)
    await alice.say(room, "welcome back")
    message = await stage.inbox.next()
    assert (message.text, message.standing) == ("welcome back", Standing.ATTESTED)


async def test_what_the_library_finds_invalid_is_not_written_to_the_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage.bot_online(), stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)
        caplog.set_level("DEBUG")
        await alice.put(room, "m.room.encrypted", {"algorithm": 5, "ciphertext": "the ciphertext itself"})
        await alice.say(room, "last")
        assert (await stage.inbox.next()).text == "last"
        assert "the ciphertext itself" not in caplog.text


WITHOUT_ENCRYPTION = """
import sys
sys.modules["vodozemac"] = None  # as if it were not installed
sys.argv = ["tocsin", "run", "--config", sys.argv[1]]
from bot.cli import main
main()
"""


async def test_a_bot_whose_matrix_library_cannot_encrypt_does_not_start(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[matrix]\nhomeserver = "http://127.0.0.1:1"\nuser = "@tocsin:localhost"\n')
    command = [sys.executable, "-c", WITHOUT_ENCRYPTION, str(config)]
    bot = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(bot.communicate(), SOON_S)
    assert bot.returncode == 1
    assert "matrix-nio is installed without encryption: install `tocsin[bot]` anew" in " ".join(said.decode().split())
