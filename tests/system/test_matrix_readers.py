"""Who can read what the bot says: in an open room everybody whose device is signed, in a control room who is listed."""

import asyncio
import itertools
import secrets

from bot.bridge import Explaining, Reach
from bot.words.message import Place, Standing
from bot.words.people import Account as Holder
from bridges.matrix.bridge import MatrixBridge
from bridges.matrix.cross_signing import CrossSigning, publish, sign_device
from bridges.matrix.identity import identity_of
from bridges.matrix.patience import patiently
from demo.operator import Operator
from demo.stage import SOON_S, Stage, says


async def master_of(somebody: Operator) -> str:
    asked: dict[str, list[str]] = {somebody.user: []}
    path = "/_matrix/client/v3/keys/query"
    answer = await somebody.connection.request("POST", path, {"device_keys": asked})
    identity = identity_of(answer, somebody.user)
    assert identity is not None
    return identity.master


def reasons(bot: MatrixBridge, room: str) -> dict[tuple[str, str], str]:
    """Why each device in a room cannot read; empty where it can."""
    return {(each.account.id, each.device): each.why for each in bot.reach(Place("matrix", room)) or ()}


async def test_in_an_open_room_a_stranger_reads_on_a_signed_device_and_in_a_control_room_on_none(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice, stage.online(stage.mallory) as mallory:
        lobby = await alice.create_room("lobby", stage.bot, mallory.user)
        async with stage.bot_online(open_rooms=[lobby]) as bot, stage.online(stage.mallory, "car", signed=False) as car:
            for room in (lobby, await stage.room_of(alice, mallory)):
                if room == lobby:
                    await mallory.join(lobby)
                await alice.joined(room, stage.bot)
                said = await patiently(lambda: bot.send(says(room, "hear, hear"), key=f"in {room}"))  # noqa: B023
                assert (await alice.wait_for(lambda heard: heard.event == said)).body == "hear, hear"  # noqa: B023
                await car.could_not_read(said)
                if room == lobby:
                    assert (await mallory.wait_for(lambda heard: heard.event == said)).body == "hear, hear"  # noqa: B023
                else:
                    await mallory.could_not_read(said)


async def test_what_a_stranger_says_in_an_open_room_is_never_attested(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice, stage.online(stage.mallory) as mallory:
        lobby = await alice.create_room("lobby", stage.bot, mallory.user)
        await mallory.join(lobby)
        async with stage.bot_online(open_rooms=[lobby]) as bot:
            await mallory.joined(lobby, stage.bot)
            await mallory.say(lobby, "!status")
            assert (await stage.inbox.next()).standing is Standing.UNPROVEN
            await patiently(lambda: bot.send(says(lobby, "welcome"), key="1"))
            await mallory.wait_for(lambda heard: heard.body == "welcome")
            await mallory.say(lobby, "!status, now that my device is known")
            heard = await stage.inbox.next()
            assert (heard.account.id, heard.standing) == (stage.mallory, Standing.UNPROVEN)
            await alice.say(lobby, "!status")
            assert (await stage.inbox.next()).standing is Standing.ATTESTED


async def test_a_suspended_person_reads_nothing_in_an_open_room_either(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice, stage.online(stage.bob) as bob, stage.online(stage.mallory) as other:
        lobby = await alice.create_room("lobby", stage.bot, bob.user, other.user)
        await bob.join(lobby)
        await other.join(lobby)
        async with stage.bot_online(open_rooms=[lobby]) as bot:
            await alice.joined(lobby, stage.bot)
            await patiently(lambda: bot.send(says(lobby, "with bob"), key="1"))
            await bob.wait_for(lambda heard: heard.body == "with bob")
            stage.people.suspend("bob")
            said = await bot.send(says(lobby, "without bob"), key="2")
            assert (await other.wait_for(lambda heard: heard.event == said)).body == "without bob"
            await bob.could_not_read(said)


async def test_a_person_is_known_by_what_the_file_says_and_by_nothing_else(stage: Stage) -> None:
    async with stage.online(stage.alice) as alice, stage.online(stage.bob) as bob:
        room = await alice.create_room("ops", stage.bot, bob.user)
        await bob.join(room)
        pins = {stage.alice: await master_of(alice), stage.bob: await master_of(alice)}
        async with stage.bot_online(pins=pins) as bot:
            await alice.joined(room, stage.bot)
            known = await stage.identities.known()
            assert {account.id for account, pinned in known.items() if pinned.by_file} == {stage.alice, stage.bob}
            said = await patiently(lambda: bot.send(says(room, "for alice"), key="1"))
            assert (await alice.wait_for(lambda heard: heard.event == said)).body == "for alice"
            await bob.could_not_read(said)
            shown = (await stage.identities.known())[Holder("matrix", stage.bob)]
            assert shown.shown == await master_of(bob)


async def test_who_cannot_read_is_told_with_the_reason(stage: Stage) -> None:
    async with (
        stage.online(stage.alice) as alice,
        stage.online(stage.alice, "tablet", signed=False) as tablet,
        stage.online(stage.bob) as bob,
        stage.online(stage.mallory) as mallory,
        stage.online(stage.mallory, "car", signed=False) as car,
    ):
        lobby, ops = [await alice.create_room(name, stage.bot, bob.user, mallory.user) for name in ("lobby", "ops")]
        for room, guest in itertools.product((lobby, ops), (bob, mallory)):
            await guest.join(room)
        async with stage.bot_online(open_rooms=[lobby]) as bot:
            for room in (lobby, ops):
                await alice.joined(room, stage.bot)
                await patiently(lambda: bot.send(says(room, "hear, hear"), key=room))  # noqa: B023
            assert reasons(bot, lobby) == {
                (alice.user, alice.device): "",
                (alice.user, tablet.device): "its owner has not signed it",
                (bob.user, bob.device): "",
                (mallory.user, mallory.device): "",
                (mallory.user, car.device): "its owner has not signed it",
            }
            stage.people.suspend("bob")
            swapped = CrossSigning.fresh()
            await publish(alice.connection, swapped, f"secret of {alice.user}")
            await sign_device(alice.connection, swapped)
            nobody = {
                (alice.user, alice.device): "the identity has changed",
                (alice.user, tablet.device): "the identity has changed",
                (bob.user, ""): "suspended",
                (mallory.user, ""): "not listed, and this is a control room",
            }
            async with asyncio.timeout(SOON_S):  # the homeserver tells of a new identity when it does
                for number in itertools.count():
                    await bot.send(says(ops, "for nobody"), key=f"again {number}")
                    if reasons(bot, ops) == nobody:
                        break
        assert bot.reach(Place("matrix", ops)) is None


async def keeps_back(stage: Stage, somebody: Operator, room: str) -> None:
    """Their app tells the bot that it keeps a key from it."""
    own = somebody.connection.olm.account.identity_keys["curve25519"]
    notice = {"room_id": room, "session_id": "s", "code": "m.unverified", "sender_key": own}
    path = f"/_matrix/client/v3/sendToDevice/m.room_key.withheld/{secrets.token_hex(8)}"
    body = {"messages": {stage.bot: {"*": {"algorithm": "m.megolm.v1.aes-sha2", **notice}}}}
    await somebody.connection.request("PUT", path, body)


def not_read(bot: MatrixBridge, room: str) -> list[Reach]:
    """Whom the bot cannot read, as far as anybody has said."""
    return [each for each in bot.reach(Place("matrix", room)) or () if not each.is_read]


async def test_an_app_that_keeps_its_keys_from_the_bot_is_told(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        assert isinstance(bot, Explaining)
        room = await stage.room_of(alice)
        await alice.say(room, "!status")
        await stage.inbox.next()
        assert reasons(bot, room) == {(alice.user, alice.device): ""}
        await keeps_back(stage, alice, room)
        await alice.say(room, "!status, please")
        await stage.inbox.next()
        (kept,) = not_read(bot, room)
        assert (kept.account.id, kept.device) == (alice.user, alice.device)
        assert "it sends keys to verified devices only" in kept.why


async def test_what_an_app_kept_back_is_told_until_it_gives_a_key_or_its_device_is_gone(stage: Stage) -> None:
    async with stage.bot_online() as bot, stage.online(stage.alice) as alice:
        room = await stage.room_of(alice)

        async def devices_not_read() -> list[str]:
            await alice.say(room, "what came before this has been heard")
            await stage.inbox.next()
            return [each.device for each in not_read(bot, room)]

        assert await devices_not_read() == []
        await keeps_back(stage, alice, room)
        assert await devices_not_read() == [alice.device]
        async with stage.online(stage.alice, "tablet", signed=False, alone=True) as tablet:
            alice.connection.client.invalidate_outbound_session(room)
            assert await devices_not_read() == []  # a new key has come
            await keeps_back(stage, tablet, room)
            assert await devices_not_read() == [tablet.device]
            await tablet.connection.request("POST", "/_matrix/client/v3/logout", {})
            assert await devices_not_read() == []
