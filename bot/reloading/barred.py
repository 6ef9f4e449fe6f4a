"""Accounts that were suspended from chat. Another name in the file gives none of them its rights back."""

from collections.abc import Iterable, Mapping

from bot.settings import Settings
from bot.store import Tx, overlay
from bot.words.people import Account, People


class Barred:
    """All of them, since the bot began."""

    def __init__(self) -> None:
        self._name: dict[Account, str] = {}
        """Under which name each was suspended."""

    def note(self, people: People, by_file: Iterable[str]) -> None:
        """How it is now. Whom the file itself suspends, it may let go as well."""
        spared = frozenset(by_file)
        for person in people.listed:
            for account in person.accounts:
                if people.is_suspended(person.name) and person.name not in spared:
                    self._name[account] = person.name
                else:
                    self._name.pop(account, None)

    def renamed(self, new: Settings, people: People) -> dict[str, str]:
        """Who is new in a file and has such an account, with the name under which it was suspended."""
        return {
            person.name: self._name[account]
            for person in new.people.listed
            if people.named(person.name) is None and not new.sets(_key(person.name))
            for account in person.accounts & self._name.keys()
        }

    @staticmethod
    def keep(tx: Tx, renamed: Mapping[str, str]) -> None:
        """So that it holds on, as if it had been said of the new name."""
        said = {each.key: each.by for each in overlay.entries(tx)}
        for name, was in renamed.items():
            overlay.put(tx, _key(name), value=True, by=said.get(_key(was), "reload"))


def _key(person: str) -> str:
    return f"people.{person}.suspended"
