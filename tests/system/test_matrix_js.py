"""The bot and a Matrix client of today, which shares no code with it: what each reads of the other and shows of it."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from nio.crypto import encrypt_attachment

from demo.broker import ROOT, LocalBroker
from demo.operator import Operator
from demo.process import Process
from demo.stage import Stage, says
from tests.js.told import Isolation, JsDevice, JsMessage, JsVerification, Shield
from tests.system.js_operator import JsError, JsOperator, online
from tests.system.machine import Machine

pytestmark = pytest.mark.usefixtures("js_client")

UNSHIELDED = Shield("none", None)
UP_WITHIN_S = 30.0
ALARM_WITHIN_S = 60.0
"""The bot gives a late key ten seconds, and the machine may be busy."""
CONFIG = """\
[bot]
folder = "state"
[mqtt]
host = "{broker.host}"
port = {broker.port}
[matrix]
homeserver = "{stage.homeserver.url}"
user = "{stage.bot}"
password_file = "bot-password"
[people.alice]
role = "operator"
matrix = ["{stage.alice}"]
"""


@pytest_asyncio.fixture
async def bot(stage: Stage, tmp_path: Path) -> AsyncGenerator[Process]:
    """The whole bot, as it is installed."""
    password = tmp_path / "bot-password"
    password.touch(mode=0o600)
    password.write_text("secret of the bot")
    async with LocalBroker(tmp_path / "broker") as broker:
        (tmp_path / "config.toml").write_text(CONFIG.format(broker=broker.address, stage=stage))
        command = [sys.executable, "-m", "bot", "run", "--config", tmp_path / "config.toml"]
        async with Process(command, tmp_path / "bot.log", env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
            yield process


@pytest_asyncio.fixture
async def alice(stage: Stage) -> AsyncGenerator[JsOperator]:
    async with online(stage, stage.alice) as alice:
        yield alice


@pytest_asyncio.fixture
async def bob(stage: Stage) -> AsyncGenerator[JsOperator]:
    async with online(stage, stage.bob) as bob:
        yield bob


async def up(bot: Process) -> None:
    """Wait until it has begun, or say why it has ended."""

    async def begun() -> bool:
        return bot.said('"event": "running"')

    await bot.until(begun, seconds=UP_WITHIN_S)


async def room_with_bot(alice: JsOperator, stage: Stage) -> str:
    room = await alice.create_room("ops", stage.bot)
    await alice.joined(room, stage.bot)
    return room


async def answered(alice: JsOperator, room: str, text: str) -> JsMessage:
    """Ask the bot, and look that its answer is one without any reproach."""
    answer = await alice.answer_to(await alice.say(room, text))
    assert (answer.state, answer.failure, answer.shield) == ("decrypted", None, UNSHIELDED)
    assert (answer.type, answer.words.msgtype) == ("m.room.message", "m.notice")
    return answer


async def test_a_client_reads_the_bot_without_a_shield_and_the_bot_knows_the_device(
    stage: Stage, alice: JsOperator, bot: Process
) -> None:
    await up(bot)
    modes: tuple[Isolation, ...] = ("all", "signed")
    for mode in modes:
        await alice.isolate(mode)
        room = await room_with_bot(alice, stage)
        known = await answered(alice, room, "!whoami")
        assert known.sender == stage.bot
        assert known.words.body is not None
        assert "attested: encrypted, from a device that your own identity signed" in known.words.body
        assert alice.device in known.words.body
        shown = await answered(alice, room, "!help")
        assert shown.words.formatted_body is not None
        assert "!shutdown" in shown.words.formatted_body


async def test_a_client_that_gives_keys_to_verified_devices_only_is_told_that_it_was_not_read(
    stage: Stage, alice: JsOperator, bot: Process
) -> None:
    await up(bot)
    room = await room_with_bot(alice, stage)
    await answered(alice, room, "!whoami")
    await alice.only_verified()
    event = await alice.say(room, "!shutdown all")
    alarm = await alice.answer_to(event, within=ALARM_WITHIN_S)
    assert alarm.words.body is not None
    assert alarm.words.body.startswith("ALARM: I cannot read what alice")
    assert f"on the device {alice.device}" in alarm.words.body
    assert "If it was a stop, it was NOT carried out." in alarm.words.body
    assert "Why, as the app of alice says: it sends keys to verified devices only" in alarm.words.body
    assert alarm.shield == UNSHIELDED
    await alice.only_verified(on=False)
    await answered(alice, room, "!whoami")


async def test_a_bot_that_was_stopped_or_killed_and_started_again_is_still_trusted(
    stage: Stage, alice: JsOperator, bot: Process
) -> None:
    await up(bot)
    await alice.isolate("signed")
    room = await room_with_bot(alice, stage)
    await answered(alice, room, "!whoami")
    before = await alice.knows(stage.bot)
    (device,) = before.devices
    assert before.master is not None
    for end in (bot.stop, bot.kill):
        await end()
        await bot.start()
        await up(bot)
        await answered(alice, room, "!whoami")
        assert await alice.knows(stage.bot) == before
    assert not before.needs_approval
    assert await alice.knows_device(stage.bot, device) == JsDevice(known=True, verified=False, signed_by_owner=True)


async def test_a_bot_that_lost_its_machine_and_was_recovered_is_still_trusted(
    stage: Stage, alice: JsOperator, bot: Process
) -> None:
    await up(bot)
    await alice.isolate("signed")
    room = await room_with_bot(alice, stage)
    await answered(alice, room, "!whoami")
    before = await alice.knows(stage.bot)
    machine = Machine(stage.homeserver.url, stage.bot, stage.folder)
    key = await machine.new_key()
    await bot.stop()
    machine.account.folder.rename(stage.folder / "lost")
    code, _, wrong = await machine.says("recover", "--delete-others", typed=key)
    assert (code, wrong) == (0, "")
    await bot.start()
    await up(bot)
    await answered(alice, room, "!whoami")
    after = await alice.knows(stage.bot)
    assert (after.master, after.needs_approval) == (before.master, False)
    assert set(after.devices) != set(before.devices)


async def test_an_edit_of_the_bot_takes_the_place_of_what_it_said(stage: Stage, alice: JsOperator) -> None:
    async with stage.bot_online() as bot:
        room = await room_with_bot(alice, stage)
        asked = await alice.say(room, "!status")
        await stage.inbox.next()
        said = await bot.send(says(room, "STOPPING", asked), key="one")
        assert (await alice.answer_to(asked)).shown.body == "STOPPING"
        assert await bot.send(says(room, "STOPPED", edits=said), key="two") == said
        edit = await alice.wait_for(edits=said)
        assert edit.edited is not None
        assert (edit.words.body, edit.edited.body, edit.shield) == ("* STOPPED", "STOPPED", UNSHIELDED)
        shown = await alice.look(said)
        assert (shown.words.body, shown.shown.body, shown.shown_from) == ("STOPPING", "STOPPED", edit.event)


async def test_the_client_is_a_judge_and_shows_what_comes_from_a_device_that_nobody_signed(
    stage: Stage, alice: JsOperator
) -> None:
    async with stage.online(stage.bob, signed=False) as stranger:
        room = await alice.create_room("ops", stage.bob)
        await stranger.join(room)
        event = await stranger.say(room, "hello")
        assert (await alice.wait_for(event=event)).shield == Shield("red", "unsigned_device")
        await alice.isolate("signed")
        event = await stranger.say(room, "hello again")
        heard = await alice.wait_for(event=event, state=["failed"])
        assert (heard.failure, heard.shield) == ("UNSIGNED_SENDER_DEVICE", None)
        with pytest.raises(JsError, match=r"waited 0\.1 s for a message with "):  # it is none that can be read
            await alice.wait_for(event=event, within=0.1)


async def test_a_new_device_has_the_identity_that_its_recovery_key_opens(stage: Stage) -> None:
    at = (stage.homeserver.url, stage.alice, f"secret of {stage.alice}", stage.folder / "alice-js.log")
    async with JsOperator.online(*at) as phone, JsOperator.online(*at) as tablet:
        own = await phone.identity()
        assert (own.ready, own.stored) == (True, True)
        assert not (await tablet.knows_device(stage.alice, tablet.device)).signed_by_owner
        assert await tablet.identity(own.recovery_key) == own
        await asyncio.gather(*(each.signed(stage.alice, tablet.device) for each in (phone, tablet)))


async def compared(one: JsOperator, other: JsOperator, request: JsVerification) -> JsVerification:
    """The two have begun, and see the same emoji. What `other` has of it."""
    offered = await other.offered()
    assert (offered.id, offered.user, offered.room) == (request.id, one.user, request.room)
    await other.accept(offered)
    await one.begin(request)
    shown, seen = await asyncio.gather(one.emoji(request), other.emoji(offered))
    assert shown == seen
    assert (len(shown.symbols), len(shown.numbers)) == (7, 3)
    return offered


async def test_two_clients_that_see_the_same_emoji_verify_one_another_and_nothing_else_does(
    stage: Stage, alice: JsOperator, bob: JsOperator
) -> None:
    room = await alice.create_room("ops", stage.bob)
    await bob.join(room)
    await alice.joined(room, stage.bob)

    async def verify(request: JsVerification) -> None:
        offered = await compared(alice, bob, request)
        await asyncio.gather(alice.confirm(request), bob.confirm(offered))
        ends = await asyncio.gather(alice.end_of(request), bob.end_of(offered))
        assert [end.phase for end in ends] == ["done", "done"]

    await bob.knows_device(stage.alice, alice.device)  # one that a client does not know asks it in vain
    await alice.knows_device(stage.bob, bob.device)
    request = await alice.verify(stage.bob, device=bob.device)
    await bob.mismatch(await compared(alice, bob, request))
    end = await alice.end_of(request)
    assert (end.phase, end.code, end.cancelled_by) == ("cancelled", "m.mismatched_sas", stage.bob)
    request = await alice.verify(stage.bob, room=room)
    await bob.cancel(await bob.offered())
    assert (await alice.end_of(request)).code == "m.user"
    assert not (await alice.knows_device(stage.bob, bob.device)).verified

    await verify(await alice.verify(stage.bob, room=room))
    await asyncio.gather(alice.verified(stage.bob), bob.verified(stage.alice))
    assert (await alice.knows_device(stage.bob, bob.device)).verified
    await verify(await alice.verify(stage.bob, device=bob.device))
    await bob.only_verified()
    event = await bob.say(room, "hello")
    assert (await alice.wait_for(event=event)).shield == UNSHIELDED


async def uploaded(bob: Operator, data: bytes) -> dict[str, Any]:
    """Put a file on the homeserver, which cannot read it. Returns what opens it."""
    sealed, opens = encrypt_attachment(data)
    headers = {"Authorization": f"Bearer {bob.connection.login.token}"}
    address = f"{bob.connection.login.homeserver}/_matrix/media/v3/upload"
    async with aiohttp.ClientSession(headers=headers) as http, http.post(address, data=sealed) as response:
        assert response.status == HTTPStatus.OK
        return {**opens, "url": (await response.json())["content_uri"]}


async def test_a_file_that_comes_encrypted_is_opened(stage: Stage, alice: JsOperator) -> None:
    async with stage.online(stage.bob) as bob:
        room = await alice.create_room("ops", stage.bob)
        await bob.join(room)
        file = await uploaded(bob, b"all is well")
        event = await bob.say(room, "report.txt", msgtype="m.file", file=file)
        assert (await alice.wait_for(event=event)).words.msgtype == "m.file"
        assert await alice.attachment(event) == b"all is well"
