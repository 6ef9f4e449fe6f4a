"""Forgets a person: the key goes that opens what the record says of them, and their words in all other tables.

Which keys are gone is kept beside the database, so that one that comes back from a backup forgets them again.
"""

import os
from pathlib import Path

import structlog

from bot.private import sync_folder
from bot.store import Store, Tx, audit, forgetting, searching
from bot.store.reporting import Whom
from bot.words.errors import SettingsError

FORGOTTEN = "forgotten"
"""The tags of all keys that are gone for good, a line each. A tag is random and says nothing of anybody."""

log = structlog.get_logger(__name__)


def known_accounts(tx: Tx, name: str) -> frozenset[str]:
    """The accounts that the record names beside somebody's name: who is not listed any more has no others."""
    record = searching.Record(tx)
    entries = (found.entry for found in record.oldest_first(searching.Sought(owners=frozenset({name}))))
    people = (each for entry in entries for each in entry.people if each is not None)
    return frozenset(str(each["account"]) for each in people if each.get("person") == name and each.get("account"))


def whom_of(name: str, accounts: frozenset[str]) -> Whom:
    """Somebody by the name that the record has, or by an account where they were never listed."""
    return Whom(name, accounts | {name} if ":" in name else accounts)


async def erase(store: Store, folder: Path, whom: Whom) -> int:
    """Forget somebody for good. Returns how many keys and rows that was."""
    tags, rows = await store.read(lambda tx: (forgetting.tags_of(tx, whom), forgetting.rows_of(tx, whom)))
    if not tags and not rows:
        return 0
    _remember(folder, tags)  # first: whatever is cut off now is finished at the next start

    def write(tx: Tx) -> None:
        forgetting.forget(tx, whom)
        audit.record(tx, "person forgotten", tags=tags)

    await store.write(write)
    return len(tags) + rows


async def erase_again(store: Store, folder: Path) -> None:
    """Forget those once more who were forgotten, and whose keys came back with an older database."""
    path = folder / FORGOTTEN
    try:
        tags = path.read_text(encoding="utf-8").split() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The file {path} cannot be read: {error}.", hint="It says who was forgotten.") from error
    back = await store.read(lambda tx: forgetting.owners_of(tx, tags))
    if not back:
        return
    accounts = {owner: await store.read(lambda tx, owner=owner: known_accounts(tx, owner)) for owner in back.values()}

    def write(tx: Tx) -> None:
        for tag, owner in back.items():
            forgetting.forget(tx, whom_of(owner, accounts[owner]))
            forgetting.drop_keys(tx, [tag])
        audit.record(tx, "person forgotten again", tags=sorted(back))

    await store.write(write)
    log.warning("people who were forgotten came back with the database, and are forgotten again", count=len(back))


def _remember(folder: Path, tags: list[str]) -> None:
    path = folder / FORGOTTEN
    try:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"\n{tag}\n" for tag in tags)  # a line before it may be torn
            file.flush()
            os.fsync(file.fileno())
        sync_folder(folder)
    except OSError as error:
        raise SettingsError(f"The file {path} cannot be written: {error.strerror}.") from error
