"""The bot's identity outlives its machine: recovery keys, recovery and a reset, by the commands that a person types."""

import asyncio
import json
import secrets
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.keys import DATABASE
from bot.store import Store
from bot.words.errors import SettingsError
from bridges.matrix.account import Account
from bridges.matrix.connection import Connection
from bridges.matrix.cross_signing import NEXT, CrossSigning, keep, publish
from bridges.matrix.owed import OWED
from bridges.matrix.recovery import look_after
from bridges.matrix.seeds import SeedFile, is_sealed
from bridges.matrix.session import with_password
from demo.homeserver import Homeserver
from demo.stage import Stage
from tests.system.machine import KEY, PASSWORD, PATIENCE, Machine, keys_of, made_by, signed


@pytest.fixture
async def machine(homeserver: Homeserver, tmp_path: Path) -> Machine:
    user = await homeserver.register(f"tocsin-{secrets.token_hex(4)}", PASSWORD)
    return Machine(homeserver.url, user, tmp_path / "first").set_up()


def spoiled(key: str) -> str:
    return key[:-1] + ("2" if key[-1] == "1" else "1")


async def test_the_recovery_key_brings_the_identity_to_a_new_machine_with_a_signed_device(machine: Machine) -> None:
    async with machine.started() as connection:
        old = connection.login.device
        before = await machine.seen()
        key = await machine.new_key()  # beside the bot
    new = machine.another()
    code, said, wrong = await new.says("recover", "--keep-others", typed=key)
    assert (code, wrong) == (0, "")
    assert f"The identity of {machine.user} is back. Its master key is {before.master}." in said
    assert old in said
    assert "They were kept" in said
    assert is_sealed(new.identity.read_bytes())
    recovered = new.account.kept()
    assert recovered is not None
    async with new.started() as connection:
        assert connection.login == recovered
        after = await new.seen()
        assert after.master == before.master
        assert signed(after) == {old, recovered.device}


async def test_the_devices_of_a_lost_machine_are_deleted_where_that_is_wanted(machine: Machine) -> None:
    async with machine.started():
        key = await machine.new_key()
    new = machine.another()
    code, said, wrong = await new.says("recover", "--delete-others", typed=key)
    assert (code, wrong) == (0, "")
    assert "They are deleted." in said  # one more was made with the account
    recovered = new.account.kept()
    assert recovered is not None
    assert signed(await new.seen()) == {recovered.device}


async def test_a_lost_or_damaged_identity_is_brought_back_on_the_same_device(machine: Machine) -> None:
    async with machine.started() as connection:
        key, before, login = await machine.new_key(), await machine.seen(), connection.login
    for spoil in (machine.identity.unlink, lambda: machine.identity.write_text("{")):
        spoil()
        with pytest.raises(SettingsError, match="tocsin matrix recover"):
            async with machine.started():
                pass
        code, said, wrong = await machine.says("recover", typed=key)
        assert (code, wrong) == (0, "")
        assert f"This machine is its device {login.device}, and signed." in said
        async with machine.started() as connection:
            assert connection.login == login
            assert await machine.seen() == before


async def test_no_key_but_the_newest_opens_anything_and_nothing_is_changed(machine: Machine) -> None:
    async with machine.started():
        older = await machine.new_key()
        code, said, wrong = await machine.says("recovery-key")
        assert (code, said) == (1, "")
        assert "There is a recovery key already; a new one makes it void. If you want that, say --yes." in wrong
        newest = await machine.new_key("--yes")
    assert older != newest
    new = machine.another()
    for typed, how in (
        (older, f"That recovery key is not the one of {machine.user}. Each new one makes the older ones void"),
        (spoiled(newest), "That is no recovery key: "),
        (newest[:-5], "it has 44 letters and digits instead of 48"),
    ):
        code, said, wrong = await new.says("recover", typed=typed)
        assert (code, said) == (1, "")
        assert how in " ".join(wrong.split())
        assert not [group for group in typed.split() if group in wrong]
        assert not new.identity.exists()
    assert (await new.says("recover", "--keep-others", typed=newest))[0] == 0


