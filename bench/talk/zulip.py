"""A stand-in for a Zulip server, a process of its own with its limits lifted, and people on it who speak and read."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Self

import aiohttp

from demo.process import Process
from tests.zulip.client import OK, Person, Said, hand
from tests.zulip.lab import INCIDENTS, key_of
from tests.zulip.program import started

TOPIC = "lab"
PLACE = f"zulip:{INCIDENTS}/{TOPIC}"
REQUESTS_A_MINUTE = 999_999
UP_WITHIN_S = 30.0
CONFIG = """
[zulip]
site = "{site}"
email = "tocsin-bot@lab.test"
key_file = "zulip-key"
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Zulip:
    """The stand-in, as somebody outside sees it."""

    url: str
    _session: aiohttp.ClientSession

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path) -> AsyncGenerator[Self]:
        """It keeps what is said in a file, as a server does."""
        async with started(folder / "zulip.sqlite") as url, aiohttp.ClientSession() as session:
            await hand(url, session, "limits", requests=REQUESTS_A_MINUTE)
            yield cls(url, session)

    def configure(self, folder: Path) -> str:
        """Put the bot's key beside its configuration. What that says of Zulip."""
        key = folder / "zulip-key"
        key.touch(mode=0o600)
        key.write_text(key_of("tocsin"))
        return CONFIG.format(site=self.url)

    def somebody(self, name: str) -> Person:
        """A person with their own key."""
        email = "tocsin-bot@lab.test" if name == "tocsin" else f"{name}@lab.test"
        return Person(self.url, email, key_of(name), self._session)

    async def heard_by(self, bot: Process) -> None:
        """Wait until the bot hears what is said."""

        async def listens() -> bool:
            await hand(self.url, self._session, "listening", **{"as": "tocsin"})
            return True

        await bot.until(listens, seconds=UP_WITHIN_S)


@dataclasses.dataclass(slots=True)
class Reader:
    """Somebody who hears by an event queue what is said."""

    _person: Person
    _queue: str
    _last: int = -1

    @classmethod
    async def of(cls, person: Person) -> Self:
        """From now on."""
        return cls(person, await person.register("message"))

    async def hears(self) -> Sequence[str]:
        """What was said since, once it is something."""
        while True:
            events = _taken(await self._person.poll(self._queue, self._last, wait=True)).body["events"]
            self._last = max(self._last, *(each["id"] for each in events))
            if words := [each["message"]["content"] for each in events if each["type"] == "message"]:
                return words

    async def until(self, words: str) -> None:
        """Wait until that was said."""
        while not any(words in each for each in await self.hears()):
            pass


async def say(person: Person, words: str, topic: str = "bare", to: str = "incidents") -> None:
    """Say something in a topic. That nobody has named is in no channel of the bot's."""
    _taken(await person.say(words, topic=topic, to=to))


def _taken(said: Said) -> Said:
    if said.status != OK:
        raise SystemExit(f"The stand-in refuses it: {said.body}")
    return said
