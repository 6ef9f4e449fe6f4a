"""The identity that an account showed at first contact, or that the file says. It is never replaced in silence."""

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
    verified: float | None = None
    """When people compared it with what the other side sees."""
    by_file: bool = False
    """The configuration file says so."""

    @property
    def is_compared(self) -> bool:
        """Whether people have compared it. Who wrote it into the file has, too."""
        return self.by_file or self.verified is not None


def of(tx: Tx, account: Account) -> Pinned | None:
    """What an account is known by, if it was ever seen."""
    row = tx.execute(
        "SELECT key, since, shown, verified FROM pin WHERE network = ? AND account = ?", (account.network, account.id)
    ).fetchone()
    return None if row is None else Pinned(*row)


def everything(tx: Tx) -> dict[Account, Pinned]:
    """All accounts that were ever seen."""
    rows = tx.execute("SELECT network, account, key, since, shown, verified FROM pin ORDER BY network, account")
    return {Account(network, account): Pinned(*pinned) for network, account, *pinned in rows}


def pin(tx: Tx, account: Account, key: str, owner: str) -> None:
    """Know an account by this key from now on. It is recorded, as about its owner."""
    tx.execute(
        "INSERT INTO pin (network, account, key, since) VALUES (?, ?, ?, ?)",
        (account.network, account.id, key, time.time()),
    )
    audit.record(tx, "pin", audit.about(owner, account=str(account), key=key))


def show(tx: Tx, account: Account, key: str | None) -> None:
    """Note that an account shows another key than that it is known by, or no other any more."""
    tx.execute("UPDATE pin SET shown = ? WHERE network = ? AND account = ?", (key, account.network, account.id))


def renew(tx: Tx, account: Account, key: str, owner: str) -> None:
    """Know an account by this key from now on, whatever it was known by. It is recorded."""
    tx.execute(
        "INSERT INTO pin (network, account, key, since) VALUES (?, ?, ?, ?) ON CONFLICT (network, account) "
        "DO UPDATE SET key = excluded.key, since = excluded.since, shown = NULL, verified = NULL",
        (account.network, account.id, key, time.time()),
    )
    audit.record(tx, "pin", audit.about(owner, account=str(account), key=key))


def verify(tx: Tx, account: Account, key: str, owner: str) -> None:
    """Note that people have compared the key that an account is known by. It is recorded."""
    tx.execute(
        "UPDATE pin SET verified = ? WHERE network = ? AND account = ? AND key = ?",
        (time.time(), account.network, account.id, key),
    )
    audit.record(tx, "verified", audit.about(owner, account=str(account), key=key))


def take(tx: Tx, account: Account, key: str, owner: str) -> bool:
    """Know an account by the other key that it shows, if it still shows that one. It is recorded."""
    taken = tx.execute(
        "UPDATE pin SET key = shown, since = ?, shown = NULL, verified = NULL"
        " WHERE network = ? AND account = ? AND shown = ?",
        (time.time(), account.network, account.id, key),
    )
    if taken.rowcount == 1:
        audit.record(tx, "pin", audit.about(owner, account=str(account), key=key))
    return taken.rowcount == 1
