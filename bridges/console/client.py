"""The client's end of the socket. What was said and not answered is said again, under its id and with its age."""

import asyncio
import contextlib
import dataclasses
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Protocol

from bot.words.errors import NetworkError, Refused, Unreachable, UsageError
from bridges.console.lines import (
    MOST_FROM_BOT,
    MOST_FROM_CLIENT,
    OLDEST_S,
    BadLine,
    Closed,
    FromBot,
    FromClient,
    Heard,
    Hello,
    NotTaken,
    Posted,
    Say,
    Taken,
    event_of,
    from_bot,
    to_line,
)

HELLO_WITHIN_S = 10.0
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 2.0
MOST_UNANSWERED = 64
MOST_REMEMBERED = 1024
"""Posts of which we know that they were shown: a bot that restarts may bring them again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """A line that has no answer yet."""

    id: str
    text: str
    at: float
    """On our own clock."""


class Face(Protocol):
    """Where a person sees what comes in. Nothing here may wait."""

    def met(self, hello: Hello) -> None:
        """The bot is there, for the first time or again."""
        ...

    def lost(self) -> None:
        """The bot went away. It is looked for until it is back."""
        ...

    def refused(self, said: Said, why: str) -> None:
        """A line was not taken, and is not said again."""
        ...

    def show(self, post: Posted, answers: Said | None) -> None:
        """The bot says something, which may be the first answer to a line of ours."""
        ...


class Chat:
    """One client's talk with the bot."""

    def __init__(self, path: Path, face: Face, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._face = face
        self._clock = clock
        self._account = ""
        self._unanswered: dict[str, Said] = {}
        self._shown: dict[str, None] = {}
        self._writer: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        """Talk until cancelled. Raises Unreachable where no bot is there at first, Refused where we are shut out."""
        async with _connected(self._path) as (reader, writer):
            await self._converse(reader, writer)
        wait = FIRST_WAIT_S
        self._face.lost()
        while True:
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_S)
            with contextlib.suppress(Unreachable):
                async with _connected(self._path) as (reader, writer):
                    await self._converse(reader, writer)
                wait = FIRST_WAIT_S
                self._face.lost()

    def say(self, text: str) -> Said:
        """Say a line now, or as soon as the bot is there. Raises UsageError where it is too long."""
        said = Said(secrets.token_hex(16), text, self._clock())
        line = to_line(Say(said.id, text))
        if len(line) > MOST_FROM_CLIENT // 2:  # room for what a later version adds
            raise UsageError("Not said: this line is too long.")
        if len(self._unanswered) >= MOST_UNANSWERED:
            raise UsageError(f"Not said: {MOST_UNANSWERED} lines have no answer yet.", hint="Wait, or open a new chat.")
        self._unanswered[said.id] = said
        if self._writer is not None:
            self._writer.write(line)
        return said

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk over one connection until it ends."""
        try:
            async with asyncio.timeout(HELLO_WITHIN_S):
                hello = await _read(reader)
        except TimeoutError as error:
            raise Unreachable(f"The bot at {self._path} does not answer.", hint="Its log may say why.") from error
        if hello is None:
            raise Unreachable(f"The bot at {self._path} ended the connection.", hint="Its log may say why.")
        self._take(hello, writer)
        try:
            for said in tuple(self._unanswered.values()):
                age = min(max(0.0, self._clock() - said.at), OLDEST_S)
                _write(writer, Say(said.id, said.text, age))
            self._writer = writer
            while (line := await _read(reader)) is not None:
                self._take(line, writer)
        finally:
            self._writer = None

    def _take(self, line: FromBot, writer: asyncio.StreamWriter) -> None:
        match line:
            case Closed(why):
                raise Refused(why)
            case Hello():
                self._account = line.account
                self._face.met(line)
            case Taken():
                pass  # it may still have to be said again: only its answer shows that nothing was lost
            case NotTaken(name, why):
                if (said := self._unanswered.pop(name, None)) is not None:
                    self._face.refused(said, why)
            case Posted():
                self._show(line)
                _write(writer, Heard(line.key))

    def _show(self, post: Posted) -> None:
        if post.key in self._shown:
            return
        ours = (said for said in self._unanswered.values() if event_of(self._account, said.id) == post.reply_to)
        answers = next(ours, None)
        self._face.show(post, answers)
        self._shown[post.key] = None
        if len(self._shown) > MOST_REMEMBERED:
            del self._shown[next(iter(self._shown))]
        if answers is not None:
            del self._unanswered[answers.id]


@contextlib.asynccontextmanager
async def _connected(path: Path) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=MOST_FROM_BOT)
    except OSError as error:
        raise _absence(path, error) from error
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def _absence(path: Path, error: OSError) -> Unreachable:
    match error:
        case FileNotFoundError():
            return Unreachable(
                f"There is no bot at {path}.", hint="Start it, or name its own configuration with --config FILE."
            )
        case ConnectionRefusedError():
            return Unreachable(f"Nobody listens at {path}: the bot ended without a word.", hint="Start it again.")
        case PermissionError():
            return Unreachable(
                f"You may not reach {path}.",
                hint="Every folder on its way must let you pass; whoever runs the bot can put it in such a place.",
            )
        case _:
            return Unreachable(f"The bot at {path} cannot be reached: {error.strerror or error}.")


async def _read(reader: asyncio.StreamReader) -> FromBot | None:
    """The next line, or nothing at the end."""
    try:
        return from_bot(await reader.readuntil(b"\n"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except asyncio.LimitOverrunError as error:
        raise NetworkError("The bot says more in one line than this chat takes.") from error
    except BadLine as error:
        raise NetworkError(str(error), hint="Start this chat again.") from error


def _write(writer: asyncio.StreamWriter, said: FromClient) -> None:
    writer.write(to_line(said))
