"""The bot's identity on a real homeserver: made once, kept, never replaced in silence. And that of others."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.words.errors import SettingsError
from bridges.matrix.account import Account
from bridges.matrix.connection import Connection, LoginLost
from bridges.matrix.cross_signing import CrossSigning, establish, publish, sign_device
from bridges.matrix.identity import Identity, identity_of
from bridges.matrix.trust import Trust
from demo.homeserver import Homeserver
from demo.operator import Operator, PinsInMemory

PASSWORD = "secret"  # noqa: S105 - of accounts that live as long as a test


@pytest.fixture
async def account(homeserver: Homeserver, tmp_path: Path) -> Account:
    user = await homeserver.register(f"tocsin-{secrets.token_hex(4)}", PASSWORD)
    return Account(homeserver.url, user, "Tocsin", tmp_path / "tocsin")


@contextlib.asynccontextmanager
async def started(account: Account) -> AsyncGenerator[Connection]:
    login = await account.login(PASSWORD)
    async with Connection.opened(login, account.folder) as connection:
        await connection.upkeep()
        await establish(connection, PASSWORD)
        yield connection


async def seen_by_others(account: Account, connection: Connection) -> Identity:
    answer = await connection.request("POST", "/_matrix/client/v3/keys/query", {"device_keys": {account.user: []}})
    identity = identity_of(answer, account.user)
    assert identity is not None
    return identity


async def test_the_device_is_signed_and_a_second_start_is_the_same_device_and_identity(account: Account) -> None:
    async with started(account) as connection:
        first = await seen_by_others(account, connection)
        login = connection.login
        assert {device.id for device in first.devices} == {login.device}
    async with started(account) as connection:
        assert connection.login == login
        assert await seen_by_others(account, connection) == first


async def test_lost_keys_lead_to_a_new_device_of_the_same_identity(account: Account) -> None:
    async with started(account) as connection:
        first = await seen_by_others(account, connection)
        login = connection.login
    (account.folder / login.store).unlink()
    async with started(account) as connection:
        assert connection.login.device != login.device
        second = await seen_by_others(account, connection)
        assert second.master == first.master
        assert {device.id for device in second.devices} == {login.device, connection.login.device}


async def test_a_lost_identity_is_never_replaced_in_silence(account: Account) -> None:
    async with started(account):
        pass
    (account.folder / "identity.json").unlink()
    with pytest.raises(SettingsError, match="has a cross-signing identity already"):
        async with started(account):
            pass
    (account.folder / "identity.json").write_bytes(CrossSigning.fresh().dumps())
    with pytest.raises(SettingsError, match="has a cross-signing identity already"):
        async with started(account):
            pass


async def test_what_is_kept_can_be_read_by_its_owner_only(account: Account) -> None:
    async with started(account):
        assert account.folder.stat().st_mode & 0o777 == 0o700
        secret = [account.file, account.folder / "identity.json", *account.folder.glob("*.db")]
        assert len(secret) == 4
        assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}


async def test_the_folder_of_another_account_is_not_used(account: Account) -> None:
    async with started(account):
        pass
    other = Account(account.homeserver, "@other:localhost", "Tocsin", account.folder)
    with pytest.raises(SettingsError, match="belongs to"):
        await other.login(PASSWORD)


async def test_a_login_that_was_revoked_says_what_to_do(account: Account) -> None:
    async with started(account) as connection:
        await connection.request("POST", "/_matrix/client/v3/logout", {})
        with pytest.raises(LoginLost, match=r"Remove .*login\.json"):
            await connection.sync(None, full_state=True)


async def test_an_identity_that_changed_is_not_trusted_any_more(homeserver: Homeserver, account: Account) -> None:
    user = await homeserver.register(f"alice-{secrets.token_hex(4)}", PASSWORD)
    folder = account.folder.with_name("alice")
    async with started(account) as connection:
        pins = PinsInMemory()
        trust = Trust(connection, lambda: frozenset({user}), pins)
        async with Operator.online(homeserver.url, user, PASSWORD, folder) as alice:
            await trust.refresh()
            verified = connection.olm.is_device_verified
            assert {device.device_id for device in connection.olm.device_store if verified(device)} == {alice.device}
            swapped = CrossSigning.fresh()
            await publish(alice.connection, swapped, PASSWORD)
            await sign_device(alice.connection, swapped)
        connection.olm.users_for_key_query.add(user)
        await trust.refresh()
        assert [device.device_id for device in connection.olm.device_store if verified(device)] == []
        assert not await pins.holds(user, swapped.master.public)


@pytest.fixture
async def stranger(homeserver: Homeserver, tmp_path: Path) -> Account:
    user = await homeserver.register(f"mallory-{secrets.token_hex(4)}", PASSWORD)
    return Account(homeserver.url, user, "phone", tmp_path / "mallory")


async def test_one_time_keys_that_ran_out_are_uploaded_again(account: Account, stranger: Account) -> None:
    async with started(account) as connection, started(stranger) as thief:
        wanted = {account.user: {connection.login.device: "signed_curve25519"}}

        async def claim() -> bool:
            """Whether what was handed out serves one writer only, and not everybody who comes too late."""
            path = "/_matrix/client/v3/keys/claim"
            answer = await thief.request("POST", path, {"one_time_keys": wanted})
            (key,) = answer["one_time_keys"][account.user][connection.login.device].values()
            return "fallback" not in key

        while await claim():
            pass
        await connection.sync(None, full_state=True)
        await connection.upkeep()
        assert await claim()


async def test_a_malformed_key_from_a_stranger_does_not_end_the_stream(account: Account, stranger: Account) -> None:
    async with started(account) as connection, started(stranger) as mallory:
        content = {
            "algorithm": "m.olm.v1.curve25519-aes-sha2",
            "sender_key": mallory.olm.account.identity_keys["curve25519"],
            "ciphertext": {connection.olm.account.identity_keys["curve25519"]: {"type": 0, "body": "AAAA"}},
        }
        path = f"/_matrix/client/v3/sendToDevice/m.room.encrypted/{secrets.token_hex(8)}"
        await mallory.request("PUT", path, {"messages": {account.user: {connection.login.device: content}}})
        response = await connection.sync(None, full_state=True)
        assert len(response.to_device_events) == 1


async def test_a_login_file_that_is_no_login_is_an_error_of_the_settings(account: Account) -> None:
    account.folder.mkdir()
    account.file.write_text(json.dumps({"user": 1}))
    with pytest.raises(SettingsError, match="cannot be read"):
        await account.login(PASSWORD)


async def test_what_is_said_while_the_homeserver_is_away_arrives_when_it_is_back(tmp_path: Path) -> None:
    async with Homeserver(tmp_path / "homeserver") as homeserver:
        names = [await homeserver.register(name, PASSWORD) for name in ("alice", "bob")]
        knows = frozenset(names)
        async with (
            Operator.online(homeserver.url, names[0], PASSWORD, tmp_path / "alice", knows=knows) as alice,
            Operator.online(homeserver.url, names[1], PASSWORD, tmp_path / "bob", knows=knows) as bob,
            asyncio.TaskGroup() as group,
        ):
            room = await alice.create_room("ops", bob.user)
            await bob.join(room)
            await alice.joined(room, bob.user)
            await homeserver.stop()
            saying = group.create_task(alice.say(room, "are you there?"))
            await homeserver.start()
            heard = await bob.wait_for(lambda heard: heard.body == "are you there?")
            assert heard.event == await saying
