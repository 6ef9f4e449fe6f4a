"""The file of a stop key: where the broker is, whose key it is, and the key. Whoever has it can stop, and nothing else.

It works without the bot, without its configuration and without any chat network. It is never written over.
"""

import base64
import dataclasses
import os
import stat
from pathlib import Path

import orjson

from wire.broker import Broker
from wire.envelope import PrivateKey
from wire.errors import BadMessage
from wire.fields import ID, Fields

LARGEST_FILE = 64 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class StopKey:
    """One person's key for stops."""

    root: str
    broker: Broker
    person: str
    seed: bytes = dataclasses.field(repr=False)

    @property
    def key(self) -> PrivateKey:
        """The key itself."""
        return PrivateKey(self.seed)

    def save(self, path: Path) -> None:
        """Write the file so that only its owner can read it. Raises FileExistsError where there is one."""
        content = orjson.dumps(
            {
                "root": self.root,
                "broker": self.broker.to_json(),
                "person": self.person,
                "seed": base64.b64encode(self.seed).decode(),
            },
            option=orjson.OPT_INDENT_2,
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def load(cls, path: Path) -> "StopKey":
        """Read the file; refuse one that others can read. It is judged while it is open."""
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise BadMessage(f"{path} is not a file.")
            if stat.S_IMODE(found.st_mode) & 0o077:
                raise BadMessage(f"{path} holds a key, and others can read it. Run: chmod 600 {path}")
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise BadMessage(f"{path} is larger than {LARGEST_FILE // 1024} KiB. Is it a stop key?")
        fields = Fields.parse(content, "stop key")
        seed = fields.optional_bytes("seed", most=32)
        if seed is None or len(seed) != 32:  # noqa: PLR2004 - the length of an Ed25519 seed
            raise BadMessage("A stop key's 'seed' must be 32 bytes in base64.")
        return cls(
            root=fields.text("root"),
            broker=Broker.parse(fields.inner("broker"), path.parent),
            person=fields.text("person", ID),
            seed=seed,
        )
