"""A component's latch on its disk: one file, replaced whole, never half written."""

import base64
import logging
import os
from pathlib import Path

import orjson

from wire.errors import BadMessage
from wire.fields import INCIDENT, Fields
from wire.latch import MOST_RESET, Kept
from wire.messages import LARGEST_STOP, Open

log = logging.getLogger(__name__)


class Disk:
    """Reads and replaces the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Kept | None:
        """What the latch kept. A missing file is a new latch; None is a damaged one, which may have held a stop."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return Kept()
        except OSError as error:
            log.error("the latch file cannot be read: %s", error)
            return None
        try:
            return _parse(content)
        except BadMessage as error:
            log.error("the latch file is damaged: %s", error)
            return None

    def write(self, kept: Kept) -> bool:
        """Replace the file. False where the disk did not take it."""
        content = orjson.dumps(
            {
                "open": [
                    {
                        "id": each.incident,
                        "stop": None if each.stop is None else base64.b64encode(each.stop).decode(),
                    }
                    for each in kept.open
                ],
                "reset": kept.reset,
            }
        )
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            log.error("the latch file cannot be written: %s", error)
            return False
        return True


def _parse(content: bytes) -> Kept:
    fields = Fields.parse(content, "latch file")
    entries = [Fields.of(each, "latch file's open") for each in fields.list_of("open", needed=True)]
    return Kept(
        open=tuple(Open(each.text("id", INCIDENT), each.optional_bytes("stop", most=LARGEST_STOP)) for each in entries),
        reset=fields.texts("reset", INCIDENT)[-MOST_RESET:],
    )
