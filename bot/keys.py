"""The bot's own key on its disk. It is made once; one that others can read is refused, and a lost one is not replaced.

Every component trusts this key alone, so that a new one would leave them all without an answer.
"""

import os
import stat
from pathlib import Path

from bot.private import sync_folder, write_private
from bot.store import Store, keychain
from bot.words.errors import SettingsError
from wire.chain import newest
from wire.envelope import PrivateKey

SEED_LENGTH = 32
KEY = "bot.key"
DATABASE = "tocsin.db"
"""What the two are called in the bot's folder."""
NEXT = "bot.key.next"
"""A key that is being handed over to. It counts once the database has the hand-over."""


def load_or_make(path: Path) -> PrivateKey:
    """The key in this file, made at the first start: before there is a database in the same folder."""
    try:
        return load(path)
    except FileNotFoundError:
        pass
    if path.with_name(DATABASE).exists():
        raise SettingsError(
            f"The key {path} is missing, and there is a database beside it: it was lost.",
            hint="Bring the file back from a backup. A new key means enrolling every component again; "
            "if you want that, move the database away first.",
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed = os.urandom(SEED_LENGTH)
    write_private(path, seed)
    return PrivateKey(seed)


def load(path: Path) -> PrivateKey:
    """The key in this file. Raises FileNotFoundError where there is none."""
    return PrivateKey(_read(path))


async def settled(folder: Path, key: PrivateKey, store: Store) -> PrivateKey:
    """The key that counts: a rotation that was cut off is finished, where the database has it, or undone."""
    path = folder / NEXT
    try:
        following = load(path)
    except FileNotFoundError:
        return key
    links = await store.read(keychain.hand_overs)
    if not links or newest(links[-1]) != following.public:
        path.unlink()
        return key
    path.replace(folder / KEY)
    sync_folder(folder)
    return following


def _read(path: Path) -> bytes:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SettingsError(f"Others can read the key {path}.", hint=f"Run: chmod 600 {path}")
    seed = path.read_bytes()
    if len(seed) != SEED_LENGTH:
        raise SettingsError(
            f"{path} is not a key: it has {len(seed)} bytes instead of {SEED_LENGTH}.",
            hint="Bring the file back from a backup. A new key means enrolling every component again.",
        )
    return seed
