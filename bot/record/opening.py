"""The database opened with the key that seals its record. Without a record that fits itself nothing is sealed.

Whatever is wrong with the record, the bot runs: stops and reading go on. What changes something is refused, with the
reason, until a person has looked.
"""

import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import structlog

from bot import keys
from bot.audit.errors import AuditError
from bot.audit.note import Checkpoint, Signer, VerifierKey, open_note
from bot.audit.proofs import tree_root
from bot.private import sync_folder, write_private
from bot.record.erasing import erase_again
from bot.store import Store, Tx, audit, tree
from bot.words.errors import StoreError, TocsinError
from wire.envelope import PrivateKey

KEY = "audit.key"
NEXT = "audit.key.next"
"""A key that is being rotated to. It counts once a checkpoint is signed with it."""
PUBLIC = "audit.pub"
"""The keys that have signed this record, the newest last, a line each. Everybody may have a copy."""
ORIGIN_LENGTH = 4
READABLE = 0o644

log = structlog.get_logger(__name__)


class _Wrong(Exception):
    """The record cannot go on from here."""


@contextlib.asynccontextmanager
async def opened(folder: Path, root: str) -> AsyncGenerator[Store]:
    """The bot's database, until the block ends. What is recorded in it is sealed, where the record can be trusted."""
    async with Store.opened(folder / keys.DATABASE) as store:
        try:
            await _seal(store, folder, root)
            await erase_again(store, folder)
        except (_Wrong, TocsinError, OSError) as error:  # whatever it is, stops and reading go on
            why = str(error).removesuffix(".")
            log.error("the record cannot be trusted; nothing privileged is run", why=why)
            store.distrust(why)
        yield store


async def _seal(store: Store, folder: Path, root: str) -> None:
    try:
        known = await store.read(tree.of)
    except AuditError as error:
        raise _Wrong(f"its tree does not fit itself ({error.what})") from error
    if known is None:
        await _begin(store, folder, root)
        return
    try:
        await settled(store, folder)
        key = keys.load(folder / KEY)
    except FileNotFoundError:
        raise _Wrong(f"its key {folder / KEY} is missing; bring it back from a backup") from None
    signer = Signer(known.origin, key)
    await _require_fit(store, folder, known, signer.verifier)
    last, signed = await store.read(tree.last_number), known.frontier.size
    if last < signed:
        raise _Wrong(f"its end is gone: it has entries up to {last}, and {signed} were signed")
    if last > signed:
        raise _Wrong(f"entries {signed + 1} to {last} were never signed. `tocsin audit resume` takes them in")
    show_key(folder, signer.verifier)
    store.seal_with(tree.Seal(signer, wrong=store.distrust))


async def take_in(store: Store, folder: Path) -> tuple[int, int]:
    """Seal what was recorded while nothing could be sealed: a person has decided that. Returns the numbers, both ends.

    What was signed before must be as it was. An entry says what was taken in.
    """
    known = await store.read(tree.of)
    if known is None:
        raise StoreError("There is no record yet.")
    signer = Signer(known.origin, keys.load(folder / KEY))
    try:
        await _require_fit(store, folder, known, signer.verifier)
    except _Wrong as wrong:
        raise StoreError(f"Nothing was changed: {wrong}.", hint="Run: tocsin audit verify") from wrong
    first, last = known.frontier.size + 1, await store.read(tree.last_number)
    if last < first:
        raise StoreError("Nothing was changed: no entry is without a signature.")
    store.seal_with(tree.Seal(signer, wrong=store.distrust))
    await store.write(lambda tx: audit.record(tx, "unsigned entries taken in", first=first, last=last))
    return first, last


async def _require_fit(store: Store, folder: Path, known: tree.Tree, key: VerifierKey) -> None:
    """The tree is that of the newest checkpoint, ours, and the entries that it is over are there."""
    note = await store.read(tree.newest_note)
    try:
        checkpoint = Checkpoint.parse(open_note(note or b"", key)[0])
    except AuditError as error:
        raise _Wrong(f"its newest checkpoint is not signed with {folder / KEY} ({error.what})") from error
    if (checkpoint.size, checkpoint.root) != (known.frontier.size, known.frontier.root()):
        raise _Wrong("its newest checkpoint is about another tree")
    try:
        root_of_entries = await store.read(lambda tx: tree_root(tree.nodes(tx, checkpoint.size), checkpoint.size))
    except AuditError as error:
        raise _Wrong(f"a part of its tree is damaged ({error.what})") from error
    if root_of_entries != checkpoint.root:
        raise _Wrong("its newest entries are not those that were signed")


async def _begin(store: Store, folder: Path, root: str) -> None:
    """The first time: what was recorded before there was a tree goes into it, in the commit of the first checkpoint."""
    if (folder / PUBLIC).exists() and await store.read(tree.last_number):
        raise _Wrong("its tree is gone")
    path = folder / KEY
    try:
        key = keys.load(path)
    except FileNotFoundError:
        write_private(path, seed := os.urandom(keys.SEED_LENGTH))
        key = PrivateKey(seed)
    signer = Signer(f"{root}/record/{os.urandom(ORIGIN_LENGTH).hex()}", key)
    store.seal_with(tree.Seal(signer, wrong=store.distrust))

    def write(tx: Tx) -> None:
        earlier = audit.box_what_was_open(tx)
        audit.record(tx, "record begun", key=str(signer.verifier), earlier=earlier)

    await store.write(write)
    show_key(folder, signer.verifier)


async def settled(store: Store, folder: Path) -> None:
    """A rotation that was cut off is finished, where a checkpoint is signed with the new key, or undone."""
    path = folder / NEXT
    try:
        following = keys.load(path)
    except FileNotFoundError:
        return
    known, note = await store.read(lambda tx: (tree.of(tx), tree.newest_note(tx)))
    try:
        open_note(note or b"", Signer(known.origin if known else "", following).verifier)
    except AuditError:
        path.unlink()
        return
    path.replace(folder / KEY)
    sync_folder(folder)


def show_key(folder: Path, key: VerifierKey) -> None:
    """Put a key where everybody may read it."""
    path = folder / PUBLIC
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split() if path.exists() else []
        if str(key) not in lines:
            fresh = path.with_name(f"{PUBLIC}.new")
            with fresh.open("w", encoding="utf-8", errors="replace") as file:
                file.writelines(f"{line}\n" for line in [*lines, str(key)])
                file.flush()
                os.fsync(file.fileno())
            fresh.chmod(READABLE)
            fresh.replace(path)
            sync_folder(folder)
    except OSError as error:
        log.error("the public keys of the record cannot be kept", file=str(path), error=str(error))
