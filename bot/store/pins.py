"""The identity that an account showed at first contact. A pinned key is never replaced in silence."""

import dataclasses
import time

from bot.store import audit
from bot.store.store import Tx
from bot.words.people import Account


@dataclasses.dataclass(frozen=True, slots=True)
class Pinned:
    """What an account is known by."""

    key: str
    since: float
    shown: str | None = None
    """Another key that it shows now. It counts for nothing."""


def of(tx: Tx, account: Account) -> Pinned | None:
    """What an account is known by, if it was ever seen."""
    row = tx.execute(
        "SELECT key, since, shown FROM pin WHERE network = ? AND account = ?", (account.network, account.id)
    ).fetchone()
    return None if row is None else Pinned(*row)


def everything(tx: Tx) -> dict[Account, Pinned]:
    """All accounts that were ever seen."""
    rows = tx.execute("SELECT network, account, key, since, shown FROM pin ORDER BY network, account")
    return {Account(network, account): Pinned(*pinned) for network, account, *pinned in rows}


def pin(tx: Tx, account: Account, key: str) -> None:
    """Know an account by this key from now on. It is recorded."""
    tx.execute(
        "INSERT INTO pin (network, account, key, since) VALUES (?, ?, ?, ?)",
        (account.network, account.id, key, time.time()),
    )
    audit.record(tx, "pin", account=str(account), key=key)


def show(tx: Tx, account: Account, key: str | None) -> None:
    """Note that an account shows another key than that it is known by, or no other any more."""
    tx.execute("UPDATE pin SET shown = ? WHERE network = ? AND account = ?", (key, account.network, account.id))


def renew(tx: Tx, account: Account, key: str) -> None:
    """Know an account by another key from now on. It is recorded."""
    tx.execute(
        "UPDATE pin SET key = ?, since = ?, shown = NULL WHERE network = ? AND account = ?",
        (key, time.time(), account.network, account.id),
    )
    audit.record(tx, "pin", account=str(account), key=key)
