"""One post in place of many that waited too long. It counts every one of them, and shows how the newest begin."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import TypeAlias

from pydantic import TypeAdapter

from bot.words.document import Document, Items, Span, Tone, document, strong, text
from bot.words.times import clock

MOST_LINES = 30


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """How one post begins."""

    queued: float
    words: str


@dataclasses.dataclass(frozen=True, slots=True)
class Earlier:
    """Posts of which only the number is left."""

    count: int
    oldest: float
    newest: float


@dataclasses.dataclass(frozen=True, slots=True)
class Digest:
    """Posts in their order: of the last ones how they begin, of those before them how many they were."""

    lines: tuple[Line, ...]
    earlier: Earlier | None = None

    @property
    def count(self) -> int:
        """How many posts it stands for."""
        return len(self.lines) + (self.earlier.count if self.earlier else 0)


Part: TypeAlias = Line | Digest


def join(parts: Sequence[Part]) -> Digest:
    """One digest of posts and of digests, in their order."""
    lines = [line for part in parts for line in (part.lines if isinstance(part, Digest) else (part,))]
    spans = [part.earlier for part in parts if isinstance(part, Digest) and part.earlier]
    spans += [Earlier(1, line.queued, line.queued) for line in lines[:-MOST_LINES]]
    if not spans:
        return Digest(tuple(lines))
    earlier = Earlier(
        sum(each.count for each in spans), min(each.oldest for each in spans), max(each.newest for each in spans)
    )
    return Digest(tuple(lines[-MOST_LINES:]), earlier)


def dump(digest: Digest) -> bytes:
    """A digest as it is stored beside its document."""
    return _digests().dump_json(digest)


def load(stored: bytes) -> Digest:
    """A digest as it was."""
    return _digests().validate_json(stored)


def show(digest: Digest, now: float) -> Document:
    """What is said of it."""
    earlier = digest.earlier
    oldest = min([line.queued for line in digest.lines] + ([earlier.oldest] if earlier else []))
    blocks = [
        text(strong(f"{digest.count} messages waited here"), f", the oldest since {clock(oldest, now)}:"),
        Items(tuple(text(_quiet(clock(line.queued, now)), f" {line.words}") for line in digest.lines)),
    ]
    if earlier:
        span = f"{clock(earlier.oldest, now)} to {clock(earlier.newest, now)}"
        blocks.append(text(_quiet(f"and {earlier.count} before them, {span}")))
    return document(*blocks)


@functools.cache
def _digests() -> TypeAdapter[Digest]:
    """Made when the first one is needed, which few runs ever do."""
    return TypeAdapter(Digest)


def _quiet(words: str) -> Span:
    return Span(words, tone=Tone.QUIET)
