"""The messages of component contract v1 as types, and their way to bytes and back. They know no network and no keys."""

import base64
import dataclasses
import enum

import orjson

from wire.errors import BadMessage
from wire.fields import HEX, ID, INCIDENT, Fields

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
    """Which key it takes for the bot's."""

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
            shown=_shown(fields.text("state")),
            incidents=tuple(_open(Fields.of(each, "state.incidents")) for each in fields.list_of("incidents")),
            groups=fields.texts("groups", ID),
            key=fields.text("key", default=""),
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
        return orjson.dumps(dataclasses.asdict(self))

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
class Birth:
    """What a component is: its birth certificate."""

    id: str
    session: str
    title: str
    kind: str
    version: str
    groups: tuple[str, ...] = ()
    stop_deadline_ms: int = 2_000
    """Within how long it is down after it heard a stop."""

    def to_bytes(self) -> bytes:
        """As it is published."""
        return orjson.dumps(
            {
                "contract": CONTRACT,
                "id": self.id,
                "session": self.session,
                "title": self.title,
                "kind": self.kind,
                "version": self.version,
                "groups": self.groups,
                "commands": {},
                "stop": {"deadline_ms": self.stop_deadline_ms, "on_silence": "hold"},
            }
        )

    @classmethod
    def parse(cls, payload: bytes) -> "Birth":
        """From the bytes of a retained message."""
        fields = Fields.parse(payload, "birth")
        fields.number("contract", least=CONTRACT, most=CONTRACT)
        return cls(
            id=fields.text("id", ID),
            session=fields.text("session", HEX),
            title=fields.text("title"),
            kind=fields.text("kind"),
            version=fields.text("version"),
            groups=fields.texts("groups", ID),
            stop_deadline_ms=fields.inner("stop").number("deadline_ms", most=3_600_000),
        )


def _shown(text: str) -> Shown:
    try:
        return Shown(text)
    except ValueError:
        raise BadMessage(f"A state is one of {', '.join(Shown)}, not {text[:80]!r}.") from None


def _open(fields: Fields) -> Open:
    return Open(fields.text("id", INCIDENT), fields.optional_bytes("stop", most=LARGEST_STOP))
