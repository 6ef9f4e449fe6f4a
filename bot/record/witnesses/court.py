"""Hears what witnesses hold, and tells people: that the record is not what a witness has seen, or that one is away."""

from collections.abc import Callable, Sequence

import structlog

from bot.audit.note import VerifierKey
from bot.record.witnesses.comparing import Compared, compare
from bot.store import Store, Tx, audit, incidents, outbox
from bot.words.document import Document, Items, Tone, document, mono, strong, text
from bot.words.message import Lane, Place, Post
from bot.words.times import span

MOST_SHOWN = 20

log = structlog.get_logger(__name__)


class Court:
    """What all witnesses of one record have in common."""

    def __init__(
        self, store: Store, keys: Sequence[VerifierKey], alarms: Sequence[Place], *, queued: Callable[[], None]
    ) -> None:
        self._store = store
        self._keys = keys
        self._alarms = alarms
        self._queued = queued
        self.behind = ""
        """What is wrong with the record, by a witness; empty while nothing is. It stays until the bot is restarted."""

    async def hear(self, note: bytes, name: str) -> Compared:
        """Compare the record with what a witness holds."""
        compared = await self._store.read(lambda tx: compare(tx, note, name, self._keys))
        if compared.wrong:
            self.behind = self.behind or compared.wrong
            self._store.superseded = self._store.superseded or compared.is_ours
            self._store.distrust(self.behind.removesuffix("."))
            log.error("the record is not what a witness has seen", witness=name, why=compared.wrong)
        return compared

    async def alarm_wrong(self, name: str, wrong: str) -> None:
        """Tell people that a witness speaks against the record, and what it has for stopped."""
        rows = await self._store.read(incidents.all_incidents)
        stopped = [text(mono(each.id[:8]), f" {each.target}") for each in rows if each.over is None]
        words = document(
            text(strong("ALARM", Tone.BAD), f": {wrong}"),
            "No component is let work until a person has looked: what was stopped since may not be known here.",
            "Stopped, as far as it is known:" if stopped else "Nothing is stopped, as far as it is known.",
            *([Items(tuple(stopped[-MOST_SHOWN:]))] if stopped else []),
            text("Nothing more goes to that witness, so that what it holds stays. Look: ", mono("tocsin audit verify")),
        )
        await self._alarm(words, why="the record is not what a witness has seen", witness=name, fault=wrong)

    async def alarm_away(self, name: str, seconds: float, fault: str) -> None:
        """Tell people that a witness takes nothing."""
        words = document(
            text(strong("ALARM", Tone.BAD), f": the witness {name} takes nothing, for {span(seconds)} now. {fault}"),
            text("What is recorded meanwhile could be cut off or rewritten, and this witness would not show it."),
        )
        await self._alarm(words, why="a witness is away", witness=name, fault=fault)

    async def _alarm(self, words: Document, **fields: audit.Value) -> None:
        def write(tx: Tx) -> None:
            audit.record(tx, "alarm", **fields)
            for place in self._alarms:
                outbox.queue(tx, Post(place, words, Lane.ALERT))

        await self._store.write(write)
        self._queued()
