"""A message as it arrived, and a post as it leaves: the two shapes that a bridge turns a network into."""

import dataclasses
import enum
from typing import Self

from bot.words.document import Document, Enclosed
from bot.words.people import Account

ALL = "/*"


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where people talk: a room, a topic, a console."""

    network: str
    id: str

    def __str__(self) -> str:
        return f"{self.network}:{self.id}"

    @property
    def is_whole(self) -> bool:
        """Whether it stands for all topics of a channel, on a network where a topic is a place: `zulip:4/*`."""
        return self.id.endswith(ALL)

    def topic_of(self, place: "Place") -> str | None:
        """The topic of which a place is, where this one is a whole that has it. Else nothing."""
        begin = self.id.removesuffix(ALL[1:])
        is_in = self.is_whole and place.network == self.network and place.id.startswith(begin) and not place.is_whole
        return place.id[len(begin) :] if is_in else None

    def with_topic(self, topic: str) -> "Place":
        """One place of a whole."""
        return Place(self.network, self.id.removesuffix(ALL[1:]) + topic)

    def is_beside(self, other: "Place") -> bool:
        """Whether both are topics of one whole, or the same."""
        return self.network == other.network and self.id.partition(ALL[0])[0] == other.id.partition(ALL[0])[0]

    @classmethod
    def parse(cls, word: str) -> Self:
        """A place as it is written: `matrix:!room:example.org`. Raises ValueError for what is none."""
        network, _, place = word.partition(":")
        if not network or not place.strip() or not word.isprintable():
            raise ValueError("must be a network and a place on it, such as matrix:!room:example.org")
        return cls(network, place)


class Standing(enum.StrEnum):
    """How sure we are of who said something. `bot/desk/authority.py` decides what that allows."""

    ATTESTED = "attested"
    """Decrypted and verified, from a cross-signed device of a pinned identity."""
    SIGNED = "signed"
    """The same, where the configuration asks for more: that people have compared the identity. Nobody has, yet."""
    UNPROVEN = "unproven"
    """An encrypted network names the account, but nothing signed by that account's owner proves it."""
    CLEAR = "clear"
    """Said in clear in a room where that is meant to be. Its homeserver names the account, and could have written it
    itself."""
    NAMED = "named"
    """A server that we trust to know its own accounts names the account; nothing is end to end."""
    LOCAL = "local"
    """The kernel of this machine says which user is at the other end."""
    KEY = "key"
    """Signed with a stop key. Nobody is named, and nothing but a stop follows."""
    RELAYED = "relayed"
    """Passed on by something that says who wrote it, such as MQTT or a bridge."""


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
    replies_to: str = ""
    """The event that it answers, where it answers one."""
    thread: str = ""
    """The event that its thread begins with, where it stands in one."""
    topic: str = ""
    """How the topic is spelled in which it was said, on a network where a topic is a place."""
    files: tuple[Enclosed, ...] = ()
    """What was sent along."""
    caption: str = ""
    """What people read in the place of the text, where a network keeps that apart: what was said of the files, or a
    text without what it hides and with whom it names. It commands nothing, so nobody stores it."""
    called: str = ""
    """What its writer calls themselves. It proves nothing."""
    apart: bool = False
    """It was said to the bot in a place that is not its own: its words go nowhere else."""
    planned_by: str = ""
    """The event of the message that planned it, where nobody has just said it: `bot/desk/plans.py`."""

    @property
    def words(self) -> str:
        """What people read, whether it may command something or not."""
        return self.caption or self.text

    @property
    def hangs_on(self) -> str:
        """The event that an answer replies to."""
        return self.planned_by or self.event


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A message was edited or taken back after it was sent. It never commands anything; it voids what was asked."""

    place: Place
    """Where. Nothing that is done in one place changes what was said in another."""
    event: str
    """The message that was changed."""
    account: Account
    """Who changed it."""
    removed: bool = False
    """It was taken back, by its writer or by a moderator. Else it was edited, which only its writer can do."""
    text: str = ""
    """What stands there now, where that can be read."""
    standing: Standing = Standing.UNPROVEN
    """How sure we are of who changed it."""
    files: tuple[Enclosed, ...] = ()
    """What is sent along now."""


@dataclasses.dataclass(frozen=True, slots=True)
class Moved:
    """Messages that were said in one place stand in another now. Nobody has said them anew; they command nothing."""

    place: Place
    to: Place
    events: tuple[str, ...]
    """Those of people, and the bot's own."""
    is_whole: bool = False
    """No message is left: the place itself is called otherwise, and who is heard there is the same."""
    topic: str = ""
    """How the new one is spelled."""
    messages: tuple[Message, ...] = ()
    """Those of people as they stand there now, where others have to hear of them: never many."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reaction:
    """Somebody shows something beside a message, or does so no more."""

    place: Place
    event: str
    """The message."""
    account: Account
    emoji: str
    """As it is shown: the character itself, or `:name:` where it is a picture of the network's own."""
    own: str
    """The network's id of the reaction; with the network it is unique. A Change that removes it ends it, too."""
    gone: bool = False


class Lane(enum.IntEnum):
    """Which post goes first when a network takes only so many."""

    STOP = 0
    ANSWER = 1
    ALERT = 2
    PROGRESS = 3
    WITNESS = 4
    TALK = 5
    """What people have written in another place."""


@dataclasses.dataclass(frozen=True, slots=True)
class Post:
    """Something that Tocsin says somewhere."""

    place: Place
    document: Document
    lane: Lane
    reply_to: str | None = None
    """The event that this answers, or shows a reaction to."""
    subject: str | None = None
    """What it reports on. In one place a newer post on the same subject edits the older one, or replaces it unsent."""
    edits: str | None = None
    """The event that this post takes the place of. The way out fills it in."""
    answers: str | None = None
    """The subject of what this answers. The way out fills in the event, once what it answers was said."""
    topic: str | None = None
    """The topic that it is of, where the place shows topics as threads. The way out fills in `thread`."""
    thread: str | None = None
    """The event that the thread begins with in which this is to stand."""
