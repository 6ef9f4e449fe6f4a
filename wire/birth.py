"""What a component says of itself once in each session: its birth certificate. Whoever reads it believes no less of it.

A birth may ask for more care than the configuration does, never for less: the reader sees to that, not this module.
"""

import dataclasses
import enum
import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import orjson

from wire.errors import BadMessage
from wire.fields import HEX, ID, ID_OR_NOTHING, Fields
from wire.messages import CONTRACT

LARGEST_BIRTH = 48 * 1024
"""What fits an envelope, which is a third larger and has its own bound."""
LONGEST_DEADLINE_MS = 3_600_000


@functools.total_ordering
class Danger(enum.Enum):
    """How much care a command takes."""

    NONE = "none"
    CAUTION = "caution"
    HIGH = "high"
    """Two persons must agree to it."""

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Danger):
            return NotImplemented
        order = list(Danger)
        return order.index(self) < order.index(other)

    def __str__(self) -> str:
        return self.value


class OnSilence(enum.StrEnum):
    """What a component does when nobody lets it work any more."""

    HOLD = "hold"
    """Its work is kept and goes on with the next lease."""
    LATCH = "latch"
    """That is a stop, and takes two persons to undo."""


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """One command that a component takes."""

    title: str
    input: Mapping[str, Any]
    """The JSON Schema of its arguments."""
    job: bool = False
    """It takes a while, says how far it is, and can be cancelled."""
    danger: Danger = Danger.NONE
    goes_on_by: str = ""
    """The command by which such a job goes on in a new session. It is given the job's id as `of`, and is that job
    itself. Where none is named, what a restart breaks off does not go on by itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stream:
    """Values that a component sends while it runs."""

    title: str
    unit: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Birth:
    """A birth certificate."""

    id: str
    session: str
    title: str
    kind: str
    version: str
    groups: tuple[str, ...] = ()
    commands: Mapping[str, Offer] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    streams: Mapping[str, Stream] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    stop_deadline_ms: int = 2_000
    """Within how long it is down after it heard a stop."""
    on_silence: OnSilence = OnSilence.HOLD

    def to_bytes(self) -> bytes:
        """As it is signed. Raises BadMessage where it is too long for anybody to read."""
        payload = orjson.dumps(
            {
                "contract": CONTRACT,
                "id": self.id,
                "session": self.session,
                "title": self.title,
                "kind": self.kind,
                "version": self.version,
                "groups": self.groups,
                "commands": {
                    name: {
                        "title": each.title,
                        "input": dict(each.input),
                        "job": each.job,
                        "danger": str(each.danger),
                        **({"goes_on_by": each.goes_on_by} if each.goes_on_by else {}),
                    }
                    for name, each in self.commands.items()
                },
                "streams": {name: {"title": each.title, "unit": each.unit} for name, each in self.streams.items()},
                "stop": {"deadline_ms": self.stop_deadline_ms, "on_silence": self.on_silence},
            }
        )
        if len(payload) > LARGEST_BIRTH:
            raise BadMessage(f"A birth of {len(payload)} bytes is over the bound of {LARGEST_BIRTH}.")
        return payload

    @classmethod
    def parse(cls, payload: bytes) -> "Birth":
        """From signed bytes."""
        fields = Fields.parse(payload, "birth")
        fields.number("contract", least=CONTRACT, most=CONTRACT)
        stop = fields.inner("stop")
        return cls(
            id=fields.text("id", ID),
            session=fields.text("session", HEX),
            title=fields.text("title"),
            kind=fields.text("kind"),
            version=fields.text("version"),
            groups=fields.texts("groups", ID),
            commands={name: _offer(each) for name, each in fields.named("commands", ID).items()},
            streams={
                name: Stream(each.text("title"), each.text("unit", default=""))
                for name, each in fields.named("streams", ID).items()
            },
            stop_deadline_ms=stop.number("deadline_ms", most=LONGEST_DEADLINE_MS),
            on_silence=stop.one_of("on_silence", OnSilence, default=OnSilence.HOLD),
        )


def _offer(fields: Fields) -> Offer:
    schema = fields.raw("input")
    if not isinstance(schema, dict):
        raise BadMessage("A command's 'input' must be a JSON Schema: an object.")
    return Offer(
        title=fields.text("title"),
        input=cast("dict[str, Any]", schema),
        job=fields.flag("job"),
        danger=fields.one_of("danger", Danger, default=Danger.NONE),
        goes_on_by=fields.text("goes_on_by", ID_OR_NOTHING, default=""),
    )
