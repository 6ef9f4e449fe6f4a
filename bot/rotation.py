"""New keys in the place of old ones: the bot's, and the one that seals the record. The bot must not run.

Cut off at any point either leaves the old key in force, or is finished at the next start.
"""

import os
from pathlib import Path

from bot import keys
from bot.audit.note import Signer, VerifierKey
from bot.private import write_private
from bot.record import opening
from bot.store import Store, Tx, audit, keychain, tree
from bot.words.errors import Refused, StoreError
from wire.chain import hand_over
from wire.envelope import PrivateKey, PublicKey


async def rotate_bot_key(folder: Path, root: str) -> tuple[PublicKey, PublicKey]:
    """Give the bot a new key, and keep the word of the old one for it. Returns both."""
    old = keys.load_or_make(folder / keys.KEY)
    async with opening.opened(folder, root) as store:
        _require_trust(store)
        old = await keys.settled(folder, old, store)
        new = PrivateKey(seed := os.urandom(keys.SEED_LENGTH))
        write_private(folder / keys.NEXT, seed)
        envelope = hand_over(old, new, root)

        def write(tx: Tx) -> None:
            keychain.hand_over(tx, envelope)
            audit.record(tx, "key rotated", role="bot", was=str(old.public), key=str(new.public))

        await store.write(write)
        await keys.settled(folder, old, store)
    return old.public, new.public


async def rotate_audit_key(folder: Path, root: str) -> tuple[VerifierKey, VerifierKey]:
    """Seal the record with a new key from now on. The checkpoint that says so is signed by both. Returns both."""
    async with opening.opened(folder, root) as store:
        _require_trust(store)
        known = await store.read(tree.of)
        if known is None:
            raise StoreError("There is no record yet.")
        old = Signer(known.origin, keys.load(folder / opening.KEY))
        new = Signer(known.origin, PrivateKey(seed := os.urandom(keys.SEED_LENGTH)))
        opening.show_key(folder, new.verifier)
        write_private(folder / opening.NEXT, seed)
        store.seal_with(tree.Seal(old, new))
        rotated = {"role": "audit", "was": str(old.verifier), "key": str(new.verifier)}
        await store.write(lambda tx: audit.record(tx, "key rotated", **rotated))
        await opening.settled(store, folder)
    return old.verifier, new.verifier


def _require_trust(store: Store) -> None:
    if store.distrusted:
        raise Refused(
            f"Nothing was changed: the record cannot be trusted: {store.distrusted}.", hint="Run: tocsin audit verify"
        )
