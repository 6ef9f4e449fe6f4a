"""Asks the running bot for a stop, as `tocsin chat` would, and hears what becomes of it. Nothing here waits for it."""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from bot.desk.split import bare_or_quoted
from bot.words.document import Document, Text
from bot.words.errors import TocsinError
from bot.words.glyphs import one_line
from bot.words.message import Lane
from bot.words.plain import to_plain
from bridges.console.client import Chat, Said
from bridges.console.lines import Hello, Posted, event_of

INCIDENT = re.compile(r"\b[0-9a-f]{8}\b")
"""How the bot names an incident in a room."""
LONGEST_REASON = 500
CONFIRMED = ("STOPPED", "ALREADY STOPPED")
NOT_CONFIRMED = ("NOT CONFIRMED", "STILL NOT CONFIRMED")
"""What its news of a stop begin with, in `bot/stop/report.py`."""


def lines_for(target: str, reason: str) -> tuple[str, ...]:
    """What is said to the bot: with the reason, and where it does not take that, without it."""
    words = " ".join(reason.split())[:LONGEST_REASON].rstrip()
    line = f"!shutdown {target}"
    return (f"{line} because {bare_or_quoted(words)}", line) if words else (line,)


class Asking:
    """One stop that the bot is asked for."""

    def __init__(self, socket: Path, lines: tuple[str, ...], show: Callable[[Document], None]) -> None:
        self.taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Whether the bot carries it out, once it has said so, or cannot be reached."""
        self.confirmed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """What it says has become of it: confirmed, or not."""
        self.gone: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Done once the bot has gone away. It may be back since."""
        self.why_not = ""
        """Why the bot does not carry it out, in a sentence, where it is not the bot that has said so."""
        self._reached = False
        self._chat = Chat(socket, self)
        self._lines: Iterator[str] = iter(lines)
        self._show = show
        self.said = self._chat.say(next(self._lines))
        """What was said last: the order."""
        self._account = ""
        self._incident: str | None = None

    @property
    def may_do_it(self) -> bool:
        """The bot may have heard it, and has not said that it does not carry it out."""
        return self._reached and not (self.taken.done() and not self.taken.result())

    async def run(self) -> None:
        """Ask, and hear the bot until cancelled. It ends where the bot cannot be asked, and raises nothing."""
        try:
            await self._chat.run()
        except TocsinError as error:
            self._not_taken(str(error))
        except Exception as error:  # noqa: BLE001 - whatever breaks here must not keep the stop key from being used
            self._not_taken(f"The chat with the bot broke: {type(error).__name__}.")

    def met(self, hello: Hello) -> None:
        """The bot is there."""
        self._reached = True
        self._account = hello.account

    def lost(self) -> None:
        """The bot went away. It is looked for, and asked again under the same id."""
        self._settle(self.gone, outcome=True)

    def refused(self, said: Said, why: str) -> None:  # noqa: ARG002 - a face is told which line; there is one
        """The bot did not take the line."""
        self._not_taken(one_line(why))

    def show(self, post: Posted, answers: Said | None) -> None:
        """Whatever it says is shown, because it counts as heard then; what is about this stop is understood."""
        self._show(post.document)
        if answers is not None:
            self._answered(post)
        elif post.lane == Lane.STOP and self._is_ours(post):
            self._told(post.document)

    def _answered(self, post: Posted) -> None:
        if post.lane == Lane.STOP:  # only what was carried out is answered in this lane
            found = INCIDENT.search(to_plain(post.document))
            self._incident = found[0] if found else None
            self._settle(self.taken, outcome=True)
            self._told(post.document)
            return
        line = next(self._lines, None)
        if line is None:
            self._not_taken("")
        else:
            self.said = self._chat.say(line)

    def _is_ours(self, post: Posted) -> bool:
        """Who joins a stop that was ordered from here before gets its news as an answer to that order."""
        if post.reply_to == event_of(self._account, self.said.id):
            return True
        return self._incident is not None and self._incident in to_plain(post.document)

    def _told(self, document: Document) -> None:
        head = _head(document)
        if head in CONFIRMED:
            self._settle(self.confirmed, outcome=True)
        elif head in NOT_CONFIRMED:
            self._settle(self.confirmed, outcome=False)

    def _not_taken(self, why: str) -> None:
        self.why_not = why
        self._settle(self.taken, outcome=False)

    def _settle(self, future: asyncio.Future[bool], *, outcome: bool) -> None:
        if not future.done():
            future.set_result(outcome)


def _head(document: Document) -> str:
    first = document.blocks[0] if document.blocks else None
    return first.spans[0].text.strip() if isinstance(first, Text) and first.spans else ""
