"""The keys that a record may be signed with, as somebody holds them: typed, or in a file with one on each line."""

import contextlib
from pathlib import Path

from bot.audit.errors import BadKey
from bot.audit.note import VerifierKey
from bot.words.errors import SettingsError

HELP = "The key of the record, or a file of such keys: a copy that you kept elsewhere."
LARGEST = 64 * 1024


def parse(given: str) -> list[VerifierKey]:
    """A key as it was typed, or those in the file of this name. Raises BadKey and SettingsError."""
    path = Path(given)
    return in_file(path) if "+" not in given or path.is_file() else [VerifierKey.parse(given)]


def in_file(path: Path) -> list[VerifierKey]:
    """All keys in a file."""
    try:
        with path.open("rb") as file:
            lines = file.read(LARGEST).decode().split()
    except OSError as error:
        raise SettingsError(
            f"The keys {path} cannot be read: {error.strerror}.", hint="Give the key of the record: --key VKEY"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} holds no keys.", hint="Give the key of the record: --key VKEY") from error
    return [VerifierKey.parse(line) for line in lines]


def beside_the_record(path: Path) -> list[VerifierKey]:
    """The keys in the file beside the record, as far as they are any: the bot itself must not stumble over a line."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return []
    found: list[VerifierKey] = []
    for line in lines:
        with contextlib.suppress(BadKey):
            found.append(VerifierKey.parse(line))
    return found
