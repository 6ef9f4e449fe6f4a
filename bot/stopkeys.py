"""Which stop keys count: those that the file lists, but for the revoked ones and those of people who are suspended.

What takes a key away works at once and wins over the file. Nothing here brings one back but the person who comes back.
"""

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.words.document import Document, Span, Tone, document, mono, strong, table, text
from bot.words.errors import StoreError
from bot.words.people import People
from wire.envelope import PublicKey

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.settings.overlaid import Overlaid


DISK_MAY_TAKE_S = 0.25

log = structlog.get_logger(__name__)


class Teller(Protocol):
    """Who tells components whose stops count."""

    async def set_stop_keys(self, people: Mapping[str, str]) -> None:
        """From now on these count, by key, and no others; it returns when that is on disk."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class ListedKey:
    """A stop key of the configuration."""

    public: str
    """In base64."""
    id: str
    person: str


class StopKeys:
    """All of them, and what has become of them since the file was read."""

    def __init__(self, listed: Mapping[str, str], people: People, revoked: Iterable[str] = ()) -> None:
        self.listed = tuple(
            sorted(
                (ListedKey(key, PublicKey.parse(key).id, person) for key, person in listed.items()),
                key=lambda each: (each.person, each.id),
            )
        )
        self._people = people
        self._revoked = set(revoked)

    @classmethod
    def of(cls, settings: "Settings", changes: "Iterable[Overlaid]") -> "StopKeys":
        """Those of a configuration, without what was revoked from chat. Who is suspended, its people know."""
        return cls(settings.stop_keys, settings.people, (each.stop_key for each in changes if each.stop_key))

    def counts(self, key: ListedKey) -> bool:
        """Whether a stop that it has signed counts."""
        return key.id not in self._revoked and not self._people.is_suspended(key.person)

    def counting(self) -> dict[str, str]:
        """Those that count, in base64, each with its person: what components are told."""
        return {each.public: each.person for each in self.listed if self.counts(each)}

    def revoke(self, key_id: str) -> None:
        """From now on this key does not count."""
        self._revoked.add(key_id)

    async def tell(self, teller: Teller) -> None:
        """Have components told who counts now. It waits for no disk: what is not on it is told anew after a restart."""
        try:
            async with asyncio.timeout(DISK_MAY_TAKE_S):
                await teller.set_stop_keys(self.counting())
        except (StoreError, TimeoutError) as error:
            log.error("whose stops count is not on disk yet", error=str(error) or "it does not answer")

    def shown(self) -> Document:
        """All of them, whose they are and whether they count; and who has none."""
        rows = [(strong(each.person), mono(each.id), self._says(each)) for each in self.listed]
        holders = {each.person for each in self.listed}
        without = ", ".join(person.name for person in self._people.listed if person.name not in holders)
        blocks = [table(("stop key of", "id", "counts"), rows)] if rows else []
        return document(*blocks, text("Without a stop key: ", without or "nobody", "."))

    def _says(self, key: ListedKey) -> Span:
        if key.id in self._revoked:
            return Span("revoked", tone=Tone.BAD)
        if self._people.is_suspended(key.person):
            return Span(f"not while {key.person} is suspended", tone=Tone.WARN)
        return Span("yes", tone=Tone.GOOD)
