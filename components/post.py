"""What a component says that must arrive: kept until the broker has it, within bounds, and sent one after the other.

The pictures of a job go before its end, which names them. An end whose pictures cannot be sent is said without them.
"""

import asyncio
import dataclasses
import itertools
import logging
from collections.abc import Mapping

from wire.errors import NotSent, WireError
from wire.mqtt import Link, Unconfirmed

MOST_UNSENT = 256
LARGEST_WAITING = 16 * 1024 * 1024
"""So many bytes of pictures may wait. An end that comes with more is said without its own."""
PICTURE_TRIES = 3
"""As often a connection may break over the pictures of one end: a broker may hang up on what is too large for it."""

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Unsent:
    """One message, and what must be there before it."""

    topic: str
    payload: bytes
    retain: bool = False
    expiry_s: int | None = None
    pictures: Mapping[str, bytes] = dataclasses.field(default_factory=dict[str, bytes])
    """By topic."""
    without: bytes = b""
    """The payload that names no pictures."""

    @property
    def bare(self) -> "Unsent":
        """The same without its pictures."""
        return dataclasses.replace(self, payload=self.without, pictures={})


class Post:
    """Sends it, as soon as the component has said who it is."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._unsent: dict[str, Unsent] = {}
        self._numbers = itertools.count()
        self._is_open = False
        self._openings = 0
        self._broken = 0
        """So many connections in a row have broken over pictures."""
        self._news = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether the component has said on this connection who it is."""
        return self._is_open

    @property
    def waiting(self) -> tuple[str, ...]:
        """The topics of what waits to be sent, the oldest first."""
        return tuple(each.topic for each in self._unsent.values())

    def open(self) -> None:
        """It has said who it is."""
        self._is_open = True
        self._openings += 1
        self._news.set()

    def close(self) -> None:
        """There is a new connection, to which it has not said so yet."""
        self._is_open = False

    def keep(self, unsent: Unsent, *, name: str = "") -> None:
        """Until it is sent. Of what is retained the newest wins."""
        name = name or str(next(self._numbers))
        self._unsent.pop(name, None)
        if len(self._unsent) >= MOST_UNSENT:
            lost = self._unsent.pop(next(iter(self._unsent)))
            log.error("more than %d messages wait for a connection; not said: %s", MOST_UNSENT, lost.topic)
        if unsent.pictures and _size(*self._unsent.values(), unsent) > LARGEST_WAITING:
            log.error("more than %d bytes of pictures wait; not sent: those of %s", LARGEST_WAITING, unsent.topic)
            unsent = unsent.bare
        self._unsent[name] = unsent
        self._news.set()

    async def run(self) -> None:
        """Send it until cancelled."""
        while True:
            while not self._is_open or not self._unsent:
                await self._something()
            opening = self._openings
            name, each = next(iter(self._unsent.items()))
            try:
                if await self._show(each):
                    await self._say(each)
                elif self._unsent.get(name) is each:
                    self._unsent[name] = each.bare
                    continue
            except (NotSent, Unconfirmed):
                while self._openings == opening:
                    await self._something()
                continue
            if self._unsent.get(name) is each:
                del self._unsent[name]

    async def _show(self, each: Unsent) -> bool:
        """Publish its pictures; all of them anew at each attempt, as the broker may have lost those it had."""
        try:
            for topic, data in each.pictures.items():
                await self._link.publish(topic, data, qos=1, retain=True, expiry_s=each.expiry_s)
        except NotSent:
            raise
        except WireError as error:
            self._broken += isinstance(error, Unconfirmed)
            if isinstance(error, Unconfirmed) and self._broken < PICTURE_TRIES:
                raise
            log.error("the pictures of %s are not sent: %s", each.topic, error)
            self._broken = 0
            return False
        self._broken = 0
        return True

    async def _say(self, each: Unsent) -> None:
        try:
            await self._link.publish(each.topic, each.payload, qos=1, retain=each.retain, expiry_s=each.expiry_s)
        except (NotSent, Unconfirmed):
            raise
        except WireError as error:
            log.error("not said: %s", error)

    async def _something(self) -> None:
        self._news.clear()
        await self._news.wait()


def _size(*unsent: Unsent) -> int:
    return sum(len(data) for each in unsent for data in each.pictures.values())
