"""Tells people when a component changes its groups, or the care that its commands take. None of it passes unseen."""

from collections.abc import Callable

from bot.store import Store, Tx, audit, keychain, outbox
from bot.words.document import Items, Tone, document, mono, strong, text
from bot.words.message import Lane, Place, Post

MOST_SHOWN = 20


class Claims:
    """What each component claimed when it was last born, on disk."""

    def __init__(self, store: Store, alarms: tuple[Place, ...], *, queued: Callable[[], None]) -> None:
        self._store = store
        self._alarms = alarms
        self._queued = queued

    async def __call__(self, component: str, claims: tuple[str, ...]) -> None:
        """A component was born with these. The first time is no news."""
        await self._store.write(lambda tx: self._note(tx, component, claims))
        self._queued()

    def _note(self, tx: Tx, component: str, claims: tuple[str, ...]) -> None:
        now = "\n".join(claims)
        _, gone = keychain.note_keys(tx, f"claims of {component}", {component: now})
        if not gone:
            return
        before = set(gone[component].split("\n")) - {""}
        new, lost = sorted(set(claims) - before), sorted(before - set(claims))
        audit.record(tx, "component changed", component=component, new=new, gone=lost)
        lines = [*(text("now: ", mono(each)) for each in new), *(text("no longer: ", mono(each)) for each in lost)]
        words = document(
            text(strong("CHANGED", Tone.WARN), ": the component ", mono(component), " claims something else."),
            Items(tuple(lines[:MOST_SHOWN])),
            *([f"… and {len(lines) - MOST_SHOWN} more, which the record has."] if len(lines) > MOST_SHOWN else []),
            "If nobody has changed it, look at what runs there.",
        )
        for place in self._alarms:
            outbox.queue(tx, Post(place, words, Lane.ALERT))
