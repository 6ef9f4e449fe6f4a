"""The bot's key is handed over to a new one. Cut off anywhere it leaves one key that counts, and components follow."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import keys, rotation
from bot.private import write_private
from bot.stop.keyring import Keyring
from bot.store import Store, audit, keychain
from bot.store.keychain import KeptRoster
from bot.words.errors import SettingsError, StoreInUse
from wire.chain import Chain, hand_over
from wire.envelope import PrivateKey
from wire.messages import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    keys.load_or_make(tmp_path / keys.KEY)
    yield tmp_path
    assert not (tmp_path / keys.NEXT).exists()


async def links(folder: Path) -> list[bytes]:
    async with Store.opened(folder / keys.DATABASE) as store:
        return await store.read(keychain.hand_overs)


async def test_who_knows_the_first_key_is_led_to_the_last(folder: Path) -> None:
    first, second = await rotation.rotate_bot_key(folder, ROOT)
    again, third = await rotation.rotate_bot_key(folder, ROOT)
    assert again == second
    assert keys.load_or_make(folder / keys.KEY).public == third
    chain = Chain(third, await links(folder), ROOT)
    assert chain.keys == (first, second, third)
    assert [len(chain.since(key.id) or ()) for key in chain.keys] == [2, 1, 0]


async def test_it_is_recorded_with_both_keys(folder: Path) -> None:
    old, new = await rotation.rotate_bot_key(folder, ROOT)
    async with Store.opened(folder / keys.DATABASE) as store:
        (entry,) = await store.read(lambda tx: audit.last(tx, 1))
    assert (entry.fields["was"], entry.fields["key"]) == (str(old), str(new))


async def test_one_that_was_cut_off_before_the_database_had_it_is_undone(folder: Path) -> None:
    old = keys.load_or_make(folder / keys.KEY)
    write_private(folder / keys.NEXT, os.urandom(32))
    async with Store.opened(folder / keys.DATABASE) as store:
        assert (await keys.settled(folder, old, store)).public == old.public


async def test_one_that_was_cut_off_after_the_database_had_it_is_finished(folder: Path) -> None:
    old, new = keys.load_or_make(folder / keys.KEY), PrivateKey(seed := os.urandom(32))
    write_private(folder / keys.NEXT, seed)
    async with Store.opened(folder / keys.DATABASE) as store:
        await store.write(lambda tx: keychain.hand_over(tx, hand_over(old, new, ROOT)))
        assert (await keys.settled(folder, old, store)).public == new.public
        Keyring(new, ROOT, await store.read(keychain.hand_overs), KeptRoster(0, {}))
    assert keys.load_or_make(folder / keys.KEY).public == new.public


async def test_it_is_refused_while_the_bot_runs(folder: Path) -> None:
    async with Store.opened(folder / keys.DATABASE):
        with pytest.raises(StoreInUse):
            await rotation.rotate_bot_key(folder, ROOT)


async def test_a_key_of_another_backup_is_refused(folder: Path) -> None:
    await rotation.rotate_bot_key(folder, ROOT)
    async with Store.opened(folder / keys.DATABASE) as store:
        with pytest.raises(SettingsError, match="not the one that its database knows"):
            await Keyring.read(store, PrivateKey(bytes(32)), ROOT)
