"""A component's latch on its disk: one file, replaced whole, never half written.

The file is a line of JSON and a line with its digest. A file that is not what was written is damaged, and never taken
for a good one: it may have held a stop, or the key that a stolen one was replaced by.
"""

import base64
import hashlib
import logging
import os
from pathlib import Path

import orjson

from wire.envelope import PublicKey
from wire.errors import BadMessage
from wire.fields import INCIDENT, KEY, Fields
from wire.latch import MOST_RESET, Kept
from wire.messages import LARGEST_STOP, Open, Roster

VERSION = 2
"""Version 1 had no digest, and neither key nor roster."""

log = logging.getLogger(__name__)


class Disk:
    """Reads and replaces the file."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()  # to replace a link would leave what it leads to as it was

    def is_missing(self) -> bool:
        """Whether nothing is there, not even something damaged."""
        return not os.path.lexists(self.path)

    def read(self) -> Kept | None:
        """What the latch kept. A missing file is a new latch; None is a damaged one, which may have held a stop."""
        try:
            content = self.path.read_bytes()
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
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(_content(kept))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            log.error("the latch file cannot be written: %s", error)
            return False
        return True


def _content(kept: Kept) -> bytes:
    body = orjson.dumps(
        {
            "version": VERSION,
            "open": [
                {"id": each.incident, "stop": None if each.stop is None else base64.b64encode(each.stop).decode()}
                for each in kept.open
            ],
            "reset": kept.reset,
            "enrolled": kept.enrolled,
            "key": None if kept.key is None else str(kept.key),
            "roster": None
            if kept.roster is None
            else {"serial": kept.roster.serial, "stop_keys": kept.roster.stop_keys},
        }
    )
    return body + b"\n" + _digest(body) + b"\n"


def _parse(content: bytes) -> Kept:
    body, *rest = content.split(b"\n")
    fields = Fields.parse(body, "latch file")
    version = fields.number("version", least=1, most=VERSION, default=1)
    if rest != ([] if version == 1 else [_digest(body), b""]):
        raise BadMessage("A latch file's second line must be the digest of its first.")
    entries = [Fields.of(each, "latch file's open") for each in fields.list_of("open", needed=True)]
    opened = tuple(Open(each.text("id", INCIDENT), each.optional_bytes("stop", most=LARGEST_STOP)) for each in entries)
    reset = fields.texts("reset", INCIDENT)[-MOST_RESET:]
    if version == 1:
        if fields.raw("enrolled") is not None:
            raise BadMessage("A latch file without a digest has no key in it.")
        return Kept(opened, reset)
    key = fields.optional_text("key", KEY)
    return Kept(
        opened,
        reset,
        enrolled=fields.text("enrolled"),
        key=None if key is None else PublicKey.parse(key),
        roster=None if fields.raw("roster") is None else _roster(fields.inner("roster")),
    )


def _roster(fields: Fields) -> Roster:
    """As it was kept: the one of the enrolment has the serial 0, which no message may have."""
    return Roster(fields.number("serial"), fields.texts("stop_keys", KEY))


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
