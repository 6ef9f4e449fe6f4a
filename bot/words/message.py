"""A message as it arrived, and a post as it leaves: the two shapes that a bridge turns a network into."""

import dataclasses
import enum

from bot.words.document import Document
from bot.words.people import Account


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where people talk: a room, a topic, a console."""

    network: str
    id: str

    def __str__(self) -> str:
        return f"{self.network}:{self.id}"


class Standing(enum.StrEnum):
    """How sure the bridge is of who wrote a message. The desk decides what that allows."""

    ATTESTED = "attested"
    """Decrypted and verified, from a cross-signed device of a pinned identity."""
    UNPROVEN = "unproven"
    """The network names the account, but nothing signed by that account's owner proves it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """Something that somebody wrote somewhere."""

    place: Place
    account: Account
    event: str
    """The network's own id of the message; with the network it is unique for ever."""
    text: str
    standing: Standing
    device: str
    """The device that it was written on, as far as the network tells."""
    sent_ms: int
    """When it was sent, on the server's clock."""
    age_s: float
    """How old it was on the server's clock when it reached us."""
    addressed: bool = False
    """It was said to the bot alone or by naming it, so that a command needs no prefix."""


class Lane(enum.IntEnum):
    """Which post goes first when a network takes only so many."""

    STOP = 0
    ANSWER = 1
    ALERT = 2
    PROGRESS = 3
    WITNESS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Post:
    """Something that Tocsin says somewhere."""

    place: Place
    document: Document
    lane: Lane
    reply_to: str | None = None
    """The event that this answers."""
