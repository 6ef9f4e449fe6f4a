"""Who somebody is. A Person is one human with several accounts; a display name never says who somebody is."""

import dataclasses
import enum


class Role(enum.IntEnum):
    """What a person may do, in rising order."""

    VIEWER = 1
    OPERATOR = 2
    COMMANDER = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """One account on one network: the network's own name for somebody."""

    network: str
    id: str

    def __str__(self) -> str:
        return f"{self.network}:{self.id}"


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """One human whom the configuration lists."""

    name: str
    role: Role
    accounts: frozenset[Account]


class People:
    """Everybody whom the configuration lists, found by account."""

    def __init__(self, people: "tuple[Person, ...]" = ()) -> None:
        self.listed = people
        self._by_account = {account: person for person in people for account in person.accounts}

    def holder_of(self, account: Account) -> Person | None:
        """The person behind an account, or nobody."""
        return self._by_account.get(account)

    def accounts_on(self, network: str) -> frozenset[Account]:
        """All listed accounts on one network."""
        return frozenset(account for account in self._by_account if account.network == network)
