"""What the Matrix client in this folder tells, as types. It judges nothing."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

Isolation = Literal["all", "signed"]
"""Whose devices get keys, and are read: those of all, or only those that their owners have cross-signed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shield:
    """What the client shows beside a message."""

    colour: Literal["none", "grey", "red"]
    reason: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Words:
    """What somebody reads of a message."""

    msgtype: str | None
    body: str | None
    formatted_body: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class JsMessage:
    """A message of somebody else, as it stood when it was asked for."""

    room: str
    event: str
    sender: str
    type: str
    state: Literal["clear", "sealed", "decrypted", "failed"]
    failure: str | None
    """Why it could not be decrypted."""
    shield: Shield | None
    """None where it was not decrypted."""
    words: Words
    relates_to: Mapping[str, Any]
    in_reply_to: str | None
    edits: str | None
    edited: Words | None
    """What an edit puts in the place of what it edits."""
    shown: Words
    """What the client shows, with the edits that it lets count."""
    shown_from: str | None
    """The edit that `shown` is from."""

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> Self:
        """From a line of the process."""
        shield, edited = told["shield"], told["edited"]
        parts: dict[str, Any] = {
            **told,
            "shield": shield and Shield(**shield),
            "words": Words(**told["words"]),
            "edited": edited and Words(**edited),
            "shown": Words(**told["shown"]),
        }
        return cls(**parts)


@dataclasses.dataclass(frozen=True, slots=True)
class JsIdentity:
    """Somebody's own cross-signing identity."""

    master: str | None
    ready: bool
    stored: bool
    """Its secrets are in secret storage."""
    recovery_key: str | None = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class JsUser:
    """What the client holds of a user."""

    verified: bool
    was_verified: bool
    known: bool
    needs_approval: bool
    """The identity is another one than at first contact."""
    master: str | None
    devices: list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class JsDevice:
    """What the client holds of a device."""

    known: bool
    verified: bool
    signed_by_owner: bool


@dataclasses.dataclass(frozen=True, slots=True)
class JsVerification:
    """A verification, as it stood when it was asked for."""

    id: str
    user: str
    device: str | None
    room: str | None
    """None where it goes from device to device."""
    phase: Literal["unsent", "requested", "ready", "started", "cancelled", "done"]
    code: str | None
    """Why it was cancelled."""
    cancelled_by: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Emoji:
    """What two people compare."""

    symbols: tuple[str, ...]
    names: tuple[str, ...]
    numbers: tuple[int, ...]
