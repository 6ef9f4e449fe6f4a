"""The bot's own key on its disk. It is made once, and a file that others can read is refused."""

import os
import stat
from pathlib import Path

from bot.words.errors import SettingsError
from wire.envelope import PrivateKey

SEED_LENGTH = 32


def load_or_make(path: Path) -> PrivateKey:
    """The key in this file, made at the first start."""
    try:
        return PrivateKey(_read(path))
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        seed = os.urandom(SEED_LENGTH)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(seed)
            file.flush()
            os.fsync(file.fileno())
        return PrivateKey(seed)


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
