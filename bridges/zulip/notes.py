"""What the bot has begun to say, kept where a crash does not reach: Zulip takes the same post twice.

A note is written before the first request goes out. Whoever finds one looks whether the post is there already.
"""

import asyncio
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import structlog

from bot.private import private_folder, write_private

FOLDER = "sending"
KEPT_S = 86_400.0
TIDIED_EVERY_S = 3600.0
DISK_MAY_TAKE_S = 0.5
"""What is to be said waits no longer for a disk: it is then known to this process alone that it was begun."""
MOST_HANGING = 3
"""Threads that may hang in a disk. Others need theirs."""

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """One post, as it goes out."""

    contents: tuple[str, ...]
    after: int
    """All of it has higher ids than this."""

    def write(self) -> bytes:
        """As it stands in a file."""
        return json.dumps(dataclasses.asdict(self)).encode()

    @classmethod
    def parse(cls, kept: bytes) -> Self | None:
        """From a file; nothing where it is no note."""
        try:
            known = json.loads(kept)
            return cls(tuple(str(each) for each in known["contents"]), int(known["after"]))
        except (ValueError, TypeError, KeyError):
            return None


class Notes:
    """The notes of one bot. Those of posts that were sent stay for a while: the outbox may not know of it yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._begun: dict[str, Note] = {}
        self._at_work: set[asyncio.Task[Note | None]] = set()
        self._tidied = time.time()  # what an earlier run has left is looked for in the first hour

    async def find(self, key: str) -> Note | None:
        """What was begun under this key."""
        if key in self._begun:
            return self._begun[key]
        return await self._in_time(lambda: self._read(key))

    async def begin(self, key: str, note: Note) -> None:
        """From now on it is known that this was begun, as far as the disk takes it."""
        self._begun[key] = note
        await self._in_time(lambda: self._write(key, note))

    def end(self, key: str) -> None:
        """It is said."""
        self._begun.pop(key, None)

    async def _in_time(self, work: Callable[[], Note | None]) -> Note | None:
        if len(self._at_work) >= MOST_HANGING:
            log.warning("what is said is not noted: the disk hangs")
            return None
        task = asyncio.create_task(asyncio.to_thread(work))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        await asyncio.wait([task], timeout=DISK_MAY_TAKE_S)
        return task.result() if task.done() else None

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"

    def _read(self, key: str) -> Note | None:
        try:
            return Note.parse(self._path(key).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("whether this was begun cannot be read", error=error.strerror)
            return None

    def _write(self, key: str, note: Note) -> None:
        try:
            private_folder(self._folder)
            write_private(self._path(key), note.write())
            if time.time() - self._tidied > TIDIED_EVERY_S:
                self._tidied = time.time()
                self._tidy()
        except OSError as error:
            log.warning("what is said is not noted", error=error.strerror)

    def _tidy(self) -> None:
        for each in self._folder.iterdir():
            if time.time() - each.stat().st_mtime > KEPT_S:
                each.unlink(missing_ok=True)
