"""What people on three networks have said, what of it is seen on each, and when that is as it must be."""

import asyncio
import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import aiohttp

T = TypeVar("T")

MARK = re.compile(r"\[(\d+)\]")
FILE = re.compile(r"file-(\d+)\.txt")
HEAD = re.compile(r"(?P<name>.+?) \((?P<marks>[^()]*)\): (?P<text>.*)", re.DOTALL)
MAIN = "lab"
"""The topic of what is of none."""
SIGNS = {"👍": "thumbs_up", "🎉": "tada", "👀": "eyes"}
AGAIN_S = 0.05
PATIENCE_S = 60.0
GONE = -1
"""What is answered is taken back: nobody needs to see what it was."""
TIME = re.compile(r", \d\d:\d\d UTC(?=\)$)")
"""What is said anew in another topic, a minute later and more, has its time beside it."""


@dataclasses.dataclass
class Item:
    """Something that one of them has said."""

    number: int
    author: str
    network: str
    """Of the author."""
    words: str
    replies_to: "Item | None" = None
    own: str = ""
    """What it is called on its author's network."""
    head: str = ""
    """What must stand before the words elsewhere: how the author was called when it was said."""
    removed: bool = False
    edits: int = 0
    file: bytes | None = None
    """What is in the file that was sent along."""
    signs: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict[tuple[str, str], str])
    """Who shows what beside it, and what the network calls that."""
    topic: str = MAIN
    """In which it stands now."""
    topics: set[str] = dataclasses.field(default_factory=set[str])
    """All that it has stood in, under all the names that they had."""
    was_moved: bool = False
    """Alone, so that it is not where its number says any more."""

    @property
    def text(self) -> str:
        """As it is typed."""
        return f"[{self.number}] {self.words}"

    @property
    def name(self) -> str:
        """How the file is called."""
        return f"file-{self.number}.txt"

    @property
    def copied(self) -> str:
        """As it is read elsewhere. Where a link to the file stood among the words, its name does."""
        return f"{self.text} {self.name}" if self.file is not None and self.network == "zulip" else self.text

    def shown_by(self, *people: str) -> frozenset[str]:
        """What these show beside it."""
        return frozenset(sign for who, sign in self.signs if who in people)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What stands somewhere of an item that was said elsewhere."""

    copies: int
    heads: frozenset[str]
    """Who has said it, by the copy; what is expected is one of those that it may be."""
    text: str
    """What stands behind the head. Empty where it is taken back."""
    signs: frozenset[str]
    """What the bot shows beside it."""
    answers: int | None
    """The number of what it answers."""
    files: tuple[bytes, ...]
    """What is in the files that came along; what they are called where none are kept."""
    topics: frozenset[str]
    """In which it stands there; what is expected is one of those that it may be."""


@dataclasses.dataclass(frozen=True)
class View:
    """What is seen on a network."""

    copies: Mapping[int, Seen] = dataclasses.field(default_factory=dict[int, Seen])
    beside: Mapping[int, frozenset[str]] = dataclasses.field(default_factory=dict[int, frozenset[str]])
    """What the bot shows beside what was said there itself."""
    order: Sequence[tuple[str, int]] = ()
    """Topics and numbers, each topic in its order."""


class Talker(Protocol):
    """One person at their network."""

    name: str
    network: str

    @property
    def head(self) -> str:
        """What the bot says before words that they say now."""
        ...

    async def write(self, item: Item) -> str: ...
    async def edit(self, item: Item) -> None: ...
    async def remove(self, item: Item) -> None: ...
    async def show(self, item: Item, sign: str) -> str: ...
    async def show_no_more(self, item: Item, sign: str, own: str) -> None: ...
    async def rename(self, name: str) -> None: ...
    async def finds(self, item: Item) -> str | None:
        """What it is called there, if it stands there by now."""
        ...

    def reaches(self, topic: str) -> bool:
        """Whether they can write there without waiting for anybody."""
        ...

    async def view(self, items: Sequence[Item]) -> View: ...
    async def catch_up(self) -> None:
        """Have heard all that stands there by now."""
        ...


async def insist(do: Callable[[], Awaitable[T]]) -> T:
    """Do it again while its server is away."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await do()
            except (aiohttp.ClientError, OSError, TimeoutError):
                await asyncio.sleep(AGAIN_S)


async def until(holds: Callable[[], Awaitable[T | None]], what: Callable[[], str], within_s: float = PATIENCE_S) -> T:
    """Wait until something is there."""
    try:
        async with asyncio.timeout(within_s):
            while (found := await holds()) is None:  # noqa: ASYNC110 - what others see is looked at again and again
                await asyncio.sleep(AGAIN_S)
            return found
    except TimeoutError:
        raise TimeoutError(what()) from None


async def known(talker: Talker, item: Item) -> str:
    """What an item is called where somebody is, once it stands there."""
    return await until(lambda: talker.finds(item), lambda: f"{talker.name} does not hear of {item}")


def parted(words: str) -> tuple[str, str]:
    """Who has said it, and what, of a copy."""
    found = HEAD.fullmatch(words)
    return (f"{found['name'].strip('*_')} ({found['marks']})", found["text"]) if found else ("", words)


def fits(seen: Seen | None, expected: Seen | None) -> bool:
    """Whether something stands as it should. What is taken back leaves nothing but a sign, or nothing."""
    if seen is None or expected is None:
        return seen is expected or (expected is not None and not expected.text)
    if not expected.text:
        return not (seen.text or seen.files)
    answers = seen.answers if expected.answers == GONE else expected.answers
    wanted = dataclasses.replace(expected, answers=answers, heads=seen.heads, topics=seen.topics)
    heads = {TIME.sub("", head) for head in seen.heads}
    return seen == wanted and heads <= expected.heads and seen.topics <= expected.topics
