"""Only one bot works on a database. The kernel frees the lock when its holder dies, however it dies."""

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import TextIO

from bot.words.errors import StoreError, StoreInUse


class Lock:
    """A file that one process holds and that says who."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def take(self) -> None:
        """Hold the lock, or say who does."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "a+", encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be opened: {error.strerror}.", hint="Who owns the folder?"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "a process that has not said its name"
            file.close()
            raise StoreInUse(
                f"Another Tocsin works on {self._path.parent}: {holder}.",
                hint="Stop that one first, or give this one a folder of its own.",
            ) from None
        started = time.strftime("%Y-%m-%d %H:%M:%S %Z")
        with contextlib.suppress(OSError):  # a full disk: the kernel's lock holds, without a name in it
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}, since {started}\n")
            file.flush()
        self._file = file

    def free(self) -> None:
        """Let go. The file stays: deleting it would let two bots hold two files of one name."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None
