"""Who somebody is. A Person is one human with several accounts; a display name never says who somebody is."""

import dataclasses
import enum
from collections.abc import Callable, Collection


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
    """Everybody whom the configuration lists, found by account. Who is suspended has no account that counts."""

    def __init__(self, people: tuple[Person, ...] = ()) -> None:
        self._watchers: list[Callable[[], None]] = []
        self._list(people, frozenset())

    def holder_of(self, account: Account) -> Person | None:
        """The person behind an account; nobody where it is not listed, or where that person is suspended."""
        person = self._by_account.get(account)
        return None if person is None or person.name in self._suspended else person

    def owner_of(self, account: Account) -> Person | None:
        """The person who is listed with an account, suspended or not."""
        return self._by_account.get(account)

    def __getitem__(self, name: str) -> Person:
        """The person of a name that is surely on the list, suspended or not."""
        return self._by_name[name]

    def named(self, name: str) -> Person | None:
        """The person of this name, suspended or not."""
        return self._by_name.get(name)

    def accounts_on(self, network: str) -> frozenset[Account]:
        """All accounts on one network that count."""
        return frozenset(
            account
            for account, person in self._by_account.items()
            if account.network == network and person.name not in self._suspended
        )

    def is_suspended(self, name: str) -> bool:
        """Whether this person's accounts count for nothing."""
        return name in self._suspended

    def suspend(self, name: str) -> None:
        """From now on nothing that this person says counts, anywhere."""
        self._suspended.add(name)
        self._tell()

    def resume(self, name: str) -> None:
        """This person's accounts count again."""
        self._suspended.discard(name)
        self._tell()

    def replace(self, people: tuple[Person, ...], suspended: Collection[str]) -> None:
        """From now on these are all who are listed, and of them these are suspended."""
        self._list(people, suspended)
        self._tell()

    def watch(self, changed: Callable[[], None]) -> None:
        """Have this called whenever the accounts that count have changed."""
        self._watchers.append(changed)

    def _list(self, people: tuple[Person, ...], suspended: Collection[str]) -> None:
        self.listed = people
        self._by_account = {account: person for person in people for account in person.accounts}
        self._by_name = {person.name: person for person in people}
        self._suspended = {person.name for person in people if person.name in suspended}

    def _tell(self) -> None:
        for changed in self._watchers:
            changed()
