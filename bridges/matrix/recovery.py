"""How the identity survives this machine: into secret storage, back from it, and a look whether it would.

It never replaces an identity: that is `reset` in `cross_signing.py`, which only a person calls.
"""

import asyncio
from pathlib import Path

import structlog

from bot.words.errors import SettingsError, TocsinError
from bridges.matrix import secret_storage
from bridges.matrix.connection import Connection
from bridges.matrix.cross_signing import (
    FILE,
    CrossSigning,
    another_identity,
    establish,
    keep,
    kept,
    shown_master,
)
from bridges.matrix.devices import settle
from bridges.matrix.owed import Owed
from bridges.matrix.recovery_key import RecoveryKey
from bridges.matrix.session import Asks

log = structlog.get_logger(__name__)


async def make_recovery_key(asks: Asks, folder: Path, password: str) -> RecoveryKey:
    """Put the identity that is kept here under a new recovery key. The older one opens nothing any more."""
    user = asks.login.user
    shown = await shown_master(asks)
    keys = await asyncio.to_thread(kept, folder, user, password)
    if keys is None or shown is None:
        raise SettingsError(f"{user} has no identity here yet.", hint="Start the bot once: it makes it.")
    if shown != keys.master.public:
        raise another_identity(user, f"and not the one in {folder / FILE}")
    return await secret_storage.store(asks, keys.seeds())


async def recover(connection: Connection, key: RecoveryKey, password: str) -> CrossSigning:
    """Bring the identity back from secret storage, keep it here, and sign the device that we are."""
    user = connection.login.user
    keys = CrossSigning.of(await secret_storage.restore(connection, key))
    shown = await shown_master(connection)
    if shown not in (None, keys.master.public):
        raise SettingsError(
            f"The homeserver shows another identity for {user} than the one under this recovery key.",
            hint="Somebody has made a new one since: look for its recovery key, or for its identity.json in a backup. "
            "If nobody has them: `tocsin matrix reset-identity`.",
        )
    await asyncio.to_thread(keep, keys, connection.folder, user, password)
    await connection.upkeep()
    return await establish(connection, password)


async def look_after(asks: Asks, folder: Path, password: str) -> None:
    """What a start owes beside its work: lost devices are deleted, and who has no recovery key hears of it.

    It never raises for what another start can mend.
    """
    try:
        if gone := await settle(Owed(folder), asks, password):
            log.info("devices whose keys were lost are deleted", devices=sorted(gone))
    except (TocsinError, OSError) as error:
        log.warning("a device whose keys were lost is not deleted yet; tried again at the next start", error=str(error))
    try:
        if not await secret_storage.is_recoverable(asks):
            log.warning(
                "the identity has no recovery key: it would be lost with this disk", run="tocsin matrix recovery-key"
            )
    except TocsinError as error:
        log.info("nobody knows whether the identity has a recovery key", error=str(error))
