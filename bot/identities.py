"""Whose identity each account shows. One that changed counts for nothing until two persons have agreed to it.

An identity is what all devices of a person hang on. Whoever can put another one in its place, a homeserver above all,
could give orders in that person's name.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from bot.store import Store, Tx, audit, outbox, pins
from bot.store.pins import Pinned
from bot.words.document import Document, Span, Tone, document, mono, strong, text
from bot.words.errors import Refused, UsageError
from bot.words.message import Lane, Place, Post
from bot.words.people import Account, People

log = structlog.get_logger(__name__)

ENOUGH = 12
"""So many letters of a key say which one is meant: nobody can make another one that begins so."""


class Identities:
    """What is known of the identities of listed people."""

    def __init__(
        self,
        store: Store,
        people: People,
        places: Sequence[Place] = (),
        *,
        queued: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._people = people
        self._places = places
        self._queued = queued
        self._now = now
        self._changed: dict[str, set[Account]] = {}
        """By network: who is known otherwise since the bridge last asked: by another identity, or by a compared one."""
        self._compared_only: set[str] = set()
        self._by_file: dict[Account, str] = {}

    def set_by_file(self, keys: Mapping[Account, str]) -> None:
        """Know these accounts by what the configuration file says, whatever they have shown. A bridge says so first."""
        self._by_file |= keys

    def ask_for_comparison(self, network: str) -> None:
        """On this network an identity is not enough until people have compared it. A bridge says so first."""
        self._compared_only.add(network)

    @property
    def compared_only(self) -> frozenset[str]:
        """The networks where an identity is not enough until people have compared it."""
        return frozenset(self._compared_only)

    async def holds(self, account: Account, key: str) -> bool:
        """Whether an account shows the identity that it is known by. At first contact it is known from then on.

        Who is known by the file has no first contact.
        Another one is noted, and told of once. The account may show the old one again: then that is forgotten.
        """
        known = await self._known_of(account)
        if known is None:
            await self._store.write(lambda tx: pins.pin(tx, account, key, self._owner_of(account)))
            log.info("an identity is known from now on", account=str(account), key=key)
            return True
        if known.key == key:
            if known.shown is not None:
                await self._store.write(lambda tx: pins.show(tx, account, None))
                log.info("an account shows the identity again that it is known by", account=str(account))
            return True
        if known.shown != key:
            await self._store.write(lambda tx: self._tell(tx, account, known, key))
            log.error("an identity has changed; it counts for nothing", account=str(account), known=known.key, now=key)
            self._queued()
        return False

    async def suffices(self, account: Account, key: str) -> bool:
        """Whether the identity that an account is known by is enough on its network."""
        if account.network not in self._compared_only or self._by_file.get(account) == key:
            return True
        known = await self._store.read(lambda tx: pins.of(tx, account))
        return known is not None and known.key == key and known.is_compared

    async def _known_of(self, account: Account) -> Pinned | None:
        """What an account is known by. What the file says takes the place of what was kept."""
        known = await self._store.read(lambda tx: pins.of(tx, account))
        key = self._by_file.get(account)
        if key is None or (known is not None and known.key == key):
            return known
        await self._store.write(lambda tx: pins.renew(tx, account, key, self._owner_of(account)))
        log.info("an identity is known by the file", account=str(account), key=key)
        return Pinned(key, self._now())

    def _owner_of(self, account: Account) -> str:
        """Whose the account is, for the record."""
        person = self._people.owner_of(account)
        return person.name if person else str(account)

    def _tell(self, tx: Tx, account: Account, known: Pinned, key: str) -> None:
        pins.show(tx, account, key)
        person = self._people.owner_of(account)
        name = person.name if person else ""
        whose = audit.about(self._owner_of(account), person=name, account=str(account), key=key)
        audit.record(tx, "alarm", whose, why="an identity has changed")
        for place in self._places:
            told = changed(name, account, known.key, key, by_file=account in self._by_file)
            outbox.queue(tx, Post(place, told, Lane.ALERT))

    async def known(self) -> dict[Account, Pinned]:
        """All identities that were ever seen, and those that the file says."""
        kept = await self._store.read(pins.everything)
        for account, key in self._by_file.items():
            seen = kept.get(account)
            known = seen if seen is not None and seen.key == key else Pinned(key, self._now())
            kept[account] = dataclasses.replace(known, by_file=True)
        return kept

    async def renew(self, account: Account, key: str) -> None:
        """From now on an account is known by this identity. Two persons have agreed to it.

        Raises UsageError where the file says by which: no chat overrules it.
        """
        if account in self._by_file:
            raise set_by_the_file(account.id)
        if not await self._store.write(lambda tx: pins.take(tx, account, key, self._owner_of(account))):
            raise Refused("Not renewed: it shows another identity by now.", hint="!trust shows it.")
        self._changed.setdefault(account.network, set()).add(account)
        log.info("another identity counts from now on", account=str(account), key=key)

    async def verified(self, account: Account, key: str) -> None:
        """People have compared, and an account is who it is known as."""
        await self._store.write(lambda tx: pins.verify(tx, account, key, self._owner_of(account)))
        self._changed.setdefault(account.network, set()).add(account)

    def take_changed(self, network: str) -> set[Account]:
        """Accounts of which a person has said something new since this was last asked. A bridge asks."""
        return self._changed.pop(network, set())


def set_by_the_file(whose: str) -> UsageError:
    """Why nobody can renew an identity from chat that the file sets."""
    return UsageError(
        f"By which identity {whose} is known, the file says so: change it there.", hint="Then start the bot anew."
    )


def changed(person: str, account: Account, known: str, key: str, *, by_file: bool = False) -> Document:
    """What is said when an account shows another identity."""
    renewed: tuple[Span | str, ...] = (mono(f"!trust renew {person} {key[:ENOUGH]}"), ", by two persons")
    if by_file:
        renewed = ("the file says by which identity they are known; change it there, and start the bot anew",)
    return document(
        text(
            strong("ALARM", Tone.BAD),
            f": the identity of {person} (",
            mono(account.id),
            ") has changed. From now on nothing that comes from there counts, but a stop.",
        ),
        text("It was ", mono(grouped(known)), " and is now ", mono(grouped(key)), "."),
        text(
            f"Ask {person} in person or by phone, not here: have they reset their identity? If they have: ",
            *renewed,
            ". If not, their account is in other hands: ",
            mono(f"!person suspend {person}"),
        ),
    )


def grouped(key: str) -> str:
    """A key so that two people can read it to each other."""
    return " ".join(key[begin : begin + 4] for begin in range(0, len(key), 4))
