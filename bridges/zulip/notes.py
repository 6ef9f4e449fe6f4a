"""What the bot has begun to say, kept where a crash does not reach: Zulip takes the same post twice.

A note is written before the first request goes out. Whoever finds one looks whether the post is there already. What is
said leaves the note, which then knows by what ids the server has it.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import structlog

from bot.private import private_folder, write_private
from bot.words.errors import Unreachable

FOLDER, SUFFIX = "sending", ".json"
KEPT_S = 86_400.0
TIDIED_EVERY_S = 3600.0
DISK_MAY_TAKE_S = 0.5
"""What is to be said waits no longer for a disk in one go."""
MOST_HANGING = 3
"""Threads that may hang in a disk. Others need theirs."""
MOST_LOOKED = 200
LOOK_AGAIN_S = 1.0

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """One post, as it goes out."""

    contents: tuple[str, ...]
    """What is to be said still."""
    after: int
    """All of it has higher ids than this."""
    said: tuple[int, ...] = ()
    """The messages that the server has of it, the first one first."""
    before: tuple[int, ...] = ()
    """Those of which it takes the place, and that are there still."""

    def write(self) -> bytes:
        """As it stands in a file."""
        return json.dumps(dataclasses.asdict(self)).encode()

    @classmethod
    def parse(cls, kept: bytes) -> Self | None:
        """From a file; nothing where it is no note."""
        try:
            known: Any = json.loads(kept)
            said, before = (tuple(int(each) for each in known.get(name, ())) for name in ("said", "before"))
            note = cls(tuple(str(each) for each in known["contents"]), int(known["after"]), said, before)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        return note if note.contents or note.said else None


class DiskSlow(Unreachable):
    """Whether a post was begun is not known yet."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered of a note."""

    said: tuple[int, ...]
    before: tuple[int, ...]
    at: float
    """When it was written."""


