"""Whose signature counts: the bot's own keys, old and new, and the stop keys of people. It signs for the bot.

A stop key can stop, and nothing else; whose it is, only we know. Nobody is named on the wire.
"""

import time
from collections.abc import Iterable, Mapping

from bot.store import Store, keychain
from bot.store.keychain import KeptRoster
from bot.words.errors import SettingsError
from wire.chain import Chain
from wire.envelope import PrivateKey, PublicKey, seal, unseal, unseal_by
from wire.errors import BadMessage
from wire.messages import Drill, Lease, Roster, State, Stop
from wire.work import Command

MOST_SERIAL = 2**50
"""A component that names a higher number than this for its roster is not believed."""


class Unknown(BadMessage):
    """A component believes a key that was never ours."""


class Keyring:
    """The keys of one root."""

    def __init__(self, key: PrivateKey, root: str, hand_overs: Iterable[bytes], roster: KeptRoster) -> None:
        self.public = key.public
        self._key = key
        self._root = root
        try:
            self._chain = Chain(key.public, hand_overs, root)
        except BadMessage as error:
            raise _other_key() from error
        self._set(roster)

    def _set(self, roster: KeptRoster) -> None:
        self.serial = roster.serial
        self.people = dict(roster.people)
        """Whose each stop key is, by the key."""
        self._holders = {PublicKey.parse(key): person for key, person in self.people.items()}

    @classmethod
    async def read(cls, store: Store, key: PrivateKey, root: str) -> "Keyring":
        """The keyring as the database has it."""
        keyring = cls(key, root, await store.read(keychain.hand_overs), await store.read(keychain.last_roster))
        known = await store.read(lambda tx: keychain.known_key(tx, "bot", root))
        if known is not None and known not in map(str, keyring.keys):
            raise _other_key()
        return keyring

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """The bot's own keys, oldest first."""
        return self._chain.keys

    def stop(self, stop: Stop) -> bytes:
        """The signed order."""
        return seal(self._key, self._root, "stop", stop.to_bytes())

    def drill(self, drill: Drill) -> bytes:
        """The signed order that stops nothing."""
        return seal(self._key, self._root, "drill", drill.to_bytes())

    def command(self, command: Command) -> bytes:
        """Something that components are to do, signed once for all of them."""
        return seal(self._key, self._root, "cmd", command.to_bytes())

    def lease(self, lease: Lease) -> bytes:
        """The signed permission."""
        return seal(self._key, self._root, "lease", lease.to_bytes())

    def roster(self) -> bytes:
        """The signed list of those whose stops count."""
        return seal(self._key, self._root, "roster", Roster(self.serial, tuple(sorted(self.people))).to_bytes())

    def author(self, envelope: bytes) -> tuple[Stop, str]:
        """A stop that counts, and whose stop key signed it; nobody's where it was the bot. Raises BadMessage."""
        keys = (*reversed(self._chain.keys), *self._holders)
        payload, key = unseal_by(envelope, self._root, "stop", *keys)
        return Stop.parse(payload), self._holders.get(key, "")

    def is_drill(self, envelope: bytes) -> bool:
        """It is a drill that counts: it goes the way of a stop, and comes back to us too."""
        try:
            unseal(envelope, self._root, "drill", *reversed(self._chain.keys), *self._holders)
        except BadMessage:
            return False
        return True

    def links(self, state: State) -> tuple[bytes, ...]:
        """What leads a component from the key that it believes to ours. Raises Unknown where nothing does."""
        links = self._chain.since(state.key)
        if links is None:
            raise Unknown(
                f"{state.id} believes a key that was never this bot's, so it cannot understand us. Enrol it again."
            )
        return links

    def next_roster(self, people: Mapping[str, str]) -> KeptRoster | None:
        """The roster of these people, by key; None where it is what components are told already."""
        return None if people == self.people else KeptRoster(self._next_serial(), people)

    def beyond(self, state: State) -> KeptRoster | None:
        """Ours under a number that this component takes, where it has a higher one: our database is from a backup."""
        if not self.serial < state.roster < MOST_SERIAL:
            return None
        return KeptRoster(self._next_serial(state.roster), self.people)

    def use(self, roster: KeptRoster) -> None:
        """From now on these count."""
        self._set(roster)

    def _next_serial(self, least: int = 0) -> int:
        """Higher than all before. The clock in it keeps two that a crash has parted from having the same."""
        return max(self.serial + 1, least + 1, int(time.time()))


def _other_key() -> SettingsError:
    return SettingsError(
        "The bot's key is not the one that its database knows.",
        hint="Bring back the key and the database from the same backup. A new key means enrolling every component "
        "again; if you want that, move the database away first.",
    )
