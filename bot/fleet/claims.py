"""Tells people when a component changes its groups, or the care that its commands take. None of it passes unseen.

A component that claims now this and now that fills neither the record nor a room.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from bot.store import Store, Tx, audit, keychain, outbox
from bot.words.document import Items, Tone, document, mono, strong, text
from bot.words.glyphs import cut
from bot.words.message import Lane, Place, Post

MOST_SHOWN = 20
MOST_NAMED = 100
LONGEST_NAMED = 200
"""What an entry of the record has room for."""
CHANGED_EVERY_S = 60.0
"""How often a change of one component is told. What it claims when that time is over is what counts."""


class Claims:
    """What each component claimed when it was last born, on disk."""

    def __init__(
        self,
        store: Store,
        alarms: tuple[Place, ...],
        *,
        queued: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._alarms = alarms
        self._queued = queued
        self._clock = clock
        self._pause = pause
        self._newest: dict[str, tuple[str, ...]] = {}
        self._noted: dict[str, tuple[str, ...]] = {}
        """What this process has on disk of each component."""
        self._at_it: set[str] = set()
        self._changed_at: dict[str, float] = {}

    async def __call__(self, component: str, claims: tuple[str, ...]) -> None:
        """A component was born with these. The first time is no news."""
        self._newest[component] = claims
        if component in self._at_it:  # whoever is at it takes the newest
            return
        self._at_it.add(component)
        try:
            while (newest := self._newest[component]) != self._noted.get(component):
                wait = self._changed_at.get(component, float("-inf")) + CHANGED_EVERY_S - self._clock()
                if wait > 0:
                    await self._pause(wait)
                    continue
                if await self._store.write(lambda tx, newest=newest: self._note(tx, component, newest)):
                    self._changed_at[component] = self._clock()
                    self._queued()
                self._noted[component] = newest
        finally:
            self._at_it.remove(component)

    def _note(self, tx: Tx, component: str, claims: tuple[str, ...]) -> bool:
        """True where that is a change."""
        now = "\n".join(claims)
        _, gone = keychain.note_keys(tx, f"claims of {component}", {component: now})
        if not gone:
            return False
        before = set(gone[component].split("\n")) - {""}
        new, lost = sorted(set(claims) - before), sorted(before - set(claims))
        digest = audit.digest(now)
        audit.record(tx, "component changed", component=component, new=_few(new), gone=_few(lost), digest=digest)
        lines = [*(text("now: ", mono(each)) for each in new), *(text("no longer: ", mono(each)) for each in lost)]
        words = document(
            text(strong("CHANGED", Tone.WARN), ": the component ", mono(component), " claims something else."),
            Items(tuple(lines[:MOST_SHOWN])),
            *([f"… and {len(lines) - MOST_SHOWN} more, which the record has."] if len(lines) > MOST_SHOWN else []),
            "If nobody has changed it, look at what runs there.",
        )
        for place in self._alarms:
            outbox.queue(tx, Post(place, words, Lane.ALERT))
        return True


def _few(claims: list[str]) -> list[str]:
    """As many as fit into an entry. The digest is of all of them."""
    named = [cut(each, LONGEST_NAMED) for each in claims[:MOST_NAMED]]
    return [*named, f"and {len(claims) - MOST_NAMED} more"] if len(claims) > MOST_NAMED else named
