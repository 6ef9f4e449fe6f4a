"""Answers statements with leases, and leads who believes an older key to ours. It decides nothing: the issuer does."""

import asyncio
import dataclasses
import functools
import time
from collections.abc import Callable

import structlog

from bot.stop.keyring import Keyring, Unknown
from bot.stop.sending import Publish
from bot.store import Store, Tx, audit, keychain
from bot.store.keychain import KeptRoster
from bot.words.errors import StoreError
from wire.envelope import unseal
from wire.issuer import Issuer, Overdrawn
from wire.messages import Lease, State

log = structlog.get_logger(__name__)

RAISED_EVERY_S = 60.0
"""How often a component may make us number the roster anew: it costs a row, and a message to everybody."""

DISK_MAY_TAKE_S = 0.25


class Leases:
    """The answers to statements."""

    def __init__(
        self,
        store: Store,
        issuer: Issuer,
        keyring: Keyring,
        root: str,
        *,
        publish: Publish,
        clock: Callable[[], float],
        twin_found: Callable[[str], None],
    ) -> None:
        self._store = store
        self._issuer = issuer
        self._keyring = keyring
        self._root = root
        self._publish = publish
        self._clock = clock
        self._twin_found = twin_found
        self._without: set[str] = set()
        self._raised_at = float("-inf")
        self.has_twin = False
        """Another bot answers our components under our key."""
        self.withheld = 0
        """Leases that were not given: a component brought up more than we keep or believes a foreign key, or a witness
        of the record knows more than we."""

    def overheard(self, component: str, envelope: bytes) -> None:
        """Look at a lease that somebody else has published. Raises BadMessage for what our key has not signed."""
        lease = Lease.parse(unseal(envelope, self._root, "lease", self._keyring.public))
        if self._issuer.overhear(component, lease, self._clock()):
            self._found_a_twin(component)

    async def answer(self, state: State) -> None:
        """Answer a statement that was heard. All that is known must be on disk.

        Where more may have been known, in a record that is missing, nobody is let work and nothing is cleared.
        """
        if self._issuer.is_answered(state, self._clock()):
            self._found_a_twin(state.id)
        if self.has_twin:
            self.withheld += 1
            return
        try:
            links = self._keyring.links(state)
            lease = None if links else self._issuer.lease(state, self._clock(), time.time_ns() // 1_000_000)
            if lease is not None and (self._store.superseded or not self._store.compared.is_set()):
                lease = self._as_far_as_it_stops(lease)
        except (Overdrawn, Unknown) as error:
            self.withheld += 1
            if state.id not in self._without:
                self._without.add(state.id)
                log.error("a component gets no lease", component=state.id, error=str(error))
            return
        for link in links:
            await self._publish(f"{self._root}/key/{state.id}", link)
        if lease is not None:
            if state.roster != self._keyring.serial:
                await self._tell_of_the_roster(state)
            await self._publish(f"{self._root}/lease/{state.id}", self._keyring.lease(lease))

    def _as_far_as_it_stops(self, lease: Lease) -> Lease | None:
        if lease.stops:
            return dataclasses.replace(lease, cleared=())
        self.withheld += 1
        return None

    def _found_a_twin(self, component: str) -> None:
        """From now on nobody gets a lease from us: the other one lets components work that we may have stopped."""
        if not self.has_twin:
            self.has_twin = True
            log.error("another bot has our key; no leases are given any more", component=component)
            self._twin_found(component)

    async def _tell_of_the_roster(self, state: State) -> None:
        beyond = self._keyring.beyond(state)
        if beyond is not None and self._clock() - self._raised_at >= RAISED_EVERY_S:
            self._raised_at = self._clock()
            self._keyring.use(beyond)
            try:
                async with asyncio.timeout(DISK_MAY_TAKE_S):  # everybody else waits for an answer, too
                    await self._store.write(functools.partial(keep_roster, beyond))
            except (StoreError, TimeoutError) as error:
                log.error("the roster of stop keys is not on disk", error=str(error) or "it does not answer")
        if state.roster < self._keyring.serial:
            await self._publish(f"{self._root}/roster/{state.id}", self._keyring.roster())


def keep_roster(roster: KeptRoster, tx: Tx) -> None:
    """Write down whose stop keys count from now on."""
    keychain.put_roster(tx, roster.serial, roster.people)
    audit.record(tx, "stop keys changed", serial=roster.serial, keys=sorted(roster.people))