async def test_a_recovery_key_is_nowhere_on_the_machine_and_no_seed_is_in_clear(machine: Machine) -> None:
    async with machine.started() as connection:
        key = await machine.new_key()
        secret = [key, key.replace(" ", "")]
        plain = json.loads(SeedFile(machine.identity, machine.user, PASSWORD).read())
        secret += plain.values()
        answer = await connection.request(
            "GET", f"/_matrix/client/v3/user/{machine.user}/account_data/m.cross_signing.master"
        )
        assert answer["encrypted"]
        everything = json.dumps(answer).encode() + b"".join(
            path.read_bytes() for path in machine.folder.rglob("*") if path.is_file()
        )
        assert not [each for each in secret if each.encode() in everything]


async def test_without_secret_storage_it_says_what_is_left(machine: Machine) -> None:
    async with machine.started():
        pass
    key = "EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d"
    code, _, wrong = await machine.another().says("recover", typed=key)
    assert code == 1
    assert f"{machine.user} has no secret storage on the homeserver." in wrong
    assert "tocsin matrix reset-identity" in wrong


async def test_another_identity_on_the_server_is_not_replaced_by_the_recovered_one(machine: Machine) -> None:
    async with machine.started() as connection:
        key = await machine.new_key()
        another = CrossSigning.fresh()
        await publish(connection, another, PASSWORD)
        code, said, wrong = await machine.says("recovery-key", "--yes")
        assert (code, said) == (1, "")
        assert "has a cross-signing identity already, and not the one in" in wrong
    code, _, wrong = await machine.says("recover", typed=key)
    assert code == 1
    assert "shows another identity" in wrong
    with pytest.raises(SettingsError, match="has a cross-signing identity already"):
        async with machine.started():
            pass
    kept = machine.account.kept()
    assert kept is not None
    assert another.master.public in (await keys_of(kept))["master_keys"][machine.user]["keys"].values()


async def test_a_running_bot_is_left_alone(machine: Machine) -> None:
    async with machine.started():
        pass
    before = machine.identity.read_bytes()
    async with Store.opened(machine.folder / "state" / DATABASE):
        for words in (["recover"], ["reset-identity", "--yes", machine.user]):
            code, said, wrong = await machine.says(*words)
            assert (code, said) == (1, "")
            assert "Another Tocsin works on" in wrong
            assert "Stop the bot, do this again, and start it." in wrong
    assert machine.identity.read_bytes() == before


async def test_a_changed_password_is_told_and_the_recovery_key_mends_it(machine: Machine) -> None:
    async with machine.started() as connection:
        key, before = await machine.new_key(), await machine.seen()
        body = {"new_password": "open", "logout_devices": False}
        await with_password(connection, "POST", "/_matrix/client/v3/account/password", body, PASSWORD)
    machine.set_up("open")
    with pytest.raises(SettingsError, match=r"password .* was changed since.*`tocsin matrix recover`"):
        async with machine.started("open"):
            pass
    code, _, wrong = await machine.says("recovery-key", "--yes")
    assert code == 1
    assert "was changed since" in wrong
    assert (await machine.says("recover", typed=key))[0] == 0
    async with machine.started("open"):
        assert await machine.seen() == before


async def test_only_a_reset_makes_another_identity_and_only_for_who_names_the_account(machine: Machine) -> None:
    async with machine.started() as connection:
        key, before, login = await machine.new_key(), await machine.seen(), connection.login
    for words, typed in (([], "yes"), (["--yes", "@other:localhost"], ""), ([], "")):
        code, said, wrong = await machine.says("reset-identity", *words, typed=typed)
        assert code == 1
        assert "must verify it again" in said
        assert "Error" in wrong or "Aborted" in wrong
        assert await machine.seen() == before
    code, said, wrong = await machine.says("reset-identity", typed=machine.user)
    assert (code, wrong) == (0, "")
    (newest,) = KEY.findall(said)
    after = await machine.seen()
    assert after.master != before.master
    assert after.master in said
    assert signed(after) == {login.device}
    assert not (machine.account.folder / NEXT).exists()
    async with machine.started():
        assert await machine.seen() == after
    new = machine.another()
    assert (await new.says("recover", typed=key))[0] == 1
    assert (await new.says("recover", typed=newest))[0] == 0
    assert (await new.seen()).master == after.master


