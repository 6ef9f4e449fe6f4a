"""The identity that an account showed at first contact. A pinned key is never replaced in silence."""

import time

from bot.store import audit
from bot.store.store import Tx
from bot.words.people import Account


def pinned(tx: Tx, account: Account) -> str | None:
    """The key that an account is known by, if it was ever seen."""
    row = tx.execute("SELECT key FROM pin WHERE network = ? AND account = ?", (account.network, account.id)).fetchone()
    return None if row is None else row[0]


def pin(tx: Tx, account: Account, key: str) -> None:
    """Know an account by this key from now on. It is recorded."""
    tx.execute(
        "INSERT INTO pin (network, account, key, since) VALUES (?, ?, ?, ?)",
        (account.network, account.id, key, time.time()),
    )
    audit.record(tx, "pin", account=str(account), key=key)
