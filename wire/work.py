"""Commands to components, and what comes of them: replies, jobs, alerts. A command never says who may give it."""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, cast

import orjson

from wire.errors import BadMessage
from wire.fields import HEX, ID, Fields
from wire.picture import PictureNamed

LARGEST_ARGUMENTS = 16 * 1024
LARGEST_RESULT = 32 * 1024
CANCEL = "cancel"
"""The command that every component with jobs takes. Its one argument is the job."""
PROGRESS_EVERY_S = 0.5
"""A job says how far it is no more often than that."""
KEPT_S = 24 * 3600
"""How long the broker keeps the end of a job, and its pictures."""
MOST_PICTURES = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Called:
    """One component that a command is for, in the session in which it was seen."""

    id: str
    session: str


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """Something that components are to do. One signature serves all whom it is for."""

    id: str
    command: str
    args: Mapping[str, Any]
    targets: tuple[Called, ...]
    reply_to: str
    """The bot that waits for the answers."""
    expires_ms: int
    """On the clock of the leases' `t_ms`."""
    actor: str
    """Who ordered it, for the component's own log."""

    def to_bytes(self) -> bytes:
        """As it is signed."""
        return orjson.dumps(
            {
                "id": self.id,
                "command": self.command,
                "args": dict(self.args),
                "targets": [{"id": each.id, "session": each.session} for each in self.targets],
                "reply_to": self.reply_to,
                "expires": self.expires_ms,
                "actor": self.actor,
            }
        )

    @classmethod
    def parse(cls, payload: bytes) -> "Command":
        """From signed bytes."""
        fields = Fields.parse(payload, "command")
        targets = [Fields.of(each, "command's target") for each in fields.list_of("targets", needed=True)]
        return cls(
            id=fields.text("id", HEX),
            command=fields.text("command", ID),
            args=_object(fields, "args", LARGEST_ARGUMENTS),
            targets=tuple(Called(each.text("id", ID), each.text("session", HEX)) for each in targets),
            reply_to=fields.text("reply_to", ID),
            expires_ms=fields.number("expires"),
            actor=fields.text("actor", default=""),
        )


class Status(enum.StrEnum):
    """What a component says to a command."""

    ACCEPTED = "accepted"
    """It has begun a job, which has the id of the command."""
    REJECTED = "rejected"
    DONE = "done"
    ERROR = "error"


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one command."""

    id: str
    sender: str
    status: Status
    result: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    error: str = ""

    def to_bytes(self) -> bytes:
        """As it is signed."""
        reply = {"id": self.id, "from": self.sender, "status": self.status, "result": dict(self.result)}
        return orjson.dumps(reply | ({"error": self.error} if self.error else {}))

    @classmethod
    def parse(cls, payload: bytes) -> "Reply":
        """From signed bytes."""
        fields = Fields.parse(payload, "reply")
        return cls(
            id=fields.text("id", HEX),
            sender=fields.text("from", ID),
            status=fields.one_of("status", Status),
            result=_object(fields, "result", LARGEST_RESULT),
            error=fields.text("error", default=""),
        )


class JobState(enum.StrEnum):
    """How a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    """Nobody lets it go on just now. It goes on by itself."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    """By a stop. It does not go on by itself."""

    @property
    def is_over(self) -> bool:
        """Nothing more will be said of it."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.STOPPED)


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """How far a job is, or how it ended."""

    id: str
    job: str
    session: str
    seq: int
    state: JobState
    progress: float | None = None
    """From 0 to 1, where that can be said."""
    message: str = ""
    result: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    pictures: tuple[PictureNamed, ...] = ()
    """Only where it is over."""

    def to_bytes(self) -> bytes:
        """As it is signed."""
        job = {
            "id": self.id,
            "job": self.job,
            "session": self.session,
            "seq": self.seq,
            "state": self.state,
            "progress": self.progress,
            "message": self.message,
            "result": dict(self.result),
        }
        pictures = [each.to_json() for each in self.pictures]
        return orjson.dumps(job | ({"pictures": pictures} if pictures else {}))

    @classmethod
    def parse(cls, payload: bytes) -> "Job":
        """From signed bytes."""
        fields = Fields.parse(payload, "job")
        state = fields.one_of("state", JobState)
        pictures = fields.list_of("pictures")
        if len(pictures) > (MOST_PICTURES if state.is_over else 0):
            raise BadMessage(f"A job names up to {MOST_PICTURES} pictures at its end, and none before.")
        return cls(
            id=fields.text("id", ID),
            job=fields.text("job", HEX),
            session=fields.text("session", HEX),
            seq=fields.number("seq"),
            state=state,
            progress=fields.fraction("progress"),
            message=fields.text("message", default=""),
            result=_object(fields, "result", LARGEST_RESULT),
            pictures=tuple(map(PictureNamed.parse, pictures)),
        )


class Severity(enum.StrEnum):
    """How much an alert matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclasses.dataclass(frozen=True, slots=True)
class Alert:
    """Something that a component wants people to know, as a CloudEvent. It is not signed: others read it, too."""

    id: str
    source: str
    time: str
    severity: Severity
    message: str
    key: str = ""
    """What it is about, where it lasts and will be taken back."""

    def to_bytes(self) -> bytes:
        """CloudEvents 1.0, structured JSON."""
        data: dict[str, str] = {"severity": self.severity, "message": self.message}
        return orjson.dumps(
            {
                "specversion": "1.0",
                "id": self.id,
                "source": self.source,
                "type": "tocsin.alert",
                "time": self.time,
                "datacontenttype": "application/json",
                "data": data | ({"key": self.key} if self.key else {}),
            }
        )

    @classmethod
    def parse(cls, payload: bytes) -> "Alert":
        """From the bytes of a message."""
        fields = Fields.parse(payload, "alert")
        if fields.text("specversion") != "1.0" or fields.text("type") != "tocsin.alert":
            raise BadMessage("An alert is a CloudEvent 1.0 of the type 'tocsin.alert'.")
        data = fields.inner("data")
        return cls(
            id=fields.text("id"),
            source=fields.text("source"),
            time=fields.text("time"),
            severity=data.one_of("severity", Severity),
            message=data.text("message"),
            key=data.text("key", ID) if data.raw("key") is not None else "",
        )


def _object(fields: Fields, key: str, most: int) -> dict[str, Any]:
    value = fields.raw(key)
    if value is None:
        return {}
    try:
        size = len(orjson.dumps(value))
    except TypeError:  # nested deeper than anybody reads
        size = most + 1
    if not isinstance(value, dict) or size > most:
        raise BadMessage(f"The {key!r} of a command, reply or job must be an object of up to {most} bytes.")
    return cast("dict[str, Any]", value)