async def test_a_reset_with_a_password_that_the_homeserver_does_not_take_changes_nothing(machine: Machine) -> None:
    async with machine.started():
        before = await machine.seen()
    machine.set_up("wrong")
    code, _, wrong = await machine.says("reset-identity", "--yes", machine.user)
    assert code == 1
    assert f"The homeserver does not take the password of {machine.user}." in wrong
    async with machine.started():
        assert await machine.seen() == before


@pytest.mark.parametrize("done", [False, True])
async def test_a_reset_that_was_cut_off_is_finished_or_undone(machine: Machine, *, done: bool) -> None:
    following = CrossSigning.fresh()
    async with machine.started() as connection:
        before = await machine.seen()
        SeedFile(machine.account.folder / NEXT, machine.user, PASSWORD).write(following.dumps())
        if done:
            await publish(connection, following, PASSWORD)
    async with machine.started():
        assert (await machine.seen()).master == (following.master.public if done else before.master)
        assert not (machine.account.folder / NEXT).exists()


async def test_seeds_that_lie_in_clear_serve_and_are_encrypted_by_a_recovery(machine: Machine) -> None:
    async with machine.started():
        before, key = await machine.seen(), await machine.new_key()
    keys = CrossSigning.loads(SeedFile(machine.identity, machine.user, PASSWORD).read())
    machine.identity.write_bytes(keys.dumps())
    async with machine.started():
        assert not is_sealed(machine.identity.read_bytes())  # the password may not be the account's any more
        assert await machine.seen() == before
    assert (await machine.says("recover", "--keep-others", typed=key))[0] == 0
    assert is_sealed(machine.identity.read_bytes())
    async with machine.started():
        assert await machine.seen() == before


async def test_a_password_that_was_changed_since_is_told(machine: Machine) -> None:
    async with machine.started():
        keys = CrossSigning.loads(SeedFile(machine.identity, machine.user, PASSWORD).read())
    keep(keys, machine.account.folder, machine.user, "another")
    with pytest.raises(SettingsError, match="was changed since"):
        async with machine.started():
            pass


async def test_a_device_whose_keys_were_lost_is_deleted_once_the_new_one_is_signed(stage: Stage) -> None:
    account = Account(stage.homeserver.url, stage.bot, "Tocsin", stage.folder / "bot")
    async with stage.online(stage.alice) as alice:
        async with stage.bot_online():
            await stage.room_of(alice)
        old = account.kept()
        assert old is not None
        (account.folder / old.store).unlink()
        async with stage.bot_online():
            await stage.room_of(alice)  # it is at work while it cleans up
            new = account.kept()
            assert new is not None
            async with asyncio.timeout(PATIENCE):
                while await made_by(new) != {new.device}:
                    continue
    assert new != old


async def test_what_cannot_be_deleted_is_owed_until_a_later_start(machine: Machine) -> None:
    async with machine.started() as connection:
        old = connection.login
    (machine.account.folder / old.store).unlink()
    async with machine.started() as connection:
        folder = machine.account.folder
        with capture_logs() as logged:
            await look_after(connection, folder, "wrong")
        assert [each["log_level"] for each in logged if "tried again at the next start" in each["event"]] == ["warning"]
        assert await made_by(connection.login) == {old.device, connection.login.device}
    async with machine.started() as connection:
        await look_after(connection, folder, PASSWORD)
        assert await made_by(connection.login) == {connection.login.device}
        assert not (folder / OWED).exists()
        await look_after(connection, folder, PASSWORD)  # and nothing is left to do


async def test_a_start_says_so_while_the_identity_has_no_recovery_key(machine: Machine) -> None:
    async def warned(connection: Connection) -> list[str]:
        with capture_logs() as logged:
            await look_after(connection, machine.account.folder, PASSWORD)
        return [each["run"] for each in logged if each["log_level"] == "warning"]

    async with machine.started() as connection:
        assert await warned(connection) == ["tocsin matrix recovery-key"]
        await machine.new_key()
        assert await warned(connection) == []
        path = f"/_matrix/client/v3/user/{machine.user}/account_data/m.cross_signing.self_signing"
        await connection.request("PUT", path, {"encrypted": {"another": {}}})
        assert await warned(connection) == ["tocsin matrix recovery-key"]