class Notes:
    """The notes of one bot. Those of posts that were sent stay for a while: the outbox may not know of it yet."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder / FOLDER
        self._clock = clock
        self._known: dict[str, _Known] = {}
        """Whatever the server has messages of, the oldest first."""
        self._owners: dict[int, str] = {}
        """Of which of these each message is."""
        self._is_read = False
        self._unsaid: set[str] = set()
        """Those of which nothing is said any more, whatever is read of an earlier run."""
        self._begun: dict[str, Note] = {}
        self._wanted: dict[str, Note | None] = {}
        """What is to stand in a file, or that none is to be there, until it is so."""
        self._writing: dict[str, asyncio.Task[None]] = {}
        self._looking: dict[str, asyncio.Task[Any]] = {}
        """What is read, until somebody takes it."""
        self._room = asyncio.Semaphore(MOST_HANGING)
        self._tidied = 0.0  # what an earlier run has left is looked for at the first post

    async def find(self, key: str) -> Note | None:
        """What was begun under this key. Raises DiskSlow where the disk does not tell yet."""
        if key in self._begun:
            return self._begun[key]
        return await self._looked(key, lambda: self._read(key))

    async def owners(self) -> Mapping[int, str]:
        """Which messages the server has of the posts of a day, by whose notes. Raises DiskSlow likewise."""
        await self._recalled()
        return self._owners

    async def together(self, message: int) -> tuple[int, ...]:
        """All messages of the post that this one is of, and those that it took the place of, as far as is known.

        Raises DiskSlow likewise.
        """
        await self._recalled()
        owner = self._owners.get(message)
        if owner is None:
            return (message,)
        return (*self._known[owner].said, *self._known[owner].before)

    def owner(self, key: str) -> str:
        """How `owners` calls what has this key."""
        return self._path(key).stem

    async def begin(self, key: str, note: Note) -> None:
        """From now on it is known that this was begun, as far as the disk takes it."""
        self.keep(key, note)
        await asyncio.wait([self._write_out(key)], timeout=DISK_MAY_TAKE_S)

    def keep(self, key: str, note: Note) -> None:
        """How far it has come. Nothing waits for the disk to know it."""
        self._begun[key] = note
        self._remember(self.owner(key), note, self._clock())
        self._wanted[key] = note
        self._write_out(key)

    def drop(self, key: str) -> None:
        """The server never takes it: no word of it stays."""
        self._begun.pop(key, None)
        self._remember(self.owner(key), None, self._clock())
        self._wanted[key] = None
        self._write_out(key)

    def end(self, key: str) -> None:
        """It is said. Should it be said again, the disk knows of it."""
        self._begun.pop(key, None)

    async def settled(self) -> None:
        """Wait for the disk to know all that is to be known, where it takes that in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISK_MAY_TAKE_S):
                while self._writing:  # what is written may be followed by what came meanwhile
                    await asyncio.wait(self._writing.values())

    async def _recalled(self) -> None:
        """Have what an earlier run has said be known, too. The disk is read once for that."""
        if self._is_read:
            return
        found = await self._looked("", self._all)
        if found is None or self._is_read:
            return
        self._is_read = True
        newer, self._known = self._known, {}
        for name, (note, at) in sorted(found.items(), key=lambda each: each[1][1]):
            if name not in newer and name not in self._unsaid:
                self._remember(name, note, at)
        self._unsaid.clear()
        self._known |= newer
        self._owners |= {one: name for name, known in newer.items() for one in known.said}

    def _remember(self, name: str, note: Note | None, at: float) -> None:
        self._forget(name)
        if note is not None and note.said:
            self._known[name] = _Known(note.said, note.before, at)
            self._owners |= dict.fromkeys(note.said, name)
            self._unsaid.discard(name)
        elif not self._is_read:
            self._unsaid.add(name)
        while self._known and self._known[oldest := next(iter(self._known))].at < self._clock() - KEPT_S:
            self._forget(oldest)

    def _forget(self, name: str) -> None:
        if (known := self._known.pop(name, None)) is not None:
            for one in known.said:
                if self._owners.get(one) == name:
                    del self._owners[one]

    async def _looked(self, name: str, work: Callable[[], T]) -> T:
        """What the disk has. Where that takes long, whoever asks again waits for the same."""
        task = cast("asyncio.Task[T] | None", self._looking.get(name))
        if task is None:
            task = self._looking[name] = asyncio.create_task(self._beside(work))
            if len(self._looking) > MOST_LOOKED:
                del self._looking[next(iter(self._looking))]
        await asyncio.wait([task], timeout=DISK_MAY_TAKE_S)
        if not task.done():
            raise DiskSlow("The disk is slow to tell what was begun.", retry_after=LOOK_AGAIN_S)
        self._looking.pop(name, None)
        return task.result()

    def _write_out(self, key: str) -> "asyncio.Task[None]":
        """One at a time for each key, so that what stands there in the end is what was meant last."""
        task = self._writing.get(key)
        if task is None:
            task = self._writing[key] = asyncio.create_task(self._beside(lambda: self._write(key)))
            task.add_done_callback(lambda done: self._written(key, done))
        return task

    def _written(self, key: str, done: "asyncio.Task[None]") -> None:
        del self._writing[key]
        if key in self._wanted and not done.cancelled():
            self._write_out(key)

    async def _beside(self, work: Callable[[], T]) -> T:
        async with self._room:
            return await asyncio.to_thread(work)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}{SUFFIX}"

    def _read(self, key: str) -> Note | None:
        try:
            return Note.parse(self._path(key).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:  # it would be the same for ever: whoever waited for it would say nothing any more
            log.warning("whether this was begun cannot be read", error=error.strerror)
            return None

    def _all(self) -> dict[str, tuple[Note, float]] | None:
        """All notes and when they were written, by name; nothing where the disk does not tell which there are."""
        found: dict[str, tuple[Note, float]] = {}
        try:
            paths = [Path(each) for each in os.scandir(self._folder) if each.name.endswith(SUFFIX)]
        except FileNotFoundError:
            return {}
        except OSError as error:
            log.warning("what was said cannot be read", error=error.strerror)
            return None
        for path in paths:
            with contextlib.suppress(OSError):
                if (note := Note.parse(path.read_bytes())) is not None:
                    found[path.stem] = note, path.stat().st_mtime
        return found

    def _write(self, key: str) -> None:
        note = self._wanted.pop(key)
        try:
            if note is None:
                self._path(key).unlink(missing_ok=True)
                return
            private_folder(self._folder)
            write_private(self._path(key), note.write())
            if self._clock() - self._tidied > TIDIED_EVERY_S:
                self._tidied = self._clock()
                self._tidy()
        except OSError as error:
            log.warning("what is said is not noted", error=error.strerror)

    def _tidy(self) -> None:
        for each in self._folder.iterdir():
            if self._clock() - each.stat().st_mtime > KEPT_S:
                each.unlink(missing_ok=True)
