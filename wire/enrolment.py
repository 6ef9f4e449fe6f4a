"""The one file that makes a program a component: where the broker is, whose word counts, and its own key."""

import base64
import dataclasses
import enum
import os
import stat
from pathlib import Path

import orjson

from wire.envelope import PrivateKey, PublicKey
from wire.errors import BadMessage
from wire.fields import ID, KEY, Fields
from wire.mqtt import Broker


class DiskKind(enum.StrEnum):
    """What a latch file that is not there means."""

    NEW = "new"
    """The component starts for the first time."""
    KEPT = "kept"
    """The file was lost, and may have held a stop: the component starts stopped."""


@dataclasses.dataclass(frozen=True, slots=True)
class Enrolment:
    """What a component was told when it was enrolled."""

    root: str
    id: str
    groups: tuple[str, ...]
    broker: Broker
    bot_key: PublicKey
    stop_keys: tuple[PublicKey, ...]
    seed: bytes = dataclasses.field(repr=False)
    disk: DiskKind = DiskKind.NEW

    @property
    def key(self) -> PrivateKey:
        """The component's own key."""
        return PrivateKey(self.seed)

    def save(self, path: Path) -> None:
        """Write the file so that only its owner can read it."""
        content = orjson.dumps(
            {
                "root": self.root,
                "id": self.id,
                "groups": self.groups,
                "broker": self.broker.to_json(),
                "bot_key": str(self.bot_key),
                "stop_keys": [str(key) for key in self.stop_keys],
                "disk": self.disk,
                "seed": base64.b64encode(self.seed).decode(),
            },
            option=orjson.OPT_INDENT_2,
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)  # the file may have been there, open to others
            file.write(content + b"\n")

    @classmethod
    def load(cls, path: Path) -> "Enrolment":
        """Read the file; refuse one that others can read."""
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise BadMessage(f"{path} holds a key, and others can read it. Run: chmod 600 {path}")
        fields = Fields.parse(path.read_bytes(), "enrolment")
        seed = fields.optional_bytes("seed", most=32)
        if seed is None or len(seed) != 32:  # noqa: PLR2004 - the length of an Ed25519 seed
            raise BadMessage("An enrolment's 'seed' must be 32 bytes in base64.")
        return cls(
            root=fields.text("root"),
            id=fields.text("id", ID),
            groups=fields.texts("groups", ID),
            broker=Broker.parse(fields.inner("broker"), path.parent),
            bot_key=PublicKey.parse(fields.text("bot_key")),
            stop_keys=tuple(PublicKey.parse(key) for key in fields.texts("stop_keys", KEY)),
            seed=seed,
            disk=fields.one_of("disk", DiskKind, default=DiskKind.NEW),
        )
