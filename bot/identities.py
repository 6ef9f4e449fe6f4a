"""Whose identity each account shows. One that changed counts for nothing until two persons have agreed to it.

An identity is what all devices of a person hang on. Whoever can put another one in its place, a homeserver above all,
could give orders in that person's name.
"""

import time
from collections.abc import Callable, Sequence

import structlog

from bot.store import Store, Tx, audit, outbox, pins
from bot.store.pins import Pinned
from bot.words.document import Document, Tone, document, mono, strong, text
from bot.words.message import Lane, Place, Post
from bot.words.people import Account, People

log = structlog.get_logger(__name__)


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
        self._renewed: dict[str, set[Account]] = {}
        """By network: whose identity is another one since the bridge last asked."""

    async def holds(self, account: Account, key: str) -> bool:
        """Whether an account shows the identity that it is known by. At first contact it is known from then on.

        Another one is noted, and told of once. The account may show the old one again: then that is forgotten.
        """
        known = await self._store.read(lambda tx: pins.of(tx, account))
        if known is None:
            await self._store.write(lambda tx: pins.pin(tx, account, key))
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

    def _tell(self, tx: Tx, account: Account, known: Pinned, key: str) -> None:
        pins.show(tx, account, key)
        person = self._people.owner_of(account)
        name = person.name if person else ""
        audit.record(tx, "alarm", why="an identity has changed", person=name, account=str(account), key=key)
        for place in dict.fromkeys(self._places):
            outbox.queue(tx, Post(place, changed(name, account, known.key, key), Lane.ALERT))

    async def known(self) -> dict[Account, Pinned]:
        """All identities that were ever seen."""
        return await self._store.read(pins.everything)

    async def renew(self, account: Account, key: str) -> None:
        """From now on an account is known by this identity. Two persons have agreed to it."""
        await self._store.write(lambda tx: pins.renew(tx, account, key))
        self._renewed.setdefault(account.network, set()).add(account)
        log.info("another identity counts from now on", account=str(account), key=key)

    def take_renewed(self, network: str) -> set[Account]:
        """Accounts whose identity is another one since this was last asked. A bridge asks."""
        return self._renewed.pop(network, set())


def changed(person: str, account: Account, known: str, key: str) -> Document:
    """What is said when an account shows another identity."""
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
            mono(f"!trust renew {person}"),
            ", by two persons. If not, their account is in other hands: ",
            mono(f"!person suspend {person}"),
        ),
    )


def grouped(key: str) -> str:
    """A key so that two people can read it to each other."""
    return " ".join(key[begin : begin + 4] for begin in range(0, len(key), 4))
