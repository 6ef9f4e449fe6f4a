"""Which process works on a bot's folder, as its lock says. Looking takes nothing from anybody."""

import dataclasses
import fcntl
import re
from pathlib import Path

from bot.keys import DATABASE
from bot.words.errors import StoreError

LOCK = f"{DATABASE}.lock"
WORDS = re.compile(r"process ([1-9][0-9]*) on (\S+), since .+")


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    """A process, and the words by which it is told from one that has its number later."""

    words: str
    process: int
    host: str


def holder_of(folder: Path) -> Holder | None:
    """Who works on it now, if anybody does and has said so."""
    try:
        with (folder / LOCK).open(encoding="utf-8", errors="replace") as file:
            words = file.read().strip()
            said = WORDS.fullmatch(words)
            # A process that was killed leaves its words behind. The kernel knows whether anybody holds the file.
            if said is None or not _is_held(file.fileno()):
                return None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be looked into: {error.strerror}.", hint="Ask as the user that the bot runs as."
        ) from error
    return Holder(words, int(said[1]), said[2])


def _is_held(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
