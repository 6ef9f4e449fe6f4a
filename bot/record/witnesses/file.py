"""A file on another disk or machine that holds checkpoints. Notes are only ever added to it."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

from bot.private import sync_folder
from bot.record.witnesses.aside import Aside
from bot.record.witnesses.notebook import entry, notes_in
from bot.record.witnesses.witness import NotWitnessed

T = TypeVar("T")

LARGEST = 16 * 1024 * 1024
"""A file that would grow over this is called `.1` from then on, and the `.1` from before goes."""
TAIL = 256 * 1024
"""So much of the end is read. The largest note that there can be is in it, whole."""
MODE = 0o644
"""It says how much was recorded and nothing of what, so everybody may look."""
NOT_OURS = "Let the user that the bot runs as write there."
NO_ROOM = "Make room on its disk."
HINTS = {
    errno.ENOENT: "Make its folder, or mount the disk that it is on.",
    errno.EACCES: NOT_OURS,
    errno.EPERM: NOT_OURS,
    errno.EROFS: "Mount its disk so that one can write on it.",
    errno.ENOSPC: NO_ROOM,
    errno.EDQUOT: NO_ROOM,
}


class FileWitness:
    """Notes in a file, each after the one before."""

    quick = True

    def __init__(self, path: Path, *, largest: int = LARGEST) -> None:
        self.name = str(path)
        self._path = path
        self._older = path.with_name(f"{path.name}.1")
        self._largest = largest
        self._aside = Aside(f"witness {path.name}")

    async def publish(self, note: bytes, size: int) -> None:  # noqa: ARG002 - a note says its size itself
        """Have its disk hold the note."""
        await self._on_its_disk(lambda: self._add(note))

    async def latest(self) -> bytes | None:
        """The last whole note."""
        return await self._on_its_disk(self._last)

    async def _on_its_disk(self, work: Callable[[], T]) -> T:
        if self._aside.is_at_work:
            raise NotWitnessed(f"{self._path} still hangs.", hint="Is it a file, on a disk that answers?")
        try:
            return await self._aside.run(work)
        except OSError as error:
            hint = HINTS.get(error.errno or 0, "Look at the path, and at its disk.")
            raise NotWitnessed(f"{self._path} cannot be used: {error.strerror or error}.", hint=hint) from error

    def _add(self, note: bytes) -> None:
        with self._opened() as file:
            size = os.fstat(file).st_size
            if not size or size + len(note) <= self._largest:
                _write(file, note)
                return
        self._path.replace(self._older)
        with self._opened() as file:
            _write(file, note)

    @contextlib.contextmanager
    def _opened(self) -> Generator[int]:
        is_new = not self._path.exists()
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOCTTY | os.O_CLOEXEC, MODE)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise NotWitnessed(f"{self._path} is no file.", hint="Name another one in [audit], or move it away.")
            yield file
            if is_new:
                sync_folder(self._path.parent)
        finally:
            os.close(file)

    def _last(self) -> bytes | None:
        """In the older file, where the newer one has none yet."""
        if not self._path.parent.is_dir():  # perhaps its disk is not there yet: it could know more than we
            raise NotWitnessed(f"The folder of {self._path} is not there.", hint="Is its disk mounted?")
        for path in (self._path, self._older):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
                if found := notes_in(file.read(TAIL)):
                    return found[-1]
        return None


def _write(file: int, note: bytes) -> None:
    """Add a note, and return once the disk has it. Of a note that did not fit nothing is left."""
    size = os.fstat(file).st_size
    added = entry(note, os.pread(file, 2, max(0, size - 2)))
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(_cut, file, size)
        if os.write(file, added) < len(added):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
        on_failure.pop_all()


def _cut(file: int, size: int) -> None:
    with contextlib.suppress(OSError):  # a disk may allow nothing but to add; then half a note stays
        os.ftruncate(file, size)
