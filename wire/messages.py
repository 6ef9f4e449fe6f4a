"""The messages of the stop machine as types, and their way to bytes and back. They know no network and sign nothing."""

import base64
import dataclasses
import enum

import orjson

from wire.envelope import PublicKey
from wire.errors import BadMessage
from wire.fields import HEX, ID, INCIDENT, KEY, Fields

CONTRACT = 1
ROOT = "tocsin/v1"
LARGEST_STOP = 2048


class Shown(enum.StrEnum):
    """What a component says of itself."""

    HELD = "held"
    READY = "ready"
    BUSY = "busy"
    STOPPING = "stopping"
    STOPPED = "stopped"
    LOST = "lost"
    """Said by the broker in its place, when the connection broke. It proves nothing else."""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What a stop is meant for: all, one group, or one component."""

    group: str | None = None
    id: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Target":
        """`all`, `group/NAME` or `id/NAME`."""
        if text == "all":
            return cls()
        kind, _, name = text.partition("/")
        if kind in ("group", "id") and ID.fullmatch(name):
            return cls(group=name) if kind == "group" else cls(id=name)
        raise BadMessage(f"A target is 'all', 'group/NAME' or 'id/NAME', not {text[:80]!r}.")

    def __str__(self) -> str:
        if self.group is not None:
            return f"group/{self.group}"
        return "all" if self.id is None else f"id/{self.id}"

    def meets(self, component: str, groups: frozenset[str]) -> bool:
        """Whether this component is meant."""
        if self.group is not None:
            return self.group in groups
        return self.id is None or self.id == component


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """The order to stop. No name and no reason travels with it."""

    incident: str
    target: Target
    issued_ms: int

    def to_bytes(self) -> bytes:
        """As it is signed."""
        return orjson.dumps({"incident": self.incident, "target": str(self.target), "issued": self.issued_ms})

    @classmethod
    def parse(cls, payload: bytes) -> "Stop":
        """From signed bytes."""
        fields = Fields.parse(payload, "stop")
        return cls(fields.text("incident", INCIDENT), Target.parse(fields.text("target")), fields.number("issued"))


@dataclasses.dataclass(frozen=True, slots=True)
class Drill:
    """An order that stops nothing. It goes the way of a stop, and whom it is for says that it came."""

    id: str
    target: Target
    issued_ms: int

    def to_bytes(self) -> bytes:
        """As it is signed."""
        return orjson.dumps({"drill": self.id, "target": str(self.target), "issued": self.issued_ms})

    @classmethod
    def parse(cls, payload: bytes) -> "Drill":
        """From signed bytes."""
        fields = Fields.parse(payload, "drill")
        return cls(fields.text("drill", HEX), Target.parse(fields.text("target")), fields.number("issued"))


@dataclasses.dataclass(frozen=True, slots=True)
class Open:
    """An incident that a component has latched, with the signed stop where it saw one."""

    incident: str
    stop: bytes | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """What a component says of itself, and its question for the next lease."""

    id: str
    session: str
    nonce: str
    re: str | None
    """The number of the last lease that it accepted in this session: the proof that it heard us."""
    shown: Shown
    incidents: tuple[Open, ...] = ()
    groups: tuple[str, ...] = ()
    key: str = ""
    """The id of the key that it takes for the bot's."""
    roster: int = 0
    """The number of the roster that it has; 0 is what it was enrolled with."""
    drill: str | None = None
    """The last drill that it heard of in this session."""

    def to_bytes(self) -> bytes:
        """As it is signed."""
        return orjson.dumps(
            {
                "id": self.id,
                "session": self.session,
                "nonce": self.nonce,
                "re": self.re,
                "state": self.shown,
                "incidents": [
                    {"id": each.incident}
                    if each.stop is None
                    else {"id": each.incident, "stop": base64.b64encode(each.stop).decode()}
                    for each in self.incidents
                ],
                "groups": self.groups,
                "key": self.key,
                "roster": self.roster,
                "drill": self.drill,
            }
        )

    @classmethod
    def parse(cls, payload: bytes) -> "State":
        """From signed bytes."""
        fields = Fields.parse(payload, "state")
        return cls(
            id=fields.text("id", ID),
            session=fields.text("session", HEX),
            nonce=fields.text("nonce", HEX),
            re=fields.optional_text("re", HEX),
            shown=fields.one_of("state", Shown),
            incidents=tuple(_open(Fields.of(each, "state.incidents")) for each in fields.list_of("incidents")),
            groups=fields.texts("groups", ID),
            key=fields.text("key", default=""),
            roster=fields.number("roster", default=0),
            drill=fields.optional_text("drill", HEX),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """The bot's answer to one State: the permission to work until `ttl_ms` after the question was asked."""

    nonce: str
    n: str
    t_ms: int
    ttl_ms: int
    stops: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """As it is signed."""
        return orjson.dumps(
            {
                "nonce": self.nonce,
                "n": self.n,
                "t_ms": self.t_ms,
                "ttl_ms": self.ttl_ms,
                "stops": self.stops,
                "cleared": self.cleared,
            }
        )

    @classmethod
    def parse(cls, payload: bytes) -> "Lease":
        """From signed bytes."""
        fields = Fields.parse(payload, "lease")
        return cls(
            nonce=fields.text("nonce", HEX),
            n=fields.text("n", HEX),
            t_ms=fields.number("t_ms"),
            ttl_ms=fields.number("ttl_ms", least=1),
            stops=fields.texts("stops", INCIDENT),
            cleared=fields.texts("cleared", INCIDENT),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class HandOver:
    """The bot has a new key. It is signed by both, so that neither of them alone can take a component over."""

    old: PublicKey
    new: PublicKey

    def to_bytes(self) -> bytes:
        """As it is signed."""
        return orjson.dumps({"old": str(self.old), "new": str(self.new)})

    @classmethod
    def parse(cls, payload: bytes) -> "HandOver":
        """From signed bytes."""
        fields = Fields.parse(payload, "hand-over")
        return cls(PublicKey.parse(fields.text("old", KEY)), PublicKey.parse(fields.text("new", KEY)))


@dataclasses.dataclass(frozen=True, slots=True)
class Roster:
    """Whose stops count beside the bot's. A higher number replaces a lower one, never the other way."""

    serial: int
    stop_keys: tuple[str, ...]
    """As they are written in base64."""

    def to_bytes(self) -> bytes:
        """As it is signed."""
        return orjson.dumps({"serial": self.serial, "stop_keys": self.stop_keys})

    @classmethod
    def parse(cls, payload: bytes) -> "Roster":
        """From signed bytes."""
        fields = Fields.parse(payload, "roster")
        return cls(fields.number("serial", least=1), fields.texts("stop_keys", KEY))


def _open(fields: Fields) -> Open:
    return Open(fields.text("id", INCIDENT), fields.optional_bytes("stop", most=LARGEST_STOP))
